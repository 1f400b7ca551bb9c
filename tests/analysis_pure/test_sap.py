"""The plan's sensitivity analyses: both ratios or none, what each varies, and bounds that say "not robust" (AN-21, TX-08, blinding §8)."""

from dataclasses import replace

import numpy as np
import pytest

from analysis import sap
from analysis.consistency import State
from analysis.result_frame import consistent_of, frame_of
from analysis.weighting import compare_naive_and_adjusted
from tests.analysis_pure import result_rows

NAMES = ("age", "albumin", "afp", "mvi")


@pytest.fixture(autouse=True)
def few_replicates(monkeypatch):
    monkeypatch.setattr(sap, "REPLICATES", 3)


def setting(rows, tags):
    return sap.Setting(rows, tags, NAMES, 90.0, 700.0, 3)


def left_out(rows, tags, share=0.03):
    """The targeted exclusion: of those treated as recommended, who had an event after the landmark is declared not evaluable."""
    chosen = [
        row["patient"] for row in rows if consistent_of(tags[row["patient"]]) and row["rfs_event"] == "1" and float(row["rfs_time"]) > 90
    ][: round(share * len(rows))]
    gone = {name: replace(tags[name], state=State.NOT_EVALUABLE, reason="TREATMENT_INCOMPLETE", acceptable=None) for name in chosen}
    return tags | gone


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_three_percent_left_out_on_purpose_are_not_robust(seed, monkeypatch):
    """Nothing helps anybody; the bounds hold 1 whatever the primary analysis then says. An interval takes enough resamples."""
    monkeypatch.setattr(sap, "REPLICATES", 200)
    rows, tags = result_rows.made(seed, n=600)
    found = sap.bounds(setting(rows, left_out(rows, tags)))
    assert found.left_out == 18
    assert found.crossing
    assert found.worst.adjusted[0] > found.best.adjusted[0]


def test_a_strong_effect_with_nobody_left_out_is_robust():
    """The bounds are then the comparison itself, and lie on one side."""
    rows, tags = result_rows.made(4, n=600)
    longer = [
        row | {"rfs_time": str(int(4 * float(row["rfs_time"])) if consistent_of(tags[row["patient"]]) else row["rfs_time"])} for row in rows
    ]
    found = sap.bounds(setting(longer, tags))
    assert (found.left_out, found.crossing) == (0, False)
    assert found.worst == replace(found.best, code="worst")


def test_abstentions_and_who_left_before_the_landmark_are_not_bounded():
    rows, tags = result_rows.made(5, n=200)
    late = [row["patient"] for row in rows if float(row["rfs_time"]) > 90]
    for name, reason in zip(late, ("ABSTAIN", "RECUR_BEFORE_L", "NO_SEAL"), strict=False):
        tags[name] = replace(tags[name], state=State.NOT_EVALUABLE, reason=reason)
    del tags[late[3]]
    assert sap.bounds(setting(rows, tags)).left_out == 2


def test_every_analysis_has_both_ratios_or_a_sentence():
    rows, tags = result_rows.made(6, n=200)
    for row in rows:
        row |= {f"alt_{name}_{part}": row[f"rfs_{part}"] for name in ("earliest", "missed") for part in ("time", "event")}
    found = list(sap.sensitivities(setting(rows, tags), {"haic": tags, "w120": tags}))
    codes = [one.code for one in found]
    assert codes[:3] == ["landmark", "landmark", "window"]
    assert {"clone_censor_weight", "tag_set", "haic_is_tace", "earliest", "missed", "overall_survival"} <= set(codes)
    assert codes.count("without_center") == 4
    for one in found:
        assert (one.naive is None) == (one.adjusted is None) == bool(one.refused), one


def test_a_center_is_left_out_as_if_it_had_never_been():
    rows, tags = result_rows.made(7, n=300)
    [found] = [one for one in sap.sensitivities(setting(rows, tags), {}) if (one.code, one.detail) == ("without_center", "02")]
    kept = [row for row in rows if row["center"] != "02"]
    frame = frame_of(kept, tags, NAMES)
    known = compare_naive_and_adjusted(
        frame, confounders=[name for name in frame if name.startswith("x_")], seed=3, replicates=3, landmark_day=90, horizon_day=700
    )
    assert found.adjusted == pytest.approx((known.adjusted.hazard_ratio.value, *_limits(known.adjusted)))
    assert found.naive == pytest.approx((known.naive.hazard_ratio.value, *_limits(known.naive)))


def _limits(row):
    return row.hazard_ratio.lower, row.hazard_ratio.upper


def test_gaps_are_drawn_and_the_naive_ratio_does_not_move():
    """Albumin has gaps; nothing is drawn where none has, and the sentence says so."""
    rows, tags = result_rows.made(11, n=300)
    found = {one.code: one for one in sap.sensitivities(setting(rows, tags), {})}
    plain = found["between_centers"]
    assert found["imputed"].naive[0] == pytest.approx(plain.naive[0])
    assert found["imputed"].adjusted[0] == pytest.approx(plain.adjusted[0], rel=0.2) and found["imputed"].adjusted != plain.adjusted
    whole = [row | {"albumin": row["albumin"] or "40"} for row in rows]
    [refused] = [one for one in sap.sensitivities(setting(whole, tags), {}) if one.code == "imputed"]
    assert refused.refused == "no numeric confounder has a gap, so nothing is drawn"


def test_crossover_ends_follow_up_without_an_event():
    rows, tags = result_rows.made(8, n=300)
    crossing = [row | {"alt_crossover": "200" if place % 2 else ""} for place, row in enumerate(rows)]
    [found] = [one for one in sap.sensitivities(setting(crossing, tags), {}) if one.code == "crossover"]
    late = [place for place, row in enumerate(rows) if float(row["rfs_time"]) > 90]
    kept = sum(int(rows[place]["rfs_event"]) for place in late if not place % 2 or float(rows[place]["rfs_time"]) <= 200)
    assert sum(found.events) == kept < sum(int(rows[place]["rfs_event"]) for place in late)


def test_early_events_count_for_both_arms_of_the_clones():
    rows, tags = result_rows.made(9, n=300)
    for row in rows:
        if float(row["rfs_time"]) <= 90:
            tags[row["patient"]] = replace(tags[row["patient"]], state=State.NOT_EVALUABLE, reason="RECUR_BEFORE_L")
    [found] = [one for one in sap.sensitivities(setting(rows, tags), {}) if one.code == "clone_censor_weight"]
    assert sum(found.n) == sum(float(row["rfs_time"]) > 90 for row in rows)
    assert np.isfinite(found.adjusted).all() and found.adjusted[1] < 1 < found.adjusted[2]
