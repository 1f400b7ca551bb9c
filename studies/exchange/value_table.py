"""A table of values of participants who are in the study already: which column is which item, and what each row says.

The header names items by code or by their label in either language, a unit in brackets behind it: `albumin [g/dL]`. Columns that
name nothing are told and left out: they may hold names, and nothing of them is kept.
"""

import re
from dataclasses import dataclass
from typing import Any

from studies import study_number
from studies.dictionary import Dictionary
from studies.exchange import safe_csv
from studies.exchange.faults import Refused, say
from studies.exchange.tabular import Table

KEY = ("study_number", "研究编号", "study number")
OCCURRENCE = ("occurrence", "第几次")
MOST_ROWS = 5000
MOST_CELLS = 50_000
_HEADER = re.compile(r"(?P<name>.+?)\s*(?:[\[(（［](?P<unit>[^\])）］]+)[\])）］])?")


@dataclass(frozen=True, slots=True)
class Content:
    """What was understood of a table: the columns that are items, the headers left out, the rows as (line, key, occurrence, texts)."""

    columns: dict[str, str]
    units: dict[str, str]
    ignored: list[str]
    rows: list[tuple[int, str, str, dict[str, str]]]
    faults: list[tuple[int, str]]

    def as_json(self) -> dict[str, Any]:
        """For the run's row."""
        return {
            "columns": self.columns,
            "units": self.units,
            "ignored": self.ignored,
            "rows": [list(row) for row in self.rows],
            "faults": [list(fault) for fault in self.faults],
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Content":
        """From the run's row."""
        rows = [(line, key, occurrence, texts) for line, key, occurrence, texts in data["rows"]]
        return cls(data["columns"], data["units"], data["ignored"], rows, [(line, fault) for line, fault in data["faults"]])


def understand(table: Table, dictionary: Dictionary, language: str | None) -> Content:
    """The content of a table. Raises Refused without a column of study numbers, without any item, or when it is too long."""
    key = next((name for name in table.header if name.strip().lower() in KEY), None)
    if key is None:
        raise Refused("no_key", names=", ".join(KEY))
    occurrence = next((name for name in table.header if name.strip().lower() in OCCURRENCE), None)
    matched = {name: found for name in table.header if name not in (key, occurrence) and (found := _match(name, dictionary))}
    items = [item for item, _unit in matched.values()]
    if doubled := sorted({item for item in items if items.count(item) > 1}):
        raise Refused("item_twice", item=doubled[0])
    if not matched:
        raise Refused("no_items")
    rows: list[tuple[int, str, str, dict[str, str]]] = []
    faults: list[tuple[int, str]] = []
    count = 0
    for row in table.rows():
        if row.fault:
            faults.append((row.number, say(row.fault, language, row.facts)))
            continue
        texts = {item: safe_csv.unescape(row.cells[name]) for name, (item, _unit) in matched.items() if row.cells[name]}
        count += len(texts)
        if len(rows) >= MOST_ROWS or count > MOST_CELLS:
            raise Refused("too_long", rows=MOST_ROWS, cells=MOST_CELLS)
        rows.append((row.number, row.cells[key], row.cells[occurrence] if occurrence else "", texts))
    return Content(
        columns={item: name for name, (item, _unit) in matched.items()},
        units={item: unit for item, unit in matched.values() if unit},
        ignored=[name for name in table.header if name not in matched and name not in (key, occurrence)],
        rows=rows,
        faults=faults,
    )


def number(text: str) -> str:
    """The study number that a cell says. Raises ValueError."""
    return study_number.check(text)


def _match(header: str, dictionary: Dictionary) -> tuple[str, str] | None:
    """The item that a header names, with the unit behind it; the whole header first, for labels with brackets of their own."""
    found = _HEADER.fullmatch(header.strip())
    tries = [(header.strip(), "")] + ([(found["name"], found["unit"] or "")] if found else [])
    for name, unit in tries:
        folded = name.casefold()
        named = {item.code for item in dictionary.items if folded in (item.code, item.text.zh.casefold(), item.text.en.casefold())}
        if dictionary.has(folded):
            return folded, unit
        if len(named) == 1:
            return named.pop(), unit
    return None
