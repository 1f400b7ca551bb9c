"""ICC(2,1) against Shrout & Fleiss's own table and what R's psych::ICC says of it; properties; what cannot be said."""

import csv
import json
import math

import numpy as np
import pytest

from imaging.agreement import icc
from tests.paths import SHARED

REFERENCE = SHARED / "data" / "06_survival_reference"
PUBLISHED = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], dtype=float)
"""Six targets rated by four judges: Shrout & Fleiss 1979, table 2."""


def test_icc_is_the_published_one() -> None:
    """Their mean squares: targets 11.24, judges 32.49, error 1.02; by hand 10.22 / (11.24 + 3·1.02 + 4·31.47/6) = 0.29."""
    said = icc(PUBLISHED)
    assert round(said.estimate, 2) == 0.29
    assert (said.n, said.k) == (6, 4)


@pytest.mark.skipif(not REFERENCE.is_dir(), reason=f"no reference data: {REFERENCE} is absent")
def test_icc_and_its_interval_are_those_of_r() -> None:
    expected = json.loads((REFERENCE / "expected" / "I_icc_delong.json").read_text())["icc_shrout_fleiss"]
    row = next(one for one in expected if one["type"] == "ICC2")
    with (REFERENCE / "csv" / "shrout_fleiss_1979.csv").open(newline="", encoding="utf-8") as file:
        ratings = np.array([[float(value) for value in one.values()] for one in csv.DictReader(file)])
    said = icc(ratings)
    assert [said.estimate, said.lower, said.upper] == pytest.approx([row["ICC"], row["lower bound"], row["upper bound"]], abs=1e-8)


def test_a_reader_who_adds_a_constant_is_held_against_agreement() -> None:
    """Absolute agreement: targets 0…9 and the same plus 2: MS between targets 55/3, raters 20, error 0: (55/3) / (55/3 + 2·20/10)."""
    truth = np.arange(10.0)
    shifted = icc(np.stack([truth, truth + 2], axis=1))
    assert shifted.estimate == pytest.approx((55 / 3) / (55 / 3 + 4))
    assert math.isnan(shifted.lower)
    same = icc(np.stack([truth, truth], axis=1))
    assert (same.estimate, same.lower, same.upper) == (1, 1, 1)


def test_values_that_are_missing_or_all_the_same_are_not_made_up() -> None:
    ratings = np.vstack([PUBLISHED, [np.nan, 1, 2, 3]])
    assert icc(ratings) == icc(PUBLISHED)
    assert math.isnan(icc(np.ones((8, 2))).estimate)
    with pytest.raises(ValueError, match="two of both"):
        icc(np.array([[1.0, np.nan], [2.0, 3.0]]))


def test_interval_covers_the_truth_as_often_as_it_says() -> None:
    """1,000 simulated studies of 20 targets and 2 readers, true ICC 4/(4 + 0.25 + 1) = 0.762: a 90 % interval misses about 100 times."""
    rng = np.random.default_rng(7)
    covered = 0
    for _ in range(1000):
        ratings = rng.normal(0, 2, (20, 1)) + rng.normal(0, 0.5, (1, 2)) + rng.normal(0, 1, (20, 2))
        said = icc(ratings, level=0.90)
        covered += said.lower <= 4 / 5.25 <= said.upper
    assert 860 <= covered <= 950
