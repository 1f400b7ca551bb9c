"""What the opened predictions turn out to be worth: how true they came under the strategy received, and what following them would gain.

Source: E-PRED, E-CAUSAL-2, AN-09, AN-16, AN-17. Inside the opening, beside the comparison: of whom it compares, beyond the landmark. Pure.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from accounts.canonical import number
from analysis import foretold, policy_value
from analysis.consistency import Tag
from analysis.opening import OpenedSeal, Opening
from analysis.reading import LastWindow, until_closed
from analysis.result_frame import Cells, frame_of
from analysis.survival_times import codes
from analysis.weighting import Estimate, design
from followup.outcomes import DAYS_PER_MONTH
from predictions.decision import INTENSITY
from predictions.payload import HORIZONS, Payload
from predictions.sealing import CONFIRMATORY


def said_of(opening: Opening) -> dict[tuple[str, int], Payload]:
    """The confirmatory records that count, by study number and tier."""
    counted: list[OpenedSeal] = [seal for seal in opening.seals if seal.purpose == CONFIRMATORY and seal.payload is not None]
    return {(seal.study_number, seal.tier): seal.payload for seal in counted if seal.payload is not None}


def worth(
    opening: Opening, rows: Sequence[Cells], found: Mapping[str, Tag], names: Sequence[str], *, landmark: float, horizon: float, seed: int,
    window: LastWindow | None = None,
) -> dict[str, Any]:  # fmt: skip
    """`foretold` and `policy` as values of canonical JSON; `rows` are those with a tag that counts, `horizon` counts from the landmark.

    Who was free in the last `window` (days from surgery) counts until its end, as where curves are read (F4).
    """
    said = said_of(opening)
    beyond = [row for row in rows if float(row["rfs_time"]) > landmark]
    answered = [(row, said.get((row["patient"], found[row["patient"]].tier or 0))) for row in beyond]
    told = [(row, payload) for row, payload in answered if payload is not None and payload.estimates is not None]
    policy = _policy(beyond, frame_of(beyond, found, names), landmark=landmark, horizon=horizon, seed=seed, window=window)
    return {"foretold": _foretold(told, landmark, window), "policy": policy}


def _foretold(told: Sequence[tuple[Cells, Payload]], landmark: float, window: LastWindow | None) -> list[dict[str, Any]]:
    """Every group's performance; empty where no counted prediction came with estimates."""
    if not told:
        return []
    received = [row["strategy"] for row, _payload in told]
    places = [[str(each) for each in INTENSITY].index(name) for name in received]
    survival = np.array([(payload.estimates or ())[place].survival for (_row, payload), place in zip(told, places, strict=True)])
    event = np.array([row["rfs_event"] == "1" for row, _payload in told])
    time = until_closed([float(row["rfs_time"]) for row, _payload in told], event, window) - landmark
    days = np.array(HORIZONS) * DAYS_PER_MONTH - landmark
    groups = foretold.performances(time, event, survival, received, months=HORIZONS, days=days)
    return [_performance(one) for one in groups]


def _performance(one: foretold.Performance) -> dict[str, Any]:
    return {
        "strategy": one.strategy,
        "n": one.n,
        "events": one.events,
        "concordance": _estimate(one.concordance),
        "slope": _estimate(one.slope),
        "months": [
            {
                "month": each.month,
                "foretold": number(each.foretold),
                "observed": _estimate(each.observed),
                "ratio": _estimate(each.ratio),
                "scaled_brier": number(each.scaled_brier),
            }
            for each in one.months
        ],
        "fifths": [{"n": each.n, "foretold": number(each.foretold), "observed": _estimate(each.observed)} for each in one.fifths],
    }


def _policy(
    rows: Sequence[Cells], frame: Mapping[str, Any], *, landmark: float, horizon: float, seed: int, window: LastWindow | None
) -> dict[str, Any]:
    """The value of the recommendation, or the sentence why it cannot be judged."""
    order = {str(strategy): place for place, strategy in enumerate(INTENSITY)}
    try:
        _titles, matrix = design(frame, [name for name in frame if name.startswith("x_")])
        data = policy_value.Treated(
            time=until_closed(frame["time"], frame["event"], window) - landmark,
            event=frame["event"] == 1,
            center=codes(frame["center"], len(rows), "the center"),
            received=np.array([order[row["strategy"]] for row in rows], dtype=np.int64),
            recommended=np.array([order[name] for name in frame["recommended"]], dtype=np.int64),
            confounders=matrix,
        )
        value = policy_value.policy_value(data, strategies=len(INTENSITY), horizon=horizon, seed=seed)
    except (ValueError, np.linalg.LinAlgError) as refusal:
        return {"refused": str(refusal)}
    return {
        "refused": "",
        "n": value.n,
        "horizon": number(value.horizon),
        "recommended": _estimate(value.recommended),
        "observed": _estimate(value.observed),
        "fixed": {str(strategy): _estimate(value.fixed[place]) for place, strategy in enumerate(INTENSITY)},
        "best": str(INTENSITY[value.best]),
        "gain_over_observed": _estimate(value.gain_over_observed),
        "gain_over_best": _estimate(value.gain_over_best),
        "permuted_p": number(value.permuted_p),
        "truncated": value.truncated,
    }


def _estimate(one: Estimate) -> list[str]:
    return [number(one.value), number(one.lower), number(one.upper)]
