"""Partly known dates (EP-09)."""

from datetime import date

import pytest

from followup.partial_date import Imputation, PartialDate, place


@pytest.mark.parametrize(
    ("text", "earliest", "central", "latest"),
    [
        ("2028-02", date(2028, 2, 1), date(2028, 2, 15), date(2028, 2, 29)),
        ("2026", date(2026, 1, 1), date(2026, 7, 1), date(2026, 12, 31)),
        ("2026-05-03", date(2026, 5, 3), date(2026, 5, 3), date(2026, 5, 3)),
    ],
)
def test_partial_date_knows_its_earliest_central_and_latest_day(text, earliest, central, latest):
    partial = PartialDate.parse(text)
    assert (partial.earliest, partial.central, partial.latest) == (earliest, central, latest)


@pytest.mark.parametrize("text", ["", "26", "2026-5", "2026-13", "2026-02-29", "2026-05-03T10:00", "２０２６", "2026-05-"])
def test_other_text_is_no_date(text):
    with pytest.raises(ValueError, match=r".+"):
        PartialDate.parse(text)


def test_day_without_its_month_is_no_date():
    with pytest.raises(ValueError, match="without its month"):
        PartialDate(2026, None, 3)


def test_place_refuses_bounds_that_leave_no_day():
    with pytest.raises(ValueError, match="does not lie between"):
        place(PartialDate.parse("2026-05"), after=date(2026, 6, 1), before=date(2026, 7, 1), imputation=Imputation.CENTRAL)
