"""DI-04: one offset per participant, −1 to −365 days, never 0; every interval stays what it was, to the day."""

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studies.exchange import date_shift

KEY = bytes(range(32))
DATES = st.dates(date(1950, 1, 1), date(2100, 1, 1))
NUMBERS = st.from_regex(r"\A[0-9]{2}-[0-9]{4}-[0-9]{2}\Z")


@given(NUMBERS, st.binary(min_size=32, max_size=32))
def test_offset_is_between_one_and_365_days_back_and_stays(number, key):
    days = date_shift.offset(key, number)
    assert -365 <= days <= -1
    assert date_shift.offset(key, number) == days


def test_offset_is_the_keyed_hash_worked_out_by_hand():
    """HMAC-SHA-256(key, 'prime/export-dates/1' NUL number) modulo 365, plus one, back; computed with openssl."""
    assert date_shift.offset(KEY, "01-0001-07") == -269


def test_offsets_use_the_whole_range_and_hang_on_the_key():
    offsets = [date_shift.offset(KEY, f"01-{number:04d}-00") for number in range(1, 5001)]
    assert set(offsets) == set(range(-365, 0))
    assert date_shift.offset(bytes(32), "01-0001-00") != offsets[0]


@given(st.lists(DATES, min_size=2, max_size=6), st.integers(-365, -1))
def test_every_interval_is_kept_to_the_day(days, offset):
    moved = [date.fromisoformat(date_shift.shift(day.isoformat(), offset)) for day in days]
    assert [b - a for a, b in pairwise(days)] == [b - a for a, b in pairwise(moved)]
    assert moved[0] - days[0] == timedelta(days=offset)


@pytest.mark.parametrize(
    ("text", "days", "moved"),
    [
        ("2024-02-29", -1, "2024-02-28"),
        ("2024-03-01", -1, "2024-02-29"),
        ("2024-02-29", -365, "2023-03-01"),
        ("2024-02", -30, "2024-01-02/2024-01-30"),
        ("2023", -365, "2022-01-01/2022-12-31"),
    ],
)
def test_leap_days_and_partial_dates_are_shifted_as_they_are_known(text, days, moved):
    assert date_shift.shift(text, days) == moved


@pytest.mark.parametrize("text", ["", "2024-2-9", "03/04/2024", "2024-13"])
def test_what_is_no_iso_date_is_not_shifted(text):
    with pytest.raises(ValueError, match="no ISO date|month must be"):
        date_shift.shift(text, -1)


def test_short_key_is_refused():
    with pytest.raises(ValueError, match="32 bytes"):
        date_shift.offset(b"short", "01-0001-07")
