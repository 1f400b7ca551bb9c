"""A generator of training tables with a known truth, for tests, teaching and the demonstration. SYNTHETIC.

Prognosis drives both recurrence and the doctors' choice of treatment (confounding by indication). `effect` gives each
strategy's log hazard ratio against surgery alone; all zero means that no treatment does anything for anyone (F1).
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from predictions.decision import INTENSITY

NO_EFFECT = (0.0, 0.0, 0.0, 0.0)
SHARES = (0.60, 0.25, 0.05, 0.10)  # of SURG, TACE, SYS, TACE_SYS
HAZARD, PROGNOSTIC = 0.00042, 0.7  # a day, at mean prognosis and without effect; log hazard ratio per unit of prognosis
RADIOMICS = ("original_firstorder_Entropy", "original_glcm_Contrast", "original_shape_MeshVolume")


@dataclass(frozen=True)
class Truth:
    """What the generator was told: log hazard ratio per strategy at mean prognosis, its change per unit of prognosis, and
    how strongly prognosis drives the choice."""

    effect: tuple[float, ...] = NO_EFFECT
    interaction: tuple[float, ...] = NO_EFFECT
    confounding: float = 0.8


def table(n: int, *, seed: int, truth: Truth | None = None, centers: int = 8, images: bool = True) -> pd.DataFrame:
    """n patients as a training table (docs/models.md §3), recurrence times in days from surgery, followed for 5 years."""
    truth = truth or Truth()
    random = np.random.default_rng(seed)
    frame = features(n, random, images=images)
    prognosis = risk(frame)
    strategy = choose(prognosis, truth, random)
    effect = np.array(truth.effect)[strategy] + np.array(truth.interaction)[strategy] * prognosis
    onset = random.exponential(1 / (HAZARD * np.exp(PROGNOSTIC * prognosis + effect)))
    censored = random.uniform(600, 1826, n)
    head = {
        "patient": [f"S{number:05d}" for number in range(n)],
        "center": [f"R{number:02d}" for number in random.integers(1, centers + 1, n)],
        "strategy": [str(INTENSITY[place]) for place in strategy],
        "time": np.ceil(np.minimum(onset, censored)).astype(int),
        "event": (onset <= censored).astype(int),
    }
    return pd.concat([pd.DataFrame(head), frame], axis=1)


def survival(frame: pd.DataFrame, truth: Truth, *, since: int, until: float) -> np.ndarray:
    """The true P(recurrence-free at day `until` | recurrence-free at day `since`) under each strategy: (n, strategies)."""
    prognosis = risk(frame)[:, None]
    log_hazard = PROGNOSTIC * prognosis + np.array(truth.effect) + np.array(truth.interaction) * prognosis
    return np.asarray(np.exp(-HAZARD * np.exp(log_hazard) * (until - since)))


def features(n: int, random: np.random.Generator, *, images: bool) -> pd.DataFrame:
    """Clinical features as the platform collects them and, with `images`, a few radiomics of both phases."""
    size = np.round(random.lognormal(1.4, 0.5, n).clip(1, 18), 1)
    clinical = {
        "clinical_age_at_surgery": random.normal(57, 10, n).clip(18, 75).round(),
        "clinical_sex_male": (random.random(n) < 0.82).astype(float),
        "clinical_afp_log10": np.round(random.normal(1.6, 1.0, n).clip(0, 5), 3),
        "clinical_tumour_diameter_cm": size,
        "clinical_tumour_number": 1.0 + random.poisson(0.3, n).clip(0, 4),
        "clinical_mvi": random.choice([0.0, 1.0, 2.0], n, p=[0.5, 0.32, 0.18]),
        "clinical_cirrhosis": (random.random(n) < 0.6).astype(float),
    }
    if images:
        for phase, level in (("arterial", 0.65), ("venous", 0.55)):  # as the profile `prime` measures normalised tumours
            clinical[f"{phase}_{RADIOMICS[0]}"] = random.normal(level, 0.35, n).clip(0, 2.5)
            clinical[f"{phase}_{RADIOMICS[1]}"] = random.lognormal(-2.8, 0.9, n)
            clinical[f"{phase}_{RADIOMICS[2]}"] = 523.6 * size**3 * random.lognormal(0, 0.15, n)
    return pd.DataFrame(clinical)


def risk(frame: pd.DataFrame) -> np.ndarray:
    """The prognostic index of the generator, of mean about 0 and SD about 1."""
    parts = (
        0.5 * (frame["clinical_afp_log10"] - 1.6)
        + 0.16 * (frame["clinical_tumour_diameter_cm"] - 4.6)
        + 0.45 * (frame["clinical_mvi"] - 0.68)
        + 0.3 * (frame["clinical_tumour_number"] - 1.3)
    )
    return np.asarray(parts, dtype=np.float64)


def choose(prognosis: np.ndarray, truth: Truth, random: np.random.Generator) -> np.ndarray:
    """What doctors chose: the worse the prognosis, the more treatment. Places in INTENSITY."""
    pull = np.array([0.0, 1.0, 1.0, 1.5]) * truth.confounding
    scores = np.log(SHARES) + np.outer(prognosis, pull) + random.gumbel(size=(len(prognosis), len(INTENSITY)))
    return np.asarray(scores.argmax(axis=1))
