"""Table 1 of the PRIME paper from its counts, and the tests against scipy (issue: the fourteen 2 × 2 p values)."""

import re

import numpy as np
import pytest
from scipy.stats import chi2_contingency, ttest_ind

from analysis.cohort_table import PEARSON, WELCH, YATES, categories, contingency, measured, welch
from tests.paths import SHARED

PAPER = SHARED / "study" / "004_48403788e6fb079e.txt"
# Counts of center A and B in both levels, and the p value as printed (Table 1, 113 and 133 patients).
PRINTED = {
    "age group": ((52, 64), (61, 69), "0.84"),
    "gender": ((14, 29), (99, 104), "0.08"),
    "ECOG": ((85, 101), (28, 32), "1.00"),
    "HBV": ((32, 34), (81, 99), "0.73"),
    "cirrhosis": ((57, 67), (56, 66), "1.00"),
    "ALT > 40": ((51, 55), (62, 78), "0.64"),
    "AST > 40": ((74, 74), (39, 59), "0.15"),
    "TBIL > 17.1": ((50, 61), (63, 72), "0.90"),
    "AFP": ((51, 77), (62, 56), "0.06"),
    "Child-Pugh": ((30, 34), (83, 99), "0.98"),
    "diameter group": ((64, 78), (49, 55), "0.85"),
    "tumour number": ((27, 39), (86, 94), "0.42"),
    "HVTT": ((80, 95), (33, 38), "1.00"),
    "PVTT": ((59, 66), (54, 67), "0.78"),
}


@pytest.mark.parametrize("name", PRINTED)
def test_the_paper_s_p_values_are_those_of_chi_square_with_yates_correction(name: str) -> None:
    """Without the correction, and with Fisher's test, several of them differ in the digits printed."""
    first, second, printed = PRINTED[name]
    found = contingency([first, second])
    assert (found.test, f"{found.p:.2f}") == (YATES, printed)
    assert (first[0] + second[0], first[1] + second[1]) == (113, 133)


def test_the_counts_are_those_of_the_paper() -> None:
    if not PAPER.exists():
        pytest.skip(f"the paper is not at {PAPER}")
    text = PAPER.read_text(encoding="utf-8")
    for first, second, _printed in PRINTED.values():
        for row in (first, second) if first not in ((51, 55), (74, 74), (50, 61)) else (first,):
            assert re.search(rf"\b{row[0]}\(0\.\d\d\)\t{row[1]}\(0\.\d\d\)", text), row


def test_the_paper_s_means_are_compared_by_a_t_test() -> None:
    """Age 56.48 ± 9.36 against 55.83 ± 10.11: 0.60; tumour diameter 9.18 ± 4.09 against 9.04 ± 3.84: 0.78."""
    assert f"{welch((56.48, 9.36, 113), (55.83, 10.11, 133)).p:.2f}" == "0.60"
    assert f"{welch((9.18, 4.09, 113), (9.04, 3.84, 133)).p:.2f}" == "0.78"


def test_tests_equal_scipy() -> None:
    random = np.random.default_rng(4)
    for shape in ((2, 2), (3, 2), (4, 3)):
        table = random.integers(1, 40, shape)
        known = chi2_contingency(table)
        found = contingency(table.tolist())
        assert (found.statistic, found.p) == (pytest.approx(known.statistic, rel=1e-12), pytest.approx(known.pvalue, rel=1e-10))
        assert found.test == (YATES if shape == (2, 2) else PEARSON)
    values, cohort = random.normal(size=30), ["A"] * 12 + ["B"] * 18
    found = measured("age", values, cohort).tested
    known = ttest_ind(values[:12], values[12:], equal_var=False)
    assert (found.test, found.p) == (WELCH, pytest.approx(known.pvalue, rel=1e-10))


def test_missing_values_are_left_out_and_sparse_tables_are_said() -> None:
    line = categories("BCLC", ["A", "B", "", "C", "A", "B"], ["x", "x", "x", "y", "y", "y"])
    assert line.counts == {"A": (1, 1), "B": (1, 1), "C": (0, 1)} and line.tested.sparse
    with pytest.raises(ValueError, match="two cohorts"):
        measured("age", [1.0, 2.0], ["A", "A"])
    with pytest.raises(ValueError, match="two columns"):
        categories("BCLC", ["A", "B"], ["x", "x"])
