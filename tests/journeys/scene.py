"""A center in the middle of accrual, made by the platform's own write functions: lines and participants in every state."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db import transaction

from accounts import audit, people
from accounts.models import User
from studies import consent, enrollment, milestones, screening
from studies.models import Center, Participant, Screening
from studies.vocabulary import MilestoneKind, Role
from tests import replay
from tests.studies import world as worlds
from tests.studies.world import World

PASSWORD = "correct horse battery"
Kind = MilestoneKind


SEALED = {
    Kind.SERIES_RECEIVED: 11,
    Kind.PHASE_CONFIRMED: 11,
    Kind.REPORT_RECEIVED: 12,
    Kind.SLIDE_RECEIVED: 14,
    Kind.SEALED: 17,
    Kind.VISIT_DONE: 33,
    Kind.TREATMENT_STARTED: 40,
}
"""What happened to a participant whose prediction was sealed in time, by day after surgery."""


@dataclass
class Scene:
    """The world, who works in it, and the records that the pages of the tests open."""

    world: World
    coordinator: User
    lines: dict[str, Screening] = field(default_factory=dict)
    people: dict[str, Participant] = field(default_factory=dict)


def build() -> Scene:
    """One open center with work in every group of the worklist, a second center that the coordinator must not see."""
    return replay.once("scene", _built)


def _built() -> Scene:
    world = worlds.build()
    coordinator = people.create_user(
        username="wang", display_name="协调员甲", password=PASSWORD, language="zh-hans", is_demo=True, by=world.system
    )
    worlds.join(world.study, coordinator, Role.COORDINATOR, world.own, world.system)
    scene = Scene(world, coordinator)
    scene.lines["unknown"] = line(scene, 6, answers={**answers(scene, 6), "histology_hcc": "unknown", "r0_resection": "unknown"})
    line(scene, 9, answers={"imaging_phases": "yes"}, age_at_surgery=None, sex="U")
    scene.lines["eligible"] = line(scene, 12)
    scene.lines["consented"] = line(scene, 15, sex="F")
    sign(scene, scene.lines["consented"])
    scene.lines["fails"] = line(scene, 20, answers={**answers(scene, 20), "other_malignancy": "yes", "r0_resection": "no"})
    scene.lines["excluded"] = screening.exclude(screening=line(scene, 22), reason_code="consent_declined", by=coordinator)
    scene.people["new"] = enroll(scene, 18)
    scene.people["arrived"] = enroll(scene, 27, {Kind.SERIES_RECEIVED: 10})
    scene.people["sealed"] = enroll(scene, 47, SEALED)
    return scene


def answers(scene: Scene, days_ago: int) -> dict[str, str]:
    """Answers that meet every criterion for a patient operated on so many days ago."""
    return {**worlds.ELIGIBLE, "imaging_date": (scene.world.study.today() - timedelta(days=days_ago + 10)).isoformat()}


def line(scene: Scene, days_ago: int, *, by: User | None = None, center: Center | None = None, **facts: object) -> Screening:
    """A line of the log for a patient operated on so many days ago."""
    surgery = scene.world.study.today() - timedelta(days=days_ago)
    given: dict[str, Any] = {
        "age_at_surgery": 58,
        "sex": "M",
        "answers": answers(scene, days_ago),
        "on": surgery + timedelta(days=3),
        **facts,
    }
    return screening.screen(center=center or scene.world.own, surgery_date=surgery, by=by or scene.coordinator, **given)


def sign(scene: Scene, patient: Screening, by: User | None = None) -> None:
    """The signed form of a patient, four days after surgery."""
    consent.record(screening=patient, form_version="2.1", signed_on=patient.surgery_date + timedelta(days=4), by=by or scene.coordinator)


def enroll(scene: Scene, days_ago: int, happened: dict[MilestoneKind, int] | None = None, **who: object) -> Participant:
    """A participant operated on so many days ago, with milestones by their day after surgery."""
    patient = line(scene, days_ago, **who)
    by: User = who.get("by", scene.coordinator)  # type: ignore[assignment]
    sign(scene, patient, by)
    participant = enrollment.enroll(screening=patient, on=patient.surgery_date + timedelta(days=8), by=by)
    for kind, day in (happened or {}).items():
        with transaction.atomic(), audit.act(by=by, action="scene.milestone"):
            milestones.record(participant=participant, kind=kind, on=patient.surgery_date + timedelta(days=day), by=by)
    return participant
