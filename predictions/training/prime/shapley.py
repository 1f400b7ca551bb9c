"""How much each feature moves the fused answer: Shapley values by sampled orders (Štrumbelj and Kononenko 2014). Pure.

For each patient and each sampled order, features are switched one by one from those of a random training row to the patient's own;
what the answer moves is the feature's share. The shares of an order add up to the answer minus that of the training row, exactly.
Such values reveal predictions: they are kept with the artefact, never on the platform (PM-04).
"""

from collections.abc import Callable

import numpy as np

from predictions.training.measures.intervals import Floats

Answer = Callable[[Floats], Floats]


def values(answer: Answer, x: Floats, background: Floats, *, places: tuple[int, ...], orders: int, seed: int) -> Floats:
    """Shares (n, len(places)) of the features at `places` for rows x (n, p), against rows of `background` (m, p)."""
    random = np.random.default_rng(seed)
    total = np.zeros((len(x), len(places)))
    for _ in range(orders):
        now = background[random.integers(0, len(background), len(x))]
        before = answer(now)
        for place in random.permutation(len(places)):
            now = now.copy()
            now[:, places[place]] = x[:, places[place]]
            after = answer(now)
            total[:, place] += after - before
            before = after
    return total / orders
