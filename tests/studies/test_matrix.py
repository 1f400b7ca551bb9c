"""The matrix of roles, permissions and phases is what the program asks, in both directions (BL-01)."""

from pathlib import Path

import pytest
from django.conf import settings

from accounts import audit
from accounts.models import User
from studies import access
from studies.models import Study
from studies.vocabulary import CENTER_ROLES, STUDY_ROLES, Phase
from tests import world


@pytest.fixture
def site(db):
    return world.build()


@pytest.mark.parametrize("phase", Phase)
def test_may_says_what_the_matrix_says(site, phase):
    """Every study role, every permission, one phase at a time: yes where the matrix says so, and nowhere else."""
    with audit.act(by=User.objects.system(), action="test"):
        Study.objects.filter(pk=site.study.pk).update(phase=phase)
    study, listed = Study.objects.get(pk=site.study.pk), set(access.matrix())
    permissions = sorted(frozenset().union(*access.GRANTS.values()))
    assert set(access.PHASES) <= set(permissions)
    for role in STUDY_ROLES:
        said = {permission for permission in permissions if access.may(site.people[role], permission, study)}
        assert said == {permission for permission in permissions if (role, permission, phase) in listed}, role


def test_result_is_nobodys_before_publication():
    phases = {phase for _role, permission, phase in access.matrix() if permission.startswith("result.")}
    assert phases == {Phase.PUBLISHED}


def test_file_for_programs_is_current_and_holds_every_role():
    lines = (Path(settings.BASE_DIR) / "docs" / "roles.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "role,permission,phase"
    assert sorted(lines[1:]) == sorted(f"{role.value},{permission},{phase.value}" for role, permission, phase in access.matrix())
    assert {line.split(",")[0] for line in lines[1:]} == {role.value for role in (*CENTER_ROLES, *STUDY_ROLES)}
