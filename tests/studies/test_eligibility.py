"""Three-valued eligibility (EL-01…EL-04): truth tables, boundary birthdays, and what it may not read."""

from datetime import date
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studies import expressions, protocol
from studies.eligibility import Eligibility, Verdict, completed_years, evaluate
from studies.expressions import Both, Either, Fact, Not, Truth, Yes, truth

PROTOCOL = protocol.load("hcc_adjuvant")
SURGERY = date(2026, 3, 2)
ANSWERS: dict[str, Fact] = {
    "histology_hcc": "yes",
    "r0_resection": "yes",
    "he_slide_qualified": "yes",
    "baseline_complete": "yes",
    "imaging_phases": "yes",
    "imaging_quality": "yes",
    "imaging_date": date(2026, 2, 20),
    "prior_therapy": "no",
    "prior_baseline_available": "unknown",
    "other_malignancy": "no",
}
FACTS: dict[str, Fact] = {"surgery_date": SURGERY, "age_at_surgery": 58}
T, F, U = True, False, None
WORDS: dict[Truth, str] = {T: "yes", F: "no", U: "unknown"}

# Kleene's strong logic of indeterminacy (Introduction to Metamathematics, 1952, §64): p, q, p∧q, p∨q
KLEENE = [
    (T, T, T, T), (T, F, F, T), (T, U, U, T),
    (F, T, F, T), (F, F, F, F), (F, U, F, U),
    (U, T, U, T), (U, F, F, U), (U, U, U, U),
]  # fmt: skip


def judge(facts: dict[str, Fact] | None = None, **answers: Fact) -> Eligibility:
    return evaluate(PROTOCOL, {**ANSWERS, **answers}, {**FACTS, **(facts or {})})


def verdict_of(found: Eligibility, code: str) -> Verdict:
    return next(item.verdict for item in found.criteria if item.code == code)


@pytest.mark.parametrize(("p", "q", "both", "either"), KLEENE)
def test_all_and_any_follow_kleenes_table(p: Truth, q: Truth, both: Truth, either: Truth) -> None:
    facts = {"p": WORDS[p], "q": WORDS[q]}
    assert truth(Both((Yes("p"), Yes("q"))), facts) is both
    assert truth(Either((Yes("p"), Yes("q"))), facts) is either
    assert truth(Not(Yes("p")), facts) is {T: F, F: T, U: U}[p]


@pytest.mark.parametrize(
    ("prior", "available", "verdict"),
    [
        ("no", "no", "pass"), ("no", "yes", "pass"), ("no", "unknown", "pass"),
        ("yes", "yes", "pass"), ("yes", "no", "fail"), ("yes", "unknown", "unknown"),
        ("unknown", "yes", "pass"), ("unknown", "no", "unknown"), ("unknown", "unknown", "unknown"),
    ],
)  # fmt: skip
def test_prior_therapy_excludes_only_together_with_missing_baseline(prior: str, available: str, verdict: str) -> None:
    """EL-02: the criterion is an AND; prior therapy with its baseline at hand is eligible."""
    found = judge(prior_therapy=prior, prior_baseline_available=available)
    assert verdict_of(found, "E1") == verdict
    assert found.verdict == verdict


@pytest.mark.parametrize("answers", list(product(["yes", "no", "unknown"], repeat=4)))
def test_overall_verdict_is_the_worst_of_the_criteria(answers: tuple[str, ...]) -> None:
    """EL-01: FAIL beats UNKNOWN beats PASS, for every combination of answers of four criteria."""
    codes = ("histology_hcc", "r0_resection", "he_slide_qualified", "baseline_complete")
    found = judge(**dict(zip(codes, answers, strict=True)))
    assert found.verdict == ("fail" if "no" in answers else "unknown" if "unknown" in answers else "pass")


@pytest.mark.parametrize("unknown", [code for code in ANSWERS if code != "prior_baseline_available"])
@pytest.mark.parametrize("way", ["unknown", None, "absent"])
def test_each_missing_answer_alone_blocks_and_is_named(unknown: str, way: str | None) -> None:
    """EL-01: UNKNOWN blocks enrolment, whether said, empty or never asked; prior therapy matters only without baseline."""
    answers = {**ANSWERS, "prior_baseline_available": "no", unknown: way}
    if way == "absent":
        del answers[unknown]
    found = evaluate(PROTOCOL, answers, FACTS)
    assert found.verdict is Verdict.UNKNOWN
    assert {code for item in found.criteria for code in item.unknown} == {unknown}
    assert not found.failed


def test_eligible_patient_passes_every_criterion() -> None:
    assert judge().verdict is Verdict.PASS
    assert {item.verdict for item in judge().criteria} == {Verdict.PASS}


@pytest.mark.parametrize(
    ("birth", "age", "verdict"),
    [
        (date(2008, 3, 2), 18, "pass"),  # 18th birthday is the day of surgery
        (date(2008, 3, 3), 17, "fail"),  # the day before it
        (date(1951, 3, 2), 75, "pass"),  # 75th birthday
        (date(1950, 3, 3), 75, "pass"),  # the day before the 76th
        (date(1950, 3, 2), 76, "fail"),  # 76th birthday
    ],
)
def test_age_limits_at_boundary_birthdays(birth: date, age: int, verdict: str) -> None:
    """EL-02: 18 ≤ age ≤ 75 in completed years at the day of surgery."""
    assert completed_years(birth, SURGERY) == age
    found = judge({"age_at_surgery": age})
    assert (verdict_of(found, "I2"), found.verdict) == (verdict, verdict)


@pytest.mark.parametrize(("on", "age"), [(date(2026, 2, 28), 17), (date(2026, 3, 1), 18), (date(2028, 2, 28), 19), (date(2028, 2, 29), 20)])
def test_who_was_born_on_29_february_ages_on_1_march_in_common_years(on: date, age: int) -> None:
    """EL-02: GB rule of completed years; in leap years the day itself."""
    assert completed_years(date(2008, 2, 29), on) == age


def test_birth_after_the_day_is_refused() -> None:
    with pytest.raises(ValueError, match="after"):
        completed_years(date(2026, 3, 3), SURGERY)


@pytest.mark.parametrize(
    ("scan", "verdict"),
    [
        (date(2026, 1, 19), "pass"),  # 42 days
        (date(2026, 1, 18), "fail"),  # 43 days
        (date(2026, 3, 2), "pass"),  # the morning of surgery
        (date(2026, 3, 3), "fail"),  # after it
    ],
)
def test_scan_lies_at_most_42_days_before_surgery(scan: date, verdict: str) -> None:
    """EL-04: the interval is data of the protocol."""
    found = judge(imaging_date=scan)
    assert verdict_of(found, "I6") == verdict
    assert ("imaging_date" in next(item for item in found.criteria if item.code == "I6").failed) is (verdict == "fail")


def test_what_failed_is_named_and_what_held_is_not() -> None:
    found = judge(imaging_quality="no")
    assert next(item for item in found.criteria if item.code == "I6").failed == ("imaging_quality",)
    assert found.failed == ("I6", "E5")


@given(
    st.dictionaries(
        st.sampled_from(["recurrence_date", "death_date", "adjuvant_start", "last_follow_up", "visit_count", "strategy"]),
        st.one_of(st.dates(), st.integers(), st.sampled_from(["yes", "no", "unknown"])),
    )
)
def test_post_baseline_facts_leave_eligibility_as_it_is(later: dict[str, Fact]) -> None:
    """EL-03: whatever happened afterwards, the verdict and its bytes are the same."""
    assert evaluate(PROTOCOL, {**ANSWERS, **later}, {**FACTS, **later}) == judge()


def test_wrong_kinds_of_fact_are_refused() -> None:
    for facts in ({"age_at_surgery": "58"}, {"age_at_surgery": True}, {"surgery_date": "2026-03-02"}):
        with pytest.raises(TypeError):
            judge(facts)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        judge(histology_hcc="maybe")


def test_snapshot_names_the_version_it_was_made_by() -> None:
    """EL-01: protocol id, version, digest and each criterion's own version."""
    snapshot = judge().as_json()
    assert snapshot["protocol"] == {"id": "hcc_adjuvant", "version": PROTOCOL.version, "digest": PROTOCOL.digest}
    assert all(item["version"] == 1 for item in snapshot["criteria"])
    assert len(snapshot["criteria"]) == len(PROTOCOL.criteria)


def test_unknown_operator_is_no_expression() -> None:
    for tree in ({"python": "1"}, {"yes": 1}, {"yes": "a", "not": {"yes": "b"}}, {}):
        with pytest.raises(ValueError, match="no expression"):
            expressions.parse(tree)
