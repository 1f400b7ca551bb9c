"""The output record (PR-01): one shape, checked, canonical, comparable after a replay (UB-03)."""

import json
from dataclasses import replace

import pytest

from predictions import payload
from predictions.decision import INTENSITY, STEPS
from tests.predictions.payloads import PROVENANCE, answer, estimate, failure


def abstention():
    return answer(out_of_distribution=True)


@pytest.mark.parametrize("make", [answer, abstention, failure])
def test_record_returns_from_its_canonical_bytes_unchanged(make):
    assert payload.decode(make().encode()) == make()


def test_answer_abstention_and_failure_have_the_same_keys():
    """PR-01, SL-05: what was predicted does not show in the record's shape."""
    keys = {tuple(json.loads(make().encode())) for make in (answer, abstention, failure)}
    assert len(keys) == 1


def test_record_decides_by_the_registered_rule():
    said = answer(0.50, 0.60, 0.55, 0.58)
    assert (said.outcome, said.recommended, said.acceptable) == ("answer", "TACE", ("TACE", "TACE_SYS"))
    assert (abstention().outcome, abstention().reason, abstention().recommended) == ("abstention", "OUT_OF_DISTRIBUTION", "TACE")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"recommended": INTENSITY[3]}, "registered rule"),
        ({"acceptable": INTENSITY}, "registered rule"),
        ({"outcome": "abstention"}, "abstains"),
        ({"reason": "EXTRAPOLATED"}, "abstains"),
        ({"estimates": None}, "four strategies"),
        ({"gains": (0.0,) * 5}, "six gains"),
        ({"distance": float("nan")}, "finite"),
        ({"margin": 1.0}, "margin"),
        ({"provenance": replace(PROVENANCE, snapshot="B" * 64)}, "snapshot"),
        ({"provenance": replace(PROVENANCE, commit="main")}, "commit"),
        ({"provenance": replace(PROVENANCE, modalities=("venous", "arterial"))}, "modalities"),
    ],
)
def test_record_that_contradicts_itself_is_refused(change, sentence):
    with pytest.raises(payload.PayloadRefused, match=sentence):
        replace(answer(), **change)


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        (payload.Estimate((0.5, 0.6, 0.4), (0.4, 0.4, 0.3), (0.7, 0.7, 0.6), 0.2), "rises"),
        (payload.Estimate((1.2, 0.6, 0.4), (0.4, 0.4, 0.3), (1.3, 0.7, 0.6), 0.2), "outside"),
        (payload.Estimate((0.8, 0.6), (0.4, 0.4), (0.9, 0.7), 0.2), "each horizon"),
        (payload.Estimate((0.8, 0.6, 0.4), (0.85, 0.4, 0.3), (0.9, 0.7, 0.6), 0.2), "outside its interval"),
        (replace(estimate(0.5), propensity=1.1), "propensity"),
        (payload.Estimate((float("nan"),) * 3, (0.1,) * 3, (0.9,) * 3, 0.2), "not a probability"),
    ],
)
def test_impossible_curve_is_refused(bad, sentence):
    """PR-01: S(t) in [0, 1], non-increasing, inside its interval."""
    with pytest.raises(payload.PayloadRefused, match=sentence):
        payload.conclude(PROVENANCE, (bad, *[estimate(0.4)] * 3), (0.0,) * 6, margin=0.03, distance=0.0, out_of_distribution=False)


@pytest.mark.parametrize("change", [{"reason": "Traceback: patient 01-0007-42"}, {"recommended": INTENSITY[0]}, {"gains": (0.0,) * 6}])
def test_failure_carries_a_code_and_nothing_else(change):
    """SL-07."""
    with pytest.raises(payload.PayloadRefused):
        replace(failure(), **change)


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"{}", b"[" * 16000, b'{"v":2}', b"\xff", failure().encode() + b" ", failure().encode().replace(b'"v":1', b'"v":2')],
)
def test_foreign_bytes_are_refused(data):
    with pytest.raises(payload.PayloadRefused):
        payload.decode(data)


def test_replay_agrees_within_the_tolerance_and_names_what_differs():
    """UB-03."""
    sealed = answer(0.50, 0.60, 0.55, 0.58)
    assert payload.differences(sealed, answer(0.50, 0.60 + 5e-10, 0.55, 0.58)) == []
    assert payload.differences(sealed, answer(0.50, 0.60 + 2e-9, 0.55, 0.58)) == ["S of TACE differs by 2e-09"]
    found = payload.differences(sealed, answer(0.60, 0.60, 0.55, 0.58))
    assert any("recommended is sealed as TACE and replayed as SURG" in each for each in found)
    assert any("outcome is sealed as answer and replayed as failure" in each for each in payload.differences(sealed, failure()))


def test_masked_strategy_keeps_its_place_in_the_record():
    """PR-03: the mask goes into the payload."""
    masked = (estimate(0.5), estimate(0.8, feasible=False), estimate(0.5), estimate(0.5))
    said = payload.conclude(PROVENANCE, masked, (0.3,) * len(STEPS), margin=0.03, distance=0.0, out_of_distribution=False)
    assert (said.recommended, said.acceptable) == ("TACE_SYS", ("SURG", "SYS", "TACE_SYS"))
