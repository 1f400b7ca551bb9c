"""All real files of the shared data, by folder import and by C-STORE: each archived, discarded by rule or held with a reason (done 6)."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from imaging.edge import file_meta, links, state, study_number
from imaging.edge.dicom.negotiation import TRANSFER_SYNTAXES
from imaging.edge.folder import DIRECTORY_CLASS
from imaging.edge.home import Home
from tests.imaging.edge import wire
from tests.imaging.edge.parts import REPOSITORY, EdgeProcess, Platform, link, rows, until
from tests.paths import SHARED

REAL = SHARED / "data" / "04_dicom"
PIECE = 16_000
ON_WAY = "SELECT count(*) FROM object WHERE state IN ('waiting', 'packing', 'packed')"
EVERY = (
    "SELECT 'object', state, coalesce(reason, '') FROM object UNION ALL SELECT 'discard', '', rule FROM discard"
    " UNION ALL SELECT 'resend', '', '' FROM resend"
)


def images() -> dict[Path, file_meta.FileMeta]:
    """Every file with a usable header that is no directory, with its header."""
    found = {path: file_meta.read(path.read_bytes()[: file_meta.HEAD]) for path in sorted(REAL.rglob("*")) if path.is_file()}
    return {path: meta for path, meta in found.items() if meta is not None and meta.sop_class != DIRECTORY_CLASS}


def by_wire(edge: EdgeProcess, files: dict[Path, file_meta.FileMeta]) -> int:
    """Send files as they lie on the disk, byte for byte; how many were answered with success."""
    return sum(stored(edge.port, path.read_bytes()[meta.start :], meta) == 0 for path, meta in files.items())


def stored(port: int, dataset: bytes, meta: file_meta.FileMeta) -> int:
    with wire.associated(port, abstract=meta.sop_class, syntax=meta.transfer_syntax) as (link, answers):
        link.sendall(wire.pdata(3, wire.command(1, instance=meta.sop_instance, sop_class=meta.sop_class)))
        for at in range(0, len(dataset), PIECE):
            link.sendall(wire.pdata(2 if at + PIECE >= len(dataset) else 0, dataset[at : at + PIECE]))
        status = wire.status(wire.pdu(answers)[1])
        link.sendall(wire.RELEASE)
        assert wire.pdu(answers)[0] == 6
        return status


def by_folder(edge: EdgeProcess, files: dict[Path, file_meta.FileMeta], folder: Path) -> int:
    """Import the same files as a folder; how many were taken."""
    folder.mkdir()
    for number, path in enumerate(files):
        (folder / f"{number:04}.dcm").write_bytes(path.read_bytes())
    command = [sys.executable, "-m", "imaging.edge", "import", str(folder), "--dir", str(edge.home.directory), "--json"]
    said = json.loads(subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout)
    return int(said["taken"])


def settled(home: Home) -> Counter[tuple[str, str, str]]:
    """Link every patient that waits to a study number of his own until nothing is on its way; what became of all."""
    numbers = iter(range(20, 400))

    def done() -> bool:
        with closing(state.connect(home.database)) as connection:
            unknown = {(row["issuer"], row["local_id"]) for row in links.waiting(connection)}  # a row for each modality
        for issuer, local_id in sorted(unknown):
            link(home, study_number.make("01", next(numbers)), local_id, issuer=issuer)
        return not unknown and not list(home.spool.glob("*.dcm")) and rows(home, ON_WAY) == [(0,)]

    until(done, "everything archived, discarded or held", 300)
    return Counter(rows(home, EVERY))


@pytest.mark.soak
@pytest.mark.parametrize("way", ["wire", "folder"])
def test_every_real_file_has_a_fate(
    edge_home: Home, platform: Platform, start_edge: Callable[..., EdgeProcess], tmp_path: Path, way: str
) -> None:
    """Both ways end alike: nothing waits, nothing is on its way, each instance has exactly one row, what is archived is at the platform."""
    if not REAL.is_dir():
        pytest.skip(f"no real images: {REAL} is absent")
    files = images()
    refused = {path for path, meta in files.items() if meta.transfer_syntax not in TRANSFER_SYNTAXES}
    edge = start_edge(edge_home)
    sent = {path: meta for path, meta in files.items() if path not in refused}
    taken = by_wire(edge, sent) if way == "wire" else by_folder(edge, files, tmp_path / "folder")
    assert taken == len(sent if way == "wire" else files)
    until(lambda: sum(Counter(rows(edge_home, EVERY)).values()) == taken, "every instance has a row", 300)
    fates = settled(edge_home)
    print(way, taken, "of", len(files), "refused at negotiation:", len(refused) if way == "wire" else 0, sorted(fates.items()))
    assert fates.total() == taken
    assert {what[1] for what in fates if what[0] == "object"} <= {"archived", "quarantined"}
    assert all(reason for what, state_, reason in fates if state_ == "quarantined" or what == "discard")
    assert len(platform.objects()) == fates["object", "archived", ""]
    assert edge.stop() == 0
