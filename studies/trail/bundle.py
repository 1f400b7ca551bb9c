"""The file of a whole audit trail: a ZIP of JSON lines and one CSV, with a manifest of rows and SHA-256 per file (AU-03). Pure.

Written from front to back in one pass, whatever its size; `verify` needs nothing but the file.
"""

import hashlib
import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

from studies.exchange import safe_csv

MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class Listed:
    """One file of the bundle as the manifest names it."""

    name: str
    rows: int
    sha256: str


class Writer:
    """Writes one bundle into `file`."""

    def __init__(self, file: IO[bytes]) -> None:
        self.archive = zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=6)
        self.listed: list[Listed] = []

    def json_lines(self, name: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Add a file with one JSON object a line, keys in order, UTF-8."""
        texts = (json.dumps(row, ensure_ascii=False, sort_keys=True, separators=(",", ":")) + "\n" for row in rows)
        self._lines(name, (text.encode() for text in texts), head=0)

    def table(self, name: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Add a CSV with a byte order mark, so that Excel reads it as UTF-8; no cell can run as a formula (SE-05)."""
        self._lines(name, safe_csv.lines(columns, rows), head=2)  # the mark and the names of the columns

    def _lines(self, name: str, lines: Iterable[bytes], *, head: int) -> None:
        digest, count = hashlib.sha256(), -head
        with self.archive.open(name, "w", force_zip64=True) as file:
            for line in lines:
                digest.update(line)
                file.write(line)
                count += 1
        self.listed.append(Listed(name, count, digest.hexdigest()))

    def close(self, about: Mapping[str, Any]) -> str:
        """Add the manifest and end the file; the manifest's SHA-256, which stands for all of it."""
        files = [{"name": one.name, "rows": one.rows, "sha256": one.sha256} for one in self.listed]
        text = json.dumps({**about, "files": files}, ensure_ascii=False, sort_keys=True, indent=1).encode()
        self.archive.writestr(zipfile.ZipInfo(MANIFEST), text, zipfile.ZIP_DEFLATED)  # dated 1980, as the others are
        self.archive.close()
        return hashlib.sha256(text).hexdigest()


def verify(file: IO[bytes], manifest_sha256: str = "") -> list[str]:
    """Everything that is not as the manifest says, a sentence each; `manifest_sha256` is what the platform recorded, where known."""
    try:
        with zipfile.ZipFile(file) as archive:
            text = archive.read(MANIFEST)
            manifest = json.loads(text)
            faults = [] if manifest_sha256 in ("", hashlib.sha256(text).hexdigest()) else ["the manifest is not the one that was recorded"]
            return faults + list(_faults(archive, manifest))
    except (zipfile.BadZipFile, KeyError, ValueError, EOFError) as error:
        return [f"this is no complete export of a trail: {error}"]


def _faults(archive: zipfile.ZipFile, manifest: Mapping[str, Any]) -> Iterator[str]:
    listed = {one["name"]: one for one in manifest["files"]}
    present = set(archive.namelist()) - {MANIFEST}
    yield from (f"{name} is missing" for name in sorted(listed.keys() - present))
    yield from (f"{name} is not in the manifest" for name in sorted(present - listed.keys()))
    for name in sorted(present & listed.keys()):
        digest, lines = hashlib.sha256(), 0
        try:
            with archive.open(name) as opened:
                for chunk in iter(lambda: opened.read(2**16), b""):
                    digest.update(chunk)
                    lines += chunk.count(b"\n")
        except zipfile.BadZipFile:
            yield f"{name} is damaged"
            continue
        if digest.hexdigest() != listed[name]["sha256"]:
            yield f"{name} is not what was exported"
        elif name.endswith(".jsonl") and lines != listed[name]["rows"]:
            yield f"{name} has {lines} rows, the manifest says {listed[name]['rows']}"
