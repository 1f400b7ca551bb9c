"""Numbers that R 4.2 `survival` 3.5-3 gave once for a table made by a formula, kept here for where there is no R (AN-25b, AN-19).

The table: i = 1 … 120; time 37i mod 53 + 1; kind 7i mod 5, an event of cause 1 where ≤ 1, of cause 2 where 2; x (29i mod 17)/4; z i mod 2;
stratum ⌊i/3⌋ mod 4.
"""

from typing import Any

import numpy as np
import pytest

from analysis.competing import cumulative_incidence
from analysis.cox import cox
from analysis.fine_gray import fine_gray
from analysis.kaplan_meier import kaplan_meier
from analysis.logrank import logrank
from analysis.rmst import restricted_mean
from analysis.sample_size import events_needed, power_of

I = np.arange(1, 121)  # noqa: E741 - the formula's own letter
TIME, KIND, X, Z, STRATUM = I * 37 % 53 + 1, I * 7 % 5, I * 29 % 17 / 4, I % 2, I // 3 % 4
EVENT, CAUSE = KIND <= 2, np.select([KIND <= 1, KIND == 2], [1, 2], 0)
COVARIATES = np.column_stack([X, Z])


def close(ours: Any, golden: list[float]) -> None:
    np.testing.assert_allclose(np.ravel(ours), golden, rtol=1e-12)


def test_curve_its_limits_and_mean_are_those_of_r() -> None:
    curve = kaplan_meier(TIME, EVENT)
    interval = curve.at(20).interval("log-log")
    close([curve.at(20).survival, interval.lower, interval.upper], [0.805639018093199, 0.719162500473935, 0.867898183914091])
    mean = restricted_mean(curve, 30)
    close([mean.estimate, mean.standard_error], [24.8227975678284, 0.815979472364368])


def test_stratified_test_and_models_are_those_of_r() -> None:
    close(logrank(TIME, EVENT, Z, strata=STRATUM).statistic, [0.0674473589957165])
    fit = cox(COVARIATES, TIME, EVENT, strata=STRATUM)
    close([fit.coef, fit.standard_error], [0.0412148300385645, 0.0556371603239566, 0.102255555715648, 0.264348092304445])


def test_competing_risks_are_those_of_r() -> None:
    close(cumulative_incidence(TIME, CAUSE, 1).at(20), [0.100998033280617, 0.0290941954888583])
    fit = fine_gray(COVARIATES, TIME, CAUSE)
    close([fit.coef, fit.robust_standard_error], [-0.0303790484364601, 0.0869399120444292, 0.122922035780656, 0.275996050976057])


@pytest.mark.parametrize(("ratio", "share", "needed"), [(0.75, 0.4, 396), (0.75, 0.3, 452), (0.8, 0.4, 657), (0.8, 0.3, 751)])
def test_events_needed_are_those_of_schoenfeld(ratio: float, share: float, needed: int) -> None:
    """F2; so many events give that power, and one fewer does not."""
    assert events_needed(ratio, share=share) == needed
    assert power_of(needed, ratio, share=share) >= 0.8 > power_of(needed - 1, ratio, share=share)


@pytest.mark.parametrize(("ratio", "share"), [(1.0, 0.5), (-0.5, 0.5), (0.7, 0.0), (0.7, 1.0)])
def test_impossible_designs_are_refused(ratio: float, share: float) -> None:
    with pytest.raises(ValueError, match="hazard ratio above 0"):
        events_needed(ratio, share=share)
