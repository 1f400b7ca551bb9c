"""De-identification of files and folders by hand: the same rules as the edge's, no spool, no database.

The report names inputs by the SHA-256 of their bytes, because file names may hold names of people.
"""

import argparse
import hashlib
import json
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom import dcmread
from pydicom.misc import is_dicom

from imaging.edge import deidentify, keys, objections, opening, pseudonyms, study_number
from imaging.edge.durable import write_durably
from imaging.edge.examination import examine, local_ids
from imaging.edge.home import SOFTWARE
from imaging.edge.opening import DONE, FAULT, NO
from imaging.edge.rules import RULES_SHA256
from imaging.edge.sandbox import Sandbox, SandboxFault


@dataclass(frozen=True)
class Outcome:
    """What became of one file: `verdict` is done, discard or quarantine; `out` the name written, `sop_uid` pseudonymous."""

    verdict: str
    reason: str = ""
    out: str = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command on a parser."""
    parser.add_argument("input", type=Path, metavar="IN", help="a DICOM file or a folder of them")
    parser.add_argument("output", type=Path, metavar="OUT", help="a file for a file, else a folder: SERIES_UID/SOP_UID.dcm")
    parser.add_argument("--center", required=True, help="the center's code, two digits")
    parser.add_argument("--key", type=Path, help="the center's key file (default: that of its edge on this machine)")
    parser.add_argument("--study-number", help="whose images these are (default: a keyed code per local id)")
    parser.add_argument("--report", type=Path, help="write what became of each file as JSON")


def run(options: argparse.Namespace) -> int:
    """De-identify; 0 when everything was done, 1 when something was held back, 2 for a fault."""
    try:
        number = study_number.check(options.study_number) if options.study_number else None
        key = keys.read_key(options.key or opening.state_directory() / "edge" / options.center / "keys" / "center.key")
        if len(key) != keys.CENTER_KEY_BYTES:
            raise keys.KeyFault("A center key has 32 bytes.")
        outcomes = _all(options.input, options.output, key, options.center, number)
        if options.report:
            options.report.write_text(json.dumps(_report(options.center, outcomes), indent=1) + "\n", encoding="utf-8")
    except (keys.KeyFault, ValueError, OSError) as error:
        print(f"deidentify: {error}", file=sys.stderr)
        return FAULT
    counts = Counter(outcome.verdict for _, outcome in outcomes)
    print(f"{counts['done']} de-identified, {counts['quarantine']} held back, {counts['discard']} not used by the study")
    print(f"已去标识化 {counts['done']}，暂扣 {counts['quarantine']}，本研究不使用 {counts['discard']}")
    for path, outcome in outcomes:
        if outcome.verdict == "quarantine":
            print(f"held back / 暂扣 ({outcome.reason}): {path}", file=sys.stderr)
    return NO if counts["quarantine"] else DONE


def clean(source: Path, out: Path, key: bytes, center: str, number: str | None) -> Outcome:
    """De-identify one file into `out` (a folder, or a new file). Runs in the sandbox."""
    if out.is_dir() and not is_dicom(source):
        return Outcome("discard", "not-dicom")
    found = examine(source)
    if found.verdict != "instance":
        return Outcome(found.verdict, found.reason)
    image = dcmread(source)
    subject = number or pseudonyms.keyed_subject(key, center, local_ids(image)[0][1])
    try:
        made = deidentify.deidentify(image, key=key, subject=subject, software=SOFTWARE)
    except objections.Refused as reason:
        return Outcome("quarantine", str(reason))
    path = out / made.series_uid / f"{made.sop_uid}.dcm" if out.is_dir() else out
    path.parent.mkdir(parents=True, exist_ok=True)
    write_durably(path, [made.data])
    return Outcome("done", out=str(path.relative_to(out)) if path != out else path.name)


def _all(source: Path, out: Path, key: bytes, center: str, number: str | None) -> list[tuple[Path, Outcome]]:
    if not source.exists():
        raise ValueError(f"There is no {source}.")
    if source.is_dir():
        out.mkdir(parents=True, exist_ok=True)
    files = sorted(path for path in source.rglob("*") if path.is_file()) if source.is_dir() else [source]
    sandbox = Sandbox()
    try:
        return [(path, _one(sandbox, (path, out, key, center, number))) for path in files]
    finally:
        sandbox.close()


def _one(sandbox: Sandbox, arguments: tuple[Path, Path, bytes, str, str | None]) -> Outcome:
    try:
        return sandbox.run(clean, *arguments)
    except SandboxFault:
        return Outcome("quarantine", "not-cleaned")


def _report(center: str, outcomes: list[tuple[Path, Outcome]]) -> dict[str, Any]:
    rows = [{"sha256": _digest(path), "verdict": one.verdict, "reason": one.reason, "out": one.out} for path, one in outcomes]
    counts = Counter(one.verdict for _, one in outcomes)
    return {"v": 1, "center": center, "software": SOFTWARE, "rules_sha256": RULES_SHA256, "counts": dict(counts), "files": rows}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
