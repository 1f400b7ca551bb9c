"""From matched instances to a sealed package in the outbox. Every step may be interrupted and repeated.

A package is reserved in the database before it is written; interrupted, it is made again with the same number, time and
objects, hence the same id.
"""

import hashlib
import json
import logging
import os
import shutil
import sqlite3
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, cast

from pydicom import dcmread

from imaging.edge import acts, approvals, deidentify, envelope, intake, objections, package, quarantine, state
from imaging.edge.durable import sync_directory
from imaging.edge.home import SOFTWARE, Home
from imaging.edge.manifest import Manifest
from imaging.edge.match import Batch
from imaging.edge.rules import RULES_SHA256
from imaging.edge.sandbox import Sandbox, SandboxFault

log = logging.getLogger(__name__)
MAX_FACT_VALUES = 8


@dataclass(frozen=True)
class CleanedFile:
    """A de-identified object in the work directory, or the reason why it stays (`reason` not empty)."""

    reason: str = ""
    sha256: str = ""
    size: int = 0
    sop_class: str = ""
    sop_uid: str = ""
    series_uid: str = ""
    study_uid: str = ""
    modality: str = ""
    lossy: bool = False
    facts: tuple[tuple[str, str], ...] = ()


def clean_file(source: Path, out: Path, key: bytes, subject: str, accepted: frozenset[str]) -> CleanedFile:
    """De-identify one file of the spool into `out`. Runs in the sandbox."""
    try:
        made = deidentify.deidentify(dcmread(source), key=key, subject=subject, software=SOFTWARE, accepted=accepted)
    except objections.Refused as reason:
        return CleanedFile(reason=str(reason))
    out.write_bytes(made.data)
    return CleanedFile(
        sha256=hashlib.sha256(made.data).hexdigest(),
        size=len(made.data),
        sop_class=made.sop_class,
        sop_uid=made.sop_uid,
        series_uid=made.series_uid,
        study_uid=made.study_uid,
        modality=made.modality,
        lossy=made.lossy,
        facts=tuple(made.facts.items()),
    )


class Packer:
    """Makes packages, one at a time. Used by one thread only."""

    def __init__(self, home: Home, connection: sqlite3.Connection, sandbox: Sandbox) -> None:
        self.home, self.connection, self.sandbox = home, connection, sandbox
        self.settings = home.settings
        self.work = home.outbox / "work"

    def resume(self) -> None:
        """Finish what a crash interrupted, and clear what it left behind."""
        for part in self.home.outbox.glob("*.part"):
            part.unlink()
        for row in self.connection.execute("SELECT seq, study_number FROM package WHERE state = 'making'").fetchall():
            names = [item["name"] for item in self.connection.execute("SELECT name FROM object WHERE package = ?", (row["seq"],))]
            self._seal(row["seq"], self._clean(names, row["study_number"]))
        over = f"SELECT p.seq FROM package p WHERE p.state = 'archived' OR (p.state = 'refused' AND {acts.REPACKED})"  # noqa: S608
        for row in self.connection.execute(over).fetchall():
            path_of(self.home, row["seq"]).unlink(missing_ok=True)

    def pack(self, batch: Batch, *, at: datetime) -> int | None:
        """Put one batch into a package; its number, or None when no approval holds, or every instance went to quarantine."""
        approval = approvals.current(self.connection, self.settings, on=at.astimezone().date())
        cleaned = self._clean(batch.names, batch.study_number) if approval is not None else {}
        if not cleaned or approval is None:
            return None
        with state.change(self.connection):
            insert = "INSERT INTO package (state, study_number, made_at) VALUES ('making', ?, ?)"
            seq = cast(int, self.connection.execute(insert, (batch.study_number, envelope.instant(at))).lastrowid)
            self._describe(seq, approval, cleaned)
            self.connection.execute(
                "UPDATE object SET state = 'packing', package = ? WHERE name IN (SELECT value FROM json_each(?))",
                (seq, json.dumps(list(cleaned))),
            )
        self._seal(seq, cleaned)
        return seq

    def _describe(self, seq: int, approval: str, cleaned: dict[str, CleanedFile]) -> None:
        """Write down what a package is about; made again after a crash it has the approval that it was begun with."""
        series = {one.series_uid for one in cleaned.values()}
        modalities = " ".join(sorted({one.modality for one in cleaned.values()}))
        self.connection.execute(
            "INSERT OR REPLACE INTO content (seq, approval, images, series, modalities) VALUES (?, ?, ?, ?, ?)",
            (seq, approval, len(cleaned), len(series), modalities),
        )

    def _approval(self, seq: int) -> str:
        row = self.connection.execute("SELECT approval FROM content WHERE seq = ?", (seq,)).fetchone()
        return str(self.settings["approval"] if row is None else row["approval"])

    def _clean(self, names: list[str], subject: str) -> dict[str, CleanedFile]:
        """De-identify into the work directory; what may not leave goes to quarantine. Returns what is left, by spool name."""
        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir(mode=0o700)
        key, cleaned = self.home.center_key, {}
        intake.bring_back(self.home, self.connection)  # what was released since it was last done is in this batch already
        for name in names:
            try:
                accepted = quarantine.accepted(self.connection, name)
                made = self.sandbox.run(clean_file, self.home.spool / name, self.work / name, key, subject, accepted)
            except SandboxFault as fault:
                log.warning("an instance was quarantined: its de-identification ended with %s", fault)
                made = CleanedFile(reason="not-cleaned")
            if made.reason:
                with state.change(self.connection):
                    intake.quarantine(self.connection, [name], made.reason)
            else:
                cleaned[name] = made
        return cleaned

    def _seal(self, seq: int, cleaned: dict[str, CleanedFile]) -> None:
        if not cleaned:
            with state.change(self.connection):
                self.connection.execute("DELETE FROM package WHERE seq = ?", (seq,))
                self.connection.execute("DELETE FROM content WHERE seq = ?", (seq,))
            return
        row = self.connection.execute("SELECT * FROM package WHERE seq = ?", (seq,)).fetchone()
        manifest = self._manifest(row, list(cleaned.values()))
        files = {made.sha256: self.work / name for name, made in cleaned.items()}
        identity, digest, size = self._write(path_of(self.home, seq), manifest, files)
        with state.change(self.connection):
            self.connection.execute(
                "UPDATE package SET state = 'sealed', id = ?, sha256 = ?, size = ? WHERE seq = ?", (identity, digest, size, seq)
            )
            self.connection.execute("UPDATE object SET state = 'packed' WHERE package = ?", (seq,))
        shutil.rmtree(self.work)
        log.info("package %d sealed: %d objects", seq, len(cleaned))

    def _write(self, path: Path, manifest: Manifest, files: dict[str, Path]) -> tuple[str, str, int]:
        part = path.with_suffix(".part")
        with part.open("xb") as file:
            out = _Hashing(file)
            identity = package.seal_package(
                manifest=manifest,
                objects=files,
                signing_key=self.home.gateway_key,
                package_key=self.home.platform.package,
                out=cast(BinaryIO, out),
            )
            file.flush()
            os.fsync(file.fileno())
        part.rename(path)
        sync_directory(path.parent)
        return identity, out.hashed.hexdigest(), out.size

    def _manifest(self, row: sqlite3.Row, made: list[CleanedFile]) -> Manifest:
        ordered = sorted(made, key=lambda one: one.sop_uid)
        return {
            "v": 1,
            "study": self.home.platform.study,
            "center": self.settings["center"],
            "gateway": self.settings["gateway"],
            "software": SOFTWARE,
            "seq": row["seq"],
            "made_at": row["made_at"],
            "study_number": row["study_number"],
            "approval": self._approval(row["seq"]),
            "rules_sha256": RULES_SHA256,
            "series": [_series(uid, ordered) for uid in sorted({one.series_uid for one in made})],
            "objects": [
                {"sha256": one.sha256, "size": one.size, "sop_class": one.sop_class, "sop_uid": one.sop_uid, "series_uid": one.series_uid}
                for one in ordered
            ],
        }


def path_of(home: Home, seq: int) -> Path:
    """Where a sealed package lies until the platform archived it."""
    return home.outbox / f"{seq:08d}.package"


def _series(uid: str, made: list[CleanedFile]) -> dict[str, Any]:
    """What the manifest says about a series: `facts` has per DICOM keyword the de-identified values that occur, at most 8."""
    own = [one for one in made if one.series_uid == uid]
    values: dict[str, set[str]] = {}
    for one in own:
        for keyword, value in one.facts:
            values.setdefault(keyword, set()).add(value)
    facts = {keyword: _few(sorted(found)) for keyword, found in sorted(values.items())}
    lossy = any(one.lossy for one in own)
    return {"uid": uid, "study_uid": own[0].study_uid, "modality": own[0].modality, "count": len(own), "lossy": lossy, "facts": facts}


def _few(values: list[str]) -> list[str]:
    return values if len(values) <= MAX_FACT_VALUES else [*values[: MAX_FACT_VALUES - 1], values[-1]]


class _Hashing:
    """A file that knows the SHA-256 and the size of what was written to it."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.hashed, self.size = file, hashlib.sha256(), 0

    def write(self, data: bytes) -> int:
        self.hashed.update(data)
        self.size += len(data)
        return self.file.write(data)
