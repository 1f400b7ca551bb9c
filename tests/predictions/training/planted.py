"""Tables whose truth is known: noise, and a signal in a few of many features; and how well the truth itself would do."""

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


def best_auc(signal):
    """AUC* of the true score, integrated over its distribution N(0, 6 signal²): no program can do better in the long run."""
    score, weight = _scores(signal)
    responds = 1 / (1 + np.exp(-(score - 0.2)))
    yes, no = weight * responds, weight * (1 - responds)
    below = np.cumsum(no) - no / 2
    return float((yes * below).sum() / (yes.sum() * no.sum()))


def best_c(signal):
    """C* of the true score: of two patients with death rates a and b, a dies first and is seen to with ∫ a exp(−(a + b) t) G(t)² dt,
    where G is who is not yet censored (uniform from day 200 to 2,200)."""
    score, weight = _scores(signal)
    rate, day = np.exp(score) / 700, np.linspace(0, 2200, 1101)
    watched = np.clip((2200 - day) / 2000, 0, 1) ** 2
    alive = np.exp(-np.outer(rate, day))
    first = weight[:, None] * weight * rate[:, None] * np.trapezoid((alive * watched)[:, None] * alive, day, axis=2)
    above = (score[:, None] > score) + 0.5 * (score[:, None] == score)
    return float((first * above).sum() / first.sum())


def _scores(signal):
    """Scores on a grid and their weights."""
    sd = signal * np.sqrt(6)
    score = np.linspace(-5 * sd, 5 * sd, 161)
    weight = np.exp(-((score / sd) ** 2) / 2)
    return score, weight / weight.sum()
