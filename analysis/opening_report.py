"""What comes out of an opening: one tag per participant of the cut, the opened predictions, and a report that counts everything.

Source: BL-02, UB-03, TX-05, TX-06. The cut is CSV with at least `COLUMNS`; `known_on` is the first day the treatment was known,
`zone` the center's time zone.
"""

import csv
import io
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from accounts import chain
from accounts.canonical import canonical, number
from analysis import contamination, opening_result, other_rules
from analysis.consistency import Sealed, State, Tag, tag
from analysis.opening import OpenedSeal, Opening
from analysis.opening_bundle import BundleRefused
from analysis.opening_check import recipients
from analysis.strategy import Actual, Rule, SiteReason
from predictions.decision import INTENSITY, STEPS, Strategy
from predictions.payload import HORIZONS
from predictions.sealing import CONFIRMATORY
from predictions.sealing_keys import PrivateKey

_RESULT = b"prime/result/1\0"
COLUMNS = frozenset({"patient", "center", "surgery_date", "strategy", "site_reason", "known_on", "zone"})


def tags(opening: Opening, *, rule: Rule | None = None, prefix: str = "") -> dict[str, Tag]:
    """The tag of every participant of the cut, by study number, in its order.

    `rule` and `prefix` name another rule than the registered one and its columns of the cut (`analysis.other_rules`). A participant
    whose confirmatory seal lies outside the signed scope has none. Raises BundleRefused where the cut cannot be read.
    """
    seals = defaultdict(list)
    for seal in opening.seals:
        if seal.purpose == CONFIRMATORY:
            seals[seal.study_number].append(_sealed(seal))
    on = chain.instant(opening.bundle.request["made_at"]).date()
    rule = rule or Rule(**opening.bundle.request["rule"])
    outside = _outside_scope(opening)
    try:
        return {
            row["patient"]: tag(
                seals[row["patient"]],
                _actual(row, prefix),
                surgery=_date(row["surgery_date"]),
                zone=ZoneInfo(row["zone"]),
                rule=rule,
                on=on,
            )
            for row in _cut(opening.cut)
            if row["patient"] not in outside
        }
    except (ValueError, KeyError) as error:
        raise BundleRefused([f"the cut cannot be read: {error}"]) from None


def files(opening: Opening) -> dict[str, bytes]:
    """`tags.csv`, `predictions.csv`, `report.json` and those of `opening_result`, ready to be written or encrypted to recipients."""
    found = tags(opening)
    return opening_result.files(opening, found, other_tags(opening)) | {
        "tags.csv": _csv({"patient": number, **asdict(each)} for number, each in found.items()),
        "predictions.csv": _csv(_prediction(seal) for seal in opening.seals),
        "report.json": canonical(report(opening, found)) + b"\n",
    }


def other_tags(opening: Opening) -> dict[str, dict[str, Tag]]:
    """The tags under the other rules of the sensitivity analyses, for cuts that hold their columns."""
    held = opening.cut.split(b"\n", 1)[0].decode().split(",")
    other = other_rules.rules(Rule(**opening.bundle.request["rule"]))
    prefixes = {name: f"{other_rules.PREFIX}{name}_" for name in other}
    return {name: tags(opening, rule=rule, prefix=prefixes[name]) for name, rule in other.items() if f"{prefixes[name]}strategy" in held}


def results(opening: Opening) -> dict[str, bytes]:
    """What is written down: `files` in clear, or where the request names recipients one `<name>.enc` for each and nothing in clear."""
    found, named = files(opening), recipients(opening.bundle.request)
    if not named:
        return found
    joined = canonical({name: content.decode() for name, content in found.items()})
    return {f"{name}.enc": key.encrypt(joined, _RESULT) for name, key in named.items()}


def read_result(data: bytes, key: PrivateKey) -> dict[str, bytes]:
    """The files in a recipient's `.enc`. Raises KeyRefused for another recipient's key or changed bytes."""
    return {name: text.encode() for name, text in json.loads(key.decrypt(data, _RESULT)).items()}


def report(opening: Opening, found: dict[str, Tag]) -> dict[str, Any]:
    """The account of the opening: what was asked and by whom, what opened, every mismatch by name, tags by state and reason."""
    bundle = opening.bundle
    kinds = Counter(row.kind for row in bundle.rows)
    return {
        "study": bundle.request["study"],
        "request": {**bundle.request, "seals": len(bundle.request["seals"]), "digest": bundle.request_digest},
        "ledger": {
            "rows": len(bundle.rows),
            "anchors": len(bundle.anchors),
            **{f"{kind}_rows": kinds[kind] for kind in ("cut", "lock", "opening")},
        },
        "seals": {
            "in_scope": len(opening.seals),
            "outcomes": dict(sorted(Counter(seal.payload.outcome for seal in opening.seals if seal.payload).items())),
            "mismatches": [
                f"seal {seal.index} of {seal.study_number} (tier {seal.tier}): {seal.fault}" for seal in opening.seals if seal.fault
            ],
        },
        "tags": dict(sorted(Counter(each.state for each in found.values()).items())),
        "not_evaluable": dict(sorted(Counter(each.reason for each in found.values() if each.reason).items())),
        "outside_scope": sorted(_outside_scope(opening)),
        "contamination": _contamination(opening, found),
    }


def _contamination(opening: Opening, found: dict[str, Tag]) -> dict[str, Any]:
    """What a leak of the recommendations would have left, over every patient with a tag (`analysis.contamination`)."""
    said = {(seal.study_number, seal.tier): seal.payload for seal in opening.seals if seal.purpose == CONFIRMATORY}
    rows = []
    for line in _cut(opening.cut):
        tag_ = found.get(line["patient"])
        payload = said.get((line["patient"], tag_.tier)) if tag_ and tag_.tier is not None else None
        if tag_ and payload and payload.gains and tag_.state in (State.CONSISTENT, State.INCONSISTENT):
            gain = max(value for value, (_, less) in zip(payload.gains, STEPS, strict=True) if less == Strategy.SURG)
            beyond, agreed = line["strategy"] != Strategy.SURG, line["strategy"] == payload.recommended
            rows.append((gain - payload.margin, beyond, agreed, _date(line["surgery_date"]).toordinal()))
    excess, beyond_, agreed_, days = zip(*rows, strict=True) if rows else ((), (), (), ())
    seen = contamination.examine(excess, beyond_, agreed_, days)
    return {
        "patients": seen.n,
        "near_the_threshold": seen.near,
        "suspected": seen.suspected,
        **{name: _estimate(each) for name, each in (("jump", seen.jump), ("trend_per_year", seen.trend))},
        "by_quarter": [{"quarter": quarter, "patients": n, "as_recommended": same} for quarter, n, same in seen.quarters],
    }


def _estimate(one: contamination.Estimate | None) -> dict[str, str] | None:
    return None if one is None else {"value": number(one.value), "error": number(one.error), "z": number(one.z)}


def _outside_scope(opening: Opening) -> set[str]:
    scope = set(opening.bundle.request["seals"])
    unopened = (opening.bundle.body(row.index) for row in opening.bundle.rows if row.kind == "seal" and row.index not in scope)
    return {body["study_number"] for body in unopened if body["purpose"] == CONFIRMATORY}


def _sealed(seal: OpenedSeal) -> Sealed:
    return Sealed(seal.tier, seal.sealed_at, seal.anchored_at, seal.inputs_until, seal.known_to_reader, seal.payload)


def _cut(data: bytes) -> Iterator[dict[str, str]]:
    reader = csv.DictReader(io.StringIO(data.decode()))
    if missing := COLUMNS - set(reader.fieldnames or ()):
        raise BundleRefused(["the cut lacks the columns " + ", ".join(sorted(missing))])
    yield from reader


def _actual(row: dict[str, str], prefix: str = "") -> Actual:
    names = (f"{prefix}strategy", f"{prefix}reason" if prefix else "site_reason", f"{prefix}known_on")
    strategy, reason, known = (row[name] for name in names)
    return Actual(Strategy(strategy) if strategy else None, SiteReason(reason) if reason else None, _date(known) if known else None)


def _prediction(seal: OpenedSeal) -> dict[str, Any]:
    said, columns = seal.payload, [f"{strategy}_{horizon}" for strategy in INTENSITY for horizon in HORIZONS]
    row = {"patient": seal.study_number, "tier": seal.tier, "purpose": seal.purpose, "seal": seal.index, "fault": seal.fault}
    row |= dict.fromkeys(["outcome", "reason", "recommended", "acceptable", *columns], "")
    if said:
        row |= {
            "outcome": said.outcome,
            "reason": said.reason,
            "acceptable": " ".join(said.acceptable),
            "recommended": said.recommended or "",
        }
    if said and said.estimates:
        row |= dict(zip(columns, (repr(value) for each in said.estimates for value in each.survival), strict=True))
    return row


def _csv(rows: Iterable[dict[str, Any]]) -> bytes:
    listed = list(rows)
    written = io.StringIO()
    writer = csv.DictWriter(written, list(listed[0]) if listed else ["patient"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(listed)
    return written.getvalue().encode()


def _date(text: str) -> date:
    return date.fromisoformat(text)
