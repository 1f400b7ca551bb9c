"""The strategy actually given (TX-01 to TX-05) and the landmark (F3)."""

from datetime import date, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.strategy import Course, Rule, SiteReason, actual
from followup.history import Assessment, Finding, History, Recurrence
from followup.outcomes import derive
from followup.partial_date import PartialDate

SURGERY = date(2026, 1, 1)
RULE = Rule("1")
FAR = date(2030, 1, 1)


def day(number: int) -> date:
    return SURGERY + timedelta(number)


def exact(number: int) -> PartialDate:
    return PartialDate.parse(day(number).isoformat())


def tace(number: int, **more: object) -> Course:
    return Course("TACE", "adjuvant", exact(number), **more)


def systemic(number: int, drug_class: str = "ICI", **more: object) -> Course:
    return Course("SYSTEMIC", "adjuvant", exact(number), drug_class, **more)


def history(**facts: object) -> History:
    return History(SURGERY, **({"assessments": (Assessment(day(183), True, Finding.FREE),)} | facts))


def given_(*courses: Course, facts: dict[str, object] | None = None, rule: Rule = RULE, **more: object):
    outcomes = derive(history(**(facts or {})), cutoff=FAR)
    stated = {"closed_on": day(95), "verified": True} | more
    return actual(surgery=SURGERY, courses=courses, outcomes=outcomes, rule=rule, **stated)


def recurred(seen: int, confirmed: int | None = None) -> dict[str, object]:
    return {"recurrences": (Recurrence(exact(seen), day(confirmed or seen)),), "assessments": ()}


@pytest.mark.parametrize(("t", "s", "late_t", "late_s"), list(product([False, True], repeat=4)))
def test_truth_table_of_courses_inside_and_after_the_window(t, s, late_t, late_s):
    """TX-02, TX-04: sixteen rows; what starts after the window never changes the strategy."""
    offered = [(t, tace(30)), (s, systemic(60)), (late_t, tace(120)), (late_s, systemic(150))]
    found = given_(*[course for wanted, course in offered if wanted])
    expected = {(False, False): "SURG", (True, False): "TACE", (False, True): "SYS", (True, True): "TACE_SYS"}[t, s]
    assert (found.strategy, found.reason) == (expected, None)


@pytest.mark.parametrize(("number", "strategy"), [(0, "SURG"), (1, "TACE"), (90, "TACE"), (91, "SURG")])
def test_window_begins_on_day_1_and_ends_on_day_90(number, strategy):
    assert given_(tace(number)).strategy == strategy


def test_wider_window_is_a_sensitivity_analysis_with_a_later_landmark():
    """TX-02: W = 120."""
    assert given_(systemic(110), rule=Rule("w120", 120, 120), closed_on=day(125)).strategy == "SYS"
    with pytest.raises(ValueError, match="landmark"):
        Rule("bad", 120, 90)


@pytest.mark.parametrize(("number", "strategy"), [(119, "TACE"), (120, "SURG"), (121, "SURG")])
def test_course_counts_only_before_a_recurrence(number, strategy):
    """TX-02, with W = 118…130 so that the landmark lies before the recurrence."""
    rule = Rule("late", 119, 119)
    found = given_(tace(number), facts=recurred(120), rule=rule, closed_on=day(130))
    assert found.strategy == strategy


def test_recurrence_seen_at_the_angiogram_makes_that_tace_no_adjuvant_one():
    """TX-02: the same day is salvage, unless a committee says otherwise; before the landmark neither is compared."""
    assert given_(tace(60), facts=recurred(60)).reason == SiteReason.RECUR_BEFORE_L
    assert given_(tace(60), facts=recurred(60)).known_on == day(95)
    assert given_(tace(60, adjudicated=True), facts=recurred(60)).known_on == day(60)


@pytest.mark.parametrize("intent", ["salvage", "palliative"])
def test_salvage_and_palliative_courses_are_not_adjuvant(intent):
    assert given_(Course("TACE", intent, exact(30))).strategy == "SURG"


@pytest.mark.parametrize("kind", ["TAI", "HAIC", "RADIOTHERAPY", "ABLATION", "TRANSPLANT", "OTHER"])
def test_other_modality_is_not_one_of_the_four_strategies(kind):
    found = given_(Course(kind, "adjuvant", exact(30)), tace(40))
    assert (found.strategy, found.reason) == (None, SiteReason.OTHER_MODALITY)


@pytest.mark.parametrize(
    ("drug_class", "expected"), [("TKI", "SYS"), ("ANTI_VEGF", "SYS"), ("ICI", "SYS"), ("CHEMOTHERAPY", None), ("OTHER", None)]
)
def test_systemic_therapy_is_a_tki_an_anti_vegf_antibody_or_a_checkpoint_inhibitor(drug_class, expected):
    assert given_(systemic(30, drug_class)).strategy == expected


def test_antiviral_and_traditional_medicine_do_not_count():
    assert given_(Course("SUPPORTIVE", "adjuvant", exact(30))).strategy == "SURG"


def test_haic_counts_as_tace_in_the_sensitivity_analysis_only():
    assert given_(Course("HAIC", "adjuvant", exact(30)), rule=Rule("haic", haic_is_tace=True)).strategy == "TACE"


@pytest.mark.parametrize(
    ("text", "reason"),
    [("2026-02", None), ("2026-03", None), ("2026-04", SiteReason.TREATMENT_INCOMPLETE), ("2026", SiteReason.TREATMENT_INCOMPLETE)],
)
def test_start_known_to_the_month_counts_where_the_whole_month_lies_inside(text, reason):
    """EP-09: the window ends on 1 April; a date that may lie on either side decides nothing."""
    found = given_(Course("TACE", "adjuvant", PartialDate.parse(text)))
    assert (found.strategy, found.reason) == (None if reason else "TACE", reason)


@pytest.mark.parametrize(
    ("facts", "more", "reason"),
    [
        ({"death": exact(90), "assessments": ()}, {}, SiteReason.DEATH_BEFORE_L),
        (recurred(90), {}, SiteReason.RECUR_BEFORE_L),
        ({"assessments": (Assessment(day(90), True, Finding.FREE),)}, {}, SiteReason.CENSORED_BEFORE_L),
        ({"assessments": (), "stopped_on": day(50)}, {"stopped_on": day(50)}, SiteReason.WITHDRAWN),
        ({}, {"closed_on": None}, SiteReason.TREATMENT_INCOMPLETE),
        ({}, {"closed_on": day(89)}, SiteReason.TREATMENT_INCOMPLETE),
        ({}, {"verified": False}, SiteReason.TREATMENT_INCOMPLETE),
        (recurred(90), {"ineligible": True}, SiteReason.INELIGIBLE_POSTHOC),
        (recurred(91), {}, None),
        ({"death": exact(91), "assessments": ()}, {}, None),
        ({}, {"closed_on": day(90)}, None),
    ],
)
def test_each_reason_of_the_treatment_side(facts, more, reason):
    """TX-05: strategy or reason, never both."""
    found = given_(facts=facts, **more)
    assert (found.strategy, found.reason) == (None if reason else "SURG", reason)


def test_treatment_is_known_from_the_first_course_or_the_first_decision():
    assert given_(tace(30), systemic(20)).known_on == day(20)
    assert given_(tace(30, decided_on=day(12)), systemic(20)).known_on == day(12)


def test_surgery_alone_is_known_when_the_window_is_declared_closed():
    """`docs/sealing.md`: unless a later adjuvant course was decided earlier."""
    assert given_().known_on == day(95)
    assert given_(tace(100, decided_on=day(80))).known_on == day(80)
    assert given_(tace(100, decided_on=day(80))).strategy == "SURG"


courses = st.lists(
    st.builds(tace, st.integers(-5, 200)) | st.builds(systemic, st.integers(-5, 200), st.sampled_from(["ICI", "OTHER"])), max_size=5
)


@given(courses, st.randoms())
def test_order_of_the_courses_never_matters(some, random):
    assert given_(*random.sample(some, len(some))) == given_(*some)


@given(courses, st.integers(91, 400))
def test_course_after_the_window_never_changes_the_strategy(some, number):
    """TX-04, F3: the future does not reach back."""
    assert given_(*some, tace(number)).strategy == given_(*some).strategy


@given(courses)
def test_strategy_or_reason_never_both_and_never_neither(some):
    found = given_(*some)
    assert (found.strategy is None) != (found.reason is None)
