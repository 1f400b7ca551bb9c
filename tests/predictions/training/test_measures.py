"""Discrimination and prediction error against pROC (R), scikit-survival and hand arithmetic (AN-16, AN-17, AN-18)."""

import csv
import json

import numpy as np
import pytest
from sksurv.linear_model import CoxPHSurvivalAnalysis
from sksurv.metrics import (
    brier_score,
    concordance_index_censored,
    concordance_index_ipcw,
    cumulative_dynamic_auc,
    integrated_brier_score,
)
from sksurv.util import Surv
from statsmodels.api import GLM, add_constant, families
from statsmodels.duration.hazard_regression import PHReg

from predictions.training.measures import calibration, delong, proportional, resampled
from predictions.training.measures.resampled import Followed
from tests.paths import SHARED

REFERENCE = SHARED / "data" / "06_survival_reference"


def followed(seed, n=160, ties=True):
    """Patients with tied times and tied risks, and a survival curve for each of them."""
    random = np.random.default_rng(seed)
    risk = random.normal(size=n)
    risk = risk.round(1) if ties else risk
    onset, censored = random.exponential(700 * np.exp(-0.7 * risk)), random.uniform(100, 1500, n)
    time = np.ceil(np.minimum(onset, censored) / (20 if ties else 1))
    days = np.quantile(time, [0.2, 0.4, 0.6, 0.75])
    survival = np.exp(-np.outer(np.exp(0.5 * risk), days / days[-1]))
    return time, onset <= censored, risk, days, survival


def theirs(time, event, risk, days, *, survival, tau):
    y = Surv.from_arrays(event, time)
    return (
        concordance_index_censored(event, time, risk)[0],
        concordance_index_ipcw(y, y, risk, tau=tau)[0],
        cumulative_dynamic_auc(y, y, risk, days)[0],
        brier_score(y, y, survival, days)[1],
        integrated_brier_score(y, y, survival, days),
    )


def ours(patients, risk, days, survival, tau):
    harrell, uno = resampled.concordance(patients, risk, tau=tau)
    scores = resampled.brier(patients, survival, days)
    return harrell, uno, resampled.areas(patients, risk, days), scores, resampled.integrated(scores, days)


@pytest.mark.skipif(not REFERENCE.exists(), reason="the reference data of the study are not here")
def test_areas_and_their_comparison_are_those_of_proc():
    """pROC's published example (aSAH): areas, DeLong intervals, z and p of the paired test."""
    expected = json.loads((REFERENCE / "expected" / "I_icc_delong.json").read_text())
    with (REFERENCE / "csv" / "pROC_aSAH.csv").open() as file:
        rows = list(csv.DictReader(file))
    poor = np.array([row["outcome"] == "Poor" for row in rows])
    s100b, wfns = (np.array([float(row[name]) for row in rows]) for name in ("s100b", "wfns"))
    for score, name in ((s100b, "s100b"), (wfns, "wfns")):
        found = delong.area(poor, score)
        assert [found.lower, found.estimate, found.upper] == pytest.approx(expected[f"auc_{name}_ci_delong"], abs=1e-12)
    test = delong.compare(poor, s100b, wfns)
    assert (test.z, test.p) == pytest.approx((expected["delong_z"], expected["delong_p"]), abs=1e-12)


def test_folds_are_compared_within_themselves_only():
    """Two perfect folds on different scales: within each the area is 1, pooled it would be 3/4."""
    outcome, score = np.array([1, 0, 1, 0], dtype=bool), np.array([0.9, 0.8, 0.2, 0.1])
    assert delong.area(outcome, score, fold=np.array([0, 0, 1, 1])).estimate == 1.0
    assert delong.area(outcome, score).estimate == 0.75


@pytest.mark.parametrize("seed", range(4))
def test_estimates_are_those_of_scikit_survival(seed):
    """≥ 8 digits for all, every bit for Harrell's C, with and without ties."""
    time, event, risk, days, survival = followed(seed, ties=seed % 2 == 0)
    tau = float(np.quantile(time, 0.8))
    found = ours(Followed.once(time, event), risk, days, survival, tau)
    expected = theirs(time, event, risk, days, survival=survival, tau=tau)
    assert found[0][0] == expected[0]
    for one, other in zip(found[1:], expected[1:], strict=True):
        assert np.allclose(one[0], other, rtol=1e-10, atol=0)


def test_bootstrap_samples_are_those_of_scikit_survival_one_by_one():
    """A patient drawn three times is three patients; C bit by bit."""
    time, event, risk, days, survival = followed(7)
    tau = float(np.quantile(time, 0.8))
    samples = Followed.drawn(time, event, samples=25, seed=3)
    found = ours(samples, risk, days, survival, tau)
    for place, counts in enumerate(samples.counts.astype(int)):
        drawn = np.repeat(np.arange(len(time)), counts)
        assert len(drawn) == len(time)
        expected = theirs(time[drawn], event[drawn], risk[drawn], days, survival=survival[drawn], tau=tau)
        assert found[0][place] == expected[0]
        for one, other in zip(found[1:], expected[1:], strict=True):
            assert np.allclose(one[place], other, rtol=1e-10, atol=0)


def test_many_patients_are_compared_in_blocks(monkeypatch):
    time, event, risk, *_ = followed(2)
    samples = Followed.drawn(time, event, samples=5, seed=1)
    whole = resampled.concordance(samples, risk)
    monkeypatch.setattr(resampled, "BLOCK", 7)
    assert all(np.array_equal(one, other) for one, other in zip(resampled.concordance(samples, risk), whole, strict=True))


def test_sample_without_events_has_no_concordance():
    assert np.isnan(resampled.concordance(Followed.once(np.array([1.0, 2.0]), np.array([False, False])), np.zeros(2))[0]).all()


def test_cox_is_that_of_scikit_survival_with_tied_days():
    time, event, risk, *_ = followed(5)
    x = np.column_stack([risk, np.random.default_rng(1).normal(size=len(risk))])
    theirs = CoxPHSurvivalAnalysis(ties="efron", tol=1e-12, n_iter=200).fit(x, Surv.from_arrays(event, time))
    found = proportional.cox(time, event, x)
    assert np.allclose(found.coefficients, theirs.coef_, rtol=1e-9)


def test_cox_gives_the_errors_and_likelihood_of_statsmodels():
    time, event, risk, *_ = followed(6)
    theirs = PHReg(time, risk[:, None], status=event.astype(int), ties="efron").fit(disp=0)
    found = proportional.cox(time, event, risk[:, None])
    assert found.errors[0] == pytest.approx(theirs.bse[0], rel=1e-6)
    assert found.log_likelihood == pytest.approx(theirs.llf, rel=1e-9)


def test_cox_of_ten_thousand_patients_is_found_although_rounding_moves_its_likelihood():
    random = np.random.default_rng(0)
    x = random.normal(size=(10_000, 2))
    onset, censored = random.exponential(700 * np.exp(-0.6 * x[:, 0])), random.uniform(200, 2200, 10_000)
    time, event = np.ceil(np.minimum(onset, censored)), onset <= censored
    theirs = PHReg(time, x, status=event.astype(int), ties="efron").fit(disp=0)
    assert np.allclose(proportional.cox(time, event, x).coefficients, theirs.params, rtol=1e-6, atol=1e-8)


def test_perfect_separation_has_no_hazard_ratio():
    with pytest.raises(ValueError, match="no maximum"):
        proportional.cox(np.array([1.0, 2, 3, 4]), np.ones(4, dtype=bool), np.array([[9.0], [8], [7], [6]]))


def test_calibration_line_is_that_of_statsmodels():
    random = np.random.default_rng(3)
    p = random.uniform(0.1, 0.9, 300)
    event = random.random(300) < p**1.5
    odds = np.log(p / (1 - p))
    fit = GLM(event.astype(float), add_constant(odds), family=families.Binomial()).fit()
    large = GLM(event.astype(float), np.ones(300), family=families.Binomial(), offset=odds).fit()
    found = calibration.line(event, p)
    assert (found["intercept"], found["slope"]) == pytest.approx(tuple(fit.params), rel=1e-8)
    assert found["in_the_large"] == pytest.approx(large.params[0], rel=1e-8)


def test_net_benefit_by_hand():
    """Ten patients, 4 with the outcome; at 0.5 the model acts on 3 of them and on 1 other: (3 − 1) / 10."""
    event = np.array([1, 1, 1, 1, 0, 0, 0, 0, 0, 0], dtype=bool)
    p = np.array([0.9, 0.8, 0.7, 0.1, 0.6, 0.2, 0.2, 0.1, 0.1, 0.1])
    [row] = [row for row in calibration.net_benefit(calibration.Outcome(event), p) if row["threshold"] == 0.5]
    assert (row["model"], row["everybody"]) == pytest.approx((0.2, 0.4 - 0.6))


def test_observed_risk_counts_the_censored_by_kaplan_meier():
    """Days 1 (event), 2 (censored), 3 (event), 4 (alive): S(3) = 3/4 · 1/2."""
    outcome = calibration.Outcome(np.array([True, False, True, False]), np.array([1.0, 2, 3, 4]), horizon=3)
    assert outcome.risk(np.ones(4, dtype=bool)) == pytest.approx(1 - 0.375)
