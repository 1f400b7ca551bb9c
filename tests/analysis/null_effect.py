"""A cohort in which no treatment does anything to anybody, yet doctors tend to do what a prognostic model recommends (F1)."""

import numpy as np


def cohort(seed: int, n: int = 1000, centers: int = 12) -> dict[str, np.ndarray]:
    """Columns of n patients: time (days), event, consistent, recommended, center, and the confounders x1, x2, x3.

    The model recommends more intensive strategies to worse prognoses; doctors treat the ill less often as it says.
    """
    random = np.random.default_rng(seed)
    x = random.normal(size=(n, 3))
    center = random.integers(0, centers, n)
    habit = random.normal(scale=0.4, size=centers)[center]
    prognosis = x @ np.array([0.8, 0.5, 0.3])
    recommended = np.digitize(prognosis + random.normal(scale=0.3, size=n), [-0.3, 0.6, 1.3])
    consistent = random.random(n) < 1 / (1 + np.exp(-(0.2 - 1.1 * prognosis + habit)))
    relapse = random.exponential(1800 * np.exp(-prognosis))
    followed = random.uniform(400, 1500, n)
    return {
        "time": np.ceil(np.minimum(relapse, followed)),
        "event": relapse <= followed,
        "consistent": consistent,
        "recommended": recommended,
        "center": center,
        "x1": x[:, 0],
        "x2": x[:, 1],
        "x3": x[:, 2],
    }
