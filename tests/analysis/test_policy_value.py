"""What following the recommendation would be worth: R's digits, the truth in simulations, and its negative control (E-CAUSAL-2, AN-09)."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from analysis import policy_value as policy
from analysis.policy_value import Treated, chances, policy_value
from tests.analysis import r

HORIZON = 1036.0


def treated(seed: int, n: int = 400, centers: int = 4, *, effect: float = 0.8, same: float = 0.0, wise: bool = True) -> Treated:
    """Two strategies of three, x1 says whom the second helps (log hazard -effect·x1), x2 is prognosis; doctors treat the ill more often.

    `same` is the log hazard that the second saves everybody. `wise`: the recommendation is the second where it helps; otherwise it follows
    prognosis, which helps nobody.
    """
    random = np.random.default_rng(seed)
    x = random.normal(size=(n, 2))
    center = random.integers(0, centers, n)
    received = (random.random(n) < expit(0.7 * x[:, 1] + 0.4 * x[:, 0])).astype(np.int64)
    relapse = random.exponential(1 / rate(x, received, effect, same))
    followed = random.uniform(600, 2200, n)
    time = np.ceil(np.minimum(relapse, followed))
    return Treated(time, relapse <= followed, center, received, (x[:, 0 if wise else 1] > 0).astype(np.int64), x)


def rate(x: np.ndarray, received: np.ndarray, effect: float, same: float = 0.0) -> np.ndarray:
    return np.exp(0.7 * x[:, 1] - (effect * x[:, 0] + same) * received) / 1500


def truth(rule: str, effect: float = 0.8, same: float = 0.0) -> float:
    """The mean of min(T, h) under a rule, over a million x, T in whole days: Σ exp(−λd) for d < h, (1 − exp(−λh))/(1 − exp(−λ))."""
    x = np.random.default_rng(0).normal(size=(1_000_000, 2))
    place = {"recommended": x[:, 0] > 0, "first": np.zeros(len(x)), "second": np.ones(len(x))}[rule]
    hazard = rate(x, place, effect, same)
    return float(np.mean(np.expm1(-hazard * HORIZON) / np.expm1(-hazard)))


R_PROGRAM = """
h <- 1036; G <- matrix(0, nrow(d), 2); plain <- numeric(nrow(d))
for (c in unique(d$center)) {
  i <- d[d$center != c, ]; j <- d[d$center == c, ]; at <- which(d$center == c)
  z <- function(v, w) (w - mean(v)) / (sd(v) * sqrt((length(v) - 1) / length(v)))
  X <- cbind(z(i$x1, i$x1), z(i$x2, i$x2)); Z <- cbind(z(i$x1, j$x1), z(i$x2, j$x2))
  f <- coxph(Surv(time, event) ~ received + X, i, control = tight); b <- coef(f)
  lp <- b[1] * i$received + X %*% b[2:3]; days <- sort(unique(i$time[i$event == 1]))
  jump <- sapply(days, function(t) sum(i$event == 1 & i$time == t) / sum(exp(lp)[i$time >= t]))
  days <- days[days < h]; H <- c(0, cumsum(jump[seq_along(days)])); step <- diff(c(0, days, h))
  m <- sapply(0:1, function(k) sapply(seq_len(nrow(j)), function(q) sum(exp(-H * exp(sum(Z[q, ] * b[2:3]) + b[1] * k)) * step)))
  D <- cbind(1, X)
  nll <- function(v) { e <- D %*% matrix(v, 3); -sum(e[cbind(seq_len(nrow(e)), i$received + 1)] - log(rowSums(exp(e)))) +
    sum(matrix(v, 3)[-1, ]^2) / 2 }
  gr <- function(v) { e <- exp(D %*% matrix(v, 3)); p <- e / rowSums(e); y <- cbind(i$received == 0, i$received == 1)
    as.vector(-t(D) %*% (y - p) + matrix(v, 3) * rbind(0, 1, 1)[, c(1, 1)]) }
  v <- rep(0, 6); for (k in 1:8) v <- optim(v, nll, gr, method = "BFGS", control = list(reltol = 1e-16, maxit = 5000))$par
  e <- exp(cbind(1, Z) %*% matrix(v, 3)); p <- e / rowSums(e)
  left <- function(t) prod(vapply(sort(unique(i$time[i$event == 0 & i$time < t])), function(s)
    1 - sum(i$event == 0 & i$time == s) / sum(i$time > s | (i$time == s & i$event == 0)), 0))
  y <- pmin(j$time, h); w <- (j$event == 1 | j$time >= h) / sapply(y, left)
  for (k in 1:2) G[at, k] <- m[, k] + (j$received == k - 1) / pmax(p[, k], 0.01) * w * (y - m[, k])
  own <- m[cbind(seq_len(nrow(j)), j$received + 1)]; plain[at] <- own + w * (y - own)
}
rule <- G[cbind(seq_len(nrow(d)), d$recommended + 1)]
est <- function(v) { s <- tapply(v - mean(v), d$center, sum); k <- length(s)
  e <- sqrt(sum(s^2) * k / (k - 1)) / length(v); mean(v) + c(0, -1, 1) * qt(0.975, k - 1) * e }
out$recommended <- est(rule); out$observed <- est(plain); out$first <- est(G[, 1]); out$second <- est(G[, 2])
out$gain_over_observed <- est(rule - plain); out$gain_over_best <- est(rule - G[, which.max(colMeans(G))])
"""


@pytest.mark.skipif(not r.installed(), reason=r.WHY_NOT)
def test_every_number_equals_r(tmp_path: Path) -> None:
    data = treated(1, n=240, centers=3)
    columns = {name: getattr(data, name) for name in ("time", "event", "center", "received", "recommended")}
    theirs = r.run(tmp_path, columns | {"x1": data.confounders[:, 0], "x2": data.confounders[:, 1]}, R_PROGRAM)
    ours = policy_value(data, strategies=2, horizon=HORIZON, seed=1)
    found = {name: getattr(ours, name) for name in ("recommended", "observed", "gain_over_observed", "gain_over_best")}
    found |= {"first": ours.fixed[0], "second": ours.fixed[1]}
    for name, one in found.items():
        assert [one.value, one.lower, one.upper] == pytest.approx(theirs[name], rel=1e-7), name


def test_propensity_equals_scikit_learn() -> None:
    """A second implementation: three strategies, the same ridge."""
    random = np.random.default_rng(5)
    x, given = random.normal(size=(300, 2)), random.integers(0, 3, 300)
    theirs = LogisticRegression(C=1.0, tol=1e-10, max_iter=10_000).fit(x, given).predict_proba(x)
    np.testing.assert_allclose(chances(x, given, x, 3), theirs, atol=1e-6)


@pytest.mark.parametrize("runs", [8, pytest.param(300, marks=pytest.mark.soak, id="soak")])
def test_values_are_the_true_ones_where_the_naive_means_are_not(runs: int) -> None:
    """Mean over repetitions of 2,000 patients: within three Monte Carlo errors; the naive mean of those who followed it is not."""
    found, naive = [], []
    for seed in range(runs):
        data = treated(seed, n=2000, centers=8)
        value = policy_value(data, strategies=2, horizon=HORIZON, seed=seed)
        found.append([value.recommended.value, value.fixed[0].value, value.fixed[1].value])
        followed = data.received == data.recommended
        whole = followed & (data.event | (data.time >= HORIZON))
        naive.append(float(np.minimum(data.time[whole], HORIZON).mean()))
    mean, error = np.mean(found, axis=0), np.std(found, axis=0, ddof=1) / np.sqrt(runs)
    true = np.array([truth(rule) for rule in ("recommended", "first", "second")])
    print("true", true.round(1), "found", mean.round(1), "±", error.round(1), "naive", round(float(np.mean(naive)), 1))
    assert (np.abs(mean - true) < 3 * error + 2).all()
    assert abs(np.mean(naive) - true[0]) > 10
    assert true[0] - max(true[1:]) > 50


def _hidden(model: Callable[..., Any]) -> Callable[..., Any]:
    """The same model, blind to x2: the first and the third argument are the covariates that it learns from and those that it judges."""
    return lambda x, taught, z, *more: model(x[:, :1], taught, z[:, :1], *more)


@pytest.mark.parametrize("runs", [40, pytest.param(400, marks=pytest.mark.soak, id="soak")])
@pytest.mark.parametrize(("blind", "helps"), [
    ("", {"same": 0.5}), ("outcome", {"effect": 0.8}), ("outcome", {"same": 0.5}), ("propensity", {"same": 0.5}),
    ("outcome propensity", {"same": 0.5}),
])  # fmt: skip
def test_right_when_either_model_is_wrong(monkeypatch, blind: str, helps: dict[str, float], runs: int) -> None:
    """Doubly robust: prognosis, which treatment follows, is hidden from one model alone, from both, from none; the truth is known.

    Where x1 says whom the second strategy helps (effect 0.8) the outcome model, which has main effects alone, is wrong twice.
    """
    for name, function in (("outcome", "_restricted_means"), ("propensity", "chances")):
        if name in blind:
            monkeypatch.setattr(policy, function, _hidden(getattr(policy, function)))
    found, helps = [], {"effect": 0.0} | helps
    for seed in range(runs):
        value = policy_value(treated(1000 + seed, n=2000, centers=8, **helps), strategies=2, horizon=HORIZON, seed=0)
        found.append([value.fixed[0].value, value.fixed[1].value, value.fixed[1].value - value.fixed[0].value])
    mean, error = np.mean(found, axis=0), np.std(found, axis=0, ddof=1) / np.sqrt(runs)
    first, second = (truth(rule, **helps) for rule in ("first", "second"))
    off = mean - [first, second, second - first]
    print(f"hidden from {blind or 'none'}, {helps}: off {off.round(1)} ± {error.round(1)} days, {(off / error).round(1)} errors")
    if blind != "outcome propensity":
        assert (np.abs(off) < 3 * error).all()
    else:
        assert off[0] > 15 and off[1] < -15 and (np.abs(off) > 8 * error).all()


def test_a_wise_recommendation_gains_and_one_by_prognosis_does_not() -> None:
    """The negative control: dealt anew within centers, a wise recommendation loses what it was worth."""
    wise = policy_value(treated(7, n=1500, centers=6), strategies=2, horizon=HORIZON, seed=3)
    blind = policy_value(treated(7, n=1500, centers=6, effect=0.0, wise=False), strategies=2, horizon=HORIZON, seed=3)
    assert wise.gain_over_observed.lower > 0 and wise.gain_over_best.lower > 0 and wise.permuted_p < 0.01
    assert blind.gain_over_observed.lower < 0 < blind.gain_over_observed.upper and blind.permuted_p > 0.05


def test_what_cannot_be_judged_is_refused_or_not_estimated() -> None:
    data = treated(2, n=300)
    third = policy_value(data, strategies=3, horizon=HORIZON, seed=0)
    assert np.isnan(third.fixed[2].value) and third.fixed[:2] == policy_value(data, strategies=2, horizon=HORIZON, seed=0).fixed
    with pytest.raises(ValueError, match="too few to judge"):
        policy_value(replace(data, recommended=np.where(np.arange(300) < 5, 2, data.recommended)), strategies=3, horizon=HORIZON, seed=0)
    with pytest.raises(ValueError, match="three of them"):
        policy_value(replace(data, center=data.center % 2), strategies=2, horizon=HORIZON, seed=0)
    with pytest.raises(ValueError, match="followed up to the horizon"):
        policy_value(data, strategies=2, horizon=5000.0, seed=0)
