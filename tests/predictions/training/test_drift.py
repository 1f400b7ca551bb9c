"""Drift of inputs by center (MD-06)."""

import inspect

import numpy as np
import pytest

from predictions.training import drift


def test_index_by_hand():
    """Two values, half and half before, a fifth and four fifths now: 2 · 0.3 · ln(…) over two tenths."""
    known, new = np.repeat([0.0, 1.0], 50), np.repeat([0.0, 1.0], [20, 80])
    assert drift.stability_index(known, new) == pytest.approx(-0.3 * np.log(0.2 / 0.5) + 0.3 * np.log(0.8 / 0.5))


def test_shifted_center_is_found_and_the_others_are_not():
    random = np.random.default_rng(1)
    training = random.normal(size=(2000, 2))
    x, center = random.normal(size=(600, 2)), np.repeat(["R1", "R2", "R3"], 200)
    x[center == "R2", 1] += 1
    x[center == "R3", 0] = np.where(np.arange(200) < 120, np.nan, x[center == "R3", 0])
    found = drift.by_center(["a", "b"], training, x, list(center))
    assert [[row["input"] for row in rows if row["shifted"]] for rows in found.values()] == [[], ["b"], ["a"]]
    assert found["R3"][0]["missing"] == 0.6
    assert found["R2"][0]["ks"] == pytest.approx(0.38, abs=0.06)  # 2 Φ(½) − 1


def test_center_with_few_patients_is_not_judged():
    assert drift.by_center(["a"], np.zeros((50, 1)), np.zeros((19, 1)), ["R1"] * 19) == {}


def test_no_function_takes_an_answer_of_the_model():
    """Nothing that depends on a prediction can reach the figures."""
    named = {name for function in (drift.by_center, drift.stability_index) for name in inspect.signature(function).parameters}
    assert named == {"features", "training", "x", "center", "known", "new"}
