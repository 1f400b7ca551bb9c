"""The calculated items of docs/models.md §5: numbers by hand at every boundary, and what a score says that cannot be computed."""

from dataclasses import dataclass
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analysis.confounders import confounders
from studies import scores


@dataclass(frozen=True)
class V:
    """A recorded value."""

    value: str = ""
    comparator: str = ""


def values(**recorded):
    """albumin="<28" is a censored value, albumin="" one with a missing reason."""
    plain = {code: text.lstrip("<>=") for code, text in recorded.items()}
    return {code: V(plain[code], text[: len(text) - len(plain[code])]) for code, text in recorded.items()}


ONE = {"tumour_number": "1", "tumour_diameter_cm": "5", "pvtt": "none", "hvtt": "none", "extrahepatic": "no", "ecog": "0"}
WELL = {"bilirubin": "17", "albumin": "42", "inr": "1.0", "ascites": "none", "encephalopathy": "none"}


@pytest.mark.parametrize(
    ("code", "recorded", "expected"),
    [
        ("albi", {"bilirubin": "10", "albumin": "40"}, "-2.740"),  # 0.66·1 − 3.4
        ("albi", {"bilirubin": "100", "albumin": "30"}, "-1.230"),  # 0.66·2 − 2.55
        ("pni", {"albumin": "40", "lymphocytes": "1.5"}, "47.50"),
        ("nlr", {"neutrophils": "3.42", "lymphocytes": "1.28"}, "2.67"),  # 2.671875
        ("plr", {"platelets": "135", "lymphocytes": "1.28"}, "105.5"),  # 105.46875
        ("lmr", {"lymphocytes": "1.28", "monocytes": "0.4"}, "3.20"),
        ("sii", {"platelets": "200", "neutrophils": "4", "lymphocytes": "2"}, "400.0"),
        ("fib4", {"age_at_surgery": "50", "ast": "80", "platelets": "100", "alt": "64"}, "5.00"),
        ("apri", {"ast": "80", "ast_upper_limit": "40", "platelets": "100"}, "2.00"),
    ],
)
def test_score_is_what_arithmetic_by_hand_gives(code, recorded, expected):
    assert scores.compute(code, values(**recorded)) == scores.Score(expected)


@pytest.mark.parametrize(
    ("score", "grade"),
    [("-2.61", "1"), ("-2.60", "1"), ("-2.5999", "2"), ("-1.39", "2"), ("-1.3899", "3"), ("0", "3")],
)
def test_albi_grade_holds_its_upper_limit(score, grade):
    assert scores.albi_grade(Decimal(score)) == grade


@pytest.mark.parametrize(
    ("albumin", "grade"),
    # log10(10) = 1: −2.60 lies at albumin 3.26/0.085 = 38.35294…, −1.39 at 2.05/0.085 = 24.11764…
    [("38.353", "1"), ("38.352", "2"), ("24.118", "2"), ("24.117", "3")],
)
def test_albi_grade_is_taken_from_the_score_before_rounding(albumin, grade):
    """38.352 shows as −2.600 and is grade 2 all the same."""
    recorded = values(bilirubin="10", albumin=albumin)
    assert scores.compute("albi_grade", recorded).value == grade
    assert confounders(["albi_grade"], {"bilirubin": "10", "albumin": albumin}, age_at_surgery=60, sex="M") == {
        "albi_grade": f"grade {grade}"
    }


@pytest.mark.parametrize(
    ("changed", "points", "grade"),
    [
        ({}, "5", "A"),
        ({"bilirubin": "33.9"}, "5", "A"),
        ({"bilirubin": "34"}, "6", "A"),
        ({"bilirubin": "51"}, "6", "A"),
        ({"bilirubin": "51.1"}, "7", "B"),
        ({"albumin": "35.1"}, "5", "A"),
        ({"albumin": "35"}, "6", "A"),
        ({"albumin": "28"}, "6", "A"),
        ({"albumin": "27.9"}, "7", "B"),
        ({"inr": "1.69"}, "5", "A"),
        ({"inr": "1.7"}, "6", "A"),
        ({"inr": "2.3"}, "6", "A"),
        ({"inr": "2.31"}, "7", "B"),
        ({"ascites": "mild"}, "6", "A"),
        ({"ascites": "moderate"}, "7", "B"),
        ({"encephalopathy": "grade_1_2"}, "6", "A"),
        ({"bilirubin": "60", "albumin": "20"}, "9", "B"),
        ({"bilirubin": "60", "albumin": "20", "inr": "1.8"}, "10", "C"),
        ({"bilirubin": "60", "albumin": "20", "inr": "2.4", "ascites": "moderate", "encephalopathy": "grade_3_4"}, "15", "C"),
    ],
)
def test_child_pugh_changes_class_at_6_7_and_at_9_10(changed, points, grade):
    recorded = values(**(WELL | changed))
    assert scores.compute("child_pugh_points", recorded).value == points
    assert scores.compute("child_pugh_class", recorded).value == grade


@pytest.mark.parametrize(
    ("changed", "cnlc", "bclc"),
    [
        ({"tumour_diameter_cm": "2"}, "Ia", "0"),
        ({"tumour_diameter_cm": "2.1"}, "Ia", "A"),
        ({}, "Ia", "A"),
        ({"tumour_diameter_cm": "5.1"}, "Ib", "A"),
        ({"tumour_number": "2", "tumour_diameter_cm": "3"}, "Ib", "A"),
        ({"tumour_number": "3", "tumour_diameter_cm": "3.1"}, "IIa", "B"),
        ({"tumour_number": "4", "tumour_diameter_cm": "1"}, "IIb", "B"),
        ({"pvtt": "I"}, "IIIa", "C"),
        ({"hvtt": "I"}, "IIIa", "C"),
        ({"extrahepatic": "yes", "pvtt": "II"}, "IIIb", "C"),
        ({"ecog": "1"}, "Ia", "C"),
        ({"ecog": "2"}, "Ia", "C"),
        ({"ecog": "3"}, "IV", "D"),
        ({"bilirubin": "60", "albumin": "20", "inr": "1.8"}, "IV", "D"),
    ],
)
def test_stages_follow_their_tables(changed, cnlc, bclc):
    recorded = values(**(ONE | WELL | changed))
    assert (scores.compute("cnlc_stage", recorded).value, scores.compute("bclc_stage", recorded).value) == (cnlc, bclc)


@pytest.mark.parametrize(
    ("code", "recorded", "lacking"),
    [
        ("albi", {"albumin": "40"}, ("bilirubin",)),
        ("albi", {"albumin": "40", "bilirubin": ""}, ("bilirubin",)),
        ("apri", {"ast": "80", "platelets": "100"}, ("ast_upper_limit",)),
        ("child_pugh_class", {**WELL, "inr": "", "ascites": ""}, ("inr", "ascites")),
        ("cnlc_stage", ONE | WELL | {"tumour_diameter_cm": ""}, ("tumour_diameter_cm",)),
        ("cnlc_stage", ONE | WELL | {"hvtt": "not_reported"}, ("hvtt",)),
        ("cnlc_stage", ONE | WELL | {"albumin": ""}, ("albumin",)),
    ],
)
def test_score_names_the_input_it_lacks(code, recorded, lacking):
    assert scores.compute(code, values(**recorded)) == scores.Score(lacking=lacking)


def test_stage_needs_only_what_decides_it():
    """IIb is IIb at any diameter; IV by performance status whatever the liver does."""
    assert scores.compute("cnlc_stage", values(**(ONE | WELL | {"tumour_number": "5", "tumour_diameter_cm": ""}))).value == "IIb"
    assert scores.compute("cnlc_stage", values(ecog="4")).value == "IV"


@pytest.mark.parametrize(
    ("code", "recorded", "expected"),
    [
        ("albi", {"bilirubin": "10", "albumin": "<20"}, scores.Score(censored=("albumin",))),
        ("albi_grade", {"bilirubin": "<5", "albumin": "40"}, scores.Score(censored=("bilirubin",))),
        ("child_pugh_points", WELL | {"albumin": "<28"}, scores.Score("7")),
        ("child_pugh_points", WELL | {"albumin": "<=28"}, scores.Score(censored=("albumin",))),
        ("child_pugh_points", WELL | {"bilirubin": "<34"}, scores.Score("5")),
        ("child_pugh_points", WELL | {"bilirubin": ">51"}, scores.Score("7")),
        ("child_pugh_points", WELL | {"bilirubin": ">40"}, scores.Score(censored=("bilirubin",))),
        ("cnlc_stage", ONE | WELL | {"tumour_diameter_cm": ">5"}, scores.Score("Ib")),
        ("cnlc_stage", ONE | WELL | {"tumour_diameter_cm": ">4"}, scores.Score(censored=("tumour_diameter_cm",))),
        ("cnlc_stage", ONE | WELL | {"tumour_number": ">=4", "tumour_diameter_cm": ""}, scores.Score("IIb")),
    ],
)
def test_censored_value_decides_only_where_all_it_may_be_agree(code, recorded, expected):
    assert scores.compute(code, values(**recorded)) == expected


@pytest.mark.parametrize(
    ("code", "recorded", "blamed"),
    [
        ("nlr", {"neutrophils": "3", "lymphocytes": "0"}, ("lymphocytes",)),
        ("albi", {"bilirubin": "0", "albumin": "40"}, ("bilirubin",)),
        ("fib4", {"age_at_surgery": "50", "ast": "80", "platelets": "100", "alt": "0"}, ("alt",)),
    ],
)
def test_what_arithmetic_refuses_is_said(code, recorded, blamed):
    assert scores.compute(code, values(**recorded)) == scores.Score(impossible=blamed)


def test_one_month_change_is_relative_to_the_first_value():
    assert scores.relative_change(V("8"), V("6")).value == "-0.2500"
    assert scores.relative_change(V("0"), V("6")).impossible == ("before",)
    assert scores.relative_change(V("8"), V("6", "<")).censored == ("after",)


@settings(suppress_health_check=[HealthCheck.too_slow])  # no test asserts seconds
@given(
    st.sampled_from(sorted(scores.CALCULATIONS)),
    st.dictionaries(st.sampled_from([*ONE, *WELL, "ast", "alt", "platelets"]), st.text("<>0123.5", max_size=3)),
)
def test_score_is_a_value_or_a_reason_and_never_both(code, texts):
    """Whatever is recorded, the answer is a value, or says why there is none."""
    numeric = {code: text for code, text in texts.items() if _is_number(text.lstrip("<>"))}
    score = scores.compute(code, values(**numeric))
    assert bool(score.value) != bool(score.lacking or score.censored or score.impossible)


def _is_number(text):
    return text.replace(".", "", 1).isdigit() and text[0] != "." and text[-1] != "."
