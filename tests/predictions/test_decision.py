"""The registered decision rule (PR-01, PR-02, PR-03, PR-05)."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictions.decision import INTENSITY, STEPS, Abstention, Strategy, decide

SURG, TACE, SYS, TACE_SYS = INTENSITY

probabilities = st.fixed_dictionaries({strategy: st.floats(0, 1) for strategy in INTENSITY})
bounds = st.fixed_dictionaries({step: st.floats(-1, 1) for step in STEPS})


def exact(survival):
    """The gains of estimates without any uncertainty."""
    return {(more, less): survival[more] - survival[less] for more, less in STEPS}


def test_strategies_stand_in_the_order_of_intensity():
    assert INTENSITY == ("SURG", "TACE", "SYS", "TACE_SYS")


@pytest.mark.parametrize(
    ("survival", "recommended"),
    [
        ((0.5, 0.5, 0.5, 0.5), SURG),  # equal
        ((0.5, 0.5625, 0.5, 0.5), TACE),
        ((0.5, 0.5625, 0.5625, 0.5625), TACE),  # a benefit that all treatments share: the least intensive of them
        ((0.5, 0.5, 0.5625, 0.5), SYS),
        ((0.5, 0.5625, 0.5, 0.625), TACE_SYS),  # two steps, each above the margin
        ((0.5, 0.5625, 0.578125, 0.609375), TACE_SYS),  # systemic therapy does not pass TACE; the combination does
        ((0.9, 0.5, 0.5, 0.92), SURG),
    ],
)
def test_more_intensive_strategy_needs_a_gain_above_the_margin(survival, recommended):
    """PR-02 by hand."""
    values = dict(zip(INTENSITY, survival, strict=True))
    assert decide(values, exact(values)).recommended == recommended


def test_gain_of_the_margin_itself_is_not_more_than_the_margin():
    values = {SURG: 0.5, TACE: 0.5625, SYS: 0.5, TACE_SYS: 0.5}
    assert decide(values, exact(values), margin=0.0625).recommended == SURG


def test_lower_bound_decides_and_not_the_estimate():
    """PR-02: a large but uncertain gain recommends nothing more than surgery, and both stay acceptable."""
    values = {SURG: 0.5, TACE: 0.7, SYS: 0.5, TACE_SYS: 0.5}
    decision = decide(values, dict.fromkeys(STEPS, -0.1))
    assert decision.recommended == SURG
    assert decision.acceptable == (SURG, TACE)


@given(probabilities, bounds, st.floats(0, 0.2))
def test_order_of_the_inputs_never_matters(survival, gains, margin):
    """PR-02: no tie is resolved by the order of a dictionary or an array."""
    first = decide(survival, gains, margin=margin)
    for order in permutations(INTENSITY):
        shuffled = {strategy: survival[strategy] for strategy in order}
        turned = {step: gains[step] for step in reversed(STEPS)}
        assert decide(shuffled, turned, margin=margin) == first


@given(st.floats(0, 1), st.floats(0, 0.2))
def test_equal_survival_recommends_surgery_alone(value, margin):
    survival = dict.fromkeys(INTENSITY, value)
    decision = decide(survival, exact(survival), margin=margin)
    assert decision.recommended == SURG
    assert decision.acceptable == INTENSITY


@given(probabilities, bounds)
def test_recommended_strategy_is_acceptable_and_beat_the_one_it_replaced(survival, gains):
    """PR-01: k* ∈ A; PR-02: whatever is more than surgery passed the margin against a less intensive one."""
    decision = decide(survival, gains)
    assert decision.recommended in decision.acceptable
    earlier = INTENSITY[: INTENSITY.index(decision.recommended)]
    assert decision.recommended == SURG or any(gains[decision.recommended, less] > 0.03 for less in earlier)


@given(probabilities)
def test_exact_estimates_keep_every_acceptable_strategy_within_the_margin(survival):
    decision = decide(survival, exact(survival))
    best = max(survival.values())
    within = {strategy for strategy in INTENSITY if survival[strategy] >= best - 0.03}
    assert set(decision.acceptable) == within | {decision.recommended}


@given(probabilities, bounds, st.sets(st.sampled_from([TACE, SYS, TACE_SYS])))
def test_masked_strategy_is_neither_recommended_nor_acceptable(survival, gains, masked):
    """PR-03; a masked strategy needs no estimate."""
    known = {strategy: value for strategy, value in survival.items() if strategy not in masked}
    steps = {step: gain for step, gain in gains.items() if not masked & set(step)}
    decision = decide(known, steps, infeasible=masked)
    assert not masked & {decision.recommended, *decision.acceptable}


def test_extrapolated_recommendation_abstains_and_an_extrapolated_other_does_not():
    """PR-05."""
    survival = {SURG: 0.5, TACE: 0.7, SYS: 0.5, TACE_SYS: 0.5}
    assert decide(survival, exact(survival), extrapolated=[TACE]).abstention == Abstention.EXTRAPOLATED
    assert decide(survival, exact(survival), extrapolated=[SYS]).abstention is None
    assert decide(survival, exact(survival), out_of_distribution=True).abstention == Abstention.OUT_OF_DISTRIBUTION


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"infeasible": [Strategy.SURG]}, "surgery alone"),
        ({"survival": {SURG: 1.5}}, "not a probability"),
        ({"gains": {(TACE, SURG): 2}}, "gain of TACE"),
    ],
)
def test_impossible_input_is_refused_with_a_sentence(change, sentence):
    survival = dict.fromkeys(INTENSITY, 0.5)
    given_ = {"survival": survival | change.pop("survival", {}), "gains": exact(survival) | change.pop("gains", {})} | change
    with pytest.raises(ValueError, match=sentence):
        decide(**given_)


def test_probability_that_is_not_a_number_is_refused():
    survival = dict.fromkeys(INTENSITY, 0.5)
    with pytest.raises(ValueError, match="not a probability"):
        decide(survival | {SYS: float("nan")}, exact(survival))
