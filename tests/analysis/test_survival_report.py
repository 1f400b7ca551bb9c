"""Whatever a small file holds, the report is finite JSON or a sentence: never a crash, a NaN or a warning of numpy (AN-00)."""

import json

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.endpoint_notes import notes
from analysis.survival import survival_report
from analysis.survival_case import Plan
from analysis.survival_table import Sample
from analysis.survival_text import lines


@st.composite
def tiny_samples(draw: st.DrawFn) -> Sample:
    """1 to 12 rows, days or months, any mixture of ties, arms, strata, weights of 0 to 2 and causes."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.integers(1, 12))
    time = random.integers(0, draw(st.integers(1, 8)) + 1, n) / draw(st.sampled_from([1.0, 30.4375]))
    cause = random.integers(0, 3, n) if draw(st.booleans()) else None
    event = random.random(n) < random.random() if cause is None else cause == 1
    arm = random.integers(0, draw(st.integers(1, 3)), n).astype(str) if draw(st.booleans()) else None
    strata = random.integers(0, 3, n).astype(str) if draw(st.booleans()) else None
    weights = random.integers(0, 3, n).astype(float) if draw(st.integers(0, 4)) == 0 else None
    return Sample(time, event, arm, strata, weights, cause, 0)


@given(tiny_samples(), st.sampled_from([None, 0.0, 1.0]), st.sampled_from([None, 2.0]), st.sampled_from([(), (1.0, 3.0)]))
@settings(max_examples=300, deadline=None)
def test_any_small_sample_gives_finite_json_or_a_sentence(
    sample: Sample, landmark: float | None, horizon: float | None, at: tuple[float, ...]
) -> None:
    try:
        report = survival_report(sample, Plan("arm", None, landmark, horizon, at))
    except ValueError as refusal:
        assert "nobody was observed" in str(refusal) or "all weights are zero" in str(refusal)
        return
    json.dumps(report, allow_nan=False)
    assert all(isinstance(line, str) for line in lines(report, str))


def test_events_are_held_against_overall_survival() -> None:
    """EP-10: 2 of 3 deaths without an event; a follow-up for the event beyond death; a death with a missing time is left out."""
    sentences = list(notes([5, 9, 4, 7, 3], [1, 0, 0, 1, 0], [8, 9, 6, 6, np.nan], [1, 1, 1, 0, 1]))
    assert [sentence.split(" ", 1)[0] for sentence in sentences] == ["1", "2"]
    [one] = notes([5, 9], [1, 1], [8, 9], [0, 1])
    assert one.startswith("no death without recurrence exists: each of 1 deaths has an event of its own, 1 of them at the same time")
    assert not list(notes([5, 9], [1, 0], [8, 9], [0, 0]))
