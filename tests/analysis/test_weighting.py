"""Naive against adjusted under no effect for anybody: the naive comparison must fail and the adjusted must not (F1, AN-08, AN-22)."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from analysis.propensity import balance, effective_size, logistic, overlap, standardised_difference
from analysis.weighting import Comparison, compare_naive_and_adjusted, design
from tests.analysis.null_effect import cohort

CONFOUNDERS = ["x1", "x2", "x3"]


def rejections(runs: int, n: int, replicates: int) -> tuple[float, float, float, float]:
    """Shares of runs with p < 0.05, naive and adjusted, and the geometric mean hazard ratios."""
    results = [
        compare_naive_and_adjusted(cohort(seed, n), confounders=CONFOUNDERS, seed=seed, replicates=replicates) for seed in range(runs)
    ]
    naive = [one.naive.logrank_p or 0.0 for one in results]
    return (
        float(np.mean(np.array(naive) < 0.05)),
        float(np.mean([one.adjusted.p < 0.05 for one in results])),
        float(np.exp(np.mean([np.log(one.naive.hazard_ratio.value) for one in results]))),
        float(np.exp(np.mean([np.log(one.adjusted.hazard_ratio.value) for one in results]))),
    )


def test_under_no_effect_the_naive_comparison_rejects_and_the_adjusted_holds_its_level() -> None:
    """F1, AN-22: if the naive one did not reject, this simulation would have no teeth."""
    naive, adjusted, naive_ratio, adjusted_ratio = rejections(runs=50, n=400, replicates=25)
    assert naive > 0.5 and naive_ratio < 0.7
    assert adjusted < 0.15
    assert adjusted_ratio == pytest.approx(1, abs=0.08)


@pytest.mark.soak
def test_under_no_effect_the_adjusted_comparison_is_nominal() -> None:
    """F1, AN-22: type I error in [.03, .07] at the study's size, 1,000 repetitions (Monte Carlo error 0.007)."""
    naive, adjusted, naive_ratio, adjusted_ratio = rejections(runs=1000, n=1000, replicates=100)
    print(f"naive rejects {naive:.3f} (ratio {naive_ratio:.3f}), adjusted {adjusted:.3f} (ratio {adjusted_ratio:.3f}) in 1,000 runs")
    assert naive > 0.5
    assert 0.03 <= adjusted <= 0.07
    assert adjusted_ratio == pytest.approx(1, abs=0.02)


@pytest.fixture(scope="module")
def compared() -> Comparison:
    return compare_naive_and_adjusted(cohort(1), confounders=CONFOUNDERS, seed=5, replicates=60, landmark_day=90, horizon_day=1126)


def test_both_rows_rest_on_the_same_landmarked_patients(compared: Comparison) -> None:
    """AN-07, AN-21: the excluded are counted by tag and reason."""
    everybody = cohort(1)
    gone = everybody["time"] <= 90
    assert compared.naive.n == compared.adjusted.n and sum(compared.naive.n) == 1000 - gone.sum()
    assert compared.naive.events == compared.adjusted.events
    assert {bool(one.group): one.n for one in compared.excluded} == {
        tag: int((gone & (everybody["consistent"] == tag)).sum()) for tag in (False, True)
    }
    assert compared.horizon == 1126 - 90


def test_overlap_weights_balance_every_confounder_exactly(compared: Comparison) -> None:
    """AN-08: the property of overlap weights from an unpenalised logistic model."""
    assert max(abs(row.before) for row in compared.balance) > 0.3
    assert max(abs(row.after) for row in compared.balance) < 1e-10
    assert all(effective < n for effective, n in zip(compared.adjusted.effective, compared.adjusted.n, strict=True))
    assert compared.naive.effective == compared.naive.n


def test_naive_is_the_plain_analysis_and_adjusted_has_wider_limits(compared: Comparison) -> None:
    assert compared.naive.hazard_ratio.upper < 1 and compared.naive.p < 0.001
    assert compared.adjusted.logrank_p is None
    assert compared.adjusted.hazard_ratio.lower < 1 < compared.adjusted.hazard_ratio.upper
    for row in (compared.naive, compared.adjusted):
        assert all(one.lower < one.value < one.upper for one in (*row.survival, row.rmst_difference))


def test_same_seed_gives_the_same_numbers_and_a_frame_is_as_good_as_a_mapping(compared: Comparison) -> None:
    """AN-00: re-run bit-identical."""
    again = compare_naive_and_adjusted(
        pd.DataFrame(cohort(1)), confounders=CONFOUNDERS, seed=5, replicates=60, landmark_day=90, horizon_day=1126
    )
    assert again.adjusted.hazard_ratio == compared.adjusted.hazard_ratio
    assert again.adjusted.survival == compared.adjusted.survival


def test_whole_centers_can_be_resampled() -> None:
    result = compare_naive_and_adjusted(cohort(2), confounders=CONFOUNDERS, seed=1, replicates=30, resample="center")
    assert 0 < result.adjusted.p <= 1 and result.failed == 0


def test_a_center_that_always_agrees_is_left_out_and_said() -> None:
    """AN-08: no overlap there, so no weight."""
    d = cohort(3, 400, centers=5)
    d["consistent"] = d["consistent"] | (d["center"] == 4)
    result = compare_naive_and_adjusted(d, confounders=CONFOUNDERS, seed=1, replicates=5)
    assert result.without_overlap == int(((d["center"] == 4) & (d["time"] > 90)).sum())


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"consistent": np.ones(200, bool)}, "one of the two groups"),
        ({"consistent": np.full(200, 2)}, "0 or 1"),
        ({"x1": np.full(200, np.nan)}, "x1 has a missing value"),
        ({"event": np.zeros(200)}, "no events"),
        ({"time": np.full(200, 30.0)}, "nobody"),
    ],
)
def test_what_cannot_be_compared_is_refused(change: dict[str, np.ndarray], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        compare_naive_and_adjusted(cohort(1, 200, 3) | change, confounders=CONFOUNDERS, seed=1, replicates=2)


def test_one_replicate_or_no_confounder_is_refused() -> None:
    with pytest.raises(ValueError, match="two replicates"):
        compare_naive_and_adjusted(cohort(1, 200), confounders=CONFOUNDERS, seed=1, replicates=1)
    with pytest.raises(ValueError, match="one confounder"):
        compare_naive_and_adjusted(cohort(1, 200), confounders=[], seed=1, replicates=2)


def test_propensity_equals_scikit_learn_without_penalty() -> None:
    """AN-00: a second implementation."""
    random = np.random.default_rng(2)
    x = random.normal(size=(300, 3))
    y = random.random(300) < 1 / (1 + np.exp(-x @ [1, -0.5, 0.2]))
    theirs = LogisticRegression(C=np.inf, tol=1e-12, max_iter=1000).fit(x, y).predict_proba(x)[:, 1]
    np.testing.assert_allclose(logistic(np.column_stack([x, x[:, 0], np.ones(300)]), y), theirs, atol=1e-6)


def test_separated_groups_are_refused_not_weighted() -> None:
    x = np.arange(20.0)
    with pytest.raises(ValueError, match="tell the groups apart"):
        logistic(x[:, None], x > 9)
    with pytest.raises(ValueError, match="nobody is comparable"):
        overlap(x > 9, x[:, None], [(x > 9).astype(np.int64)])


def test_standardised_difference_and_effective_size_by_hand() -> None:
    """AN-08: means 2 and 1, variances 1 and 1/4 (population): 1/√0.625; (1+2+3)²/(1+4+9)."""
    values, group = np.array([1.0, 3, 0.5, 1.5]), np.array([True, True, False, False])
    difference, ratio = standardised_difference(values, group, np.ones(4))
    assert difference == pytest.approx(1 / np.sqrt(0.625)) and ratio == pytest.approx(4)
    assert effective_size(np.array([1.0, 2, 3])) == pytest.approx(36 / 14)
    assert effective_size(np.zeros(2)) == 0
    [row] = balance(["constant"], np.ones((4, 1)), group, np.ones(4))
    assert row.before == row.after == 0


def test_text_confounders_become_indicators() -> None:
    names, columns = design({"mvi": np.array(["M1", "M0", "M2"]), "age": np.array([50, 60, 70])}, ["age", "mvi"])
    assert names == ["age", "mvi=M1", "mvi=M2"]
    np.testing.assert_array_equal(columns, [[50, 1, 0], [60, 0, 0], [70, 0, 1]])
