"""The rows of an opening cut and their tags, made from the cohort without any effect: what `opening_result` is given."""

from types import SimpleNamespace

import numpy as np

from analysis.consistency import State, Tag
from predictions.decision import Strategy
from tests.analysis.null_effect import cohort

RULE = {"version": "1", "window_days": 90, "landmark_days": 90, "haic_is_tace": False}
ORDER = (Strategy.SURG, Strategy.TACE, Strategy.SYS, Strategy.TACE_SYS)


def made(seed=3, n=400, centers=4):
    """(rows, tags): two numeric confounders, one with gaps, AFP over orders of magnitude, one in words."""
    d = cohort(seed, n, centers)
    random = np.random.default_rng(seed)
    rows, found = [], {}
    for i in range(n):
        name = f"P{i:04d}"
        recommended = ORDER[d["recommended"][i]]
        given = recommended if d["consistent"][i] else ORDER[(d["recommended"][i] + 1) % 4]
        event, time = int(d["event"][i]), str(int(d["time"][i]))
        rows.append(
            {
                "patient": name, "center": f"{d['center'][i]:02d}", "surgery_date": "2026-01-05", "strategy": str(given),
                "strategy_rule": "1", "rfs_time": time, "rfs_event": str(event), "rfs_reason": "RECURRENCE" if event else "NO_ASSESSMENT",
                "os_time": time, "os_event": "0", "recurrence_time": time, "recurrence_cause": str(event), "window_closed": "2026-04-10",
                "site_reason": "", "known_on": "2026-02-01", "zone": "Asia/Shanghai",
                "alt_checks": " ".join(map(str, range(60 + i % 40, int(time) + 1, 80 + i % 31))),
                "age": f"{55 + 8 * d['x1'][i]:.1f}", "albumin": "" if random.random() < 0.1 else f"{40 + 4 * d['x2'][i]:.1f}",
                "afp": f"{10 ** (2 + d['x3'][i]):.3g}", "mvi": ["M0", "M1", "M2", ""][random.integers(0, 4)],
            }
        )  # fmt: skip
        state = State.CONSISTENT if d["consistent"][i] else State.INCONSISTENT
        steps = ORDER.index(given) - ORDER.index(recommended)
        found[name] = Tag(state, "", 1, recommended, given, state == State.CONSISTENT, steps, "1", "0" * 64)
    return rows, found


def opened(rows):
    """As much of an opening as `opening_result` reads."""
    text = "\n".join([",".join(rows[0]), *(",".join(row.values()) for row in rows)]) + "\n"
    request = {"study": "PRIME-HCC", "cut": "0" * 64, "rule": RULE}
    bundle = SimpleNamespace(request=request, request_digest="0000002a" + "0" * 56, body=lambda _index: {})
    return SimpleNamespace(bundle=bundle, cut=text.encode(), seals=())
