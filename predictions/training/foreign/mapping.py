"""A published table in its own words as a training table, by a mapping file that states every unit, code and rule (docs/models.md §3).

What is dropped or converted comes back as sentences, and stands in the report. Pure.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from predictions.training.foreign import mrecist
from predictions.training.table import TableRefused

FOLDER = Path(__file__).parent / "mappings"
NAMES = tuple(sorted(path.stem for path in FOLDER.glob("*.yaml")))
DAYS = {"days": 1.0, "weeks": 7.0, "months": 30.4375, "years": 365.25}

Read = tuple[pd.DataFrame, str, list[str]]


def read(path: Path, name_or_path: str) -> Read:
    """The training table, the SHA-256 of sources and mapping, and what was done in sentences. Raises TableRefused."""
    place = FOLDER / f"{name_or_path}.yaml" if name_or_path in NAMES else Path(name_or_path)
    try:
        data = place.read_bytes()
        plan = yaml.safe_load(data)
        raw, sources = _joined(path, plan)
        frame, said = _table(raw, plan)
    except (OSError, yaml.YAMLError) as fault:
        raise TableRefused(f"{place.name}: {fault}") from None
    except KeyError as fault:
        raise TableRefused(f"{path.name} does not fit the mapping {place.stem}: {fault} is missing") from None
    return frame, hashlib.sha256(b"".join([data, *sources])).hexdigest(), said


def _joined(path: Path, plan: Mapping[str, Any]) -> tuple[pd.DataFrame, list[bytes]]:
    raw, sources = _file(path, plan), [path.read_bytes()]
    for each in plan.get("join", []):
        other = path.parent / each["file"]
        right = _file(other, plan)
        if each.get("keep"):
            right = right[each["keep"]]
        right = right.rename(columns={name: each.get("prefix", "") + name for name in right.columns if name not in each["on"].values()})
        raw = raw.merge(right, left_on=list(each["on"]), right_on=list(each["on"].values()), how=each.get("how", "left"))
        sources.append(other.read_bytes())
    return raw, sources


def _file(path: Path, plan: Mapping[str, Any]) -> pd.DataFrame:
    text = plan.get("text", {})
    return pd.read_csv(path, dtype=str, keep_default_na=False, sep=text.get("separator", ","), comment=text.get("comment"))


def _table(raw: pd.DataFrame, plan: Mapping[str, Any]) -> tuple[pd.DataFrame, list[str]]:
    missing, said = plan.get("missing", [""]), list(plan.get("notes", []))
    raw = raw.mask(raw.isin(missing))
    for rule in plan.get("keep", []):
        kept = _kept(raw, rule)
        if dropped := int((~kept).sum()):
            said.append(f"{dropped} rows are left out: {rule['why']}")
        raw = raw[kept]
    columns: dict[str, Any] = {"patient": raw[plan["patient"]]}
    columns["center"] = plan["center"]["constant"] if isinstance(plan["center"], dict) else raw[plan["center"]]
    for name in ("lesion", "split"):
        if name in plan:
            columns[name] = raw[plan[name]]
    if "time" in plan:
        factor = DAYS[plan["time"]["unit"]]
        columns["time"] = pd.to_numeric(raw[plan["time"]["column"]]) * factor
        columns["event"] = _coded(raw, plan["event"])
        if factor != 1:
            said.append(f"{plan['time']['column']} is in {plan['time']['unit']}: times {factor:g} it is days")
    if "strategy" in plan:
        given = raw[plan["strategy"]["columns"]].agg(" ".join, axis=1)
        columns["strategy"] = given.map(plan["strategy"]["codes"])
    if "response" in plan:
        columns["response"] = _response(raw, plan["response"])
    for name, rule in plan["features"].items():
        columns[name] = _coded(raw, rule)
    for rule in plan.get("prefixes", []):
        chosen = [name for name in raw.columns if name.startswith(rule["prefix"])]
        columns |= {rule["modality"] + "_" + name.removeprefix(rule.get("strip", "")): pd.to_numeric(raw[name]) for name in chosen}
    frame = pd.DataFrame(columns).reset_index(drop=True)
    if "response" in plan:
        unread = frame["response"].isna()
        if unread.any() and "time" not in plan:
            said.append(f"{int(unread.sum())} rows are left out: the readers give no response")
            frame = frame[~unread]
    return frame.reset_index(drop=True), said


def _kept(raw: pd.DataFrame, rule: Mapping[str, Any]) -> Any:
    values = raw[rule["column"]]
    if "in" in rule:
        return values.isin(list(map(str, rule["in"])))
    if "known" in rule:
        return values.notna()
    low, high = rule["between"]
    inside = pd.to_numeric(values).between(float("-inf") if low is None else low, float("inf") if high is None else high)
    return inside | (values.isna() & bool(rule.get("unknown_stays", False)))


def _coded(raw: pd.DataFrame, rule: Any) -> Any:
    if isinstance(rule, str):
        return pd.to_numeric(raw[rule])
    values = raw[rule["column"]]
    codes = {str(key): value for key, value in rule["codes"].items()}
    if unknown := sorted(set(values.dropna()) - set(codes)):
        raise TableRefused(f"{rule['column']} holds {unknown[0]!r}, which the mapping does not know")
    return values.map(codes).astype(float)


def _response(raw: pd.DataFrame, rule: Mapping[str, Any]) -> Any:
    """1 for CR or PR, 0 for SD or PD, missing where the readers and the adjudicator give no category."""
    readings = []
    for reader in rule["readers"]:
        baseline, now = pd.to_numeric(raw[reader["baseline"]]), pd.to_numeric(raw[reader["follow_up"]])
        readings.append([mrecist.category(one, two) for one, two in zip(baseline, now, strict=True)])
    found = [mrecist.agreed(each) for each in zip(*readings, strict=True)]
    known = [None if each is mrecist.Category.NE else float(each in mrecist.RESPONSE) for each in found]
    return pd.Series(known, index=raw.index, dtype=float)
