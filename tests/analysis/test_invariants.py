"""What must hold for any data: units, order of rows, copies against weights (AN-26)."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.competing import cumulative_incidence
from analysis.cox import cox
from analysis.gray import gray_test
from analysis.kaplan_meier import kaplan_meier
from analysis.logrank import logrank
from analysis.rmst import restricted_mean
from analysis.weighted_curve import weighted_kaplan_meier

DAYS_PER_MONTH = 30.4375


@st.composite
def cohorts(draw: st.DrawFn) -> dict[str, np.ndarray]:
    """20 to 60 patients in whole days with ties, both arms, both causes and events in each arm."""
    n = draw(st.integers(20, 60))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    latest = draw(st.sampled_from([5, 40, 1000]))
    time, event, arm = random.integers(1, latest + 1, n), random.integers(0, 2, n), random.integers(0, 2, n)
    event[:4], arm[:4], time[:4] = 1, (0, 1, 0, 1), (1, 1, 2, 2)
    cause = event * (1 + (random.random(n) < 0.4))
    return {"time": time.astype(float), "event": event, "arm": arm, "cause": cause, "copies": random.integers(1, 4, n)}


@given(cohorts())
@settings(max_examples=40, deadline=None)
def test_rescaling_days_to_months_changes_no_p_and_no_ratio(d: dict[str, np.ndarray]) -> None:
    """AN-26: restricted means and medians scale, everything else stays."""
    months = d["time"] / DAYS_PER_MONTH
    assert np.isclose(logrank(months, d["event"], d["arm"]).p, logrank(d["time"], d["event"], d["arm"]).p, rtol=1e-9)
    in_days, in_months = (cox(d["arm"], t, d["event"]).coef for t in (d["time"], months))
    np.testing.assert_allclose(in_months, in_days, rtol=1e-9, atol=1e-12)
    day_curve, month_curve = kaplan_meier(d["time"], d["event"]), kaplan_meier(months, d["event"])
    np.testing.assert_allclose(month_curve.survival, day_curve.survival, rtol=1e-12)
    horizon = float(d["time"].max())
    day, month = restricted_mean(day_curve, horizon), restricted_mean(month_curve, horizon / DAYS_PER_MONTH)
    np.testing.assert_allclose(
        [month.estimate, month.standard_error], np.array([day.estimate, day.standard_error]) / DAYS_PER_MONTH, rtol=1e-9
    )
    assert np.isclose(gray_test(months, d["cause"], d["arm"]).statistic, gray_test(d["time"], d["cause"], d["arm"]).statistic, rtol=1e-8)


@given(cohorts(), st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_the_order_of_rows_changes_nothing(d: dict[str, np.ndarray], seed: int) -> None:
    order = np.random.default_rng(seed).permutation(d["time"].size)
    s = {name: column[order] for name, column in d.items()}
    np.testing.assert_array_equal(kaplan_meier(s["time"], s["event"]).survival, kaplan_meier(d["time"], d["event"]).survival)
    assert np.isclose(logrank(s["time"], s["event"], s["arm"]).statistic, logrank(d["time"], d["event"], d["arm"]).statistic, rtol=1e-12)
    first, second = (cox(c["arm"], c["time"], c["event"], robust=True) for c in (d, s))
    np.testing.assert_allclose(second.coef, first.coef, rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(second.robust_covariance, first.robust_covariance, rtol=1e-9)
    np.testing.assert_array_equal(
        cumulative_incidence(s["time"], s["cause"]).estimate, cumulative_incidence(d["time"], d["cause"]).estimate
    )


@given(cohorts())
@settings(max_examples=40, deadline=None)
def test_a_row_weighted_k_is_k_copies_for_estimates_under_breslow(d: dict[str, np.ndarray]) -> None:
    """AN-08: the estimates agree; the robust error with copies as one cluster too."""
    person = np.repeat(np.arange(d["time"].size), d["copies"])
    many = {name: column[person] for name, column in d.items()}
    weighted = weighted_kaplan_meier(d["time"], d["event"], d["copies"])
    np.testing.assert_allclose(weighted.survival, kaplan_meier(many["time"], many["event"]).survival, atol=1e-12)
    light = cox(d["arm"], d["time"], d["event"], weights=d["copies"], ties="breslow")
    heavy = cox(many["arm"], many["time"], many["event"], cluster=person, ties="breslow")
    np.testing.assert_allclose(light.coef, heavy.coef, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(light.robust_covariance, heavy.robust_covariance, rtol=1e-8)


@given(cohorts())
@settings(max_examples=40, deadline=None)
def test_curves_fall_and_limits_enclose_them(d: dict[str, np.ndarray]) -> None:
    curve = kaplan_meier(d["time"], d["event"])
    assert (np.diff(curve.survival) <= 0).all() and (curve.survival >= 0).all()
    for kind in ("log", "log-log", "plain"):
        interval = curve.interval(kind)  # type: ignore[arg-type]
        inside = ~np.isnan(interval.lower)
        assert (interval.lower[inside] <= curve.survival[inside]).all() and (curve.survival[inside] <= interval.upper[inside]).all()
