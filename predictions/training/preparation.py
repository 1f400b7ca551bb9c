"""Frozen preparation of features: fitted on training rows alone, then applied to anybody, one patient at a time or many.

Drop what is missing in more than 30 % or does not vary (variance filter before scaling), impute the median, scale to mean 0
and SD 1 (domain rules, PM-01). Pure.
"""

from dataclasses import dataclass

import numpy as np

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
        places = [features.index(name) for name in self.features]
        chosen = x[:, places]
        filled = np.where(np.isnan(chosen), np.array(self.median), chosen)
        return np.asarray((filled - np.array(self.mean)) / np.array(self.sd))


def fit(features: tuple[str, ...], x: Floats) -> Preparation:
    """Learn the preparation from training rows of shape (n, features). Raises ValueError when no feature is left."""
    enough = np.isnan(x).mean(axis=0) <= MOST_MISSING
    median = np.array([np.nanmedian(x[:, place]) if enough[place] else 0.0 for place in range(x.shape[1])])
    filled = np.where(np.isnan(x), median, x)
    mean, sd = filled.mean(axis=0), filled.std(axis=0)
    keep = enough & (sd > LEAST_RELATIVE_SD * np.maximum(np.abs(mean), 1.0))
    if not keep.any():
        raise ValueError("no feature varies enough to learn from")
    names = tuple(name for name, kept in zip(features, keep, strict=True) if kept)
    return Preparation(names, *(tuple(map(float, values[keep])) for values in (median, mean, sd)))
