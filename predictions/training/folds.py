"""Folds that keep the share of an outcome, the same for the same seed. Pure."""

from collections.abc import Iterator

import numpy as np

from predictions.training.measures.intervals import Bools, Ints


def stratified(outcome: Bools, *, folds: int, seed: int) -> Iterator[tuple[Ints, Ints]]:
    """(training rows, held-out rows) of each fold; every row is held out once."""
    place = labels(outcome, folds=folds, seed=seed)
    for fold in range(folds):
        yield np.flatnonzero(place != fold), np.flatnonzero(place == fold)


def labels(outcome: Bools, *, folds: int, seed: int) -> Ints:
    """The fold of each row (n,)."""
    random = np.random.default_rng(seed)
    place = np.zeros(len(outcome), dtype=np.int64)
    start = 0
    for value in (True, False):
        rows = random.permutation(np.flatnonzero(outcome == value))
        place[rows] = (start + np.arange(len(rows))) % folds
        start += len(rows)
    return place
