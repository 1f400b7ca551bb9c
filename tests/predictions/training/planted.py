"""Tables whose truth is known: noise, and a signal in a few of many features."""

import numpy as np

from predictions.training.prime.cohort import Cohort


def cohort(seed, *, n=113, radiomics=800, clinical=40, signal=0.0):
    """A cohort of independent features; `signal` is the weight of three clinical and three radiomics ones in both endpoints.

    Returns it with the true score (n,).
    """
    random = np.random.default_rng(seed)
    x = random.normal(size=(n, clinical + radiomics))
    score = signal * (x[:, :3].sum(axis=1) + x[:, clinical : clinical + 3].sum(axis=1))
    names = [f"clinical_c{place}" for place in range(clinical)]
    names += [f"{'arterial' if place % 2 else 'venous'}_r{place}" for place in range(radiomics)]
    onset, censored = random.exponential(700 * np.exp(-score)), random.uniform(200, 2200, n)
    response = random.random(n) < 1 / (1 + np.exp(-(score - 0.2)))
    center = np.array([f"R{place}" for place in random.integers(1, 5, n)])
    time = np.ceil(np.minimum(onset, censored))
    patients = tuple(f"S{place:04d}" for place in range(n))
    none = np.zeros(n, dtype=bool)
    return Cohort(tuple(names), x, patients, center, none, response, time, onset <= censored, {}, {}, "0" * 64), score
