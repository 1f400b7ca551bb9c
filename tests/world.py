"""A small study with two hospitals and one person per role, made by the write functions themselves."""

from dataclasses import dataclass, field
from datetime import date, timedelta

from django.utils import timezone

from accounts import people
from accounts.models import User
from prime_platform.demo import papers
from studies import consent, enrollment, screening, setup
from studies.models import Center, Participant, Screening, Study
from studies.vocabulary import CENTER_ROLES, STUDY_ROLES
from tests import replay

PASSWORD = "correct horse battery"
ELIGIBLE = {
    **dict.fromkeys(
        ["histology_hcc", "r0_resection", "he_slide_qualified", "baseline_complete", "imaging_phases", "imaging_quality"], "yes"
    ),
    "prior_therapy": "no",
    "prior_baseline_available": "yes",
    "other_malignancy": "no",
}


@dataclass
class World:
    """The study, its centers by code, and its people by role ("coordinator01", "investigator")."""

    study: Study
    centers: dict[str, Center] = field(default_factory=dict)
    people: dict[str, User] = field(default_factory=dict)


def build(code: str = "TEST", *, synthetic: bool = True, phase: str = "accrual", anew: bool = False) -> World:
    """Two open centers, 01 and 02, in accrual (or draft) since 200 days ago; every center role at both, every study role once.

    The rows of the session's first such study are copied, unless it has to be built `anew`.
    """
    if anew:
        return _built(code, synthetic, phase)
    return replay.once(("world", code, synthetic, phase), lambda: _built(code, synthetic, phase))


def _built(code: str, synthetic: bool, phase: str) -> World:
    system = User.objects.system()
    began = timezone.localdate() - timedelta(days=200)
    study = setup.create_study(
        code=code, title_zh="试验", title_en="Test", protocol_id="hcc_adjuvant", accrual_from=began, by=system, synthetic=synthetic
    )
    world = World(study if phase == "draft" else setup.advance_phase(study=study, to=phase, by=system))
    for number in ("01", "02"):
        add_center(world, number, began)
    for role in STUDY_ROLES:
        join(world, role, role, None)
    return world


def add_center(world: World, number: str, began: date) -> None:
    """An open center with one person for each role."""
    system = User.objects.system()
    center = setup.add_center(study=world.study, code=number, name_zh=f"医院{number}", name_en=f"Hospital {number}", by=system)
    for role in CENTER_ROLES:
        join(world, f"{role}{number}", role, center)
    papers.file_all(center, since=began, until=began + timedelta(days=900), by=system)
    world.centers[number] = setup.open_center(center=center, on=began, by=system)


def join(world: World, name: str, role: str, center: Center | None) -> User:
    """Make a person with one role."""
    user = people.create_user(username=name, display_name=name, password=PASSWORD, by=User.objects.system())
    setup.add_member(
        study=world.study, user=user, role=role, center=center, by=User.objects.system(), since=world.study.accrual_from, delegated=True
    )
    world.people[name] = user
    return user


def screened(world: World, center: str = "01", *, surgery: date | None = None, **answers: str) -> Screening:
    """A screened patient who meets every criterion, unless `answers` say otherwise."""
    surgery = surgery or timezone.localdate() - timedelta(days=20)
    given = ELIGIBLE | {"imaging_date": (surgery - timedelta(days=10)).isoformat()} | answers
    return screening.screen(
        center=world.centers[center],
        surgery_date=surgery,
        age_at_surgery=58,
        sex="M",
        answers=given,
        on=surgery + timedelta(days=2),
        by=world.people[f"coordinator{center}"],
    )


def enrolled(world: World, center: str = "01", *, surgery: date | None = None) -> Participant:
    """A participant with a signed consent."""
    line = screened(world, center, surgery=surgery)
    by = world.people[f"coordinator{center}"]
    consent.record(screening=line, form_version=papers.CONSENT_VERSION, signed_on=line.screened_on, by=by)
    return enrollment.enroll(screening=line, on=line.screened_on + timedelta(days=1), by=by)
