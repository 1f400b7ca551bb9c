"""CSV that Excel opens with its Chinese intact and without running a cell of it (SE-05). Pure."""

import csv
import io
import re
from collections.abc import Iterable, Iterator

BOM = "\ufeff"
_DANGEROUS = ("=", "+", "-", "@", "\t", "\r")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?", re.ASCII)


def escape(text: str) -> str:
    """The text as a spreadsheet shows it: what it would take for a formula gets an apostrophe in front; a number stays one."""
    return f"'{text}" if text.startswith(_DANGEROUS) and not _NUMBER.fullmatch(text) else text


def unescape(text: str) -> str:
    """The text before `escape`."""
    return text[1:] if text.startswith("'") and escape(text[1:]) == text else text


def lines(header: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[bytes]:
    """The file, a line at a time: UTF-8 with BOM, CRLF, every cell escaped."""
    yield BOM.encode()
    yield _line(header)
    yield from body(rows)


def body(rows: Iterable[Iterable[str]]) -> Iterator[bytes]:
    """Further lines of such a file."""
    return (_line(row) for row in rows)


def _line(row: Iterable[str]) -> bytes:
    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator="\r\n").writerow([escape(cell) for cell in row])
    return buffer.getvalue().encode()
