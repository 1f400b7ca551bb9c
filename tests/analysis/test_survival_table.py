"""Files as hospitals make them: BOM, Chinese names and encodings, missing values; and a sentence for whatever is wrong."""

import pytest

from analysis.survival_table import UnknownColumn, decode, read, sample

TEXT = "时间,复发,组\n5,1,甲\n7,0,乙\n9,1,甲\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_chinese_files_read_in_every_encoding_excel_writes(encoding: str) -> None:
    found = sample(read(decode(TEXT.encode(encoding))), time="时间", event="复发", arm="组")
    assert found.time.tolist() == [5, 7, 9] and found.event.tolist() == [True, False, True]
    assert found.arm is not None and found.arm.tolist() == ["甲", "乙", "甲"]


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(ValueError, match="neither UTF-8"):
        decode(b"\x89PNG\xff\xfe\xff\xff\xff")


def test_windows_line_ends_blank_lines_and_quotes_are_read() -> None:
    table = read('t,e,"a,b"\r\n1,1,x\r\n\r\n2,0,"y, z"\r\n')
    assert table.columns["a,b"] == ("x", "y, z") and table.lines == (2, 4)


def test_rows_with_a_missing_value_are_left_out_and_counted() -> None:
    found = sample(read("t,e,g,u\n1,1,a,\nNA,1,a,3\n3,,b,4\n4,0,b,5\n"), time="t", event="e", arm="g")
    assert found.time.tolist() == [1, 4] and found.dropped == 2


def test_events_may_be_words_or_decimals() -> None:
    assert sample(read("t,e\n1,TRUE\n2,0.0\n3,1.0\n4,no\n"), time="t", event="e").event.tolist() == [True, False, True, False]


@pytest.mark.parametrize(
    ("text", "competing", "cause"),
    [
        ("t,e,c\n1,1,0\n2,0,1\n3,0,0\n4,1,1\n", "c", [1, 2, 0, 1]),  # an indicator; the event comes first
        ("t,e,c\n1,1,1\n2,1,2\n3,0,0\n4,1,1\n", "c", [1, 2, 0, 1]),  # causes beside an event of any cause
        ("t,e\n1,1\n2,2\n3,0\n4,1\n", "2", [1, 2, 0, 1]),  # a value of the event column
        ("t,e\n1,1\n2,2\n3,0\n4,3\n", "e", [1, 2, 0, 3]),  # causes in the event column
    ],
)
def test_competing_events_come_in_four_ways(text: str, competing: str, cause: list[int]) -> None:
    """EP-05, AN-10."""
    found = sample(read(text), time="t", event="e", competing=competing)
    assert found.cause is not None and found.cause.tolist() == cause


def test_several_strata_are_one_label_for_each_combination() -> None:
    found = sample(read("t,e,a,b\n1,1,x,y\n2,0,x,z\n3,1,x,y\n"), time="t", event="e", strata=["a", "b"])
    assert found.strata is not None and len(set(found.strata.tolist())) == 2


@pytest.mark.parametrize(
    ("text", "options", "says"),
    [
        ("", {}, "empty"),
        ("t,e\n", {}, "no rows"),
        ("t,t,e\n1,1,1\n", {}, "'t' appears twice"),
        ("t,e\n1,1\n2\n", {}, "line 3 has 1 values where the header has 2"),
        ("t,e\n1,1\n-2,0\n", {}, "t holds '-2' in line 3; a time must not be negative"),
        ("t,e\n1,1\n2,2\n", {}, "e holds '2' in line 3; an event is 1 and a censoring 0"),
        ("t,e\nlong,1\n", {}, "t holds 'long' in line 2, which is not a number"),
        ("t,e\ninf,1\n", {}, "must be finite"),
        ("t,e\nNA,1\n", {}, "every row lacks"),
        ("t,e,w\n1,1,-1\n", {"weights": "w"}, "a weight must not be negative"),
        ("t,e\n1,3\n", {"competing": "2"}, "must be 0, 1 or 2"),
        ("t,e,c\n1,1,0.5\n", {"competing": "c"}, "a cause 0, 1, 2"),
    ],
)
def test_wrong_data_are_named_with_column_value_and_line(text: str, options: dict[str, str], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        sample(read(text), time="t", event="e", **options)  # type: ignore[arg-type]


def test_an_unknown_column_is_answered_with_the_nearest_or_all() -> None:
    with pytest.raises(UnknownColumn, match="did you mean rfs_time"):
        sample(read("rfs_time,rfs\n1,1\n"), time="rfs_tim", event="rfs")
    with pytest.raises(UnknownColumn, match="it has t, e"):
        sample(read("t,e\n1,1\n"), time="zeit", event="e")
