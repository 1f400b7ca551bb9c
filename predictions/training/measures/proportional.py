"""Cox models of a few columns: what fusion, risk groups and adjustment need. Efron ties, Newton's method. Pure."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm
from sksurv.compare import compare_survival
from sksurv.nonparametric import kaplan_meier_estimator
from sksurv.util import Surv

from predictions.training.measures.intervals import NORMAL, Bools, Floats

ROUNDING = 1e-11
"""What rounding may take from a sum over ten thousand patients, relative to it: no reason to halve a step."""


@dataclass(frozen=True)
class Cox:
    """Coefficients (p,), their standard errors (p,), and the partial log likelihood at them."""

    coefficients: Floats
    errors: Floats
    log_likelihood: float

    def ratio(self, place: int) -> dict[str, float]:
        """The hazard ratio of a column with its interval and p."""
        value, error = float(self.coefficients[place]), float(self.errors[place])
        return {
            "hazard_ratio": float(np.exp(value)),
            "lower": float(np.exp(value - NORMAL * error)),
            "upper": float(np.exp(value + NORMAL * error)),
            "p": float(2 * norm.sf(abs(value / error))),
        }


def cox(time: Floats, event: Bools, x: Floats) -> Cox:
    """Fit by Efron's partial likelihood. Raises ValueError where it has no maximum (separation, or no event)."""
    if not event.any():
        raise ValueError("no event: a Cox model has nothing to learn from")
    beta = np.zeros(x.shape[1])
    value, gradient, information = _efron(time, event, x, beta)
    for _ in range(50):
        step = np.linalg.solve(information, gradient)
        if np.abs(step).max() < 1e-9:
            return Cox(beta, np.sqrt(np.diag(np.linalg.inv(information))), value)
        for _ in range(30):
            tried = _efron(time, event, x, beta + step)
            if tried[0] >= value - ROUNDING * (1 + abs(value)):
                break
            step = step / 2
        beta, (value, gradient, information) = beta + step, tried
        if np.abs(x @ beta).max() > 200 or np.linalg.cond(information) > 1e14:
            break
    raise ValueError("the partial likelihood has no maximum here")


def baseline(time: Floats, event: Bools, predictor: Floats) -> tuple[Floats, Floats]:
    """Breslow's cumulative baseline hazard at the distinct days of events."""
    days, deaths = np.unique(time[event], return_counts=True)
    order = np.argsort(time)
    later = np.cumsum(np.exp(predictor[order])[::-1])[::-1]
    return days, np.cumsum(deaths / later[np.searchsorted(time[order], days)])


def groups(time: Floats, event: Bools, high: Bools, months: tuple[int, ...], month: float) -> dict[str, object]:
    """High against low risk: Kaplan-Meier at `months`, log-rank p, hazard ratio (None where a group has no event)."""
    found: dict[str, object] = {}
    for name, inside in (("low", ~high), ("high", high)):
        days, survival = kaplan_meier_estimator(event[inside], time[inside]) if inside.any() else (np.zeros(0), np.ones(0))
        at = np.searchsorted(days, np.array(months) * month, side="right")
        curve = np.concatenate([[1.0], survival])
        last = time[inside].max() if inside.any() else 0.0
        values = [float(curve[place]) if month * m <= last else None for m, place in zip(months, at, strict=True)]
        found[name] = {"n": int(inside.sum()), "events": int(event[inside].sum()), "survival": values,
                       "curve": [[float(day), float(value)] for day, value in zip(days, survival, strict=True)]}  # fmt: skip
    if not (event[high].any() and event[~high].any()):
        return found | {"logrank_p": None, "high_against_low": None}
    _, p = compare_survival(Surv.from_arrays(event, time), high.astype(int))
    return found | {"logrank_p": float(p), "high_against_low": cox(time, event, high[:, None].astype(np.float64)).ratio(0)}


def _efron(time: Floats, event: Bools, x: Floats, beta: Floats) -> tuple[float, Floats, Floats]:
    """Log likelihood, gradient and information at `beta`."""
    predictor = x @ beta
    shift = float(predictor.max())
    weight = np.exp(predictor - shift)
    value, gradient, information = 0.0, np.zeros(x.shape[1]), np.zeros((x.shape[1], x.shape[1]))
    for day in np.unique(time[event]):
        risk, dead = time >= day, event & (time == day)
        deaths = int(dead.sum())
        s0, s1 = weight[risk].sum(), weight[risk] @ x[risk]
        s2 = (x[risk] * weight[risk, None]).T @ x[risk]
        d0, d1 = weight[dead].sum(), weight[dead] @ x[dead]
        d2 = (x[dead] * weight[dead, None]).T @ x[dead]
        value += float(predictor[dead].sum())
        gradient += x[dead].sum(axis=0)
        for place in range(deaths):
            share = place / deaths
            below, above = s0 - share * d0, s1 - share * d1
            value -= float(np.log(below)) + shift
            gradient -= above / below
            information += (s2 - share * d2) / below - np.outer(above, above) / below**2
    return value, gradient, information


def null_log_likelihood(time: Floats, event: Bools) -> float:
    """The partial log likelihood of a model without a covariate."""
    return _efron(time, event, np.zeros((len(time), 1)), np.zeros(1))[0]
