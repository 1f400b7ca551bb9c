"""Import of folders, ZIP files and discs: one result per file, by the listener's door, and nothing that a name or an archive can do."""

import struct
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from imaging.edge import file_meta, folder, state
from imaging.edge.folder import NotImportable, Result
from imaging.edge.home import Home
from imaging.edge.intake import Intake
from imaging.edge.sandbox import Sandbox
from imaging.edge.spool import Spool, SpoolFull
from tests.imaging.edge.parts import ct, rows, saved
from tests.paths import SHARED

REAL = SHARED / "data" / "04_dicom"


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    (tmp_path / "spool").mkdir()
    return Spool(tmp_path / "spool", reserve=0)


@pytest.fixture
def settle(edge_home: Home) -> Iterator[Intake]:
    """The edge's own intake over its own spool."""
    sandbox = Sandbox()
    with closing(state.connect(edge_home.database)) as connection:
        yield Intake(edge_home, connection, sandbox)
    sandbox.close()


def results(source: Path, spool: Spool) -> dict[str, Result]:
    return {result.file: result for result in folder.take_in(source, spool)}


def test_every_real_file_is_received_discarded_by_rule_or_held_with_a_reason(edge_home: Home, settle: Intake) -> None:
    if not REAL.is_dir():
        pytest.skip(f"no real images: {REAL} is absent")
    found = results(REAL, Spool(edge_home.spool, reserve=0))
    assert found.keys() == {str(path.relative_to(REAL)) for path in REAL.rglob("*") if path.is_file()}
    assert {result.became for result in found.values()} <= {"taken", "passed"}
    passed = {name for name, result in found.items() if result.why == "not-dicom"}
    assert {name.rsplit(".", 1)[-1] for name in passed} <= {"json", "md", "nrrd", "txt", "jpeg", "icc", "seg", "dump", "dcm"}
    while settle.step():
        pass
    placed = {name for table in ("object", "resend", "discard") for (name,) in rows(edge_home, f"SELECT name FROM {table}")}
    assert placed == {result.name for result in found.values() if result.became == "taken"}
    reasons = Counter(dict(rows(edge_home, "SELECT reason, count(*) FROM object WHERE state = 'quarantined' GROUP BY 1")))
    waiting = {path.name for path in edge_home.spool.iterdir()}
    assert waiting == {name for (name,) in rows(edge_home, "SELECT name FROM object WHERE state = 'waiting'")}
    assert waiting
    assert reasons.total() == len(list(edge_home.quarantine.iterdir()))


def test_a_disc_is_read_by_its_directory(spool: Spool) -> None:
    disc = REAL / "pydicom" / "test_files" / "dicomdirtests" / "DICOMDIR"
    if not disc.is_file():
        pytest.skip(f"no real disc: {disc} is absent")
    found = results(disc, spool)
    assert len(found) == 31  # dcmdump +P 0004,1500: 31 image records
    assert {result.became for result in found.values()} == {"taken"}


@pytest.mark.parametrize("parts", [("..", "etc"), ("a/b",), (".",), ("/etc",), ("x",) * 9, ("a\\b",), ("missing",), ("link",)])
def test_a_directory_cannot_lead_out_of_its_disc(tmp_path: Path, parts: tuple[str, ...]) -> None:
    (tmp_path / "disc").mkdir()
    (tmp_path / "etc").write_text("secret")
    (tmp_path / "disc" / "link").symlink_to(tmp_path / "etc")
    assert folder.directory_file.locate(tmp_path / "disc", parts) is None


def test_a_listed_file_is_found_in_the_case_and_version_of_the_disc(tmp_path: Path) -> None:
    (tmp_path / "dicom").mkdir()
    image = saved(ct(1), tmp_path / "dicom" / "i0001;1")
    assert folder.directory_file.locate(tmp_path, ("DICOM", "I0001")) == image


def test_links_are_not_followed(tmp_path: Path, spool: Spool) -> None:
    (tmp_path / "disc" / "sub").mkdir(parents=True)
    outside = saved(ct(1), tmp_path / "outside.dcm")
    (tmp_path / "disc" / "link.dcm").symlink_to(outside)
    (tmp_path / "disc" / "out").symlink_to(tmp_path)
    found = results(tmp_path / "disc", spool)
    assert {name: (result.became, result.why) for name, result in found.items()} == {
        "link.dcm": ("refused", "link"), "out": ("refused", "link"),
    }  # fmt: skip
    assert not list(spool.directory.iterdir())


def test_names_in_an_archive_are_shown_and_never_used(tmp_path: Path, spool: Spool) -> None:
    image = saved(ct(1), tmp_path / "image").read_bytes()
    with zipfile.ZipFile(tmp_path / "disc.zip", "w") as archive:
        for name in ("../../escape.dcm", "/etc/escape.dcm", "a\n\x1b[31m.dcm"):
            archive.writestr(name, image)
        archive.writestr("inner.zip", b"PK\3\4" + bytes(100))
        archive.writestr("read.me", "words")
    found = list(folder.take_in(tmp_path / "disc.zip", spool))
    assert [result.became for result in found] == ["taken"] * 3 + ["passed"] * 2
    assert all(result.file.isprintable() for result in found)
    assert {path.name for path in spool.directory.iterdir()} == {result.name for result in found[:3]}
    assert not list(tmp_path.rglob("escape*"))
    assert (spool.directory / found[0].name).read_bytes().endswith(image[file_meta.read(image).start :])  # type: ignore[union-attr]


def test_an_archive_that_would_unpack_to_far_more_is_refused_whole(tmp_path: Path, spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "FREE_BYTES", 2**20)
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.dcm", bytes(128) + b"DICM" + bytes(50 * 2**20))
    with pytest.raises(NotImportable, match="refused whole"):
        list(folder.take_in(tmp_path / "bomb.zip", spool))
    assert not list(spool.directory.iterdir())


def test_an_archive_that_lies_about_a_size_or_is_cut_costs_that_file_only(tmp_path: Path, spool: Spool) -> None:
    image = saved(ct(1), tmp_path / "image").read_bytes() + bytes(300_000)
    with zipfile.ZipFile(tmp_path / "disc.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.dcm", image)
        archive.writestr("b.dcm", image)
    whole = bytearray((tmp_path / "disc.zip").read_bytes())
    central = whole.index(b"PK\1\2")
    struct.pack_into("<I", whole, central + 24, len(image) - 1000)  # the first entry announces less than it holds
    (tmp_path / "lie.zip").write_bytes(whole)
    found = results(tmp_path / "lie.zip", spool)
    assert [(result.became, result.why) for result in found.values()] == [("refused", "damaged"), ("taken", "")]
    assert [path.name for path in spool.directory.iterdir()] == [found["b.dcm"].name]


def test_a_file_without_a_header_is_held_for_a_person(tmp_path: Path, edge_home: Home, settle: Intake) -> None:
    whole = saved(ct(1), tmp_path / "image").read_bytes()
    start = file_meta.read(whole).start  # type: ignore[union-attr]
    (tmp_path / "disc").mkdir()
    (tmp_path / "disc" / "bare").write_bytes(whole[start:])
    (tmp_path / "disc" / "cut").write_bytes(whole[:200])
    (tmp_path / "disc" / "empty").write_bytes(b"")
    found = results(tmp_path / "disc", Spool(edge_home.spool, reserve=0))
    assert [found[name].became for name in ("bare", "cut", "empty")] == ["taken", "taken", "passed"]
    settle.step()
    assert sorted(rows(edge_home, "SELECT state, reason FROM object")) == [("quarantined", "sop-mismatch"), ("quarantined", "unparseable")]


def test_a_full_disk_stops_the_import_and_keeps_what_was_taken(tmp_path: Path) -> None:
    (tmp_path / "spool").mkdir()
    (tmp_path / "disc").mkdir()
    saved(ct(1), tmp_path / "disc" / "a")
    with pytest.raises(SpoolFull):
        list(folder.take_in(tmp_path / "disc", Spool(tmp_path / "spool", reserve=2**62)))
    assert not list((tmp_path / "spool").iterdir())


def test_what_is_no_source_is_one_sentence(tmp_path: Path, spool: Spool) -> None:
    (tmp_path / "words").write_text("words")
    for source in (tmp_path / "nothing", tmp_path / "words"):
        with pytest.raises(NotImportable):
            list(folder.take_in(source, spool))
