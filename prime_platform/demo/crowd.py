"""A synthetic study of any size, to measure pages with: ten participants made by the write functions, then copied by the database.

A copy is the ten's rows in every table that belongs to a participant or a line of the screening log, whatever rooms will add, under
keys, uuids and numbers of its own and with earlier days of surgery. It has no history and no chain; nobody signs in to it.
"""

import secrets
from collections.abc import Iterator
from datetime import date, timedelta

from django.apps import apps
from django.db import connection, models, transaction
from django.utils import timezone

from accounts import audit, people
from accounts.models import User
from followup import events, treatment
from prime_platform.demo import papers
from prime_platform.isolation import ROOMS
from studies import consent, enrollment, milestones, screening, setup
from studies.models import Center, Participant, Screening, Study
from studies.quality import queries
from studies.quality.pointer import Pointer
from studies.vocabulary import CENTER_ROLES, MilestoneKind, Phase, Role

CODE, CENTERS, TEN = "CROWD", ("01", "02"), 10
STRIDE = 10_000_000
"""How far the keys of one copy lie from those of the next."""
ANSWERS = dict.fromkeys(
    ["histology_hcc", "r0_resection", "he_slide_qualified", "baseline_complete", "imaging_phases", "imaging_quality"], "yes"
) | {"prior_therapy": "no", "prior_baseline_available": "yes", "other_malignancy": "no"}
DAYS_AGO = (20, 40, 150, 160, 170)
"""When the five participants of a center were operated on."""
SPECIAL = {
    ("studies_screening", "number"): "t.number + k * {lines}",
    ("studies_screening", "surgery_date"): "t.surgery_date - mod(k, 200)::int",
    ("studies_progress", "surgery_date"): "t.surgery_date - mod(k, 200)::int",
    ("studies_participant", "sequence"): "t.sequence + k * {people}",
    ("studies_participant", "study_number"): "left(t.study_number, 3) || lpad((t.sequence + k * {people})::text, 4, '0') || '-00'",
}
"""Columns that count within a center; `{lines}` and `{people}` are how many a center has of each."""


@transaction.atomic
def found() -> Study:
    """The study with its ten participants at two centers; everybody at a center, such as `crowd01coordinator`; data manager `crowd`."""
    by, began = User.objects.system(), timezone.localdate() - timedelta(days=300)
    study = setup.create_study(
        code=CODE, title_zh="测速研究", title_en="Study to measure pages with", protocol_id="hcc_adjuvant", accrual_from=began, by=by,
        synthetic=True,
    )  # fmt: skip
    study = setup.advance_phase(study=study, to=Phase.ACCRUAL, by=by)
    _member(study, "crowd", Role.DATA_MANAGER, None)
    for code in CENTERS:
        center = setup.add_center(study=study, code=code, name_zh=f"医院{code}", name_en=f"Hospital {code}", by=by)
        by_role = {role: _member(study, f"crowd{code}{role}", role, center) for role in CENTER_ROLES}
        papers.file_all(center, since=began, until=began + timedelta(days=900), by=by)
        center = setup.open_center(center=center, on=began, by=by)
        _fill(center, by_role[Role.COORDINATOR])
    return study


def multiply(first: int, last: int) -> None:
    """Add the copies number `first` to `last` of the ten. Needs the right to set triggers aside, which a test cluster's owner has."""
    copied = _copied()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        per_center = {"lines": Screening.objects.filter(pk__lt=STRIDE).count() // len(CENTERS), "people": TEN // len(CENTERS)}
        for model in copied:
            cursor.execute(_copy(model, copied, per_center), [first, last])
        cursor.execute("SET LOCAL session_replication_role = origin")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def _copied() -> list[type[models.Model]]:
    """Lines of the log, participants, and every table whose rows point at one of those, at whatever distance."""
    found: list[type[models.Model]] = [Screening, Participant]
    rooms = [model for model in apps.get_models() if model._meta.app_label in ROOMS and not hasattr(model, "pgh_tracked_model")]
    while further := [model for model in rooms if model not in found and model._meta.managed and list(_pointers(model, found))]:
        found += further
    return found


def _pointers(model: type[models.Model], copied: list[type[models.Model]]) -> Iterator[models.Field]:
    return (field for field in model._meta.fields if field.is_relation and field.related_model in copied)


def _copy(model: type[models.Model], copied: list[type[models.Model]], per_center: dict[str, int]) -> str:
    table, columns, values = model._meta.db_table, [], []
    moved = {model._meta.pk.column, *(field.column for field in _pointers(model, copied))}
    for field in (field for field in model._meta.concrete_fields if not field.generated):
        columns.append(f'"{field.column}"')
        if field.column in moved:
            values.append(f't."{field.column}" + k * {STRIDE}')
        elif isinstance(field, models.UUIDField):
            values.append(f'md5(t."{field.column}"::text || k)::uuid')
        else:
            values.append(SPECIAL.get((table, field.column), f't."{field.column}"').format(**per_center))
    whose = " OR ".join(f't."{field.column}" IS NOT NULL' for field in _pointers(model, copied)) or "true"
    return (
        f'INSERT INTO "{table}" ({", ".join(columns)}) SELECT {", ".join(values)} '  # noqa: S608 - names of our own tables
        f'FROM "{table}" t, generate_series(%s::bigint, %s::bigint) k WHERE t."{model._meta.pk.column}" < {STRIDE} AND ({whose})'
    )


def _member(study: Study, name: str, role: str, center: Center | None) -> User:
    by = User.objects.system()
    user = people.create_user(username=name, display_name=name, password=secrets.token_urlsafe(), by=by)
    setup.add_member(study=study, user=user, role=role, center=center, by=by, since=study.accrual_from, delegated=center is not None)
    return user


def _fill(center: Center, by: User) -> None:
    """Five participants, each at another point of the way, and three lines of the log that came to nothing yet."""
    today = center.study.today()
    folk = [_enrolled(center, today - timedelta(days=ago), by) for ago in DAYS_AGO]
    for place, person in enumerate(folk[1:4], start=1):
        _happened(person, MilestoneKind.SERIES_RECEIVED, *([MilestoneKind.PHASE_CONFIRMED, MilestoneKind.SEALED] if place > 1 else []))
    surgery = [today - timedelta(days=ago) for ago in DAYS_AGO]
    started = (surgery[2] + timedelta(days=30)).isoformat()
    treatment.record_course(participant=folk[2], kind="TACE", intent="adjuvant", start=started, source="record", by=by)
    treatment.close_window(participant=folk[2], on=surgery[2] + timedelta(days=92), by=by)
    treatment.declare_no_adjuvant(participant=folk[3], declared_on=surgery[3] + timedelta(days=92), source="call", by=by)
    for person, operated in zip(folk[2:4], surgery[2:4], strict=True):
        looked = {"on": operated + timedelta(days=36), "modality": "CT", "adequate": True, "finding": "free"}
        events.record_assessment(participant=person, visit="M1", by=by, **looked)
    asker = User.objects.get(username="crowd")
    for person in folk[:2]:
        queries.ask(pointer=Pointer("studies.Participant", person.uuid), participant=person, text="Please look again.", by=asker)
    for answers in ({}, ANSWERS | {"imaging_date": (today - timedelta(days=20)).isoformat()}, ANSWERS | {"r0_resection": "no"}):
        _screened(center, today - timedelta(days=10), by, answers)


def _enrolled(center: Center, surgery: date, by: User) -> Participant:
    line = _screened(center, surgery, by, ANSWERS | {"imaging_date": (surgery - timedelta(days=10)).isoformat()})
    consent.record(screening=line, form_version=papers.CONSENT_VERSION, signed_on=line.screened_on, by=by)
    return enrollment.enroll(screening=line, on=line.screened_on, by=by)


def _screened(center: Center, surgery: date, by: User, answers: dict[str, str]) -> Screening:
    on = surgery + timedelta(days=2)
    return screening.screen(center=center, surgery_date=surgery, age_at_surgery=58, sex="M", answers=answers, on=on, by=by)


def _happened(person: Participant, *kinds: MilestoneKind) -> None:
    by = User.objects.system()
    with audit.act(by=by, action="crowd"):
        for kind in kinds:
            milestones.record(participant=person, kind=kind, on=person.enrolled_on, by=by)
