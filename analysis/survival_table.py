"""From a CSV file to survival data: which columns, which rows, and a sentence for whatever is wrong with them."""

import csv
import difflib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.survival_times import Bools, Floats, Ints

MISSING = frozenset({"", "na", "nan", "n/a", "null", "none", "."})
_TRUE, _FALSE = frozenset({"1", "true", "yes"}), frozenset({"0", "false", "no"})

Labels = NDArray[np.str_]


class UnknownColumn(ValueError):
    """A column was asked for that the file does not have."""


@dataclass(frozen=True)
class Table:
    """The text of each column by its name; `lines` are the line numbers of the rows in the file."""

    columns: Mapping[str, tuple[str, ...]]
    lines: tuple[int, ...]

    def column(self, name: str) -> tuple[str, ...]:
        """Raises UnknownColumn with the nearest names."""
        if name in self.columns:
            return self.columns[name]
        near = difflib.get_close_matches(name, self.columns, n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else f"it has {', '.join(self.columns)}"
        raise UnknownColumn(f"the file has no column {name!r}; {hint}")


@dataclass(frozen=True)
class Sample:
    """What is analysed: arrays of shape (n,), None where no such column was named. `cause` is 0 censored, 1 the event, 2, … competing.

    `dropped` rows had a missing value in a column that is used.
    """

    time: Floats
    event: Bools
    arm: Labels | None
    strata: Labels | None
    weights: Floats | None
    cause: Ints | None
    dropped: int

    def rows(self, kept: Bools) -> "Sample":
        """The sample of some of its rows."""
        return Sample(
            self.time[kept],
            self.event[kept],
            None if self.arm is None else self.arm[kept],
            None if self.strata is None else self.strata[kept],
            None if self.weights is None else self.weights[kept],
            None if self.cause is None else self.cause[kept],
            self.dropped,
        )


def decode(raw: bytes) -> str:
    """Text of a CSV file in UTF-8 (with or without BOM), UTF-16 with BOM, or GB 18030 as Chinese Excel writes. Raises ValueError."""
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return raw.decode("utf-16")
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise ValueError("the file is neither UTF-8 nor GB 18030 text")


def read(text: str) -> Table:
    """The rows under one header line; blank lines are skipped. Raises ValueError for no header, no rows or a ragged row."""
    rows = csv.reader(io.StringIO(text, newline=""))
    header = [name.strip() for name in next(rows, [])]
    if not any(header):
        raise ValueError("the file is empty: the first line must name the columns")
    twice = {name for name in header if header.count(name) > 1}
    if twice:
        raise ValueError(f"the column {min(twice)!r} appears twice")
    kept: list[list[str]] = []
    lines: list[int] = []
    for row in rows:
        if not any(cell.strip() for cell in row):
            continue
        if len(row) != len(header):
            raise ValueError(f"line {rows.line_num} has {len(row)} values where the header has {len(header)}")
        kept.append([cell.strip() for cell in row])
        lines.append(rows.line_num)
    if not kept:
        raise ValueError("the file has a header but no rows")
    return Table({name: tuple(column) for name, column in zip(header, zip(*kept, strict=True), strict=True)}, tuple(lines))


def sample(
    table: Table,
    *,
    time: str,
    event: str,
    arm: str | None = None,
    strata: Sequence[str] = (),
    weights: str | None = None,
    competing: str | None = None,
) -> Sample:
    """Take the named columns, leaving out rows where one of them is missing.

    `competing` is a column that is 1 where a competing event ended follow-up, a column of causes (0 censored, 1 the event,
    2, … competing), or a value of the event column itself that means a competing event. Raises ValueError with the line.
    """
    coded = competing is not None and (competing == event or (competing not in table.columns and _is_cause(competing)))
    other = None if coded else competing
    used = [name for name in (time, event, arm, weights, other, *strata) if name is not None]
    picked, dropped = _complete(table, used)
    times = picked.numbers(time)
    _refuse(times < 0, picked, time, "a time must not be negative")
    weight = None if weights is None else picked.numbers(weights)
    if weights is not None and weight is not None:
        _refuse(weight < 0, picked, weights, "a weight must not be negative")
    cause = _coded_causes(picked, event, competing) if coded and competing is not None else _causes(picked, event, other)
    marks = cause == 1 if coded and cause is not None else picked.marks(event)
    return Sample(times, marks, None if arm is None else picked.labels(arm), picked.joined(strata), weight, cause, dropped)


def numbers_or_missing(column: Sequence[str]) -> Floats:
    """A column as numbers, NaN where one is missing or is none."""
    values = np.full(len(column), np.nan)
    for i, text in enumerate(column):
        try:
            values[i] = float(text)
        except ValueError:
            continue
    return values


@dataclass(frozen=True)
class _Picked:
    """The rows that are used, as text."""

    columns: Mapping[str, list[str]]
    lines: list[int]

    def numbers(self, name: str) -> Floats:
        values = np.empty(len(self.lines))
        for i, text in enumerate(self.columns[name]):
            try:
                values[i] = float(text)
            except ValueError:
                raise ValueError(f"{name} holds {text!r} in line {self.lines[i]}, which is not a number") from None
        _refuse(~np.isfinite(values), self, name, "a number must be finite")
        return values

    def marks(self, name: str) -> Bools:
        values = np.zeros(len(self.lines), dtype=bool)
        for i, text in enumerate(self.columns[name]):
            plain = text.lower().removesuffix(".0")
            if plain not in _TRUE | _FALSE:
                raise ValueError(f"{name} holds {text!r} in line {self.lines[i]}; an event is 1 and a censoring 0")
            values[i] = plain in _TRUE
        return values

    def labels(self, name: str) -> Labels:
        return np.array(self.columns[name], dtype=np.str_)

    def joined(self, names: Sequence[str]) -> Labels | None:
        """One label for each combination of the named columns."""
        if not names:
            return None
        return np.array(["\x1f".join(cells) for cells in zip(*(self.columns[name] for name in names), strict=True)], dtype=np.str_)


def _complete(table: Table, used: Sequence[str]) -> tuple["_Picked", int]:
    """The rows without a missing value in the used columns, and how many have one."""
    texts = {name: table.column(name) for name in used}
    whole = [i for i in range(len(table.lines)) if not any(texts[name][i].lower() in MISSING for name in used)]
    if not whole:
        raise ValueError(f"every row lacks a value of {', '.join(dict.fromkeys(used))}")
    columns = {name: [column[i] for i in whole] for name, column in texts.items()}
    return _Picked(columns, [table.lines[i] for i in whole]), len(table.lines) - len(whole)


def _coded_causes(picked: _Picked, event: str, code: str) -> Ints:
    """Causes that the event column itself holds; `code` is one of them or the column's own name."""
    values = picked.numbers(event)
    if code == event:
        _refuse((values < 0) | (values != np.rint(values)), picked, event, "it must be a cause 0, 1, 2, …")
        return values.astype(np.int64)
    _refuse(~np.isin(values, (0, 1, float(code))), picked, event, f"it must be 0, 1 or {code}, the competing event")
    return np.where(values > 1, 2, values).astype(np.int64)


def _causes(picked: _Picked, event: str, column: str | None) -> Ints | None:
    if column is None:
        return None
    values = picked.numbers(column)
    _refuse((values < 0) | (values != np.rint(values)), picked, column, "it must be 0 or 1, or a cause 0, 1, 2, …")
    if values.max() > 1:
        return values.astype(np.int64)
    return np.where(picked.marks(event), 1, np.where(values == 1, 2, 0)).astype(np.int64)


def _is_cause(text: str) -> bool:
    return text.isdecimal() and int(text) > 1


def _refuse(wrong: Bools, picked: _Picked, name: str, sentence: str) -> None:
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise ValueError(f"{name} holds {picked.columns[name][row]!r} in line {picked.lines[row]}; {sentence}")
