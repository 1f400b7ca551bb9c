"""How retrospective treatment and follow-up come in: each kind of event with its facts as text, through this room's write functions."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext as _

from accounts.models import User
from followup import events, treatment
from followup.models import Assessment, Contact, Death, NoAdjuvantDeclaration, Recurrence, TreatmentCourse
from studies.exchange.cohort import EventKind
from studies.models import Participant

YES = {"yes": True, "no": False}
Facts = Mapping[str, str]


def _course(*, participant: Participant, facts: Facts, by: User) -> Any:
    return treatment.record_course(participant=participant, by=by, **facts)


def _declaration(*, participant: Participant, facts: Facts, by: User) -> Any:
    given = {**facts, "declared_on": _day(facts, "declared_on")}
    return treatment.declare_no_adjuvant(participant=participant, by=by, **given)


def _window_closed(*, participant: Participant, facts: Facts, by: User) -> Any:
    return treatment.close_window(participant=participant, on=_day(facts, "on"), by=by)


def _assessment(*, participant: Participant, facts: Facts, by: User) -> Any:
    if facts.get("adequate") not in YES:
        raise ValidationError({"adequate": _("Say yes or no: could this examination have shown a recurrence?")})
    given = {**facts, "on": _day(facts, "on"), "adequate": YES[facts["adequate"]]}
    return events.record_assessment(participant=participant, by=by, **given)


def _recurrence(*, participant: Participant, facts: Facts, by: User) -> Any:
    days = {code: _day(facts, code) for code in ("first_seen_on", "confirmed_on") if code in facts}
    return events.record_recurrence(participant=participant, by=by, **{**facts, **days})


def _death(*, participant: Participant, facts: Facts, by: User) -> Any:
    return events.record_death(participant=participant, by=by, **facts)


def _contact(*, participant: Participant, facts: Facts, by: User) -> Any:
    return events.record_contact(participant=participant, by=by, **{**facts, "on": _day(facts, "on")})


def _day(facts: Facts, code: str) -> date:
    try:
        return date.fromisoformat(facts.get(code, ""))
    except ValueError:
        raise ValidationError({code: _("Write the date as 2026-05-03.")}) from None


def _kind(record: Callable[..., Any], *facts: str) -> EventKind:
    return EventKind(record, frozenset(facts))


KINDS: dict[str, EventKind] = {
    "course": _kind(_course, "kind", "intent", "start", "end", "source", "drug", "drug_class", "place"),
    "declaration": _kind(_declaration, "declared_on", "source"),
    "window_closed": _kind(_window_closed, "on"),
    "assessment": _kind(_assessment, "on", "modality", "adequate", "finding", "visit", "place"),
    "recurrence": _kind(_recurrence, "first_seen_on", "confirmed_on", "site", "modality", "number", "pattern", "confirmed_by"),
    "death": _kind(_death, "on", "cause", "source"),
    "contact": _kind(_contact, "on", "outcome", "channel", "vital"),
}
"""What a mapping file may name as the kind of an event, with its facts (docs/exchange.md)."""

TABLES: tuple[type[models.Model], ...] = (TreatmentCourse, NoAdjuvantDeclaration, Assessment, Recurrence, Death, Contact)
"""The tables that the undoing of an import takes rows from, and that exports read."""
