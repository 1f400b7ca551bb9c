"""A form as a person fills it in: what was typed, what is stored, and where two people meet.

The page carries the values it was drawn with. Only what differs from them counts as typed, so that two people may fill in different
fields at the same time; a field that both changed is decided on a page of its own, and until then nothing is saved.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from django.utils.translation import get_language

from studies.dictionary import Form, Item
from studies.entries import wording
from studies.values import NotUnderstood, Value, as_typed, asked, missing, understand, unusual

PARTS = ("value", "unit", "missing", "tick")


@dataclass(frozen=True, slots=True)
class Cell:
    """The parts of a field as they stand on the page. An empty unit is the stored one, unless the text names another."""

    text: str = ""
    unit: str = ""
    missing: str = ""
    tick: bool = False


def shown(item: Item, value: Value) -> Cell:
    """How a stored value stands on the page."""
    text = value.value if item.kind == "choice" else "" if value.missing else as_typed(value)
    return Cell(text, value.unit, value.missing, value.confirmed)


def read(item: Item, cell: Cell) -> Value:
    """The value that a field says. Raises NotUnderstood."""
    if cell.missing:
        if cell.text.strip():
            raise NotUnderstood("both", label=item.text)
        return missing(item, cell.missing)
    value = understand(item, cell.text, cell.unit)
    return replace(value, source="typed", confirmed=cell.tick and unusual(item, value)) if value else value


class Sheet:
    """One form with its stored values, the values the page was drawn with, and what was typed over them."""

    def __init__(self, form: Form, *, stored: Mapping[str, Value], seen: Mapping[str, Value], typed: Mapping[str, Any]) -> None:
        self.form, self.stored, self.seen, self.typed = form, stored, seen, typed

    @cached_property
    def asking(self) -> list[Item]:
        """The items that take an answer."""
        return [item for item in self.form.items if item.kind != "calculated"]

    @cached_property
    def touched(self) -> dict[str, Cell]:
        """{code: cell} of the fields that differ from what the page was drawn with."""
        found = {}
        for item in self.asking:
            was, now = shown(item, self.seen.get(item.code, Value())), self._sent(item)
            if now is not None and ((now.text, now.unit, now.missing) != (was.text, was.unit, was.missing) or (now.tick and not was.tick)):
                found[item.code] = now
        return found

    @property
    def met(self) -> list[Item]:
        """The items that somebody else changed meanwhile to something else than was typed here."""
        by_code = self.form.by_code
        return [by_code[code] for code, cell in self.touched.items() if self._changed_meanwhile(code) and cell != self._now(by_code[code])]

    @cached_property
    def _read(self) -> tuple[dict[str, Value], dict[str, str]]:
        values, faults = {}, {}
        for code, cell in self.touched.items():
            item = self.form.by_code[code]
            try:
                value = read(item, cell)
            except NotUnderstood as fault:
                faults[code] = fault.say(get_language())
                continue
            if value.content != self.stored.get(code, Value()).content or value.confirmed:
                values[code] = value
        return values, faults

    @property
    def values(self) -> dict[str, Value]:
        """What was typed and understood and is not stored so already."""
        return self._read[0]

    @property
    def faults(self) -> dict[str, str]:
        """A sentence for each field that is not understood."""
        return self._read[1]

    @property
    def unticked(self) -> dict[str, str]:
        """A sentence for each number outside the soft range that nobody ticked."""
        found = {code: value for code, value in self.values.items() if unusual(self.form.by_code[code], value) and not value.confirmed}
        return {code: wording.unusual(self.form.by_code[code]) for code in found}

    @property
    def as_known(self) -> dict[str, Value]:
        """What is stored, with what was typed and understood over it."""
        return {code: value for code, value in {**self.stored, **self.values}.items() if value}

    @property
    def asked(self) -> frozenset[str]:
        """The codes that are asked of somebody with these values."""
        return asked(self.form, self.as_known)

    def cell(self, item: Item) -> Cell:
        """What stands in a field: what was typed here, otherwise what is stored now."""
        return self.touched.get(item.code) or self._now(item)

    @property
    def as_draft(self) -> dict[str, str]:
        """The fields of the page that were touched, as they are sent."""
        return {
            f"{part}_{code}": text
            for code, cell in self.touched.items()
            for part, text in zip(PARTS, (cell.text, cell.unit, cell.missing, "on" if cell.tick else ""), strict=True)
        }

    def _changed_meanwhile(self, code: str) -> bool:
        return self.stored.get(code, Value()).content != self.seen.get(code, Value()).content

    def _now(self, item: Item) -> Cell:
        return shown(item, self.stored.get(item.code, Value()))

    def _sent(self, item: Item) -> Cell | None:
        names = [f"{part}_{item.code}" for part in PARTS]
        if not any(name in self.typed for name in names):
            return None
        text, unit, reason, tick = (str(self.typed.get(name, "")) for name in names)
        return Cell(text.strip(), "" if unit == item.unit else unit, reason, bool(tick))


def drawn_with(stored: Mapping[str, Value]) -> str:
    """The stored values of now, which the page carries along as `seen`."""
    return json.dumps({code: value.as_json() for code, value in stored.items()}, sort_keys=True, ensure_ascii=False)


def read_seen(text: Any) -> dict[str, Value]:
    """The values a page was drawn with; none where it does not say so."""
    try:
        data = json.loads(text or "{}") if isinstance(text, str) else text
        return {str(code): Value.from_json(parts) for code, parts in data.items()}
    except (ValueError, TypeError, AttributeError):
        return {}
