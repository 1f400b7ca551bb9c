"""Synthetic patients with a known truth: treatment changes nothing for anybody, doctors treat whose prognosis is worse.

So a naive comparison of prediction-consistent and -inconsistent patients must mislead, and the adjusted one must not (F1).
All days count from surgery.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from predictions.decision import INTENSITY, Strategy
from predictions.training import synthetic
from studies import scores
from studies.protocol import Visit
from studies.values import Value

HAZARD = 0.00055  # recurrences per day at mean prognosis
SLOPE = 1.1  # log hazard ratio per unit of prognosis
AFTER_RECURRENCE = 1 / 700  # deaths per day
CHOICE = synthetic.Truth(confounding=2.0)
ANSWERED_YES = (
    "histology_hcc", "r0_resection", "he_slide_qualified", "baseline_complete",
    "imaging_phases", "imaging_quality", "prior_baseline_available",
)  # fmt: skip
ANSWERED_NO = ("prior_therapy", "other_malignancy")
MVI = ("M0", "M1", "M2")
RESECTABLE = {"hvtt": "none", "extrahepatic": "no", "ecog": "0", "inr": "1.05", "ascites": "none", "encephalopathy": "none"}
"""What holds for everybody here and is not recorded: with it the stage follows from size and number by the platform's own rule."""


@dataclass(frozen=True)
class Patient:
    """One person's story: what is known at baseline, what is given, when the tumour comes back, when somebody looks."""

    center: str
    surgery: date
    age: int
    sex: str
    fate: str
    baseline: dict[str, str]
    screened: int
    enrolled: int
    strategy: Strategy
    tace_on: int
    systemic_on: int
    window_closed: int
    recurrence: int
    death: int
    lost: int
    jitter: tuple[int, ...]

    def answers(self) -> dict[str, str]:
        """What the coordinator attests at screening."""
        said = dict.fromkeys(ANSWERED_YES, "yes") | dict.fromkeys(ANSWERED_NO, "no")
        said["imaging_date"] = (self.surgery - timedelta(days=3 + self.screened * 5)).isoformat()
        if self.fate == "not_r0":
            said["r0_resection"] = "no"
        if self.fate == "pathology_pending":
            said["histology_hcc"] = said["he_slide_qualified"] = "unknown"
        return said

    def looks(self, visits: tuple[Visit, ...]) -> list[tuple[str, int]]:
        """Visit code and day of each visit that is made: until recurrence is seen, loss or death."""
        made = []
        for visit, shift in zip(visits, self.jitter, strict=False):
            day = visit.day + shift
            if day > self.lost or day > self.death:
                break
            made.append((visit.code, day))
            if day >= self.recurrence:
                break
        return made


def cohort(*, count: int, first: date, last: date, seed: int, centers: tuple[str, ...], visits: int) -> list[Patient]:
    """`count` patients operated on between two days, more of them towards the end, in the order of surgery."""
    random = np.random.default_rng(seed)
    features = synthetic.features(count, random, images=False)
    prognosis = synthetic.risk(features)
    chosen = synthetic.choose(prognosis, CHOICE, random)
    onset = random.exponential(1 / (HAZARD * np.exp(SLOPE * prognosis)))
    days = np.sort(((last - first).days * np.sqrt(random.random(count))).round())
    rows = [row for _, row in features.iterrows()]
    return [
        Patient(
            center=str(random.choice(centers)),
            surgery=first + timedelta(days=int(day)),
            age=int(row["clinical_age_at_surgery"]),
            sex="M" if row["clinical_sex_male"] else "F",
            baseline=_baseline(row),
            strategy=INTENSITY[place],
            **_course_of_events(float(when), random, visits),
        )
        for row, day, place, when in zip(rows, days, chosen, onset, strict=True)
    ]


def _course_of_events(onset: float, random: np.random.Generator, visits: int) -> dict[str, Any]:
    """The days on which things happen to one patient whose tumour comes back `onset` days after surgery."""
    recurrence = max(int(onset), 20)
    screened = int(random.integers(1, 4))
    return {
        "fate": str(random.choice(["enrol", "not_r0", "declined"], p=[0.9, 0.06, 0.04])),
        "screened": screened,
        "enrolled": screened + int(random.integers(2, 8)),
        "tace_on": int(random.integers(24, 62)),
        "systemic_on": int(random.integers(26, 80)),
        "window_closed": int(random.integers(91, 101)),
        "recurrence": recurrence,
        "death": recurrence + int(random.exponential(1 / AFTER_RECURRENCE)) + 30,
        "lost": int(random.integers(100, 1100)) if random.random() < 0.07 else 10_000,
        "jitter": tuple(int(each) for each in random.integers(-6, 13, visits)),
    }


def _baseline(row: pd.Series) -> dict[str, str]:
    said = {
        "afp": f"{10 ** row['clinical_afp_log10']:.1f}",
        "tumour_diameter_cm": f"{row['clinical_tumour_diameter_cm']:.1f}",
        "tumour_number": f"{row['clinical_tumour_number']:.0f}",
        "mvi": MVI[int(row["clinical_mvi"])],
        "cirrhosis": "yes" if row["clinical_cirrhosis"] else "no",
        "hbv": "yes",
        "child_pugh": "A",
        "albumin": "41",
        "bilirubin": "13.5",
        "satellite_nodules": "no",
        "pvtt": "none",
        "edmondson": "II",
        "margin_cm": "1",
    }
    known = {code: Value(value) for code, value in (said | RESECTABLE).items()}
    return said | {"cnlc": scores.compute("cnlc_stage", known).value}
