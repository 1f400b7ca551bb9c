"""Predictions held against what came under the strategy received: R's numbers, scikit-survival's, and by hand (E-PRED, AN-16, AN-17)."""

from pathlib import Path

import numpy as np
import pytest
from sksurv.metrics import brier_score
from sksurv.util import Surv

from analysis.foretold import LEAST, performances, scaled_brier, uncensored_before
from analysis.kaplan_meier import kaplan_meier
from tests.analysis import r

MONTHS, DAYS = (12, 24, 36), np.array([275.25, 640.5, 1005.75])


def followed(seed: int, n: int = 400, stretch: float = 1.0) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[str]]:
    """Times, events, true survival at DAYS, strategies; the log hazards that come are `stretch` times those foretold."""
    random = np.random.default_rng(seed)
    log_hazard = random.normal(scale=0.8, size=n)
    relapse = random.exponential(1500 * np.exp(-stretch * log_hazard))
    until = random.uniform(300, 2000, n)
    survival = np.exp(-np.exp(log_hazard)[:, None] * DAYS / 1500)
    return np.minimum(relapse, until), relapse <= until, survival, [("SURG", "TACE")[int(each)] for each in random.integers(0, 2, n)]


@pytest.mark.skipif(not r.installed(), reason=r.WHY_NOT)
def test_concordance_slope_and_observed_risk_equal_r(tmp_path: Path) -> None:
    time, event, survival, received = followed(1)
    columns = {"time": time, "event": event, "tace": [each == "TACE" for each in received], **{f"s{i}": survival[:, i] for i in range(3)}}
    theirs = r.run(tmp_path, columns, """
for (k in 1:2) { e <- if (k == 1) d else d[d$tace == 1, ]
  c <- concordance(Surv(time, event) ~ I(1 - s2), e, reverse = TRUE)
  f <- coxph(Surv(time, event) ~ I(log(-log(s2))), e, control = tight)
  k1 <- summary(survfit(Surv(time, event) ~ 1, e, conf.type = "log-log"), times = c(275.25, 640.5, 1005.75))
  out[[paste0("c", k)]] <- c(c$concordance, sqrt(c$var)); out[[paste0("slope", k)]] <- c(coef(f), sqrt(diag(vcov(f))))
  out[[paste0("risk", k)]] <- c(1 - k1$surv, 1 - k1$upper, 1 - k1$lower)
  out[[paste0("mean", k)]] <- 1 - colMeans(e[, c("s0", "s1", "s2")]) }
""")  # fmt: skip
    everybody, surgery, tace = performances(time, event, survival, received, months=MONTHS, days=DAYS)
    assert (everybody.strategy, surgery.strategy, tace.strategy) == ("", "SURG", "TACE")
    assert surgery.n + tace.n == everybody.n == 400 and surgery.events + tace.events == everybody.events
    for place, ours in ((1, everybody), (2, tace)):
        for name, found in (("c", ours.concordance), ("slope", ours.slope)):
            assert [found.value, (found.upper - found.lower) / 2 / 1.959963984540054] == pytest.approx(theirs[f"{name}{place}"], rel=1e-9)
        risk = [getattr(one.observed, part) for part in ("value", "lower", "upper") for one in ours.months]
        assert risk == pytest.approx(theirs[f"risk{place}"], rel=1e-11)
        assert [one.foretold for one in ours.months] == pytest.approx(theirs[f"mean{place}"], rel=1e-12)
        assert ours.months[2].ratio.value == pytest.approx(theirs[f"risk{place}"][2] / theirs[f"mean{place}"][2], rel=1e-11)


def test_scaled_brier_equals_scikit_survival() -> None:
    """Untied times, so that both weigh an event alike."""
    time, event, survival, _received = followed(2)
    known = Surv.from_arrays(event, time)
    plain = np.tile(kaplan_meier(time, event).at(DAYS).survival, (time.size, 1))
    _days, theirs = brier_score(known, known, survival, DAYS)
    [found, *_strategies] = performances(time, event, survival, ["SURG"] * 400, months=MONTHS, days=DAYS)
    _days, null = brier_score(known, known, plain, DAYS)
    assert [one.scaled_brier for one in found.months] == pytest.approx(list(1 - theirs / null), rel=1e-10)


def test_brier_and_censoring_by_hand() -> None:
    """Four patients, day 3: fails at 1; censored at 2; fails at 2 (before the censoring); free at 4.

    G before 2 is 1, after it 1 − 1/2. Errors with S = 1/4, …, 3/4: 1/16, none, 1/4, 2·1/16; the plain curve at day 3 is 3/4 · 2/3 = 1/2,
    its errors 1/4, none, 1/4, 2·1/4.
    """
    time, event = np.array([1.0, 2, 2, 4]), np.array([True, False, True, False])
    assert uncensored_before(time, event, np.array([2.0, 2.5, 4])).tolist() == [1, 0.5, 0.5]
    ours = scaled_brier(time, event, np.array([0.25, 0.5, 0.5, 0.75]), 3.0)
    assert ours == pytest.approx(1 - (1 / 16 + 1 / 4 + 2 / 16) / (1 / 4 + 1 / 4 + 2 / 4))


def test_right_predictions_are_calibrated_and_overconfident_ones_are_told() -> None:
    time, event, survival, received = followed(3, n=6000)
    [right, *_] = performances(time, event, survival, received, months=MONTHS, days=DAYS)
    assert right.slope.lower < 1 < right.slope.upper
    assert all(one.ratio.lower < 1 < one.ratio.upper for one in right.months)
    assert sum(one.n for one in right.fifths) == 6000
    assert all(one.observed.lower - 0.02 < one.foretold < one.observed.upper + 0.02 for one in right.fifths)
    time, event, survival, received = followed(3, n=6000, stretch=0.5)
    [bold, *_] = performances(time, event, survival, received, months=MONTHS, days=DAYS)
    assert bold.slope.upper < 0.7


def test_of_few_nothing_is_said() -> None:
    time, event, survival, received = followed(4, n=2 * LEAST)
    found = performances(time, event & (np.arange(time.size) < LEAST - 1), survival, received, months=MONTHS, days=DAYS)
    assert all(np.isnan([one.concordance.value, one.slope.value, *(each.observed.value for each in one.months)]).all() for one in found)
    assert all(not np.isnan(each.foretold) and one.fifths == () for one in found for each in one.months)


def test_fifths_of_a_month_that_is_not_told_are_none() -> None:
    """Fifty and more patients, but fewer than ten followed beyond the month: no share of a fifth either."""
    time, event, survival, received = followed(4, n=12 * LEAST)
    found = performances(np.minimum(time, DAYS[-1]), event, survival, received, months=MONTHS, days=DAYS)
    assert all(one.fifths == () and np.isnan(one.months[-1].observed.value) for one in found)
