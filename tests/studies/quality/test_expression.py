"""The language of edit checks: truth tables by hand, every construct, and what is refused."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studies.quality.expression import Day, Malformed, parse

FACTS = {
    "afp": Decimal("60500"),
    "size": Decimal("4.9"),
    "mvi": "M1",
    "surgery": Day.on(date(2026, 3, 2)),
    "death": Day.parse("2026-05"),
    "typed": "12.50",
    "none": None,
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("afp > 400", True),
        ("afp > 400 and size <= 5", True),
        ("size > 5 or afp < 400", False),
        ("not size > 5", True),
        ("4 < size < 5", True),
        ("size * 10 == 49", True),
        ("(size + 0.1) / 5 == 1", True),
        ("-size < 0", True),
        ("typed == 12.5", True),
        ('mvi == "M1"', True),
        ('mvi in ("M1", "M2")', True),
        ('mvi not in ("M0", "not_reported")', True),
        ('surgery < "2026-03-03"', True),
        ("death > surgery", True),
        ('death > "2026-05-10"', None),  # some day of May
        ('death >= "2026-05-01"', True),
        ('death == "2026-05"', None),
        ('death == "2026-06"', False),
        ("days(surgery, death) > 59", True),  # 60 days to 1 May, 90 to 31 May
        ("days(surgery, death) > 60", None),
        ("days(surgery, death) > 90", False),
        ("missing(none)", True),
        ("missing(absent)", True),
        ("known(afp)", True),
        ("none > 3", None),
        ("none > 3 or afp > 3", True),
        ("none > 3 and afp < 3", False),
        ("not none > 3", None),
        ("absent in (1, 2)", None),
        ("size / (afp - 60500) > 1", None),
        ("mvi > 3", None),
        ("surgery > 3", None),
        ('mvi > "M0"', None),
    ],
)
def test_condition_is_judged_with_three_truth_values(text, expected):
    assert parse(text).truth(FACTS) is expected


@pytest.mark.parametrize(
    "text",
    [
        "afp", "True", "afp is None", "open('x')", "afp.real > 1", "afp > 1 if mvi == 1 else size > 1", "days(afp) > 1", "missing(afp > 1)",
        "afp in size", "[afp] == 1", "lambda: afp", "afp >", "f'{afp}' == 'a'", "afp ** 2 > 1", "afp > True", "missing(afp, 1)",
    ],
)  # fmt: skip
def test_text_that_is_no_condition_is_refused(text):
    with pytest.raises(Malformed):
        parse(text)


def test_names_are_those_of_facts():
    assert parse("days(a, b) > 1 and missing(c) or a == b").names == ("a", "b", "c")


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [("2024", (2024, 1, 1), (2024, 12, 31)), ("2024-02", (2024, 2, 1), (2024, 2, 29)), ("2024-12-05", (2024, 12, 5), (2024, 12, 5))],
)
def test_partial_date_is_an_interval(text, first, last):
    """EP-09: nothing is filled in."""
    assert Day.parse(text) == Day(date(*first), date(*last))


@given(
    st.dates(date(2020, 1, 1), date(2030, 1, 1)),
    st.dates(date(2020, 1, 1), date(2030, 1, 1)),
    st.sampled_from(["<", "<=", ">", ">=", "==", "!="]),
)
def test_partial_date_never_says_more_than_every_day_of_it(one, other, sign):
    """What is decided for a month is so for each of its days."""
    month = Day.parse(f"{one:%Y-%m}")
    said = parse(f"a {sign} b").truth({"a": month, "b": Day.on(other)})
    exact = parse(f"a {sign} b").truth({"a": Day.on(one), "b": Day.on(other)})
    assert said is None or said is exact


@given(st.sampled_from([True, False, None]), st.sampled_from([True, False, None]))
def test_and_or_not_are_kleenes(one, other):
    """The tables of strong Kleene logic: min, max and 1 − x over 0, ½, 1."""
    number = {True: 2, None: 1, False: 0}
    value = {True: Decimal(1), False: Decimal(0), None: None}
    facts = {"a": value[one], "b": value[other]}
    assert number[parse("a == 1 and b == 1").truth(facts)] == min(number[one], number[other])
    assert number[parse("a == 1 or b == 1").truth(facts)] == max(number[one], number[other])
    assert number[parse("not a == 1").truth(facts)] == 2 - number[one]
