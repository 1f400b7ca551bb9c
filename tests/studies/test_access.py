"""Who may do what, where (SE-03, SE-04, blinding §7)."""

import json
from datetime import date, timedelta
from itertools import product
from pathlib import Path

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts import audit
from accounts.models import User
from studies import access, setup
from studies.access import GRANTS, Permission
from studies.models import Membership, Progress
from studies.vocabulary import ACTING_ROLES, CENTER_ROLES, KNOWING_ROLES, STUDY_ROLES, Role
from tests.studies import world as worlds
from tests.studies.world import World

ENTER = [Permission.SCREEN, Permission.CONSENT_RECORD, Permission.ENROLL, Permission.WITHDRAW]
EXPECTED: dict[str, set[tuple[Role, str]]] = {
    Permission.PARTICIPANT_VIEW: {
        (Role.COORDINATOR, "own"), (Role.SITE_PI, "own"),
        (Role.DATA_MANAGER, "own"), (Role.DATA_MANAGER, "other"), (Role.MONITOR, "own"), (Role.MONITOR, "other"),
    },
    **{permission: {(Role.COORDINATOR, "own"), (Role.SITE_PI, "own")} for permission in ENTER},
    Permission.STUDY_SETUP: {(Role.DATA_MANAGER, "own"), (Role.DATA_MANAGER, "other")},
}  # fmt: skip


def test_truth_table_of_roles_at_own_and_other_center(world: World) -> None:
    """SE-03: for each role exactly the centers of the table, for nobody anything more."""
    places = list(product([(role, world.people[role]) for role in Role], {"own": world.own, "other": world.other}.items()))
    for permission, expected in EXPECTED.items():
        may = {(role, name) for (role, user), (name, center) in places if access.may(user, permission, center)}
        assert may == expected, permission


def test_strangers_leavers_and_the_inactive_may_nothing(world: World) -> None:
    """SE-03: default deny."""
    stranger, left, coming = worlds.person("stranger"), worlds.person("left"), worlds.person("coming")
    today = timezone.localdate()
    for user, since, until in ((left, date(2026, 1, 1), today - timedelta(days=1)), (coming, today + timedelta(days=1), None)):
        setup.add_member(
            study=world.study, user=user, role=Role.COORDINATOR, center=world.own, since=since, until=until, by=world.system, delegated=True
        )
    inactive = world.coordinator
    inactive.is_active = False
    for user in (stranger, left, coming, inactive, AnonymousUser()):
        assert not access.centers_for(user).exists()
        assert access.permissions_of(user) == frozenset()
        with pytest.raises(PermissionDenied):
            access.require(user, Permission.PARTICIPANT_VIEW, world.own)


def test_last_day_of_a_membership_still_counts(world: World) -> None:
    user = worlds.person("leaving")
    setup.add_member(
        study=world.study, user=user, role=Role.COORDINATOR, center=world.own, until=timezone.localdate(), by=world.system, delegated=True
    )
    assert access.may(user, Permission.SCREEN, world.own)


def test_other_centers_rows_are_not_in_the_scope(world: World) -> None:
    """SE-04: what is not in the queryset answers 404."""
    elsewhere = worlds.person("elsewhere")
    worlds.join(world.study, elsewhere, Role.COORDINATOR, world.other, world.system)
    mine, theirs = worlds.enrolled(world), worlds.enrolled(world, center=world.other, by=elsewhere)
    assert list(access.participants_for(world.coordinator)) == [mine]
    assert list(access.participants_for(elsewhere)) == [theirs]
    assert set(access.participants_for(world.people[Role.MONITOR])) == {mine, theirs}
    assert list(access.screenings_for(world.coordinator)) == [mine.screening]
    assert not access.participants_for(world.people[Role.DMC]).exists()


def test_reach_is_the_centers_without_their_join(world: World) -> None:
    """For whoever may read whatever; a permission to enter depends on the delegation log and is refused."""
    worlds.screened(world)
    reading = sorted(frozenset[str]().union(*access.GRANTS.values()) - access.TASK_OF.keys())
    for user in (*world.people.values(), User.objects.system()):
        for permission in reading:
            rows = Progress.objects.filter(access.reach(user, permission))
            assert set(rows) == set(Progress.objects.filter(center__in=access.centers_for(user, permission)))
            assert access.roles_granted(access.held_alike(permission)) == access.roles_granted(permission)
    with pytest.raises(ValueError, match="delegated"):
        access.reach(world.coordinator, "entry.record")


def test_role_in_one_study_opens_nothing_in_another(world: World) -> None:
    other = worlds.build("SECOND")
    manager = world.people[Role.DATA_MANAGER]
    assert set(access.centers_for(manager)) == {world.own, world.other}
    assert list(access.studies_for(manager)) == [world.study]
    assert not access.may(manager, Permission.PARTICIPANT_VIEW, other.own)


def test_every_role_has_a_row_and_misspelt_permissions_are_found() -> None:
    assert set(GRANTS) == set(Role)
    held = frozenset[str]().union(*GRANTS.values())
    assert set(Permission) <= held
    with pytest.raises(ValueError, match="participant.veiw"):
        access.roles_granted("participant.veiw")


def test_blinded_roles_hold_no_permission_that_opens_a_prediction() -> None:
    """formats.md i: unblinded statistician and DMC get files, on the web only the pooled view."""
    assert GRANTS[Role.DMC] == GRANTS[Role.UNBLINDED_STATISTICIAN] == {"study.view"}


def test_no_person_unites_roles_in_conflict(world: World) -> None:
    """blinding §7: all 28 pairs, in both orders, for past roles too; by rule, and by the database for everybody."""
    pairs = [*product(KNOWING_ROLES, ACTING_ROLES), *product(ACTING_ROLES, KNOWING_ROLES)]
    for number, (first, then) in enumerate(pairs):
        user = worlds.person(f"both-{number}")
        worlds.join(world.study, user, first, world.own if first in CENTER_ROLES else None, world.system)
        held = Membership.objects.get(user=user)
        setup.end_membership(membership=held, last_day=date(2026, 2, 1), reason="left", by=world.system)
        center = world.own if then in CENTER_ROLES else None
        with pytest.raises(ValidationError):
            worlds.join(world.study, user, then, center, world.system)
        row = Membership(user=user, study=world.study, role=then, center=center, since=date(2026, 3, 1))
        with pytest.raises(IntegrityError, match="conflict"), transaction.atomic(), audit.act(by=world.system, action="test"):
            row.save()


def test_center_roles_need_a_center_and_study_roles_none(world: World) -> None:
    user = worlds.person("wrong")
    for role in Role:
        center = None if role in CENTER_ROLES else world.own
        row = Membership(user=user, study=world.study, role=role, center=center, since=date(2026, 1, 1))
        with pytest.raises(IntegrityError, match="iff"), transaction.atomic(), audit.act(by=world.system, action="test"):
            row.save()


def test_center_of_another_study_is_refused(world: World) -> None:
    other = worlds.build("SECOND")
    row = Membership(user=worlds.person("astray"), study=world.study, role=Role.READER, center=other.own, since=date(2026, 1, 1))
    with pytest.raises(IntegrityError), transaction.atomic(), audit.act(by=world.system, action="test"):
        row.save()


def test_roles_are_all_of_the_vocabulary() -> None:
    """formats.md i: four center roles, eleven study roles."""
    assert (len(CENTER_ROLES), len(STUDY_ROLES)) == (4, 11)


def test_only_the_operator_creates_a_study_and_only_managers_set_up(world: World) -> None:
    for role in Role:
        user = world.people[role]
        with pytest.raises(PermissionDenied):
            worlds.setup.create_study(
                code="X", title_zh="x", title_en="x", protocol_id="hcc_adjuvant", accrual_from=date(2026, 1, 1), by=user
            )
        if role is not Role.DATA_MANAGER:
            with pytest.raises(PermissionDenied):
                setup.add_center(study=world.study, code="03", name_zh="x", name_en="x", by=user)
    assert setup.add_center(study=world.study, code="03", name_zh="x", name_en="x", by=world.people[Role.DATA_MANAGER]).pk


def test_operator_makes_ends_and_lists_members(world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Who can sign in and who is what comes from one command: refused with 1, usage 2, a weak password never."""
    good, weak = tmp_path / "good", tmp_path / "weak"
    good.write_text("correct horse battery\n", encoding="utf-8")
    weak.write_text("password1234\n", encoding="utf-8")
    where = ["--role", "coordinator", "--center", world.own.code, "--study", world.study.code]

    def member(*arguments: object) -> int:
        try:
            call_command("member", *map(str, arguments))
        except CommandError as error:
            return error.returncode
        return 0

    assert member("add", "newcomer", *where, "--password-file", weak) == 1
    assert not User.objects.filter(username="newcomer").exists()
    assert member("add", "newcomer", *where, "--name", "New Comer", "--password-file", good, "--since", "2026-01-01") == 0
    user = User.objects.get(username="newcomer")
    assert user.check_password("correct horse battery")
    assert access.may(user, Permission.PARTICIPANT_VIEW, world.own) and not access.may(user, Permission.SCREEN, world.own)
    assert member("add", "newcomer", *where) == 1
    assert member("add", "newcomer", "--role", "monitor", "--center", world.own.code, "--study", world.study.code) == 2
    capsys.readouterr()
    assert member("list", "--study", world.study.code, "--json") == 0
    [row] = [each for each in json.loads(capsys.readouterr().out) if each["username"] == "newcomer"]
    assert row == {
        "username": "newcomer", "name": "New Comer", "role": "coordinator", "center": world.own.code, "since": "2026-01-01", "until": "",
    }  # fmt: skip
    ended = ["end", "newcomer", *where, "--reason", "left", "--last-day"]
    assert member(*ended, timezone.localdate() - timedelta(days=1)) == 0
    assert not access.may(user, Permission.PARTICIPANT_VIEW, world.own)
    assert member(*ended, timezone.localdate()) == 1
    good.write_text("another horse battery\n", encoding="utf-8")
    assert member("password", "newcomer", "--password-file", good) == 0
    user.refresh_from_db()
    assert user.check_password("another horse battery")
    assert member("password", "nobody", "--password-file", good) == 2
