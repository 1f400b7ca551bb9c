"""What people paste or upload, as a table of text: pasted cells, CSV in the encodings that Excel and hospital systems write, XLSX.

Nothing is interpreted here but the container. A fault is one sentence that says what to do.
"""

import csv
import io
import zipfile
from collections.abc import Iterable
from datetime import date, datetime, time
from typing import Any

import openpyxl

from imaging.edge.words import Sentence

MOST_BYTES = 5 * 2**20
MOST_UNPACKED = 60 * 2**20
MOST_ROWS, MOST_COLUMNS, MOST_CELL = 5_000, 60, 500
_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_OLD_EXCEL, _ZIP = b"\xd0\xcf\x11\xe0", b"PK\x03\x04"
_SEPARATORS = ("\t", ";", ",")
Table = list[list[str]]


class SheetFault(Exception):
    """A file or text cannot be read as a table; `sentence` says what to do."""

    def __init__(self, text: str, /, **values: object) -> None:
        self.sentence = Sentence(text, values)
        super().__init__(text)


def read_file(data: bytes) -> Table:
    """The first sheet of an XLSX file, or a CSV or text file in UTF-8, UTF-16 or GB 18030."""
    if len(data) > MOST_BYTES:
        raise SheetFault("The file is larger than 5 MB; export fewer rows or columns.")
    if data.startswith(_OLD_EXCEL):
        raise SheetFault("This is an old Excel file (.xls); open it and save it as .xlsx, or copy the cells and paste them.")
    if data.startswith(_ZIP):
        return _limited(_workbook(data))
    return read_text(_decoded(data))


def read_text(text: str) -> Table:
    """Pasted cells (tabs) or CSV text (commas or semicolons; quotes as Excel writes them)."""
    text = text.lstrip("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text:
        raise SheetFault("This is not text; save the list as CSV or XLSX.")
    first = next((line for line in text.split("\n") if line.strip()), "")
    separator = max(_SEPARATORS, key=first.count) if any(mark in first for mark in _SEPARATORS) else "\t"
    try:
        rows: Iterable[list[str]] = csv.reader(io.StringIO(text), delimiter=separator, strict=False)
        return _limited(rows)
    except csv.Error:
        raise SheetFault("The text has a cell that does not end; look for a single quotation mark.") from None


def as_text(table: Table) -> str:
    """The table as tab-separated text that `read_text` reads back the same."""
    out = io.StringIO()
    csv.writer(out, delimiter="\t", lineterminator="\n").writerows(table)
    return out.getvalue()


def _decoded(data: bytes) -> str:
    encodings = next(([name] for mark, name in _MARKS if data.startswith(mark)), ["utf-8", "gb18030"])
    for encoding in encodings:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise SheetFault("The characters of the file cannot be read; save it as CSV UTF-8 or as XLSX.")


def _workbook(data: bytes) -> Iterable[list[str]]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > MOST_UNPACKED:
                raise SheetFault("The file is larger than 5 MB; export fewer rows or columns.")
        book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
        return [[_cell(cell) for cell in row] for row in book.worksheets[0].iter_rows(max_row=MOST_ROWS + 50, max_col=MOST_COLUMNS + 1)]
    except SheetFault:
        raise
    except Exception:  # a file made to break a parser breaks it in ways that no list of exceptions covers
        raise SheetFault("This is no Excel file that can be read; open it in Excel and save it as .xlsx.") from None


def _cell(cell: Any) -> str:
    """A cell as text: dates as ISO, whole numbers without a point, and with the leading zeros that Excel shows."""
    value = cell.value
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, int | float) and not isinstance(value, bool):
        whole = str(int(value)) if float(value).is_integer() else repr(value)
        zeros = str(cell.number_format or "")
        return whole.zfill(len(zeros)) if zeros and set(zeros) == {"0"} else whole
    return "" if value is None else str(value)


def _limited(rows: Iterable[list[str]]) -> Table:
    """The rows that say something, cells trimmed and of one length; SheetFault where there is nothing or too much."""
    table: Table = []
    for row in rows:
        cells = [" ".join(cell.split()) for cell in row]
        if not any(cells):
            continue
        if len(cells) > MOST_COLUMNS and any(cells[MOST_COLUMNS:]):
            raise SheetFault("The list has more than {most} columns; copy only those that are needed.", most=MOST_COLUMNS)
        if any(len(cell) > MOST_CELL for cell in cells):
            raise SheetFault("A cell has more than {most} characters; look for a quotation mark that does not end.", most=MOST_CELL)
        table.append(cells[:MOST_COLUMNS])
        if len(table) > MOST_ROWS + 1:
            raise SheetFault("The list has more than {most} rows; take it in by parts.", most=MOST_ROWS)
    if not table:
        raise SheetFault("There is nothing in the list; paste the cells with their headings.")
    width = max(len(row) for row in table)
    return [row + [""] * (width - len(row)) for row in table]
