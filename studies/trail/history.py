"""Who changed it, when, why: the events of a record as steps, and the state of a record at any time (AU-01, AU-07).

An event carries the time at which its transaction began. The events of one record are in the order of their numbers (a row lock stood
between them), so the state at an instant is what stands before the first event that carries a later time.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from studies.models import Participant
from studies.trail import kinds, wording
from studies.trail.kinds import Kind

State = dict[str, Any]


@dataclass(frozen=True)
class Change:
    """One value before and after, in words."""

    field: str
    label: str
    before: str
    after: str


@dataclass(frozen=True)
class Step:
    """One event of one record: what was done, by whom, when, why, and every value that it changed."""

    kind: Kind
    key: str
    event: int
    at: datetime
    by: str
    action: str
    reason: str
    login: str
    changes: list[Change]


def steps(kind: Kind, row: Any, *, field: str = "") -> list[Step]:
    """The history of one record, newest first; with `field` the steps that changed it (`start`, `values.afp`)."""
    events = list(kind.events.objects.filter(pgh_obj_id=row.pk).order_by("pgh_id"))  # type: ignore[attr-defined]
    found = list(_steps(kind, events, {row.pk: row}, wording.people()))
    if field:
        found = [step for step in found if any(_is_or_holds(change.field, field) for change in step.changes)]
    return found[::-1]


def of_participant(participant: Participant, found: Iterable[Kind]) -> list[Step]:
    """Every step of every record of a participant that is of one of these kinds, newest first."""
    every: list[Step] = []
    names = wording.people()
    for kind in found:
        every += _steps(kind, _events(kind, participant), defaultdict(lambda kind=kind: wording.words_of(kind, participant)), names)
    return sorted(every, key=lambda step: (step.at, step.event), reverse=True)


def state_at(kind: Kind, pk: int, at: datetime) -> State | None:
    """The columns of one record as they stood at an instant; None when it was not there."""
    return _last(kind, kind.events.objects.filter(pgh_obj_id=pk).order_by("pgh_id"), at)  # type: ignore[attr-defined]


def participant_at(participant: Participant, at: datetime, found: Iterable[Kind] | None = None) -> dict[str, dict[int, State]]:
    """Every record of a participant as it stood at an instant: {label: {key: columns}}; one query for each kind."""
    states: dict[str, dict[int, State]] = {}
    for kind in kinds.of_participants() if found is None else found:
        by_record: dict[int, list[Any]] = {}
        for event in _events(kind, participant):
            by_record.setdefault(event.pgh_obj_id, []).append(event)
        stood = {pk: state for pk, events in by_record.items() if (state := _last(kind, events, at)) is not None}
        if stood:
            states[kind.label] = stood
    return states


def participant_now(participant: Participant, found: Iterable[Kind] | None = None) -> dict[str, dict[int, State]]:
    """The same from the tables themselves: what `participant_at` is held against."""
    states: dict[str, dict[int, State]] = {}
    for kind in kinds.of_participants() if found is None else found:
        rows = {row.pk: state_of(kind, row) for row in kind.model._default_manager.filter(**kind.of(participant))}
        if rows:
            states[kind.label] = rows
    return states


def state_of(kind: Kind, row: Any) -> State:
    """The columns of a row or an event."""
    return {column: getattr(row, column) for column in kind.columns}


def _events(kind: Kind, participant: Participant) -> Iterable[Any]:
    return kind.events.objects.filter(**kind.of(participant)).order_by("pgh_id")  # type: ignore[attr-defined]


def _last(kind: Kind, events: Iterable[Any], at: datetime) -> State | None:
    last = None
    for event in events:
        if event.pgh_created_at > at:
            break
        last = event
    return None if last is None or last.pgh_label == "delete" else state_of(kind, last)


def _steps(kind: Kind, events: Iterable[Any], rows: Mapping[int, Any], names: dict[int, str]) -> Iterator[Step]:
    before: dict[int, State] = {}
    for event in events:
        row, context = rows[event.pgh_obj_id], event.pgh_context or {}
        after = state_of(kind, event) if event.pgh_label != "delete" else {}
        changes = [
            Change(
                column,
                wording.label_of(kind, column, row),
                wording.say_who(kind, column, old, names, row),
                wording.say_who(kind, column, new, names, row),
            )
            for column, old, new in changed(before.get(event.pgh_obj_id, {}), after)
            if wording.worth_saying(column, is_new=event.pgh_obj_id not in before)
        ]
        before[event.pgh_obj_id] = after
        yield Step(
            kind=kind, key=str(getattr(event, "uuid", "")), event=event.pgh_id, at=event.pgh_created_at,
            by=context.get("by", ""), action=context.get("action", ""), reason=context.get("reason", ""),
            login=context.get("login", ""), changes=changes,
        )  # fmt: skip


def changed(before: State, after: State) -> list[tuple[str, Any, Any]]:
    """The columns that differ; of an object its answers, one by one."""
    found: list[tuple[str, Any, Any]] = []
    for column in [*after, *(name for name in before if name not in after)]:
        old, new = before.get(column), after.get(column)
        if isinstance(old, dict) or isinstance(new, dict):
            was, is_ = old or {}, new or {}
            codes = [*is_, *(code for code in was if code not in is_)]
            found += [(f"{column}.{code}", was.get(code), is_.get(code)) for code in codes if was.get(code) != is_.get(code)]
        elif old != new and column not in ("id", "uuid") and not (not before and new in ("", None, [])):
            found.append((column, old, new))
    return found


def _is_or_holds(changed_field: str, wanted: str) -> bool:
    return changed_field == wanted or changed_field.startswith(f"{wanted}.")
