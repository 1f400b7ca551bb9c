"""A study as CDISC ODM-XML 1.3.2: its forms as metadata, its values with their audit records (peers D1).

A snapshot says of each value who gave it last, when and why; a transactional file carries every change in the order of the trail.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from django.db.models import Q

from accounts.models import User
from studies import expressions
from studies.dictionary import MISSING, Item
from studies.exchange import odm_model as odm
from studies.exchange import trail
from studies.exchange.leaving import Leaver, leavers, moved_value
from studies.exchange.parts import EVENTS, Part, Record
from studies.models import Center, Membership, Study
from studies.protocol import Coded, Text
from studies.values import Value

SYSTEM, UNKNOWN = "PRIME", "US.unknown"
SHIFTED = "dates shifted per participant"
_TYPES = {"number": "float", "integer": "integer", "date": "date", "partial_date": "partialDate"}
_COMPARATORS = {"<": ("小于", "below"), "<=": ("不超过", "at most"), ">": ("大于", "above"), ">=": ("不低于", "at least")}


@dataclass(frozen=True, slots=True)
class Options:
    """How a file is made: its identity and time are given, so that the same study gives the same bytes."""

    file_oid: str
    created: str
    software: str
    shifted: bool = True
    history: bool = False
    audit: bool = True


def build(study: Study, parts: list[Part], options: Options) -> odm.File:
    """The file of a study; its participants are read as they are asked for."""
    return odm.File(_head(study, parts, options), _subjects(study, parts, options))


def _head(study: Study, parts: list[Part], options: Options) -> odm.Head:
    dates = SHIFTED if options.shifted else "true dates"
    description = f"{'SYNTHETIC ' if study.synthetic else ''}{study.code}, {dates}"
    places = Center.objects.filter(study=study).order_by("code")
    return odm.Head(
        file_oid=options.file_oid,
        created=options.created,
        as_of=options.created,
        source_system=SYSTEM,
        source_version=options.software,
        transactional=options.history,
        description=description,
        metadata=metadata(study, parts, shifted=options.shifted),
        people=tuple(odm.Person(oid, username or "unknown") for username, oid in _people(study, parts).items()) if options.audit else (),
        places=tuple(odm.Place(f"LO.{each.code}", each.name_en, (each.opened_on or study.accrual_from).isoformat()) for each in places),
    )


def _people(study: Study, parts: list[Part]) -> dict[str, str]:
    """{user name: OID} of who belongs to the study or stands in the trail of what leaves, and of whom nobody knows any more."""
    names = {name for part in parts for name in trail.people(part, study)}
    own = User.objects.filter(Q(pk__in=Membership.objects.filter(study=study).values("user")) | Q(username__in=names)).order_by("username")
    return {username: f"US.{uuid}" for uuid, username in own.values_list("uuid", "username")} | {"": UNKNOWN}


# -- metadata ------------------------------------------------------------------------------------------------------------


def metadata(study: Study, parts: list[Part], *, shifted: bool) -> odm.Metadata:
    """What the study collects: events, forms, sections, items, code lists, units, conditions and calculations."""
    book, protocol = study.dictionary, study.protocol
    items = [(part, item) for part in parts for item in part.form.items]
    symbols = sorted({unit for _part, item in items for unit in item.units if unit})
    return odm.Metadata(
        study_oid=f"ST.{study.code}",
        study_name=study.code,
        description=study.title_en,
        protocol_name=f"{protocol.id} {protocol.version}",
        version_oid=f"MD.{book.id}.{book.version}",
        version_name=f"{book.id} {book.version}",
        version_description=f"dictionary {book.digest}, protocol {protocol.digest}",
        units=tuple(odm.Unit(f"MU.{symbol}", symbol) for symbol in symbols),
        events=tuple(_event(code, text, parts, shifted) for code, text in EVENTS.items()),
        code_lists=(
            odm.CodeList(odm.MISSING_LIST, "missing", tuple(Coded(code, text) for code, text in MISSING.items())),
            odm.CodeList(odm.COMPARATOR_LIST, "comparator", tuple(Coded(code, Text(*words)) for code, words in _COMPARATORS.items())),
            *(odm.CodeList(_oid("CL", part, item), item.code, item.options) for part, item in items if item.options),
        ),
        conditions=tuple(_condition(part, item) for part, item in items if item.asked_if is not None),
        methods=tuple(_method(part, item) for part, item in items if item.calculation),
    )


def _event(code: str, text: Text, parts: list[Part], shifted: bool) -> odm.EventDef:
    forms = tuple(_form(part, shifted) for part in parts if part.event == code)
    return odm.EventDef(f"SE.{code}", code, text, forms, "Common")


def _form(part: Part, shifted: bool) -> odm.FormDef:
    groups = tuple(
        odm.GroupDef(
            _group(part, section.code),
            section.code or part.form.code,
            section.text,
            tuple(_item(part, item, shifted) for item in part.form.items if item.section == section.code),
        )
        for section in part.form.sections
    )
    return odm.FormDef(f"FO.{part.form.code}", part.form.code, part.form.text, groups, part.form.repeating)


def _item(part: Part, item: Item, shifted: bool) -> odm.ItemDef:
    data_type = _TYPES.get(item.kind, "text")
    if shifted and item.kind == "partial_date":
        data_type = "text"  # a shifted month is an interval
    bounds = (("GE", item.low, True), ("LE", item.high, True), ("GE", item.soft_low, False), ("LE", item.soft_high, False))
    aliases = {standard.upper(): name for standard, name in sorted((item.names or {}).items())}
    aliases["PRIME"] = item.kind
    return odm.ItemDef(
        oid=_oid("IT", part, item),
        name=item.code,
        data_type=data_type,
        text=item.text,
        help=item.help,
        length={"float": 30, "integer": 15, "text": 500}.get(data_type),
        digits=15 if data_type == "float" else None,
        units=tuple(f"MU.{unit}" for unit in item.units if unit),
        ranges=tuple(odm.Range(comparator, format(bound, "f"), hard) for comparator, bound, hard in bounds if bound is not None),
        code_list=_oid("CL", part, item) if item.options else "",
        method=_oid("MT", part, item) if item.calculation else "",
        condition=_oid("CO", part, item) if item.asked_if is not None else "",
        mandatory=item.required,
        aliases=tuple(sorted(aliases.items())),
    )


def _condition(part: Part, item: Item) -> odm.Named:
    said = json.dumps(tree(item.asked_if), sort_keys=True)
    names = ", ".join(sorted({name for leaf in expressions.leaves(item.asked_if) for name in _reads(leaf)}))  # type: ignore[arg-type]
    return odm.Named(_oid("CO", part, item), Text(f"条件不成立时不收集（依据 {names}）", f"not collected unless it holds ({names})"), said)


def _method(part: Part, item: Item) -> odm.Named:
    return odm.Named(
        _oid("MT", part, item), Text(f"由系统计算：{item.calculation}", f"calculated: {item.calculation}"), item.calculation, "Computation"
    )


def tree(node: expressions.Node | None) -> dict[str, Any]:
    """An expression as it stands in a dictionary file."""
    match node:
        case expressions.Both(parts):
            return {"all": [tree(part) for part in parts]}
        case expressions.Either(parts):
            return {"any": [tree(part) for part in parts]}
        case expressions.Not(part):
            return {"not": tree(part)}
    return _leaf(node)


def _leaf(node: expressions.Node | None) -> dict[str, Any]:
    match node:
        case expressions.Yes(code):
            return {"yes": code}
        case expressions.Among(code, codes):
            return {"among": {"input": code, "codes": list(codes)}}
        case expressions.Between(code, low, high):
            return {"between": {"input": code, "low": low, "high": high}}
        case expressions.DaysBetween(start, end, low, high):
            return {"days": {"from": start, "to": end, "low": low, "high": high}}
    raise ValueError(f"{node!r} is no expression")


def _reads(leaf: Any) -> tuple[str, ...]:
    return (leaf.start, leaf.end) if isinstance(leaf, expressions.DaysBetween) else (leaf.input,)


def _oid(prefix: str, part: Part, item: Item) -> str:
    return f"{prefix}.{part.form.code}.{item.code}"


def _group(part: Part, section: str) -> str:
    return f"IG.{part.form.code}.{section}" if section else f"IG.{part.form.code}"


# -- participants --------------------------------------------------------------------------------------------------------


def _subjects(study: Study, parts: list[Part], options: Options) -> Iterator[odm.Subject]:
    people = _people(study, parts) if options.audit else {}
    for batch in leavers(study, parts, shifted=options.shifted):
        trails: dict[str, dict[int, list[trail.Change]]] = {}
        if options.audit or options.history:
            for part in parts:
                rows = [record.pk for leaver in batch for record in leaver.records[part.form.code]]
                trails[part.form.code] = trail.changes(part, rows)
        for leaver in batch:
            yield _Subject(leaver, parts, trails, people, options).made()


class _Subject:
    """One participant on the way into the file."""

    def __init__(
        self,
        leaver: Leaver,
        parts: list[Part],
        trails: Mapping[str, Mapping[int, list[trail.Change]]],
        people: Mapping[str, str],
        options: Options,
    ) -> None:
        self.leaver, self.parts, self.trails, self.people, self.options = leaver, parts, trails, people, options
        self.site = f"LO.{leaver.participant.center.code}"

    def made(self) -> odm.Subject:
        """The participant with every event that has data."""
        events = []
        for code in EVENTS:
            forms = tuple(form for part in self.parts if part.event == code for form in self._forms(part))
            if forms:
                events.append(odm.EventData(f"SE.{code}", forms))
        return odm.Subject(self.leaver.participant.study_number, self.site, tuple(events))

    def _forms(self, part: Part) -> Iterator[odm.FormData]:
        for record in self.leaver.records[part.form.code]:
            changes = self.trails.get(part.form.code, {}).get(record.pk, [])
            groups = tuple(group for group in self._groups(part, record, changes) if group.data)
            if groups:
                yield odm.FormData(f"FO.{part.form.code}", groups, record.key)

    def _groups(self, part: Part, record: Record, changes: list[trail.Change]) -> Iterator[odm.GroupData]:
        last = {change.code: change for change in changes}
        for section in part.form.sections:
            data: list[odm.Datum] = []
            for item in (item for item in part.form.items if item.section == section.code):
                if self.options.history:
                    data += self._history(part, item, [change for change in changes if change.code == item.code])
                elif item.code in record.values:
                    data.append(self._datum(part, item, record.values[item.code], last.get(item.code)))
            yield odm.GroupData(_group(part, section.code), tuple(data))

    def _history(self, part: Part, item: Item, changes: Iterable[trail.Change]) -> Iterator[odm.Datum]:
        known = False
        for change in changes:
            kind = "Remove" if change.value is None else "Update" if known else "Insert"
            known = change.value is not None
            value = moved_value(part, item.code, change.value or Value(), self.leaver.days)
            datum = self._datum(part, item, value, change)
            yield replace(datum, change=replace(datum.change, kind=kind)) if datum.change else datum

    def _datum(self, part: Part, item: Item, value: Value, change: trail.Change | None) -> odm.Datum:
        flags = [(odm.MISSING_LIST, value.missing)] if value.missing else []
        flags += [(odm.COMPARATOR_LIST, value.comparator)] if value.comparator else []
        rest = {key: said for key, said in value.as_json().items() if key not in ("value", "comparator", "missing")}
        return odm.Datum(
            item=_oid("IT", part, item),
            value=value.value or None,
            unit=f"MU.{item.unit}" if item.unit and value.value else "",
            flags=tuple(flags),
            comment=json.dumps(rest, ensure_ascii=False, sort_keys=True) if rest else "",
            change=self._change(change) if change and self.options.audit else None,
        )

    def _change(self, change: trail.Change) -> odm.Change:
        at = self.leaver.moved(change.at).astimezone(UTC)
        return odm.Change(self.people.get(change.by, UNKNOWN), self.site, stamp(at), change.reason, change.action)


def stamp(at: datetime) -> str:
    """An instant as ODM writes it, to the second, in UTC."""
    return at.astimezone(UTC).isoformat(timespec="seconds")
