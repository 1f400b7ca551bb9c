"""What a snapshot of ours says of each form, as values, and as the table that an import of values takes."""

import json
from collections.abc import Iterator
from pathlib import Path

from studies.dictionary import Dictionary
from studies.exchange import odm_model as odm
from studies.exchange import odm_read
from studies.exchange.cells import shown
from studies.exchange.faults import Refused
from studies.exchange.odm_export import SHIFTED
from studies.exchange.value_table import KEY
from studies.values import Value


def of(file: odm.File) -> Iterator[tuple[str, str, str, dict[str, Value]]]:
    """(study number, form, occurrence, values by item) of every form of a snapshot."""
    for subject in file.subjects:
        for event in subject.events:
            for form in event.forms:
                values = {datum.item.rsplit(".", 1)[1]: _value(datum) for group in form.groups for datum in group.data}
                yield subject.key, form.oid.removeprefix("FO."), form.key, values


def table(path: Path, book: Dictionary) -> tuple[list[str], list[list[str]]]:
    """Header and rows for an import: one row per participant, each value as it would be typed; scores are computed, not imported.

    Raises Refused for a file of another kind, one whose dates were shifted, and one that carries every change.
    """
    head = odm_read.read(path).head
    if SHIFTED in head.description:
        raise Refused("odm_shifted")
    if head.transactional:
        raise Refused("odm_history")
    asked = {item.code: form.code for form in book.forms for item in form.items if item.kind != "calculated" and not form.repeating}
    people: dict[str, dict[str, str]] = {}
    for number, form, _occurrence, values in of(odm_read.read(path)):
        people.setdefault(number, {}).update({code: shown(value) for code, value in values.items() if asked.get(code) == form})
    held = {code for texts in people.values() for code in texts}
    columns = [code for code in asked if code in held]
    return [KEY[0], *columns], [[number, *(texts.get(code, "") for code in columns)] for number, texts in people.items() if texts]


def _value(datum: odm.Datum) -> Value:
    rest = json.loads(datum.comment) if datum.comment else {}
    flags = dict(datum.flags)
    said = {"value": datum.value or "", "missing": flags.get(odm.MISSING_LIST, ""), "comparator": flags.get(odm.COMPARATOR_LIST, "")}
    return Value.from_json({**rest, **said})
