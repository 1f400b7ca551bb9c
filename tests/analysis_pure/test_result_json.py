"""The result travels whole: both rows, to the last digit, or not at all (AN-21)."""

import json

import pytest

from accounts.canonical import canonical
from analysis.result_json import comparison_json, curve_rows, read_comparison
from analysis.weighting import compare_naive_and_adjusted
from tests.analysis.null_effect import cohort


@pytest.fixture(scope="module")
def comparison():
    frame = cohort(3, n=400, centers=3)
    return compare_naive_and_adjusted(frame, confounders=[name for name in frame if name.startswith("x")], seed=1, replicates=5)


def test_comparison_comes_back_to_the_last_digit(comparison):
    written = canonical(comparison_json(comparison))
    assert canonical(comparison_json(read_comparison(json.loads(written)))) == written


def test_one_row_alone_cannot_be_read(comparison):
    """AN-21: there is no way to show the naive row without the adjusted one, nor the reverse."""
    for name in ("naive", "adjusted"):
        alone = comparison_json(comparison)
        del alone[name]
        with pytest.raises(KeyError):
            read_comparison(alone)


def test_every_step_of_four_curves_is_exported(comparison):
    rows = list(curve_rows(comparison))
    assert {(row["analysis"], row["group"]) for row in rows} == {
        (name, group) for name in ("naive", "adjusted") for group in ("consistent", "inconsistent")
    }
    curves = [*comparison.naive.curves, *comparison.adjusted.curves]
    assert len(rows) == sum(curve.time.size for curve in curves)
