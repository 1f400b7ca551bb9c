"""Every number of the reference data against ours: which agree to how many digits, which we do not give, and why.

Closed forms must agree to ten digits, what is found by iteration to eight (AN-00). The reference data are no part of this project.
"""

import csv
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from analysis.kaplan_meier import kaplan_meier
from analysis.reference_numbers import every_row
from analysis.reference_studies import Colon, agreement, classic, liver, liver_table, read_table

COLON, LIVER, CLASSIC, AGREEMENT = "A_colon_adjuvant_rfs", "C_hepatoCellular_resection", "E_classic", "I_icc_delong"
COLON_CURVE, LIVER_CURVE = "A_colon_km_rfs_full", "C_hepatoCellular_km_rfs_full"

CLOSED, ITERATIVE = 1e-10, 1e-8
ASKED = frozenset({"data", "strata", "time", "times", "term", "curve", "_row", "contrast", "cause", "pair", "model", "type", "published"})
"""What names a number or says what R was asked; no result."""
NOTES = frozenset({"tt_note"})
_ITERATED = ("cox", "fine_gray", "cause_specific", "zph", "risk_score", "median_split/cut")

UNSUPPORTED = {
    f"{COLON}/cox_rfs_exact/*": "the exact partial likelihood for discrete times is not offered: Efron is registered",
    f"{COLON}/competing/fine_gray_rec/*": "cmprsk::crr stops its own iteration at the sixth digit; finegray + coxph is the reference",
    f"{COLON}/competing/fine_gray_rec_adj/*": "cmprsk::crr stops its own iteration at the sixth digit; finegray + coxph is the reference",
    f"{COLON}/competing/fine_gray_via_finegray_coxph/n": "R counts its weighted rows; only those with an event of interest are made here",
    f"{COLON}/competing/fine_gray_via_finegray_coxph/*": "R was asked for errors by weighted row; here they are by person",
    f"{AGREEMENT}/icc_shrout_fleiss/*": "readers are random and single in this study: ICC(2,1) is given, the other five are not",
}
"""Pattern of a key → why no number of ours stands against it. At most one key in twenty may be here."""


@dataclass(frozen=True)
class Key:
    """One number of R: `apart` is the relative difference to ours, None where we give none."""

    name: str
    expected: float | None
    apart: float | None
    limit: float

    @property
    def file(self) -> str:
        return self.name.partition("/")[0]

    @property
    def agrees(self) -> bool:
        return self.apart is not None and self.apart <= self.limit

    @property
    def excused(self) -> str | None:
        """Why we give no number, where that is known."""
        if self.apart is not None:
            return None
        return next((reason for pattern, reason in UNSUPPORTED.items() if fnmatch(self.name, pattern)), None)


@dataclass(frozen=True)
class Check:
    keys: tuple[Key, ...]

    @property
    def agreeing(self) -> int:
        return sum(key.agrees for key in self.keys)

    @property
    def excused(self) -> dict[str, int]:
        """How many keys we do not give, by reason."""
        counts: dict[str, int] = {}
        for key in self.keys:
            if key.excused:
                counts[key.excused] = counts.get(key.excused, 0) + 1
        return counts

    @property
    def wrong(self) -> tuple[Key, ...]:
        """Keys that differ, and keys that are neither given nor excused."""
        return tuple(key for key in self.keys if not key.agrees and not key.excused)

    def digits(self, limit: float) -> float:
        """The fewest digits to which any agreeing key of that class agrees, 15 being all that R's files hold."""
        worst = max((key.apart or 0.0 for key in self.keys if key.agrees and key.limit == limit), default=0.0)
        return 15.0 if worst < 1e-15 else -math.log10(worst)


def check(expected: Path) -> Check:
    """Compare all files of the folder `expected`; the tables lie beside it. Raises OSError where one is missing."""
    tables_in = expected.parent
    known = {name: json.loads((expected / f"{name}.json").read_text()) for name in (COLON, LIVER, CLASSIC, AGREEMENT)}
    curves = {name: _rows(expected / f"{name}.csv") for name in (COLON_CURVE, LIVER_CURVE)}
    colon, resected = Colon(tables_in, known[COLON]), read_table(liver_table(tables_in))
    everybody = kaplan_meier(resected["RFS"], resected["Recurrence"])
    ours = {
        COLON: colon.numbers(),
        LIVER: liver(tables_in, known[LIVER]),
        CLASSIC: classic(tables_in, known[CLASSIC]),
        AGREEMENT: agreement(tables_in, known[AGREEMENT]),
        COLON_CURVE: colon.whole_curve(curves[COLON_CURVE]),
        LIVER_CURVE: every_row(curves[LIVER_CURVE], lambda _all: everybody),
    }
    return Check(tuple(key for name, value in {**known, **curves}.items() for key in _walk(name, value, ours[name])))


def lines(found: Check) -> Iterator[str]:
    """The report as text: what does not agree, what is not given and why, the digits, each file, and "N of M keys" last."""
    for key in found.wrong:
        yield f"  differs: {key.name} {key.expected} ({'not given' if key.apart is None else f'relative {key.apart:.1e}'})"
    for reason, n in found.excused.items():
        yield f"  not given, {n} keys: {reason}"
    yield f"  fewest digits: closed forms {found.digits(CLOSED):.1f}, iterative {found.digits(ITERATIVE):.1f}"
    for name in dict.fromkeys(key.file for key in found.keys):
        mine = [key.agrees for key in found.keys if key.file == name]
        yield f"  {name}: {sum(mine)} of {len(mine)}"
    yield f"{found.agreeing} of {len(found.keys)} keys"


def _walk(name: str, expected: Any, ours: Any) -> Iterator[Key]:
    if isinstance(expected, dict):
        for key, value in expected.items():
            if key not in ASKED | NOTES:
                yield from _walk(f"{name}/{key}", value, ours.get(key) if isinstance(ours, dict) else None)
    elif isinstance(expected, list):
        for place, value in enumerate(expected):
            mine = ours[place] if isinstance(ours, list) and place < len(ours) else None
            yield from _walk(f"{name}/{place}", value, mine)
    else:
        yield Key(name, expected, _apart(expected, ours), ITERATIVE if any(part in name for part in _ITERATED) else CLOSED)


def _apart(expected: Any, ours: Any) -> float | None:
    """The relative difference; not estimable here and NA in R are the same."""
    if ours is None:
        return None
    mine, theirs = float(ours), float("nan") if expected is None else float(expected)
    if math.isnan(mine) or math.isnan(theirs):
        return 0.0 if math.isnan(mine) and math.isnan(theirs) else math.inf
    return abs(mine - theirs) / max(abs(theirs), 1e-6) if theirs or abs(mine) > 1e-13 else 0.0


def _rows(path: Path) -> list[dict[str, Any]]:
    with path.open(newline="") as file:
        return [{key: _cell(value) for key, value in row.items()} for row in csv.DictReader(file)]


def _cell(text: str) -> Any:
    if text == "NA":
        return None
    try:
        return float(text)
    except ValueError:
        return text
