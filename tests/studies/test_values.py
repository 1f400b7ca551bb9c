"""A value as it is typed: understood once and said back, or refused; never guessed."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studies import dictionary
from studies.dictionary import Item
from studies.values import NotUnderstood, Value, as_typed, asked, days, rebuilt, unanswered, understand, unusual

BOOK = dictionary.load("hcc_adjuvant")
ITEMS = list(BOOK.items)
NUMBERS = [item for item in ITEMS if item.kind in ("number", "integer")]


@pytest.mark.parametrize(
    ("code", "text", "unit", "expected"),
    [
        ("albumin", "41.3", "", Value("41.3")),
        ("albumin", "４１．３０", "", Value("41.3", typed="41.30")),
        ("albumin", "4.13", "g/dL", Value("41.3", unit="g/dL", typed="4.13")),
        ("albumin", "4.13 G/DL", "", Value("41.3", unit="g/dL", typed="4.13")),
        ("bilirubin", "1.2 mg/dL", "mg/dL", Value("20.5248", unit="mg/dL", typed="1.2")),
        ("bilirubin", "20 μmol/L", "", Value("20")),
        ("bilirubin", "20 umol/l", "", Value("20")),
        ("afp", "> 60500", "", Value("60500", ">")),
        ("afp", "＜２０", "", Value("20", "<")),
        ("afp", "≤ 20 IU/mL", "", Value("24.2", "<=", "IU/mL", "20")),
        ("hbv_dna", "1.2E+03", "", Value("1200", typed="1.2E+03")),
        ("hbv_dna", "1.2×10³", "", Value("1200", typed="1.2e3")),
        ("hbv_dna", "1.2 x 10^3 IU/mL", "", Value("1200", typed="1.2e3")),
        ("platelets", "135×10⁹/L", "", Value("135")),
        ("platelets", "13.5 10^4/μL", "", Value("135", unit="10^4/µL", typed="13.5")),
        ("tumour_number", "2", "", Value("2")),
        ("albumin", "nd", "", Value(missing="ND")),
        ("mvi", "not reported", "", Value("not_reported", typed="not reported")),
        ("hbsag", "阳性", "", Value("positive", typed="阳性")),
        ("cnlc", "IIa", "", Value("IIa")),
        ("hbv_since", "2019年5月", "", Value("2019-05", typed="2019年5月")),
        ("hbv_since", "2019", "", Value("2019")),
        ("lab_date", "2026.10.29", "", Value("2026-10-29", typed="2026.10.29")),
        ("afp_assay", "  Roche   Cobas e801 ", "", Value("Roche Cobas e801")),
        ("afp_assay", "NA", "", Value("NA")),
        ("albumin", "  ", "", Value()),
    ],
)
def test_what_is_typed_is_understood(code: str, text: str, unit: str, expected: Value) -> None:
    """Bilirubin by hand: 1.2 × 17.104 = 20.5248; AFP: 20 × 1.21 = 24.2. “NA” in free text is two letters."""
    assert understand(BOOK.item(code), text, unit) == expected


@pytest.mark.parametrize(
    ("code", "text", "unit", "why"),
    [
        ("afp", "60,500", "", "comma"),
        ("albumin", "41,3", "", "comma"),
        ("albumin", "41.3.2", "", "unit"),
        ("albumin", ".5", "", "no_number"),
        ("albumin", "high", "", "no_number"),
        ("albumin", "40-50", "", "unit"),
        ("albumin", "41 g", "", "unit"),
        ("albumin", "41 g/L", "g/dL", "two_units"),
        ("albumin", "< 41", "", "comparator"),
        ("albumin", "413", "", "range"),
        ("albumin", "4.13", "", "range"),
        ("albumin", "NaN", "", "no_number"),
        ("albumin", "1e99", "", "range"),
        ("albumin", "9" * 30, "", "no_number"),
        ("afp", "~20", "", "no_number"),
        ("afp", "未检出", "", "no_number"),
        ("afp", "<", "", "no_number"),
        ("pivka_ii", "128 ng/mL", "", "unit"),
        ("hbv_dna", "2000 copies/mL", "", "unit"),
        ("platelets", "135×109/L", "", "unit"),
        ("tumour_number", "2.5", "", "whole"),
        ("tumour_number", "2-3", "", "unit"),
        ("mvi", "M3", "", "choice"),
        ("lab_date", "2026-10", "", "date"),
        ("lab_date", "03/04/2026", "", "date"),
        ("lab_date", "2026-02-30", "", "no_day"),
        ("hbv_since", "2019-13", "", "no_day"),
        ("hbv_since", "May 2019", "", "partial_date"),
        ("lab_date", "NA", "", "missing"),
        ("other_disease", "住院号 00123456", "", "identity"),
        ("other_disease", "138-0013-8000", "", "identity"),
        ("other_disease", "x" * 501, "", "long"),
    ],
)
def test_what_is_ambiguous_or_impossible_is_refused_with_a_sentence(code: str, text: str, unit: str, why: str) -> None:
    with pytest.raises(NotUnderstood) as refused:
        understand(BOOK.item(code), text, unit)
    assert refused.value.code == why
    for language in ("zh-hans", "en"):
        assert refused.value.say(language).strip().endswith(("。", "."))
    assert "{" not in refused.value.say("en") + refused.value.say("zh")


@given(item=st.sampled_from(ITEMS), text=st.text(max_size=12), unit=st.sampled_from(["", "g/L", "mg/dL", "IU/mL", "mm"]))
def test_whatever_is_accepted_says_itself_again(item: Item, text: str, unit: str) -> None:
    """Nothing is guessed: what a field shows for a value gives the same value, and it survives storage."""
    try:
        value = understand(item, text, unit)
    except NotUnderstood:
        return
    assert understand(item, as_typed(value), value.unit) == value
    assert rebuilt(item, Value.from_json(value.as_json())) == value


@given(
    item=st.sampled_from(NUMBERS),
    number=st.decimals(min_value=0, max_value=1000, places=3, allow_nan=False, allow_infinity=False),
    comparator=st.sampled_from(["", "<", "<=", ">", ">="]),
    data=st.data(),
)
def test_number_is_stored_exactly_or_refused(item: Item, number: Decimal, comparator: str, data: st.DataObject) -> None:
    """stored = typed × factor, to the last digit; hard bounds hold in the stored unit; the comparator stays or is refused."""
    unit = data.draw(st.sampled_from(item.units))
    factor = {item.unit: Decimal(1)} | {each.unit: each.factor for each in item.conversions}
    try:
        value = understand(item, f"{comparator}{number}", unit)
    except NotUnderstood as refused:
        inside = item.low <= number * factor[unit] <= item.high
        assert not inside or refused.code in ("comparator", "whole")
        return
    assert Decimal(value.value) == number * factor[unit]
    assert item.low <= Decimal(value.value) <= item.high
    assert (value.comparator, value.unit) == (comparator, "" if unit == item.unit else unit)


@given(text=st.from_regex(r"\A[0-9]{1,3},[0-9]{1,3}\Z"), item=st.sampled_from(NUMBERS))
def test_comma_is_never_taken_for_a_point_or_for_thousands(text: str, item: Item) -> None:
    with pytest.raises(NotUnderstood):
        understand(item, text)


def test_value_that_contradicts_what_was_typed_is_not_stored() -> None:
    with pytest.raises(NotUnderstood):
        rebuilt(BOOK.item("bilirubin"), Value("20", unit="mg/dL", typed="1.2"))
    with pytest.raises(NotUnderstood):
        rebuilt(BOOK.item("bilirubin"), Value("20", missing="ND"))
    assert rebuilt(BOOK.item("bilirubin"), Value("20.0", on="2026年10月", source="pasted")).on == "2026-10"


def test_soft_range_asks_and_a_tick_outside_it_is_kept_only_there() -> None:
    sodium = BOOK.item("sodium")
    assert unusual(sodium, Value("120"))
    assert not unusual(sodium, Value("140"))
    assert rebuilt(sodium, Value("120", confirmed=True)).confirmed
    assert not rebuilt(sodium, Value("140", confirmed=True)).confirmed


def test_branch_opens_with_its_answer_and_stays_closed_when_that_is_not_known() -> None:
    liver = BOOK.form("liver")
    assert "antiviral_drug" not in asked(liver, {})
    assert "antiviral_drug" not in asked(liver, {"hbv": Value(missing="UNK"), "antiviral": Value("yes")})
    assert "antiviral_drug" in asked(liver, {"hbv": Value("yes"), "antiviral": Value("yes")})


def test_required_item_is_answered_by_a_value_or_a_reason() -> None:
    tumour = BOOK.form("tumour")
    open_ = [item.code for item in unanswered(tumour, {})]
    assert open_ == ["tumour_diameter_cm", "tumour_number", "pvtt", "extrahepatic", "cnlc"]
    given_ = {"tumour_number": Value("1"), "pvtt": Value("none"), "extrahepatic": Value("no"), "cnlc": Value(missing="UNK")}
    assert [item.code for item in unanswered(tumour, given_)] == ["tumour_diameter_cm"]


def test_partial_date_spans_the_days_it_may_mean() -> None:
    assert [day.isoformat() for day in days("2024-02")] == ["2024-02-01", "2024-02-29"]
    assert [day.isoformat() for day in days("2023-12")] == ["2023-12-01", "2023-12-31"]
    assert [day.isoformat() for day in days("2023")] == ["2023-01-01", "2023-12-31"]
