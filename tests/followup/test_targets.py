"""The response at a scan from its targets (PM-06): thresholds by hand, and that no order, unit or third scan can turn it round."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from followup.response import Measured, Response, response
from followup.targets import Assessed, Because, Fault, NonTarget, Seen, Target, assess, faults


def one(*diameters: str | None, **beside) -> Assessed:
    """A single target in the liver."""
    return assess(Seen((lesion(*diameters),), **beside))


def lesion(*diameters: str | None, organ: str = "liver") -> Target:
    return Target(organ, tuple(None if each is None else Decimal(each) for each in diameters))


@pytest.mark.parametrize(
    ("diameters", "said", "because"),
    [
        (["50", "0"], "CR", "all_gone"),
        (["50", "35"], "PR", "fell"),  # −30.0 %
        (["50", "35.1"], "SD", "between"),
        (["50", "59.9"], "SD", "between"),
        (["50", "60"], "PD", "rose"),  # +20.0 %
        (["50", "20", "24"], "PD", "rose"),  # +20.0 % of the nadir, though −52 % of baseline
        (["50", "20", "23.9"], "PR", "fell"),
        (["50", "80", "60"], "PD", "rose"),  # the nadir is baseline, not the scan between
        (["50", "0", "0.5"], "PD", "came_back"),
        (["50", "0", "0"], "CR", "all_gone"),
        (["50", None, "35"], "PR", "fell"),
        (["50", "20", None], "NE", "not_all_measured"),
    ],
)
def test_thresholds_belong_to_response_and_to_progression(diameters, said, because):
    assert one(*diameters).response == said
    assert one(*diameters).because == because


@pytest.mark.parametrize("exact", ["10.1", "33.3", "47.9", "0.1"])
def test_thresholds_hold_for_sums_that_binary_fractions_miss(exact):
    """Ten times the value as baseline, seven and twelve times as follow-up: −30.0 % and +20.0 % to the last digit."""
    base = Decimal(exact) * 100
    scale = 1 if base <= 500 else 20
    assert one(str(base / scale), str(base * 7 / 10 / scale)).response == Response.PARTIAL
    assert one(str(base / scale), str(min(base * 12 / 10 / scale, Decimal(500)))).response == Response.PROGRESSION


def test_sums_and_changes_are_told():
    """40 + 20 = 60; 30 + 10 = 40; 24 + 24 = 48: −20 % of baseline, +20 % of the nadir."""
    found = assess(Seen((lesion("40", "30", "24"), lesion("20", "10", "24"))))
    assert (found.baseline, found.nadir, found.now) == (60, 40, 48)
    assert (found.change, found.rise) == (Decimal("-0.2"), Decimal("0.2"))
    assert found.response == Response.PROGRESSION


@pytest.mark.parametrize("diameters", [("50", "0"), ("50", "35"), ("50", None)])
def test_new_lesion_and_a_growing_non_target_are_progression_whatever_was_measured(diameters):
    assert one(*diameters, new_lesion=True).because == Because.NEW_LESION
    assert one(*diameters, non_target=NonTarget.PROGRESSES).because == Because.NON_TARGET_PROGRESSES
    assert one(*diameters, new_lesion=True).response == Response.PROGRESSION
    assert assess(Seen((), new_lesion=True, assessable=False)).response == Response.PROGRESSION


@pytest.mark.parametrize(
    ("non_target", "said"), [("none", "CR"), ("gone", "CR"), ("persists", "PR"), ("not_assessed", "PR"), ("progresses", "PD")]
)
def test_what_is_not_measured_keeps_a_response_from_being_complete(non_target, said):
    """Table 4 of Lencioni and Llovet 2010."""
    assert one("50", "0", non_target=NonTarget(non_target)).response == said


def test_what_cannot_be_assessed_is_not_evaluable_unless_the_rest_is_progression():
    assert one("50", "20", assessable=False).response == Response.NOT_EVALUABLE
    assert assess(Seen(())).because == Because.NOT_ASSESSABLE
    assert assess(Seen((lesion("20", None), lesion("20", "48")))).because == Because.ROSE
    assert assess(Seen((lesion("20", None), lesion("20", "47.9")))).because == Because.NOT_ALL_MEASURED


@pytest.mark.parametrize(
    ("targets", "wrong"),
    [
        ([lesion("20", "1", organ=each) for each in "abcdef"], [(Fault.TOO_MANY, 5)]),
        ([lesion("20", "1")] * 3, [(Fault.TOO_MANY_IN_ORGAN, 2)]),
        ([lesion("9.9", "1")], [(Fault.TOO_SMALL, 0)]),
        ([lesion(None, "1")], [(Fault.TOO_SMALL, 0)]),
        ([lesion("20", "-1")], [(Fault.OUT_OF_RANGE, 0)]),
        ([lesion("20", "500.1")], [(Fault.OUT_OF_RANGE, 0)]),
        ([lesion("20", "15", "9"), lesion("20", None, "9")], [(Fault.SCAN_HALF_MEASURED, 1)]),
        ([lesion("10", None, "500"), lesion("10", None, None)], []),
    ],
)
def test_impossible_targets_are_named_and_refused(targets, wrong):
    assert faults(targets) == wrong
    if wrong:
        with pytest.raises(ValueError, match="impossible"):
            assess(Seen(tuple(targets)))


def test_unequal_scans_are_refused():
    with pytest.raises(ValueError, match="each scan"):
        faults([lesion("20", "1"), lesion("20", "1", "1")])
    with pytest.raises(ValueError, match="each scan"):
        faults([lesion("20")])


millimetres = st.decimals(min_value=0, max_value=500, places=1)
whole = st.lists(st.tuples(st.decimals(min_value=10, max_value=500, places=1), millimetres, millimetres), min_size=1, max_size=5)


@given(whole)
def test_category_is_what_the_sums_say_in_any_order_and_agrees_with_the_rule_of_two_sums(rows):
    """The nadir can only make progression of it; without a rise from it the rule of two sums says the same."""
    targets = tuple(Target(f"organ {place}", diameters) for place, diameters in enumerate(rows))
    found = assess(Seen(targets))
    assert found == assess(Seen(targets[::-1]))
    baseline, between, now = (sum(column) for column in zip(*rows, strict=True))
    assert (found.baseline, found.nadir, found.now) == (baseline, min(baseline, between), now)
    progressed = now > 0 and 10 * now >= 12 * min(baseline, between)
    assert (found.response == Response.PROGRESSION) == progressed
    if not progressed and abs(now / baseline - Decimal("0.7")) > Decimal("1e-9"):
        assert found.response == response(Measured(float(baseline), float(now)), days_after=1)


@given(whole, st.integers(min_value=0, max_value=4))
def test_a_target_left_out_never_makes_a_better_category(rows, place):
    full = tuple(Target(f"organ {n}", diameters) for n, diameters in enumerate(rows))
    lost = tuple(Target(each.organ, (*each.diameters[:-1], None)) if n == place % len(full) else each for n, each in enumerate(full))
    assert assess(Seen(lost)).response in (Response.NOT_EVALUABLE, assess(Seen(full)).response)
