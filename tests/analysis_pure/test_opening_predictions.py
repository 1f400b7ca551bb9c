"""In the opening: the prediction of the tag's own tier, of who is compared beyond the landmark, of nobody else (E-PRED, E-CAUSAL-2)."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from accounts.canonical import canonical
from analysis import opening_predictions
from analysis.foretold import performances
from analysis.result_frame import consistent_of
from predictions.decision import INTENSITY
from predictions.payload import HORIZONS
from tests.analysis_pure import opened_study, result_rows

NAMES = ("age", "albumin", "afp", "mvi")
PLAN = {"landmark": 90.0, "horizon": 700.0, "seed": 5}


def sealed(rows, found, tier=1):
    """One confirmatory seal for everybody, by the little exponential model, its burden rising with age."""
    seals = []
    for row in rows:
        said = opened_study.predict(opened_study.ARTEFACT, opened_study.snapshot(f"{max(0.1, float(row['age']) / 55):.6f}"))
        seals.append(SimpleNamespace(study_number=row["patient"], tier=tier, purpose="confirmatory", payload=said))
    return seals


def test_performance_is_that_of_the_curve_under_the_strategy_received():
    rows, found = result_rows.made(2, n=300)
    opened = result_rows.opened(rows)
    opened.seals = sealed(rows, found)
    compared = [row for row in rows if consistent_of(found[row["patient"]]) is not None]
    said = opening_predictions.worth(opened, compared, found, NAMES, **PLAN)
    beyond = [row for row in compared if float(row["rfs_time"]) > 90]
    burden = {row["patient"]: float(f"{max(0.1, float(row['age']) / 55):.6f}") for row in beyond}
    rates = {"SURG": 0.02, "TACE": 0.015, "SYS": 0.017, "TACE_SYS": 0.0165}
    survival = np.array([[math.exp(-rates[row["strategy"]] * burden[row["patient"]] * t) for t in HORIZONS] for row in beyond])
    whole, *_arms = performances(
        np.array([float(row["rfs_time"]) - 90 for row in beyond]), np.array([row["rfs_event"] == "1" for row in beyond]), survival,
        [row["strategy"] for row in beyond], months=HORIZONS, days=np.array(HORIZONS) * 30.4375 - 90,
    )  # fmt: skip
    first = said["foretold"][0]
    assert (first["strategy"], first["n"], first["events"]) == ("", len(beyond), whole.events)
    assert [float(each) for each in first["concordance"]] == pytest.approx(
        [whole.concordance.value, whole.concordance.lower, whole.concordance.upper]
    )
    assert [float(each["foretold"]) for each in first["months"]] == pytest.approx([each.foretold for each in whole.months], rel=1e-9)
    assert {one["strategy"] for one in said["foretold"]} == {"", *map(str, INTENSITY)}
    assert sum(one["n"] for one in said["foretold"][1:]) == first["n"]
    canonical(said)


def test_another_tier_a_second_purpose_and_an_unopened_seal_count_for_nothing():
    rows, found = result_rows.made(2, n=300)
    opened = result_rows.opened(rows)
    others = sealed(rows, found, tier=2)
    unopened = sealed(rows, found)
    for each in unopened:
        each.payload = None
    exploratory = sealed(rows, found)
    for each in exploratory:
        each.purpose = "exploratory"
    opened.seals = [*others, *unopened, *exploratory]
    said = opening_predictions.worth(opened, rows, found, NAMES, **PLAN)
    assert said["foretold"] == []
    assert said["policy"]["refused"] == "" or "too few" in said["policy"]["refused"]


def test_value_is_estimated_or_refused_with_a_sentence():
    """Under no effect for anybody the recommendation gains nothing; with three patients it is not judged."""
    rows, found = result_rows.made(12, n=1200, centers=6)
    said = opening_predictions.worth(result_rows.opened(rows), rows, found, NAMES, **PLAN)["policy"]
    value, low, high = map(float, said["gain_over_observed"])
    assert said["refused"] == "" and low < value < high and low < 0 < high
    assert set(said["fixed"]) == set(map(str, INTENSITY)) and said["best"] in said["fixed"]
    few = opening_predictions.worth(result_rows.opened(rows), rows[:60], found, NAMES, **PLAN)["policy"]
    assert set(few) == {"refused"} and "too few" in few["refused"]
