"""The Cox model by hand, against libraries where they are right, and where there is no answer."""

import numpy as np
import pandas as pd
import pytest
from lifelines import CoxPHFitter
from statsmodels.duration.hazard_regression import PHReg

from analysis.cox import cox
from analysis.proportional_hazards import proportional_hazards


def patients(seed: int, n: int = 200, ties: bool = True) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    x = np.column_stack([random.normal(size=n), random.integers(0, 2, n)])
    relapse, followed = random.exponential(20 * np.exp(-x @ [0.6, -0.4])), random.uniform(2, 50, n)
    time = np.minimum(relapse, followed)
    return x, np.ceil(time) if ties else time, relapse <= followed


def test_one_covariate_by_hand() -> None:
    """x = 1 fails of {1, 0, 1}, then x = 0 of {0, 1}: the score 1 − 2r/(1+2r) − r/(1+r) is zero at the maximum r = e^β."""
    fit = cox([1, 0, 1], [1, 2, 3], [1, 1, 0])
    ratio = fit.hazard_ratio[0]
    assert 1 - 2 * ratio / (1 + 2 * ratio) - ratio / (1 + ratio) == pytest.approx(0, abs=1e-13)


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_the_score_vanishes_to_machine_precision(ties: str) -> None:
    """AN-03: lifelines stops at 1e-7."""
    for seed in range(5):
        assert cox(*patients(seed), ties=ties).gradient < 1e-12  # type: ignore[arg-type]


def test_coefficients_and_errors_equal_statsmodels_with_ties_and_strata() -> None:
    """AN-00: computed by two programs."""
    x, time, event = patients(1)
    strata = np.arange(200) % 3
    for ties in ("efron", "breslow"):
        theirs = PHReg(time, x, status=event.astype(int), ties=ties, strata=strata).fit(disp=0)
        ours = cox(x, time, event, ties=ties, strata=strata)  # type: ignore[arg-type]
        np.testing.assert_allclose(ours.coef, theirs.params, rtol=2e-4)
        np.testing.assert_allclose(ours.standard_error, theirs.bse, rtol=2e-4)


def test_robust_errors_equal_lifelines_on_untied_data() -> None:
    """AN-03: per subject and per cluster; with ties lifelines is 1–2 % off R and we are not (see the comparison with R)."""
    x, time, event = patients(2, ties=False)
    center = np.arange(200) % 12
    frame = pd.DataFrame({"a": x[:, 0], "b": x[:, 1], "time": time, "event": event, "center": center})
    alone = CoxPHFitter().fit(frame.drop(columns="center"), "time", "event", robust=True)
    np.testing.assert_allclose(cox(x, time, event, robust=True).robust_standard_error, alone.standard_errors_, rtol=1e-5)
    together = CoxPHFitter().fit(frame, "time", "event", cluster_col="center")
    np.testing.assert_allclose(cox(x, time, event, cluster=center).robust_standard_error, together.standard_errors_, rtol=1e-5)


def test_a_patient_split_in_two_intervals_is_still_one() -> None:
    """AN-03: splitting changed lifelines' robust error by 1.5 % and a coefficient of statsmodels."""
    x, time, event = patients(3)
    cut = np.maximum(np.floor(time / 2), 0.5)
    person = np.tile(np.arange(200), 2)
    split = cox(
        np.vstack([x, x]), np.concatenate([cut, time]), np.concatenate([np.zeros(200, bool), event]),
        entry=np.concatenate([np.zeros(200), cut]), cluster=person,
    )  # fmt: skip
    whole = cox(x, time, event, robust=True)
    np.testing.assert_allclose(split.coef, whole.coef, rtol=1e-10)
    np.testing.assert_allclose(split.covariance, whole.covariance, rtol=1e-10)
    np.testing.assert_allclose(split.robust_covariance, whole.robust_covariance, rtol=1e-9)


def test_separation_is_said_and_never_a_number() -> None:
    """AN-00: lifelines returns 20.6 with error 3460 and only a warning."""
    fit = cox(np.column_stack([[0, 0, 0, 1, 1, 1], [2, 3, 1, 3, 1, 2]]), [1, 2, 3, 4, 5, 6], [1, 1, 1, 0, 0, 0], terms=["arm", "age"])
    assert np.isnan(fit.coef[0]) and np.isnan(fit.standard_error[0]) and np.isnan(fit.p[0])
    assert np.isfinite(fit.coef[1])
    assert "arm" in fit.warnings[0] and "not estimable" in fit.warnings[0]
    with pytest.raises(ValueError, match="not estimable"):
        proportional_hazards(fit)


def test_a_center_of_zero_events_in_one_arm_is_separation_only_of_that_arm() -> None:
    _, time, event = patients(4)
    arm = np.arange(200) % 3
    event = event & (arm != 2)
    fit = cox(np.column_stack([arm == 1, arm == 2]), time, event)
    assert np.isfinite(fit.coef[0]) and np.isnan(fit.coef[1]) and len(fit.warnings) == 1
    assert np.isfinite(fit.hazard_ratio_interval()[0]).all()


@pytest.mark.parametrize(
    ("x", "event", "options", "says"),
    [
        ([1, 2, 3, 4], [0, 0, 0, 0], {}, "no events"),
        ([1, 1, 1, 1], [1, 0, 1, 1], {}, "same in every row"),
        (np.array([[1, 2], [2, 4], [3, 6], [5, 10]]), [1, 1, 0, 1], {}, "cannot be told apart"),
        ([1, 1, 2, 2], [1, 1, 1, 1], {"strata": [0, 0, 1, 1]}, "constant within strata"),
        ([1, 2, np.nan, 3], [1, 1, 1, 1], {}, "row 3"),
        ([1, 2, 4, 3], [1, 1, 1, 1], {"entry": [0, 2, 0, 0]}, "entry 2 in row 2"),
    ],
)
def test_what_cannot_be_fitted_is_refused_with_a_reason(x: object, event: list[int], options: dict[str, list[int]], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        cox(x, [1, 2, 3, 4], event, **options)  # type: ignore[arg-type]


def test_a_covariate_of_huge_scale_and_offset_loses_no_digits() -> None:
    x, time, event = patients(5)
    shifted = x * [1e6, 1] + [1e9, 0]
    np.testing.assert_allclose(cox(shifted, time, event).coef * [1e6, 1], cox(x, time, event).coef, rtol=1e-6)
