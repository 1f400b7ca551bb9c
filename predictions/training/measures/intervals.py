"""An estimate with its 95 % interval, as every figure of a report is written."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

LEVEL = 0.95
NORMAL = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Interval:
    """`lower` and `upper` are None where no interval can be given."""

    estimate: float
    lower: float | None = None
    upper: float | None = None

    def as_json(self) -> dict[str, float | None]:
        return {"estimate": self.estimate, "lower": self.lower, "upper": self.upper}


def wald(estimate: float, variance: float, *, low: float = 0.0, high: float = 1.0) -> Interval:
    """estimate ± 1.96 standard errors, cut at the ends of the scale."""
    reach = NORMAL * float(np.sqrt(variance))
    return Interval(float(estimate), max(low, estimate - reach), min(high, estimate + reach))


def percentile(estimate: float, draws: Floats) -> Interval:
    """The percentile interval of bootstrap `draws`; NaN draws (a sample without events) are left out and none gives no interval."""
    finite = draws[np.isfinite(draws)]
    if not np.isfinite(estimate) or len(finite) < 2:
        return Interval(float(estimate))
    lower, upper = np.quantile(finite, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(estimate), float(lower), float(upper))
