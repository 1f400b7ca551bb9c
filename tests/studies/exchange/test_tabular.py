"""Tables that people send: what reads is told, what cannot is refused with a sentence in both languages (peers B9)."""

import csv
import io
import zipfile
from datetime import date, datetime
from decimal import Decimal

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from studies.exchange import faults, safe_csv, tabular
from studies.exchange.faults import Refused


def written(tmp_path, content: bytes, name="table.csv"):
    path = tmp_path / name
    path.write_bytes(content)
    return path


def book(tmp_path, *rows):
    made = openpyxl.Workbook()
    for row in rows:
        made.active.append(row)
    made.save(tmp_path / "table.xlsx")
    return tmp_path / "table.xlsx"


def cells(table):
    return [tuple(row.cells.values()) for row in table.rows()]


@pytest.mark.parametrize(
    ("encoding", "told", "certain"),
    [("utf-8", "utf-8", True), ("utf-8-sig", "utf-8-sig", True), ("gbk", "gb18030", False), ("utf-16", "utf-16", True)],
)
def test_encoding_is_told_and_a_guess_is_called_one(tmp_path, encoding, told, certain):
    table = tabular.open_table(written(tmp_path, "研究编号,白蛋白\n01-0001-07,41\n".encode(encoding)))
    assert (table.header, table.encoding, table.certain) == (("研究编号", "白蛋白"), told, certain)
    assert cells(table) == [("01-0001-07", "41")]


@pytest.mark.parametrize(("separator", "name"), [(",", "t.csv"), ("\t", "t.txt"), (";", "t.csv")])
def test_separator_is_the_one_that_the_header_has(tmp_path, separator, name):
    table = tabular.open_table(written(tmp_path, separator.join("ab").encode() + b"\n" + separator.join("12").encode(), name))
    assert (table.separator, cells(table)) == (separator, [("1", "2")])


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty"),
        (b"a,a\n1,2\n", "doubled_column"),
        (b"a,,c\n1,2,3\n", "unnamed_column"),
        (b'a,b\n"1,2\n', "unclean_csv"),
        (b"a,b\n\x001,2\n", "no_text"),
        (b"a\xff\xff\xfe,b\n", "unknown_encoding"),
        (b"\xd0\xcf\x11\xe0old", "old_excel"),
        (b"PK\x03\x04nothing", "damaged"),
    ],
)
def test_what_is_no_table_is_refused_with_what_to_do(tmp_path, content, code):
    with pytest.raises(Refused) as refused:
        list(tabular.open_table(written(tmp_path, content)).rows())
    assert refused.value.code == code
    assert refused.value.say("zh-hans") != refused.value.say("en")


def test_line_that_does_not_fit_the_header_is_named_and_the_others_are_read(tmp_path):
    rows = list(tabular.open_table(written(tmp_path, b"a,b\n1,2\n1\n1,2,3\n3,4\n")).rows())
    assert [(row.number, row.fault) for row in rows] == [(2, ""), (3, "missing_cells"), (4, "surplus_cells"), (5, "")]


def test_excel_dates_and_numbers_read_as_they_look(tmp_path):
    at = datetime(2026, 5, 3, 8, 30)  # noqa: DTZ001 - Excel knows no zones
    path = book(tmp_path, ["a", "b", "c", "d"], [date(2026, 5, 3), 41.0, 0.1, at], ["x"])
    assert cells(tabular.open_table(path)) == [("2026-05-03", "41", "0.1", "2026-05-03 08:30"), ("x", "", "", "")]


@pytest.mark.parametrize(("value", "code"), [("=1+1", "formula"), ("#N/A", "error_cell")])
def test_formulas_and_errors_of_excel_are_refused(tmp_path, value, code):
    path = book(tmp_path, ["a"], [value])
    with pytest.raises(Refused) as refused:
        cells(tabular.open_table(path))
    assert (refused.value.code, refused.value.values["cell"]) == (code, "A2")


def test_workbook_of_several_sheets_asks_which(tmp_path):
    made = openpyxl.Workbook()
    made.create_sheet("second")
    made.save(tmp_path / "t.xlsx")
    with pytest.raises(Refused) as refused:
        tabular.open_table(tmp_path / "t.xlsx")
    assert refused.value.code == "several_sheets"


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ({"xl/workbook.xml": b"<a/>", "xl/vbaProject.bin": b"x"}, "macros"),
        ({"xl/workbook.xml": b'<!DOCTYPE a [<!ENTITY b "c">]><a/>'}, "entities"),
        ({"readme.txt": b"x"}, "no_workbook"),
    ],
)
def test_hostile_archive_is_not_opened(tmp_path, parts, code):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    with pytest.raises(Refused) as refused:
        tabular.open_table(written(tmp_path, buffer.getvalue(), "t.xlsx"))
    assert refused.value.code == code


def test_archive_that_unpacks_to_too_much_is_not_opened(tmp_path, monkeypatch):
    monkeypatch.setattr(tabular, "LARGEST_UNPACKED", 10)
    with pytest.raises(Refused) as refused:
        tabular.open_table(book(tmp_path, ["a"], [1]))
    assert refused.value.code == "unpacks_too_large"


def test_every_sentence_fills_its_gaps_in_both_languages():
    """A sentence of one language names the facts that the other names."""
    for code, text in faults.SENTENCES.items():
        gaps = [sorted(part.split("}")[0] for part in words.split("{")[1:]) for words in (text.zh, text.en)]
        assert gaps[0] == gaps[1], code


@pytest.mark.parametrize(
    ("text", "safe"),
    [("=1+1", "'=1+1"), ("+cmd", "'+cmd"), ("-x", "'-x"), ("@a", "'@a"), ("\tx", "'\tx"), ("-1.5", "-1.5"), ("+3e2", "+3e2"), ("甲", "甲")],
)
def test_csv_cell_that_would_run_is_escaped_and_a_number_is_not(text, safe):
    """SE-05."""
    assert (safe_csv.escape(text), safe_csv.unescape(safe)) == (safe, text)


@given(st.lists(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r")), min_size=2, max_size=2), max_size=5))
def test_csv_written_reads_back(rows):
    """SE-05: escaping loses nothing, and no cell begins with what a spreadsheet runs."""
    content = b"".join(safe_csv.lines(["a", "b"], rows)).decode("utf-8-sig")
    read = list(csv.reader(io.StringIO(content, newline="")))
    assert [[safe_csv.unescape(cell) for cell in row] for row in read[1:]] == rows
    assert not [cell for row in read for cell in row if cell[:1] in ("=", "@", "\t") or (cell[:1] in ("+", "-") and not _number(cell))]


def _number(text):
    try:
        return Decimal(text) is not None
    except ArithmeticError:
        return False
