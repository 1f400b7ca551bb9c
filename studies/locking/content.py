"""What a signature is given for: the records of a participant as they stand, and the hash of their canonical bytes (AU-04).

    {"kinds": [labels], "records": {label: {uuid: {column: value}}}}

Columns that only say who typed when are left out (`Kind.aside`). Numbers with a fraction enter as the text the database prints.
Comparing looks at what was there to be signed: columns and kinds that a later version of the platform added void nothing. A record whose
signed values are all empty is as good as none, so that a series that a machine brings voids nothing before somebody says something of it.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import connection

from accounts.canonical import digest as digest_of
from studies.trail import kinds
from studies.trail.kinds import Kind

Content = dict[str, Any]


@dataclass(frozen=True)
class Difference:
    """One value that is not what was signed; a record that came or went has every value on one side only."""

    label: str
    key: str
    column: str
    signed: Any
    now: Any


def of_participants(participants: Iterable[int], *, of: Iterable[Kind] | None = None) -> dict[int, Content]:
    """The content of each participant (by key) in one query."""
    found = kinds.signed() if of is None else list(of)
    wanted = list(participants)
    content: dict[int, Content] = {pk: {"kinds": sorted(kind.label for kind in found), "records": {}} for pk in wanted}
    if not wanted or not found:
        return content
    asides = {kind.label: set(kind.aside) for kind in found}
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(_select(kind) for kind in found), {"people": wanted})
        for person, label, key, row in cursor.fetchall():
            values = json.loads(row, parse_float=str)
            kept = {column: value for column, value in values.items() if column not in asides[label]}
            content[person]["records"].setdefault(label, {})[key] = _texts(kept)
    return content


def of_record(content: Content, label: str, key: str) -> Content:
    """The part of a participant's content that is one record."""
    row = content["records"].get(label, {}).get(key)
    return {"kinds": [label], "records": {label: {key: row}} if row is not None else {}}


def digest(content: Content) -> str:
    """The hash a signature is bound to."""
    return digest_of(content)


def differences(signed: Content, now: Content) -> list[Difference]:
    """What of the signed content is not so any more, and what came to it, in a fixed order."""
    found = []
    for label in signed["kinds"]:
        before, after = signed["records"].get(label, {}), now["records"].get(label, {})
        for key in sorted({*before, *after}):
            if not (_hollow(before.get(key)) and _hollow(after.get(key))):
                found += [Difference(label, key, *change) for change in _changes(before.get(key), after.get(key))]
    return found


def _hollow(row: Mapping[str, Any] | None) -> bool:
    """Whether nothing is said in a record; `prime_signature_void` (`guards`) asks the same."""
    return row is None or all(value in (None, "") for value in row.values())


def _changes(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> list[tuple[str, Any, Any]]:
    columns = sorted(after or {}) if before is None else sorted(before)
    old, new = before or {}, after or {}
    found: list[tuple[str, Any, Any]] = []
    for column in columns:
        was, is_ = old.get(column), new.get(column)
        if isinstance(was, dict) or isinstance(is_, dict):
            was, is_ = was or {}, is_ or {}
            parts = sorted({*was, *is_})
            found += [(f"{column}.{part}", was.get(part), is_.get(part)) for part in parts if was.get(part) != is_.get(part)]
        elif was != is_ or (before is None) != (after is None):
            found.append((column, was, is_))
    return found


def _select(kind: Kind) -> str:
    """The rows of one kind with their participant, by joins that the indexes of the foreign keys serve."""
    joins, column, model = "", "t0.id", kind.model
    for depth, name in enumerate(kind.way.split("__") if kind.way else []):
        if depth:
            joins += f' JOIN "{model._meta.db_table}" t{depth} ON t{depth}.id = {column}'
        hop = model._meta.get_field(name)
        column, model = f't{depth}."{hop.attname}"', hop.related_model  # type: ignore[union-attr,assignment]
    if kind.leads == "screening":
        joins += f" JOIN studies_participant person ON person.screening_id = {column}"
        column = "person.id"
    key = "t0.uuid::text" if kind.has_uuid else "t0.id::text"
    return (
        f"SELECT {column}, '{kind.label}', {key}, to_jsonb(t0)::text "  # noqa: S608 - names of our own tables
        f'FROM "{kind.model._meta.db_table}" t0{joins} WHERE {column} = ANY(%(people)s)'
    )


def _texts(value: Any) -> Any:
    """JSON without floats or integers beyond what canonical bytes take."""
    match value:
        case dict():
            return {key: _texts(item) for key, item in value.items()}
        case list():
            return [_texts(item) for item in value]
        case int() if not isinstance(value, bool) and abs(value) > 2**53 - 1:
            return str(value)
    return value
