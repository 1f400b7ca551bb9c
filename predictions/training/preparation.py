"""Frozen preparation of features: fitted on training rows alone, then applied to anybody, one patient at a time or many.

Drop what is missing in more than 30 % or does not vary (variance filter before scaling), impute the median, scale to mean 0
and SD 1 (domain rules, PM-01). Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from predictions.training.measures.intervals import Ints
from predictions.training.table import Floats

MOST_MISSING = 0.30
LEAST_RELATIVE_SD = 1e-6


@dataclass(frozen=True)
class Preparation:
    """What was learnt from the training rows: which features stay, and their median, mean and SD."""

    features: tuple[str, ...]
    median: tuple[float, ...]
    mean: tuple[float, ...]
    sd: tuple[float, ...]

    def apply(self, features: tuple[str, ...], x: Floats) -> Floats:
        """Rows of the named features as the prepared matrix of shape (n, len(self.features))."""
        if not self.features:
            return np.zeros((len(x), 0))
        at = {name: place for place, name in enumerate(features)}
        places = [at[name] for name in self.features]
        chosen = x[:, places]
        filled = np.where(np.isnan(chosen), np.array(self.median), chosen)
        return np.asarray((filled - np.array(self.mean)) / np.array(self.sd))

    def some(self, places: Sequence[int] | Ints) -> "Preparation":
        """The preparation of some of its features."""
        return Preparation(
            tuple(self.features[place] for place in places),
            tuple(self.median[place] for place in places),
            tuple(self.mean[place] for place in places),
            tuple(self.sd[place] for place in places),
        )

    def beside(self, other: "Preparation") -> "Preparation":
        """This preparation and one of other features as one."""
        return Preparation(self.features + other.features, self.median + other.median, self.mean + other.mean, self.sd + other.sd)


NOTHING = Preparation((), (), (), ())


def fit(features: tuple[str, ...], x: Floats, *, most_missing: float = MOST_MISSING, least_variance: float = 0.0) -> Preparation:
    """Learn the preparation from training rows of shape (n, features). Raises ValueError when no feature is left.

    `least_variance` is of the raw feature; what is below it, or does not vary beside its mean, is dropped.
    """
    enough = np.isnan(x).mean(axis=0) <= most_missing
    median = np.zeros(x.shape[1])
    median[enough] = np.nanmedian(x[:, enough], axis=0)
    filled = np.where(np.isnan(x), median, x)
    mean, sd = filled.mean(axis=0), filled.std(axis=0)
    keep = enough & (sd > LEAST_RELATIVE_SD * np.maximum(np.abs(mean), 1.0)) & (sd**2 >= least_variance)
    if not keep.any():
        raise ValueError("no feature varies enough to learn from")
    names = tuple(name for name, kept in zip(features, keep, strict=True) if kept)
    return Preparation(names, *(tuple(map(float, values[keep])) for values in (median, mean, sd)))
