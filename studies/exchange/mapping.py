"""A mapping file: which column of somebody else's table is which fact of ours, and what its codes mean (`mappings/*.yaml`).

Everything that the source does not say and the mapping fills in is an assumption, written out in the file and repeated in every
dry run. Pure: what it reads is text, what it gives is text, a reason for its absence, or a fault.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import jsonschema  # ships no types
import yaml

from accounts.canonical import digest
from studies.exchange.faults import Refused
from studies.protocol import Text

FOLDER = Path(__file__).parent / "mappings"
SCHEMA = FOLDER / "schema.json"
DAYS = {"days": Decimal(1), "weeks": Decimal(7), "months": Decimal("30.4375"), "years": Decimal("365.25")}
LINE = "#line"
"""The key of a table whose rows have none: the number of the line."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a source gives for one row: a text, or the reason why there is none, or a fault; empty when the cell says nothing."""

    text: str = ""
    missing: str = ""
    fault: str = ""
    raw: str = ""

    def __bool__(self) -> bool:
        return bool(self.text or self.missing)


@dataclass(frozen=True, slots=True)
class Source:
    """Where a fact comes from. `values` names every code that may stand there; `offset` counts from the day of surgery."""

    column: str = ""
    file: str = ""
    const: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    contains: Mapping[str, str] = field(default_factory=dict)
    otherwise: str = ""
    missing: Mapping[str, str] | None = None
    pattern: str = ""
    default: str = ""
    unit: str = ""
    comparator: str = ""
    offset: str = ""
    optional: bool = False

    @property
    def name(self) -> str:
        """The column as a person finds it."""
        return f"{self.file}:{self.column}" if self.file else self.column


@dataclass(frozen=True, slots=True)
class ItemSource:
    """The source of one item of the data dictionary; `dated` says when it was measured."""

    item: str
    source: Source
    dated: Source | None = None


@dataclass(frozen=True, slots=True)
class EventSource:
    """One row of treatment or follow-up: its kind, the cells that must hold one of these codes, and its facts."""

    kind: str
    when: tuple[tuple[Source, frozenset[str]], ...]
    facts: Mapping[str, Source]


@dataclass(frozen=True, slots=True)
class InputFile:
    """One file: the first one has the rows, the others are joined to it by their key."""

    name: str
    path: str = ""
    key: str = ""
    encoding: str = ""
    separator: str = ""
    comment: str = ""
    sheet: str = ""
    header: tuple[str, ...] = ()
    where: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole mapping file."""

    id: str
    version: str
    digest: str
    source: str
    study: Mapping[str, Any]
    assumptions: tuple[Text, ...]
    not_mapped: tuple[Text, ...]
    files: tuple[InputFile, ...]
    missing: Mapping[str, str]
    surgery_date: Source
    age_at_surgery: Source | None
    sex: Source | None
    answers: Mapping[str, Source]
    items: tuple[ItemSource, ...]
    events: tuple[EventSource, ...]

    def columns(self, file: InputFile) -> frozenset[str]:
        """The columns of a file that are read; nothing else of it is kept in memory."""
        first = file.name == self.files[0].name
        named = {source.column for source in self.sources() if source.column and source.file == ("" if first else file.name)}
        return frozenset(named | {file.key} | set(file.where)) - {LINE, ""}

    def sources(self) -> Iterator[Source]:
        """Every source of the file."""
        yield from (each for each in (self.surgery_date, self.age_at_surgery, self.sex) if each)
        yield from self.answers.values()
        for item in self.items:
            yield item.source
            if item.dated:
                yield item.dated
        for event in self.events:
            yield from (source for source, _ in event.when)
            yield from event.facts.values()


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One row with what is joined to it: cells by file (the first file under "")."""

    line: int
    key: str
    cells: Mapping[str, Mapping[str, str]]


def from_file(path: Path) -> Plan:
    """The mapping in one file. Raises Refused with every place that the schema refuses."""
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        raise Refused("mapping_unreadable", path=path.name) from None
    faults = schema_faults(data)
    if faults:
        raise Refused("mapping_malformed", path=path.name, faults="; ".join(faults))
    return from_data(data)


def schema_faults(data: Any) -> list[str]:
    """What the JSON Schema finds wrong with the content of a mapping file, a sentence each."""
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
    errors = sorted(validator.iter_errors(data), key=lambda error: [str(part) for part in error.absolute_path])
    return [f"{'/'.join(str(part) for part in error.absolute_path) or 'file'}: {error.message}" for error in errors]


def from_data(data: Mapping[str, Any]) -> Plan:
    """The mapping from schema-checked content."""
    row = data["row"]
    return Plan(
        id=data["id"],
        version=data["version"],
        digest=digest(data),
        source=data["source"],
        study=data["study"],
        assumptions=_texts(data.get("assumptions", [])),
        not_mapped=_texts(data.get("not_mapped", [])),
        files=tuple(InputFile(**{**each, "header": tuple(each.get("header", ()))}) for each in data["files"]),
        missing=data.get("missing", {}),
        surgery_date=Source(**row["surgery_date"]),
        age_at_surgery=_source(row.get("age_at_surgery")),
        sex=_source(row.get("sex")),
        answers={code: Source(**each) for code, each in data.get("answers", {}).items()},
        items=tuple(_item(each) for each in data.get("items", [])),
        events=tuple(_event(each) for each in data.get("events", [])),
    )


def find(mapping: Plan, source: Source, row: SourceRow, surgery: date | None = None) -> Found:
    """What a source gives for a row. Nothing that the mapping does not name is taken: an unknown code is a fault."""
    if source.const:
        return _offset(source, source.const, "", surgery) if source.offset else Found(source.const)
    cells = row.cells.get(source.file, {})
    raw = cells.get(source.column, "")
    reasons = mapping.missing if source.missing is None else source.missing
    if raw in reasons:
        return Found(source.default, "" if source.default else reasons[raw], raw=raw)
    if raw == "":
        return Found(source.default)
    text = _meaning(source, raw)
    if text is None:
        return Found(fault="unmapped", raw=raw)
    if source.offset:
        return _offset(source, text, raw, surgery)
    if text.startswith(".") and text[1:].isdecimal():
        text = f"0{text}"  # .6 is how many programs write 0.6
    return Found(f"{source.comparator}{source.pattern.replace('{}', text) if source.pattern else text}", raw=raw)


def holds(event: EventSource, row: SourceRow) -> bool:
    """Whether the cells that an event depends on hold one of its codes."""
    return all(row.cells.get(source.file, {}).get(source.column, "") in codes for source, codes in event.when)


def _meaning(source: Source, raw: str) -> str | None:
    if source.values:
        return source.values.get(raw)
    if source.contains:
        parts = {part.strip() for part in re.split(r"[|;]", raw)}
        return next((text for part, text in source.contains.items() if part in parts), source.otherwise or None)
    return raw


def _offset(source: Source, text: str, raw: str, surgery: date | None) -> Found:
    try:
        days = (Decimal(text) * DAYS[source.offset]).to_integral_value(ROUND_HALF_UP)
    except InvalidOperation:
        return Found(fault="no_number", raw=raw)
    if surgery is None or not days.is_finite():
        return Found(fault="no_surgery", raw=raw)
    return Found((surgery + timedelta(days=int(days))).isoformat(), raw=raw)


def _source(data: Mapping[str, Any] | None) -> Source | None:
    return Source(**data) if data else None


def _item(data: Mapping[str, Any]) -> ItemSource:
    rest = {key: value for key, value in data.items() if key not in ("item", "dated")}
    return ItemSource(data["item"], Source(**rest), _source(data.get("dated")))


def _event(data: Mapping[str, Any]) -> EventSource:
    when = tuple(
        (Source(**{key: value for key, value in each.items() if key != "is"}), frozenset(each["is"])) for each in data.get("when", [])
    )
    return EventSource(data["kind"], when, {code: Source(**each) for code, each in data["facts"].items()})


def _texts(data: list[Mapping[str, str]]) -> tuple[Text, ...]:
    return tuple(Text(each["zh"], each["en"]) for each in data)
