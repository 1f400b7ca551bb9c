"""Packages on a disk or in a folder between two machines: out with a signed note beside each, receipts back by the same way.

Nothing but the way differs: the bytes, the checks and the receipts are those of the network. Putting out, carrying and reading back may
be repeated and broken off at any time. A folder holds `<id>.package`, `<id>.note.json` and, on the way back, `<id>.receipt.json`.
"""

import errno
import hashlib
import json
import logging
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from imaging.edge import acts, clock, envelope, forward, packing, state
from imaging.edge.durable import sync_directory
from imaging.edge.exchange import Line, begin
from imaging.edge.forward import PackageNotTaken
from imaging.edge.home import Home

log = logging.getLogger(__name__)
PACKAGE, NOTE, RECEIPT = ".package", ".note.json", ".receipt.json"
MOST_NOTE = 65_536
_PIECE = 2**20
WAIT_SECONDS, LONGEST = 2.0, 60.0


class CarriageFault(Exception):
    """The disk or folder cannot be used as asked; the sentence, of the catalogue, says what to do."""


@dataclass(frozen=True)
class Carried:
    """What became of one package or receipt: `became` is put out, there already, archived, stored, refused, or not believed."""

    id: str
    seq: int
    study_number: str
    became: str


def put_out(home: Home, connection: sqlite3.Connection, directory: Path, *, by: str, at: datetime) -> list[Carried]:
    """Copy every package that has no final receipt to `directory`, durably, and write down that it left."""
    checked(home, directory)
    rows = connection.execute("SELECT * FROM package WHERE state IN ('sealed', 'stored') ORDER BY seq").fetchall()
    done = []
    for row in rows:
        note = envelope.carry_note(
            private_key=home.gateway_key, gateway=home.settings["gateway"], package=row["id"], sha256=row["sha256"], at=at
        )
        try:
            new = _copied(packing.path_of(home, row["seq"]), directory / f"{row['id']}{PACKAGE}", row["sha256"])
            write_beside(directory / f"{row['id']}{NOTE}", json.dumps(note).encode())
        except OSError as error:
            if not packing.path_of(home, row["seq"]).exists():
                continue  # its receipt came meanwhile
            raise CarriageFault(_fault(error)) from None
        if new:
            with state.change(connection):
                acts.write(connection, "carried-out", f"{row['seq']} {row['id']}", by=by, at=at, why=str(directory))
        done.append(Carried(row["id"], row["seq"], row["study_number"], "put out" if new else "there already"))
    return done


def take_back(home: Home, connection: sqlite3.Connection, directory: Path, *, by: str, at: datetime) -> list[Carried]:
    """Do what the receipts in `directory` say; of an archived package the copy there is removed, too."""
    checked(home, directory, writable=False)
    done = []
    for path in sorted(directory.glob(f"*{RECEIPT}")):
        identity = path.name.removesuffix(RECEIPT)
        row = connection.execute("SELECT * FROM package WHERE id = ?", (identity,)).fetchone()
        if row is None:
            continue  # of another edge
        became = "archived"
        if row["state"] != "archived":
            try:
                became = forward.settle(home, connection, row, read_small(path))
            except PackageNotTaken:
                became = "not believed"
            else:
                with state.change(connection):
                    acts.write(connection, "receipt-read", f"{row['seq']} {identity}", reason=became, by=by, at=at, why=str(directory))
        if became == "archived":
            _remove(directory, identity)
        done.append(Carried(identity, row["seq"], row["study_number"], became))
    return done


def carry(directory: Path, url: str, proxy: str = "") -> Iterator[tuple[str, str]]:
    """Bring the packages of a folder to the platform and their receipts into the folder; on a machine that has no key of the edge.

    Yields each package's id and what became of it. Raises PlatformUnreachable when nobody answers.
    """
    line = Line(url, proxy)
    for path in sorted(directory.glob(f"*{NOTE}")):
        identity, note = path.name.removesuffix(NOTE), read_small(path)
        if not isinstance(note, dict) or not envelope.is_package_id(identity) or _final(directory, identity):
            continue
        headers = {str(name): str(value) for name, value in note.items()} | {envelope.CARRIED_HEADER: "1"}
        yield identity, _carry(line, directory, identity, headers)


def _carry(line: Line, directory: Path, identity: str, headers: dict[str, str]) -> str:
    receipt, package = envelope.RECEIPT_PATH.format(id=identity), directory / f"{identity}{PACKAGE}"
    answer = line.ask("GET", receipt, headers)
    if answer.status == 404 and package.exists():
        start = begin(line.ask("GET", envelope.PACKAGE_PATH.format(id=identity), headers), package.stat().st_size)
        answer = line.send(envelope.PACKAGE_PATH.format(id=identity), headers, package, start)
    if answer.status not in (200, 201):
        return f"http-{answer.status}"
    write_beside(directory / f"{identity}{RECEIPT}", json.dumps(answer.said).encode())
    return _state(answer.said)


class FolderForwarder:
    """In place of `forward.Forwarder` where a folder is the only way out: puts packages there and reads receipts back."""

    def __init__(self, home: Home, connection: sqlite3.Connection, directory: Path) -> None:
        self.home, self.connection, self.directory = home, connection, directory
        self.wait, self.fault = WAIT_SECONDS, ""

    def step(self) -> int:
        """One round; how many packages were archived."""
        try:
            back = take_back(self.home, self.connection, self.directory, by="edge", at=clock.now())
            put_out(self.home, self.connection, self.directory, by="edge", at=clock.now())
        except CarriageFault:
            if not self.fault:
                log.warning("the exchange folder cannot be used")
            self.fault, self.wait = "folder", min(self.wait * 2, LONGEST)
            return 0
        self.fault, self.wait = "", WAIT_SECONDS
        return sum(one.became == "archived" for one in back)


def checked(home: Home, directory: Path, *, writable: bool = True) -> Path:
    """The directory, when packages may be put there; CarriageFault otherwise."""
    if not directory.is_absolute() or not directory.is_dir():
        raise CarriageFault("There is no such folder on this machine; write its whole path.")
    if directory.resolve().is_relative_to(home.directory.resolve()):
        raise CarriageFault("This folder belongs to the edge itself; choose the disk's.")
    if writable and not os.access(directory, os.W_OK | os.X_OK):
        raise CarriageFault("The folder cannot be written to; is the disk locked?")
    return directory


def read_small(path: Path) -> Any:
    """The JSON of a small file from outside; None for what is none."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            return json.loads(file.read(MOST_NOTE))
    except (OSError, ValueError, RecursionError):
        return None


def _final(directory: Path, identity: str) -> bool:
    return _state(read_small(directory / f"{identity}{RECEIPT}")) in ("archived", "refused")


def _state(said: Any) -> str:
    """What a receipt says it is; nobody relies on it but the edge, which verifies."""
    receipt = said.get("receipt") if isinstance(said, dict) else None
    return str(receipt.get("state", "")) if isinstance(receipt, dict) else ""


def _copied(source: Path, target: Path, sha256: str) -> bool:
    """Whether the file had to be copied; one that is there is compared byte by byte, by its digest."""
    if target.is_file() and not target.is_symlink() and _digest(target) == sha256:
        return False
    part = target.with_name(target.name + ".part")
    part.unlink(missing_ok=True)
    try:
        with source.open("rb") as file, part.open("xb") as copy:
            while piece := file.read(_PIECE):
                copy.write(piece)
            copy.flush()
            os.fsync(copy.fileno())
        part.replace(target)
        sync_directory(target.parent)
    except OSError:
        part.unlink(missing_ok=True)
        raise
    return True


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_beside(path: Path, data: bytes) -> None:
    """Write a small file durably under its name, replacing an older one."""
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    with part.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def _remove(directory: Path, identity: str) -> None:
    for kind in (PACKAGE, NOTE):
        try:
            (directory / f"{identity}{kind}").unlink(missing_ok=True)
        except OSError:
            return  # a disk that is read-only keeps its copies; nothing depends on them


def _fault(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "The disk is full; take what is on it to the platform, or use another one."
    return "The disk could not be written to; check it and try again."
