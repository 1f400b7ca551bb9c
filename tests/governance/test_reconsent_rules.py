"""Periods and re-consent, by hand: which days are covered, who signs what by when, which data a signature covers. No database."""

from datetime import date, timedelta

import pytest

from studies import protocol
from studies.governance import conduct, periods
from studies.governance.reconsent import Cover, Due, Version, covered, due
from studies.vocabulary import Task

VISITS = protocol.load("hcc_adjuvant").visits
SURGERY = date(2026, 3, 2)
V1 = Version("1.0", date(2026, 1, 1), "none")


def test_gap_of_one_day_is_a_gap_and_none_is_none() -> None:
    """EN-03: periods that meet leave nothing out; a missing day is named, as is the last day of the run."""
    first, next_day, later = (
        (date(2026, 1, 1), date(2026, 6, 30)),
        (date(2026, 7, 1), date(2026, 12, 31)),
        (date(2027, 1, 2), date(2027, 6, 30)),
    )
    assert periods.gaps([later, first, next_day]) == [(date(2027, 1, 1), date(2027, 1, 1))]
    assert periods.joined([next_day, first]) == [(date(2026, 1, 1), date(2026, 12, 31))]
    assert periods.last_day([first, next_day, later], date(2026, 3, 1)) == date(2026, 12, 31)
    assert periods.last_day([first, later], date(2027, 1, 1)) is None
    assert [periods.covers([first], day) for day in (date(2025, 12, 31), date(2026, 1, 1), date(2026, 6, 30), date(2026, 7, 1))] == [
        False, True, True, False,
    ]  # fmt: skip


def test_period_inside_another_shortens_nothing() -> None:
    assert periods.joined([(date(2026, 1, 1), date(2026, 12, 31)), (date(2026, 2, 1), date(2026, 3, 1))]) == [
        (date(2026, 1, 1), date(2026, 12, 31))
    ]


ALL_BY_JUNE = Version("2.0", date(2026, 5, 1), "all", date(2026, 6, 15))


@pytest.mark.parametrize(
    ("newer", "expected"),
    [
        ([ALL_BY_JUNE], Due(ALL_BY_JUNE, date(2026, 6, 15))),
        ([Version("2.0", date(2026, 5, 1), "none")], None),
        ([Version("2.0", date(2026, 9, 1), "all", date(2026, 9, 30))], None),
    ],
    ids=["all by a day", "new participants only", "not yet in force"],
)
def test_newer_version_asks_as_it_says(newer: list[Version], expected: Due | None) -> None:
    assert due(V1, [V1, *newer], surgery=SURGERY, visits=VISITS, on=date(2026, 6, 1)) == expected


@pytest.mark.parametrize(
    ("begins", "by_day"),
    [(42, 42), (43, 112), (112, 112), (113, 204)],
    ids=["M1 ends that day", "M1 just over", "M3 ends that day", "M3 just over"],
)
def test_next_visit_is_the_first_whose_window_is_open(begins: int, by_day: int) -> None:
    """M1 is day 35 ± 7, M3 day 91 ± 21, M6 day 183 ± 21: windows end on days 42, 112 and 204."""
    newer = Version("2.0", SURGERY + timedelta(days=begins), "on_next_visit")
    found = due(V1, [V1, newer], surgery=SURGERY, visits=VISITS, on=newer.valid_from)
    assert found == Due(newer, SURGERY + timedelta(days=by_day))


def test_newest_version_is_signed_by_the_earliest_day_and_a_signature_ends_it() -> None:
    second = Version("2.0", date(2026, 5, 1), "all", date(2026, 6, 15))
    third = Version("3.0", date(2026, 6, 1), "none")
    assert due(V1, [V1, second, third], surgery=SURGERY, visits=VISITS, on=date(2026, 7, 1)) == Due(third, date(2026, 6, 15))
    assert due(third, [V1, second, third], surgery=SURGERY, visits=VISITS, on=date(2026, 7, 1)) is None


def test_each_signature_covers_until_the_next_and_a_withdrawal_ends_the_last() -> None:
    strict = Version("1.0", date(2026, 1, 1), "none", covers_earlier=False)
    second = Version("2.0", date(2026, 5, 1), "none")
    signed = [(V1, date(2026, 3, 5)), (second, date(2026, 5, 10))]
    assert covered(signed, ended=date(2026, 8, 1)) == [
        Cover("1.0", None, date(2026, 5, 9)),
        Cover("2.0", date(2026, 5, 10), date(2026, 8, 1)),
    ]
    assert covered([(strict, date(2026, 3, 5))]) == [Cover("1.0", date(2026, 3, 5), None)]


def test_shipped_rules_of_conduct_have_no_fault_and_say_what_is_undecided() -> None:
    rules = conduct.load("hcc_adjuvant")
    assert {item.code for item in rules.gate} == {
        "ethics", "consent_version", "scientific_review", "institutional_approval", "registration", "hgr", "training", "delegation",
        "dicom_test", "reference_ranges",
    }  # fmt: skip
    assert all(set(item.tasks) == set(Task.values) for item in rules.trainings)
    assert [decision.code for decision in rules.undecided] == ["deviation_categories", "hgr_required"]
    with pytest.raises(conduct.ConductError):
        conduct.load("no_such_protocol")
