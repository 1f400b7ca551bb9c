"""Reading a table that somebody sends: CSV in UTF-8, UTF-16 or GB18030, or an Excel sheet, as rows of text (peers B9).

Nothing is guessed silently: the encoding and the separator that were understood are told, so that a page can show them and a
person can say that they are right. Formulas, error cells, macros and oversized or hostile archives are refused with a
sentence. Rows come one at a time; a file of any length needs the memory of one row. Pure.
"""

import codecs
import csv
import hashlib
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import openpyxl

from studies.exchange.faults import Refused

LARGEST = 64 * 2**20
LARGEST_UNPACKED = 400 * 2**20
MOST_COLUMNS = 2000
LONGEST_CELL = 20_000
CHUNK = 2**20
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "gb18030")
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_SEPARATORS = (",", "\t", ";")
TABBED = frozenset({".txt", ".tsv"})
"""Suffixes of texts in which a tab is more likely than a comma."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line under the header: its number as the spreadsheet shows it, its cells, and what is wrong with the line itself."""

    number: int
    cells: dict[str, str]
    fault: str = ""
    facts: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Table:
    """A table that can be read: what was understood of the file, and its header. `certain` is false where the encoding is a guess."""

    path: Path
    sha256: str
    kind: str
    encoding: str
    separator: str
    certain: bool
    header: tuple[str, ...]
    sheet: str = ""
    comment: str = ""
    headless: bool = False

    def rows(self) -> Iterator[Row]:
        """Every row that is not empty, in the order of the file. Raises Refused for a file that breaks off."""
        lines = _sheet_lines(self.path, self.sheet) if self.kind == "xlsx" else self._text_lines()
        if not self.headless:
            next(lines)
        for number, cells in lines:
            if self.kind == "xlsx":  # Excel leaves out the empty cells at the end of a row
                cells.extend([""] * (len(self.header) - len(cells)))
            if any(cells):
                yield _row(number, cells, self.header)

    def _text_lines(self) -> Iterator[tuple[int, list[str]]]:
        return _text_lines(self.path, self.encoding, self.separator, self.comment)


def open_table(
    path: Path, *, encoding: str = "", separator: str = "", sheet: str = "", comment: str = "", header: tuple[str, ...] = ()
) -> Table:
    """Look at a file and say how it reads; `encoding` and `separator` are taken as given where they are.

    `header` names the columns of a file whose first line is data already.

    Raises Refused with a sentence for everything that is no table.
    """
    size = path.stat().st_size
    if size == 0:
        raise Refused("empty")
    if size > LARGEST:
        raise Refused("too_large", size=size // 2**20, most=LARGEST // 2**20)
    with path.open("rb") as file:
        head = file.read(8)
    digest = sha256_of(path)
    if head.startswith(b"PK\x03\x04"):
        _check_archive(path)
        chosen = sheet or _first_sheet(path)
        first = next(_sheet_lines(path, chosen), (0, []))[1]
        return Table(path, digest, "xlsx", "", "", True, header or _header(first), chosen, headless=bool(header))
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        raise Refused("old_excel")
    encoding, certain = (encoding, True) if encoding else _encoding(path)
    separator = separator or _separator(path, encoding, comment)
    first = next(_text_lines(path, encoding, separator, comment), (0, []))[1]
    return Table(path, digest, "csv", encoding, separator, certain, header or _header(first), comment=comment, headless=bool(header))


def sha256_of(path: Path) -> str:
    """H of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _row(number: int, cells: list[str], header: tuple[str, ...]) -> Row:
    surplus = any(cells[len(header) :])
    if surplus or len(cells) < len(header):
        return Row(number, {}, "surplus_cells" if surplus else "missing_cells", {"cells": len(cells), "header": len(header)})
    return Row(number, dict(zip(header, cells, strict=False)))


def _header(cells: list[str]) -> tuple[str, ...]:
    names = [cell.strip() for cell in cells]
    while names and not names[-1]:
        names.pop()
    if not names:
        raise Refused("no_header")
    if len(names) > MOST_COLUMNS:
        raise Refused("too_many_columns", columns=len(names), most=MOST_COLUMNS)
    if "" in names:
        raise Refused("unnamed_column", column=names.index("") + 1)
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise Refused("doubled_column", column=doubled[0])
    return tuple(names)


# -- text ----------------------------------------------------------------------------------------------------------------


def _encoding(path: Path) -> tuple[str, bool]:
    with path.open("rb") as file:
        head = file.read(4)
    for mark, name in _BOMS:
        if head.startswith(mark):
            return name, True
    if _decodes(path, "utf-8"):
        return "utf-8", True
    if _decodes(path, "gb18030"):
        return "gb18030", False
    raise Refused("unknown_encoding")


def _decodes(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _separator(path: Path, encoding: str, comment: str) -> str:
    with path.open(encoding=encoding, newline="") as file:
        first = next((line for line in file if line.strip() and not (comment and line.startswith(comment))), "")
    found = [separator for separator in _SEPARATORS if separator in first]
    if len(found) > 1:
        preferred = "\t" if path.suffix.lower() in TABBED else ","
        return preferred if preferred in found else found[0]
    return found[0] if found else ","


def _text_lines(path: Path, encoding: str, separator: str, comment: str) -> Iterator[tuple[int, list[str]]]:
    csv.field_size_limit(LONGEST_CELL * 4)
    try:
        with path.open(encoding=encoding, newline="") as file:
            kept = (line for line in file if not (comment and line.startswith(comment)))
            reader = csv.reader(kept, delimiter=separator, strict=True)
            for cells in reader:
                yield reader.line_num, [_plain(cell) for cell in cells]
    except UnicodeDecodeError:
        raise Refused("other_encoding", encoding=encoding) from None
    except csv.Error:
        raise Refused("unclean_csv") from None


def _plain(text: str) -> str:
    if "\0" in text:
        raise Refused("no_text")
    if len(text) > LONGEST_CELL:
        raise Refused("long_cell", length=len(text), most=LONGEST_CELL)
    return text.strip()


# -- Excel ---------------------------------------------------------------------------------------------------------------


def _check_archive(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
            names = {part.filename for part in parts}
            if "xl/workbook.xml" not in names:
                raise Refused("no_workbook")
            if any(name.endswith("vbaProject.bin") for name in names):
                raise Refused("macros")
            if sum(part.file_size for part in parts) > LARGEST_UNPACKED:
                raise Refused("unpacks_too_large")
            for part in parts:
                with archive.open(part) as opened:
                    prolog = opened.read(2048)
                if b"<!DOCTYPE" in prolog or b"<!ENTITY" in prolog:
                    raise Refused("entities")
    except zipfile.BadZipFile:
        raise Refused("damaged") from None


@contextmanager
def _book(path: Path) -> Iterator[Any]:
    """The opened workbook, whatever the file is called."""
    with path.open("rb") as file:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # styles and extensions that openpyxl does not know say nothing about the cells
                book = openpyxl.load_workbook(file, read_only=True, data_only=False, keep_links=False)
        except (KeyError, ValueError, TypeError, zipfile.BadZipFile) as fault:
            raise Refused("damaged") from fault
        try:
            yield book
        finally:
            book.close()


def _first_sheet(path: Path) -> str:
    with _book(path) as book:
        names: list[str] = [sheet.title for sheet in book.worksheets]
    if len(names) != 1:
        raise Refused("several_sheets", count=len(names), names=", ".join(names))
    return names[0]


def _sheet_lines(path: Path, sheet: str) -> Iterator[tuple[int, list[str]]]:
    with _book(path) as book:
        if sheet not in book.sheetnames:
            raise Refused("no_sheet", sheet=sheet)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for number, cells in enumerate(book[sheet].iter_rows(), start=1):
                yield number, [_cell(cell) for cell in cells]


def _cell(cell: Any) -> str:
    if cell.data_type == "f":
        raise Refused("formula", cell=cell.coordinate)
    if cell.data_type == "e":
        raise Refused("error_cell", cell=cell.coordinate, error=cell.value)
    match cell.value:
        case None:
            return ""
        case bool():
            return "TRUE" if cell.value else "FALSE"
        case datetime():
            return cell.value.date().isoformat() if cell.value.time() == time() else cell.value.isoformat(sep=" ", timespec="minutes")
        case date():
            return cell.value.isoformat()
        case float():
            return _number(cell.value)
    return _plain(str(cell.value))


def _number(value: float) -> str:
    return str(int(value)) if value.is_integer() and abs(value) < 10**15 else repr(value)
