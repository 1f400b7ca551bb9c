"""Two blinded readers and a third, and agreement beyond chance against statsmodels (EP-12)."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from statsmodels.stats.inter_rater import cohens_kappa, to_table

from followup.adjudication import Conclusion, Reading, Verdict, kappa, verdict

DAY, OTHER = 95, 190
NONE = Reading("a", Conclusion.FREE)
SEEN, LATER = (Reading(reader, Conclusion.RECURRENCE, day) for reader, day in (("b", DAY), ("c", OTHER)))
UNCLEAR = Reading("d", Conclusion.NOT_EVALUABLE)


def by(reader: str, reading: Reading) -> Reading:
    return Reading(reader, reading.conclusion, reading.first_seen_day)


@pytest.mark.parametrize(
    ("readings", "said"),
    [
        ([], Verdict(None, False)),
        ([NONE], Verdict(None, False)),
        ([NONE, by("b", NONE)], Verdict(NONE, False)),
        ([SEEN, by("c", SEEN)], Verdict(SEEN, False)),
        ([NONE, SEEN], Verdict(None, True)),
        ([NONE, UNCLEAR], Verdict(None, True)),
        ([SEEN, LATER], Verdict(None, True)),
        ([NONE, SEEN, LATER], Verdict(LATER, True)),
    ],
)
def test_two_agree_or_a_third_decides(readings, said):
    """A recurrence on two days is a disagreement."""
    assert verdict(readings) == said


def test_nobody_reads_twice_and_a_date_belongs_to_a_recurrence():
    with pytest.raises(ValueError, match="each once"):
        verdict([NONE, NONE])
    with pytest.raises(ValueError, match="first seen"):
        Reading("a", Conclusion.RECURRENCE)
    with pytest.raises(ValueError, match="first seen"):
        Reading("a", Conclusion.NOT_EVALUABLE, DAY)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), min_size=3, max_size=60))
def test_kappa_and_its_limits_are_those_of_statsmodels(pairs):
    first, second = zip(*pairs, strict=True)
    assume(first != second and len(set(first)) > 1 and len(set(second)) > 1)
    ours = kappa(first, second)
    table, _bins = to_table([[*map("abc".index, pair)] for pair in pairs], bins=3)
    theirs = cohens_kappa(table)
    assert ours.value == pytest.approx(theirs.kappa, abs=1e-12)
    assert (ours.lower, ours.upper) == (pytest.approx(theirs.kappa_low, abs=1e-9), pytest.approx(theirs.kappa_upp, abs=1e-9))


def test_kappa_of_readers_who_always_say_the_same_is_not_estimable():
    assert kappa("aa", "aa").value != kappa("aa", "aa").value
    assert kappa("ab", "ab").value == 1
