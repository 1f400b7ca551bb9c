"""The operating list at the edge: how it is read, what is understood, what is new (EN-05, EN-06)."""

import ast
import hashlib
import io
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from sqlite3 import Connection

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaging.edge import operating_list, operations, screening, sheet, state, words
from imaging.edge.exchange import Answer, PlatformUnreachable
from imaging.edge.operating_list import Line
from imaging.edge.operations import NotNow
from imaging.edge.row_token import row_key, row_token
from imaging.edge.sheet import SheetFault
from prime_platform.demo import images
from tests.imaging.edge.parts import REPOSITORY

LATEST = date(2026, 6, 1)
AT = datetime(2026, 6, 1, 8, tzinfo=UTC)
KEY = row_key(bytes(range(32)))
TEXT = "住院号\t姓名\t性别\t年龄\t手术日期\t手术名称\t诊断\nZY0001\t张三\t男\t58岁\t2026-03-02\t肝部分切除术\t肝细胞癌\n"


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    made = state.connect(tmp_path / "edge.sqlite")
    yield made
    made.close()


def lines(table: sheet.Table) -> list[Line]:
    assert operating_list.has_headings(table)
    return operating_list.understand(table[1:], operating_list.recognised(table[0]), LATEST)


def line(local_id: str = "ZY1", day: str = "2026-03-02", **more: object) -> Line:
    return Line(**({"place": 1, "local_id": local_id, "surgery_date": date.fromisoformat(day), "sex": "M", "age": 58} | more))  # type: ignore[arg-type]


# ---------- containers


def workbook() -> bytes:
    book = openpyxl.Workbook()
    page = book.active
    page.append(["住院号", "姓名", "性别", "年龄", "手术日期", "手术名称", "诊断"])
    page.append(["ZY0001", "张三", "男", 58, datetime(2026, 3, 2, 8, 30), "肝部分切除术", "肝细胞癌"])  # noqa: DTZ001 - as Excel has it
    page.append([42, "李四", "女", 61.0, date(2026, 3, 3), "肝切除", "肝癌"])
    page["A3"].number_format = "0000000"
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


@pytest.mark.parametrize(
    "table",
    [
        lambda: sheet.read_text(TEXT),
        lambda: sheet.read_text(TEXT.replace("\n", "\r\n")),
        lambda: sheet.read_file(TEXT.replace("\t", ",").encode()),
        lambda: sheet.read_file(TEXT.replace("\t", ";").encode()),
        lambda: sheet.read_file(TEXT.replace("\t", ",").encode("utf-8-sig")),
        lambda: sheet.read_file(TEXT.replace("\t", ",").encode("gb18030")),
        lambda: sheet.read_file(TEXT.encode("utf-16")),
        lambda: sheet.read_file(workbook())[:2],
        lambda: sheet.read_text(TEXT.translate({ord(c): ord(c) + 0xFEE0 for c in "ZY0123456789-"})),
        lambda: sheet.read_text(TEXT.replace("2026-03-02", "2026年3月2日 08:30")),
        lambda: sheet.read_text(TEXT.replace("2026-03-02", "20260302")),
        lambda: sheet.read_text(TEXT.replace("2026-03-02", "2026/3/2 8:30:00").replace("58岁", "58")),
    ],
    ids=["pasted", "windows", "comma", "semicolon", "bom", "gbk", "utf-16", "xlsx", "full width", "chinese date", "compact", "slashes"],
)
def test_list_is_read_the_same_from_every_container(table) -> None:
    [found] = lines(table())
    said = (found.local_id, found.name, found.sex, found.age, found.surgery_date, found.procedure, found.diagnosis, found.faults)
    assert said == ("ZY0001", "张三", "M", 58, date(2026, 3, 2), "肝部分切除术", "肝细胞癌", [])


def test_excel_number_keeps_the_zeros_that_excel_shows() -> None:
    assert [found.local_id for found in lines(sheet.read_file(workbook()))] == ["ZY0001", "0000042"]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\xd0\xcf\x11\xe0" + bytes(100), "old Excel file"),
        (b"PK\x03\x04" + bytes(100), "no Excel file"),
        (b"x" * (sheet.MOST_BYTES + 1), "larger than 5 MB"),
        (b"\xff" * 40, "cannot be read"),
        (b"a\0b\n", "not text"),
        (b"\n \n", "nothing in the list"),
        (("a," * 70 + "b").encode(), "more than 60 columns"),
        ("\n".join(f"Z{n},2026-03-02" for n in range(5_002)).encode(), "more than 5000 rows"),
        (b'Z1,"' + b"x" * 600, "more than 500 characters"),
    ],
)
def test_what_is_no_list_gets_a_sentence(data: bytes, said: str) -> None:
    with pytest.raises(SheetFault) as fault:
        sheet.read_file(data)
    assert said in fault.value.sentence.say("en")
    assert fault.value.sentence.say("zh")


def test_inflated_workbook_is_not_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheet, "MOST_UNPACKED", 1000)
    with pytest.raises(SheetFault, match="larger"):
        sheet.read_file(workbook())


@given(
    st.lists(
        st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0\r\ufeff"), max_size=12), min_size=2, max_size=4), min_size=1
    )
)
def test_table_survives_the_way_through_the_page(table: list[list[str]]) -> None:
    """What the page keeps between two steps is read back the same."""
    try:
        once = sheet.read_text(sheet.as_text(table))
    except SheetFault:
        return
    assert sheet.read_text(sheet.as_text(once)) == once


# ---------- what a row says


@pytest.mark.parametrize(
    ("column", "text", "said"),
    [
        ("住院号", "", "hospital number is missing"), ("住院号", "1.23E+09", "cut by Excel"),
        ("手术日期", "", "date of surgery is missing"),
        ("手术日期", "02/03/2026", "not understood"), ("手术日期", "46083", "not understood"), ("手术日期", "2026-02-30", "not understood"),
        ("手术日期", "2062-03-02", "future"), ("性别", "1", "sex"), ("年龄", "8月", "age"), ("年龄", "158", "age"),
    ],
)  # fmt: skip
def test_faulty_row_says_what_to_do_and_guesses_nothing(column: str, text: str, said: str) -> None:
    row = {"住院号": "ZY1", "手术日期": "2026-03-02", "性别": "男", "年龄": "58"} | {column: text}
    [found] = lines(sheet.read_text("\t".join(row) + "\n" + "\t".join(row.values())))
    assert [said in fault.say("en") for fault in found.faults] == [True]
    assert found.faults[0].say("zh")


@pytest.mark.parametrize(
    ("birth", "age", "expected"),
    [
        ("1968-03-02", "", 58), ("1968-03-03", "", 57), ("1968-02-29", "", 58), ("1968-03-03", "58", 57), ("2027-01-01", "", None),
        ("1968-03-02", "61", 58), ("", "58", 58), ("", "", None),
    ],
)  # fmt: skip
def test_age_at_surgery_comes_from_the_birth_date(birth: str, age: str, expected: int | None) -> None:
    """EL-02's completed years; the list's own age may be off by a year, not by three."""
    text = f"住院号\t手术日期\t出生日期\t年龄\nZY1\t2026-03-02\t{birth}\t{age}"
    [found] = lines(sheet.read_text(text))
    assert found.age == expected
    assert bool(found.faults) == (birth == "2027-01-01" or age == "61")


def test_headings_are_recognised_in_both_languages_and_none_twice() -> None:
    said = ["Hospital No.", "Name", "DOB", "Date of Surgery", "Sex", "术前诊断", "诊断", "备注"]
    assert operating_list.recognised(said) == ["local_id", "name", "birth_date", "surgery_date", "sex", "diagnosis", "", ""]
    assert not operating_list.has_headings([["ZY1", "2026-03-02"]])
    assert operating_list.missing(["local_id", ""]) == ["surgery_date"]


# ---------- the token


def test_token_is_keyed_and_no_plain_hash() -> None:
    """EN-05: another center's key gives another token; nothing that can be computed without the key equals it."""
    day = date(2026, 3, 2)
    token = row_token(KEY, "ZY0001", day)
    assert re.fullmatch("[0-9a-f]{64}", token)
    assert token == row_token(KEY, " ｚｙ０００１ ", day)
    assert token not in {
        row_token(row_key(bytes(32)), "ZY0001", day),
        row_token(KEY, "ZY0002", day),
        row_token(KEY, "ZY0001", date(2026, 3, 3)),
    }
    for text in ("ZY0001", "ZY00012026-03-02", "ZY0001\x002026-03-02", "ZY0001|2026-03-02"):
        assert token not in {hashlib.new(name, text.encode()).hexdigest() for name in ("sha256", "sha3_256", "blake2s")}
    assert row_key(bytes(range(32))) != bytes(range(32))


@given(st.text(min_size=1, max_size=8), st.text(min_size=1, max_size=8))
def test_two_numbers_have_one_token_only_when_links_hold_them_equal(one: str, other: str) -> None:
    day = date(2026, 3, 2)
    from imaging.edge import links

    assert (row_token(KEY, one, day) == row_token(KEY, other, day)) == (links.local(one) == links.local(other))


# ---------- new, known, doubtful


def kinds(connection: Connection, *asked: Line) -> list[str]:
    return [each.kind for each in operations.compare(connection, asked, KEY)]


def take(connection: Connection, *asked: Line) -> None:
    operations.take_in(connection, asked, key=KEY, by="ZS", at=AT)


def test_second_time_is_known_and_adds_none(connection: Connection) -> None:
    asked = [line("A"), line("B", "2026-03-03")]
    assert kinds(connection, *asked) == ["new", "new"]
    take(connection, *asked)
    take(connection, *asked)
    assert kinds(connection, *asked) == ["known", "known"]
    assert operations.counts(connection)["waiting"] == 2


def test_other_age_or_sex_of_a_known_row_changes_nothing(connection: Connection) -> None:
    take(connection, line("A"))
    for other in (line("A", age=59), line("A", sex="F"), line("A", age=None)):
        assert kinds(connection, other) == ["differs"]
        take(connection, other)
    assert [tuple(row) for row in connection.execute("SELECT age, sex FROM operation")] == [(58, "M")]


@pytest.mark.parametrize(
    ("second", "kind"),
    [
        (line("A", "2026-05-31"), "doubtful"), (line("A", "2026-06-01"), "new"), (line("A", "2026-03-02", place=2), "repeated"),
        (line("A", "2026-03-02", place=2, age=59), "faulty"), (line("B", "2026-03-02", name="张三"), "doubtful"),
        (line("B", "2026-03-03", name="张三"), "new"),
    ],
)  # fmt: skip
def test_duplicates_are_flagged_within_a_list_and_against_what_is_known(connection: Connection, second: Line, kind: str) -> None:
    """EN-06: one hospital number within 90 days, one name on one day, one row twice."""
    first = line("A", name="张三")
    assert kinds(connection, first, second)[1] == kind
    take(connection, first)
    against_known = {"repeated": "known", "faulty": "differs"}.get(kind, kind)
    assert kinds(connection, second) == [against_known]


def test_doubtful_row_is_sent_only_after_a_person_says_so(connection: Connection) -> None:
    take(connection, line("A"), line("A", "2026-03-09", place=2), line("A", "2026-03-16", place=3))
    assert [row["surgery_date"] for row in operations.to_send(connection, at=AT, limit=9)] == ["2026-03-02"]
    held = [row["id"] for row in connection.execute("SELECT id FROM operation WHERE state = 'held' ORDER BY id")]
    operations.decide(connection, row=held[0], send=True, by="LS", at=AT)
    operations.decide(connection, row=held[1], send=False, by="LS", at=AT)
    assert operations.counts(connection) == {"held": 0, "waiting": 2, "numbered": 0, "refused": 0, "dropped": 1}
    with pytest.raises(NotNow):
        operations.decide(connection, row=held[1], send=True, by="LS", at=AT)
    assert kinds(connection, line("A", "2026-03-16")) == ["doubtful"]


def test_row_that_may_have_been_sent_stays(connection: Connection) -> None:
    """Its number may be on the way: it cannot be left out any more."""
    take(connection, line("A"))
    operations.to_send(connection, at=AT, limit=9)
    with pytest.raises(NotNow):
        operations.decide(connection, row=1, send=False, by="ZS", at=AT)


# ---------- the sender


class Told:
    """An exchange that answers what it was told to."""

    def __init__(self, answer: Answer | None) -> None:
        self.answer = answer

    def post(self, path: str, said: object) -> Answer:
        if self.answer is None:
            raise PlatformUnreachable("ConnectionRefusedError")
        return self.answer


TOKEN = row_token(KEY, "A", date(2026, 3, 2))


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (None, "ConnectionRefusedError"), (Answer(409, {}), "not-now"), (Answer(500, None), "http-500"),
        (Answer(200, None), "answer-not-understood"),
        (Answer(200, {"rows": []}), "answer-not-understood"),
        (Answer(200, {"rows": [{"token": "f" * 64, "number": 1, "screening": "01-S0001"}]}), "answer-not-understood"),
        (Answer(200, {"rows": [{"token": TOKEN, "number": 2, "screening": "01-S0001"}]}), "answer-not-understood"),
        (Answer(200, {"rows": [{"token": TOKEN, "number": 1, "screening": "02-S0001"}]}), "answer-not-understood"),
    ],
)  # fmt: skip
def test_answer_that_cannot_be_right_leaves_the_rows_waiting(connection: Connection, answer: Answer | None, fault: str) -> None:
    take(connection, line("A"))
    sender = screening.Sender("01", connection, Told(answer))  # type: ignore[arg-type]
    assert (sender.step(), sender.fault) == (0, fault)
    assert operations.counts(connection)["waiting"] == 1
    sender.exchange = Told(Answer(200, {"rows": [{"token": TOKEN, "number": 1, "screening": "01-S0001"}]}))  # type: ignore[assignment]
    assert (sender.step(), sender.fault) == (1, "")
    assert operations.counts(connection)["numbered"] == 1


# ---------- words


def test_every_text_of_the_edge_is_there_in_both_languages() -> None:
    """What templates and modules say stands in the catalogue, placeholders survive, and nothing stands there unused."""
    folder = REPOSITORY / "imaging" / "edge"
    said = {text for path in folder.rglob("*.html") for text in re.findall(r'\bt\("([^"]+)"', path.read_text())}
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in words.CHINESE:
                said.add(node.value)
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in {"Sentence", "SheetFault", "NotNow", "LinkFault"}
            ):
                said |= {each.value for each in node.args[:1] if isinstance(each, ast.Constant)}
    pages = "".join(path.read_text() for path in folder.rglob("*.html"))
    unused = {text for text in set(words.CHINESE) - said if f'"{text}"' not in pages} - {
        "M",
        "F",
        "U",
        "making",
    }  # values of the state that pages show
    assert not unused
    for english, chinese in words.CHINESE.items():
        assert set(re.findall(r"\{\w+\}", english)) == set(re.findall(r"\{\w+\}", chinese)), english


def test_list_of_the_demonstration_is_understood_and_says_that_it_is_invented() -> None:
    """Every row has its date, age and sex, none lies ahead or in another month, and no name could be somebody's."""
    for today in (date(2026, 5, 1), date(2026, 5, 28)):
        rows = lines(sheet.read_text(images.operating_list(today)))
        assert len(rows) == len({row.local_id for row in rows}) == len(images.OPERATIONS)
        assert not any(row.faults for row in rows)
        assert all("SYNTHETIC" in row.name and row.age and row.sex in ("M", "F") for row in rows)
        assert all(today.replace(day=1) <= row.surgery_date <= today for row in rows if row.surgery_date)
