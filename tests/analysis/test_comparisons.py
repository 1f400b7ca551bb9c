"""Log-rank, restricted means, landmark, competing risks: small cases by hand and the published golden numbers."""

import numpy as np
import pytest
from statsmodels.duration.survfunc import survdiff

from analysis.competing import cumulative_incidence
from analysis.e_value import e_value, e_value_of_limit
from analysis.fine_gray import fine_gray
from analysis.gray import gray_test
from analysis.kaplan_meier import kaplan_meier
from analysis.landmark import landmark
from analysis.logrank import logrank
from analysis.rmst import difference, restricted_mean
from analysis.weighted_curve import weighted_kaplan_meier


def data(seed: int, n: int = 120) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Whole days with many ties, events, three groups, two strata."""
    random = np.random.default_rng(seed)
    return random.integers(1, 30, n), random.integers(0, 2, n), random.integers(0, 3, n), random.integers(0, 2, n)


def test_log_rank_by_hand() -> None:
    """AN-02: groups {1, 3+} and {2, 4}: expected 2/4+1/3, variance 1/4+2/9."""
    test = logrank([1, 3, 2, 4], [1, 0, 1, 1], ["a", "a", "b", "b"])
    np.testing.assert_allclose(test.expected, [2 / 4 + 1 / 3, 2 / 4 + 2 / 3 + 1], rtol=1e-14)
    assert test.statistic == pytest.approx((1 - 5 / 6) ** 2 / (1 / 4 + 2 / 9), rel=1e-13)


@pytest.mark.parametrize("seed", range(4))
def test_stratified_log_rank_of_k_groups_equals_statsmodels(seed: int) -> None:
    """AN-02: a second implementation."""
    time, event, group, strata = data(seed)
    statistic, p = survdiff(time, event, group, strata=strata)
    ours = logrank(time, event, group, strata=strata)
    assert (ours.statistic, ours.p) == (pytest.approx(statistic, rel=1e-11), pytest.approx(p, rel=1e-10))


def test_a_group_never_at_risk_of_an_event_costs_no_degree_of_freedom() -> None:
    """R `survdiff` counts only groups with an expectation."""
    test = logrank([1, 5, 6, 7, 8], [0, 1, 1, 1, 1], [0, 1, 1, 2, 2])
    assert test.df == 1
    assert np.isnan(logrank([1, 2], [0, 0], [0, 1]).p)
    with pytest.raises(ValueError, match="two groups"):
        logrank([1, 2], [1, 1], [0, 0])


def test_restricted_mean_by_hand() -> None:
    """AN-06: S is 1, 3/4, 1/2 on [0,1), [1,2), [2,4)."""
    mean = restricted_mean(kaplan_meier([1, 2, 4, 4], [1, 1, 0, 0]), 4)
    assert mean.estimate == pytest.approx(1 + 3 / 4 + 2 * 1 / 2)
    assert mean.standard_error**2 == pytest.approx((3 / 4 + 1) ** 2 / 12 + 1 / 6)


def test_restricted_mean_variance_is_that_of_the_mean_not_of_the_times() -> None:
    """AN-06: without censoring it is the sample variance over n, 181 times less than what lifelines returns for n = 200."""
    time = np.random.default_rng(3).exponential(10, 200)
    mean = restricted_mean(kaplan_meier(time, np.ones(200)), 15)
    assert mean.estimate == pytest.approx(np.minimum(time, 15).mean(), rel=1e-12)
    assert mean.standard_error == pytest.approx(np.minimum(time, 15).std() / np.sqrt(200), rel=1e-10)


def test_restricted_mean_is_not_estimable_beyond_the_data() -> None:
    """AN-06: the horizon must not exceed the longest observation."""
    curve = kaplan_meier([1, 2, 3], [1, 1, 0])
    assert np.isnan(restricted_mean(curve, 3.5).estimate)
    assert restricted_mean(kaplan_meier([1, 2, 3], [1, 1, 1]), 9).estimate == pytest.approx(2)
    with pytest.raises(ValueError, match="positive"):
        restricted_mean(curve, 0)
    with pytest.raises(ValueError, match="cannot be compared"):
        difference(restricted_mean(curve, 2), restricted_mean(curve, 3))


def test_weighted_restricted_mean_with_ones_is_the_unweighted() -> None:
    time, event, *_ = data(5)
    plain, weighted = restricted_mean(kaplan_meier(time, event), 25), restricted_mean(weighted_kaplan_meier(time, event, np.ones(120)), 25)
    assert weighted.estimate == pytest.approx(plain.estimate, rel=1e-13)
    assert weighted.standard_error == pytest.approx(plain.standard_error, rel=1e-12)


def test_landmark_excludes_and_counts_and_never_relabels() -> None:
    """AN-07, TX-08: who has the event or is censored on the day itself is out."""
    kept = landmark([10, 90, 90, 91, 200], [1, 1, 0, 1, 0], day=90, group=["a", "a", "b", "b", "b"])
    assert kept.kept.tolist() == [False, False, False, True, True]
    assert kept.time.tolist() == [1, 110] and kept.event.tolist() == [True, False]
    assert [(one.group, one.n, one.event, one.censored) for one in kept.excluded] == [("a", 2, 2, 0), ("b", 1, 0, 1)]
    assert kept.n_excluded == 3
    with pytest.raises(ValueError, match="nobody"):
        landmark([1, 2], [1, 0], day=5)
    with pytest.raises(ValueError, match="negative"):
        landmark([1, 2], [1, 0], day=-1)


def test_cumulative_incidence_golden_micro_data() -> None:
    """AN-25: F1(6) = F2(6) = 0.4, where one minus the curve of cause 2 alone says 2/3."""
    time, cause = [1, 2, 3, 4, 5, 6], [0, 1, 1, 2, 2, 0]
    assert cumulative_incidence(time, cause, 1).at(6)[0][0] == pytest.approx(0.4, rel=1e-14)
    assert cumulative_incidence(time, cause, 2).at(6)[0][0] == pytest.approx(0.4, rel=1e-14)
    naive = 1 - kaplan_meier(time, np.array(cause) == 2).at(6).survival[0]
    assert naive == pytest.approx(2 / 3, rel=1e-14)


def test_incidences_and_survival_add_up_to_one() -> None:
    """EP-05."""
    time, event, kind, _ = data(9)
    cause = np.where(event, 1 + kind, 0)
    total = sum(cumulative_incidence(time, cause, of).estimate for of in (1, 2, 3))
    np.testing.assert_allclose(total + kaplan_meier(time, cause > 0).survival, 1, rtol=1e-13)


def test_without_competition_the_incidence_is_one_minus_survival_with_its_error() -> None:
    time, event, *_ = data(10)
    curve, incidence = kaplan_meier(time, event), cumulative_incidence(time, event, 1)
    np.testing.assert_allclose(incidence.estimate, 1 - curve.survival, atol=1e-14)
    np.testing.assert_allclose(incidence.standard_error[:-1], curve.standard_error[:-1], rtol=1e-9)


def test_a_cause_must_be_a_small_whole_number() -> None:
    for cause in ([0, 1.5], [0, -1], [0, np.nan]):
        with pytest.raises(ValueError, match="cause of failure"):
            cumulative_incidence([1, 2], cause, 1)


def test_gray_test_needs_groups_and_the_cause() -> None:
    """AN-10."""
    with pytest.raises(ValueError, match="two groups"):
        gray_test([1, 2], [1, 1], [0, 0])
    assert np.isnan(gray_test([1, 2, 3], [2, 2, 0], [0, 1, 1], 1).p)


def test_fine_gray_without_censoring_is_cox_with_competing_events_at_the_end() -> None:
    """AN-11: the oracle of the rule page."""
    from analysis.cox import cox

    random = np.random.default_rng(4)
    x, time, cause = random.normal(size=80), random.permutation(80) + 1.0, random.integers(1, 3, 80)
    pushed = np.where(cause == 1, time, 100.0)
    assert fine_gray(x, time, cause).coef[0] == pytest.approx(cox(x, pushed, cause == 1, ties="breslow").coef[0], rel=1e-10)


@pytest.mark.parametrize(("ratio", "value"), [(0.75, 1.7391), (0.70, 1.8787), (0.50, 2.6064)])
def test_e_values_are_the_golden_ones(ratio: float, value: float) -> None:
    """AN-12: and the same for the inverse ratio."""
    assert e_value(ratio) == pytest.approx(value, abs=5e-5)
    assert e_value(1 / ratio) == pytest.approx(value, abs=5e-5)


def test_e_value_of_an_interval_that_holds_one_is_one() -> None:
    assert e_value_of_limit(0.8, 1.1) == 1
    assert e_value_of_limit(0.5, 0.75) == e_value(0.75)
    assert e_value_of_limit(1.3, 2.0) == e_value(1.3)
    with pytest.raises(ValueError, match="positive"):
        e_value(0)
