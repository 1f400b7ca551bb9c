"""A small study made by the platform's own write functions: two centers, people in every role, patients in every state."""

from dataclasses import dataclass
from datetime import date, timedelta

from django.test import override_settings

from accounts import people
from accounts.models import User
from prime_platform.demo import papers
from studies import consent, enrollment, screening, setup
from studies.models import Center, Participant, Screening, Study
from studies.vocabulary import CENTER_ROLES, Phase, Role, Sex
from tests import replay

SURGERY = date(2026, 3, 2)
SCREENED = SURGERY + timedelta(days=5)
ENROLLED = SURGERY + timedelta(days=9)
ELIGIBLE = {
    "histology_hcc": "yes",
    "r0_resection": "yes",
    "he_slide_qualified": "yes",
    "baseline_complete": "yes",
    "imaging_phases": "yes",
    "imaging_quality": "yes",
    "imaging_date": "2026-02-20",
    "prior_therapy": "no",
    "prior_baseline_available": "unknown",
    "other_malignancy": "no",
}
"""Answers that meet every criterion for a patient operated on at SURGERY."""


class People(dict[Role, User]):
    """One person per role, made when first asked for; center roles are held at `center`."""

    def __init__(self, center: Center) -> None:
        super().__init__()
        self.center = center

    def __missing__(self, role: Role) -> User:
        self[role] = person(f"{role.value}-{self.center.study.code}")
        join(self.center.study, self[role], role, self.center if role in CENTER_ROLES else None, User.objects.system())
        return self[role]


@dataclass
class World:
    """A study in accrual with centers 01 and 02, and one person per role; center roles are held at center 01."""

    study: Study
    own: Center
    other: Center
    people: People
    system: User

    @property
    def coordinator(self) -> User:
        return self.people[Role.COORDINATOR]


def build(code: str = "DEMO", *, synthetic: bool = True) -> World:
    """The world of most tests: with a coordinator, and others when they are asked for."""
    return replay.once(("studies", code, synthetic), lambda: _built(code, synthetic))


def _built(code: str, synthetic: bool) -> World:
    system = User.objects.system()
    with override_settings(PRIME_DEMO=synthetic):  # a real study is founded beside no demonstration
        study = setup.create_study(
            code=code,
            title_zh="演示研究",
            title_en="Demo study",
            protocol_id="hcc_adjuvant",
            accrual_from=date(2026, 1, 1),
            synthetic=synthetic,
            by=system,
        )
    own, other = (open_center(study, center_code, system) for center_code in ("01", "02"))
    if synthetic:
        study = setup.advance_phase(study=study, to=Phase.ACCRUAL, by=system)
    world = World(study, own, other, People(own), system)
    assert world.coordinator
    return world


def person(username: str) -> User:
    """Somebody who can sign in and may do nothing yet."""
    return people.create_user(username=username, display_name=username, password="correct horse battery", by=User.objects.system())


def join(study: Study, user: User, role: Role, center: Center | None, by: User) -> None:
    """Give a role from the study's first day on."""
    setup.add_member(study=study, user=user, role=role, center=center, since=date(2026, 1, 1), by=by, delegated=True)


def open_center(study: Study, code: str, by: User) -> Center:
    """A center that may enrol from 2026-01-05 to 2027-12-31, with a site PI and a coordinator of its own."""
    center = setup.add_center(study=study, code=code, name_zh=f"演示医院{code}", name_en=f"Demo hospital {code}", by=by)
    for role in (Role.SITE_PI, Role.COORDINATOR):
        join(study, person(f"first-{role}-{study.code}-{code}"), role, center, by)
    papers.file_all(center, since=date(2026, 1, 1), until=date(2027, 12, 31), by=by)
    return setup.open_center(center=center, on=date(2026, 1, 5), by=by)


def screened(world: World, *, by: User | None = None, center: Center | None = None, **changes: object) -> Screening:
    """An eligible screened patient of center 01 (unless changed)."""
    facts: dict[str, object] = {
        "surgery_date": SURGERY,
        "age_at_surgery": 58,
        "sex": Sex.MALE,
        "answers": ELIGIBLE,
        "on": SCREENED,
        **changes,
    }
    return screening.screen(center=center or world.own, by=by or world.coordinator, **facts)  # type: ignore[arg-type]


def consented(world: World, signed_on: date = SCREENED, **changes: object) -> Screening:
    """An eligible patient who signed the form."""
    line = screened(world, **changes)
    by = changes.get("by") or world.coordinator
    consent.record(screening=line, form_version="2.1", signed_on=signed_on, by=by)  # type: ignore[arg-type]
    return line


def enrolled(world: World, *, on: date = ENROLLED, **changes: object) -> Participant:
    """A participant of center 01 (unless changed)."""
    by = changes.get("by") or world.coordinator
    return enrollment.enroll(screening=consented(world, **changes), on=on, by=by)  # type: ignore[arg-type]
