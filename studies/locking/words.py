"""The content of a signature in words: records by kind, and what is not as it was signed."""

from dataclasses import dataclass, field
from typing import Any

from studies.locking.content import Content, Difference
from studies.models import Participant
from studies.trail import wording
from studies.trail.kinds import KINDS, Kind


@dataclass(frozen=True)
class Line:
    """One value of a record."""

    label: str
    value: str
    column: str


@dataclass(frozen=True)
class RecordRow:
    """One record of the content; `key` is its public id where it has one."""

    kind: Kind
    key: str
    lines: list[Line] = field(default_factory=list)


@dataclass(frozen=True)
class DifferenceRow:
    """One value that is not what was signed."""

    kind: Kind
    key: str
    label: str
    signed: str
    now: str


def record_rows(content: Content, participant: Participant) -> list[RecordRow]:
    """The records in the order of the kinds."""
    rows = []
    for label, kind in KINDS.items():
        row = wording.words_of(kind, participant)
        for key, values in sorted(content["records"].get(label, {}).items()):
            lines = [
                Line(wording.label_of(kind, column, row), _say(kind, column, value, row), column)
                for column, value in _flat(values)
                if value not in (None, "", [], {}) and not _is_reference(kind, column)
            ]
            rows.append(RecordRow(kind, key if kind.has_uuid else "", lines))
    return rows


def difference_rows(differences: list[Difference], participant: Participant) -> list[DifferenceRow]:
    """What changed since a signature, in words."""
    rows = []
    for one in differences:
        kind = KINDS[one.label]
        if _is_reference(kind, one.column):
            continue
        row = wording.words_of(kind, participant)
        label = wording.label_of(kind, one.column, row)
        key = one.key if kind.has_uuid else ""
        rows.append(DifferenceRow(kind, key, label, _say(kind, one.column, one.signed, row), _say(kind, one.column, one.now, row)))
    return rows


def _flat(values: dict[str, Any]) -> list[tuple[str, Any]]:
    flat: list[tuple[str, Any]] = []
    for column, value in values.items():
        flat += [(f"{column}.{code}", item) for code, item in value.items()] if isinstance(value, dict) else [(column, value)]
    return flat


def _say(kind: Kind, column: str, value: Any, row: Any) -> str:
    if column in kind.columns and isinstance(value, str):
        value = kind.model._meta.get_field(column).to_python(value)
    return wording.say(kind, column, value, row)


def _is_reference(kind: Kind, column: str) -> bool:
    """Whether the column names another row or a person by number: it is signed, but tells a reader nothing."""
    return column.endswith("_id")
