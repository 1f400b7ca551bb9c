"""Whether the inputs of new patients are those the model knew, by center: nothing here depends on an answer of the model (MD-06).

Population stability index of each input over tenths of the training rows, the Kolmogorov-Smirnov distance, and the share missing.
A recommendation, an abstention, a failure or a time of answering is no argument of any function here. Pure.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.stats import ks_2samp

from predictions.training.measures.intervals import Floats

TENTHS = 10
LEAST = 1e-3  # a share of nobody counts as this much, so that an empty tenth says something finite
FEWEST = 20
SHIFTED = 0.25  # the usual border of the index (Siddiqi 2006)


def by_center(features: Sequence[str], training: Floats, x: Floats, center: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """For each center with enough patients, its inputs from the most shifted to the least.

    `training` (m, features) are the rows the model learnt from, `x` (n, features) new ones, NaN where missing.
    """
    found = {}
    places = np.array(center)
    for each in np.unique(places):
        rows = x[places == each]
        if len(rows) >= FEWEST:
            compared = [_one(name, training[:, place], rows[:, place]) for place, name in enumerate(features)]
            found[str(each)] = sorted(compared, key=lambda row: (-row["psi"], row["input"]))
    return found


def stability_index(known: Floats, new: Floats) -> float:
    """Σ (new − known) · ln(new / known) over tenths of the known values and, where either has any, the missing ones."""
    have, seen = known[~np.isnan(known)], new[~np.isnan(new)]
    edges = np.unique(np.quantile(have, np.linspace(0, 1, TENTHS + 1)[1:-1])) if len(have) else np.zeros(0)
    shares = []
    for values, whole in ((have, known), (seen, new)):
        counts = np.bincount(np.searchsorted(edges, values, side="left"), minlength=len(edges) + 1)
        shares.append(np.maximum(np.append(counts, len(whole) - len(values)) / len(whole), LEAST))
    return float(((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum())


def _one(name: str, known: Floats, new: Floats) -> dict[str, Any]:
    have, seen = known[~np.isnan(known)], new[~np.isnan(new)]
    index = stability_index(known, new)
    distance = float(ks_2samp(have, seen).statistic) if len(have) and len(seen) else float("nan")
    missing = float(np.isnan(new).mean())
    return {"input": name, "psi": index, "ks": distance, "missing": missing, "shifted": index > SHIFTED}
