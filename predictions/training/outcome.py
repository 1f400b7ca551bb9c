"""What a training leaves behind and prints: `model.json`, `report.json`, the card, and a few lines for the person at the terminal."""

import hashlib
import json
import math
from functools import cache
from pathlib import Path
from typing import Any

from predictions.training.card.page import page
from predictions.training.card.words import LANGUAGES

PACKAGE = Path(__file__).parent


def whole(artefact: bytes, report: dict[str, Any]) -> dict[str, Any]:
    """A report with the hashes of model, program and environment before it."""
    return {"model_sha256": hashlib.sha256(artefact).hexdigest(), **program(), **report}


def leave(out: Path, artefact: bytes, report: dict[str, Any]) -> dict[str, Any]:
    """Write model, report and cards; return the whole report."""
    said = whole(artefact, report)
    out.mkdir(parents=True, exist_ok=True)
    (out / "model.json").write_bytes(artefact)
    (out / "report.json").write_text(as_json(said, indent=1), encoding="utf-8")
    for language in LANGUAGES:
        (out / f"card.{language}.html").write_text(page(_finite(said), language), encoding="utf-8")
        (out / f"card.public.{language}.html").write_text(page(_finite(said), language, public=True), encoding="utf-8")
    return said


def sha256_of(out: Path) -> str:
    """The hash of the model that lies in a directory."""
    return hashlib.sha256((out / "model.json").read_bytes()).hexdigest()


@cache
def program() -> dict[str, str]:
    """What ran: the SHA-256 of the training package and of the locked environment, as they were when this process first asked."""
    sources = b"".join(path.read_bytes() for path in sorted(PACKAGE.rglob("*")) if path.suffix in {".py", ".yaml", ".json"})
    lock = PACKAGE.parents[1] / "requirements.lock"
    environment = hashlib.sha256(lock.read_bytes()).hexdigest() if lock.exists() else ""
    return {"program_sha256": hashlib.sha256(sources).hexdigest(), "environment_sha256": environment}


def as_json(report: dict[str, Any], indent: int | None = None) -> str:
    """Strict JSON: what is no number is null."""
    return json.dumps(_finite(report), ensure_ascii=False, indent=indent, allow_nan=False)


def in_words(report: dict[str, Any]) -> str:
    """The headline of a report."""
    held_out = report["held_out"]
    name, what = ("auc", "AUC") if "auc" in held_out else ("c_index", "C")
    lines = [f"model {report['model_sha256'][:16]} from {report['n']} patients with {report['events']} events"]
    lines.append(f"{what} held out {_interval(held_out[name])}; apparent {_interval(report['apparent'][name])}, never to be reported alone")
    if report.get("external") and name in report["external"]:
        lines.append(f"{what} external {_interval(report['external'][name])}")
    kept = report["selected_features"]
    count = len(kept) if isinstance(kept, list) else sum(map(len, kept.values()))
    lines.append(f"features kept: {count}")
    if "dropped_before_landmark" in report:
        lines.append(f"rows dropped before the landmark: {report['dropped_before_landmark']}")
    lines += optimism_in_words(report.get("optimism", []))
    return "\n".join([*lines, *(f"! {each}" for each in report["warnings"])])


def optimism_in_words(rows: list[dict[str, Any]]) -> list[str]:
    """What each shortcut would have added, one line each."""
    return [
        f"shortcut {row['shortcut']}: {row['measure']} {row['with']:.3f} instead of {row['without']:.3f} ({row['added']:+.3f})"
        for row in rows
    ]


def counts_in_words(counts: dict[str, Any]) -> str:
    """Patients and events by strategy, and what was said on the way."""
    lines = [
        f"{name:10} {arm['n']:6} patients {arm['events']:6} events  {arm.get('verdict', '')}".rstrip()
        for name, arm in counts["arms"].items()
    ]
    return "\n".join([*lines, *counts.get("notes", [])])


def _interval(value: dict[str, float | None]) -> str:
    if value["lower"] is None or value["upper"] is None:
        return f"{value['estimate']:.3f}"
    return f"{value['estimate']:.3f} ({value['lower']:.3f} to {value['upper']:.3f})"


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return value
