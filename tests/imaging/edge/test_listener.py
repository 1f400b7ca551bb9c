"""The listener's contract over real sockets with stock senders: who is let in, and what each C-STORE is answered (NW-03…NW-05)."""

import json
import os
import re
import shutil
import subprocess
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, JPEGLosslessSV1
from pynetdicom import AE

from imaging.edge import history, peers
from imaging.edge.arrivals import BATCH
from imaging.edge.durable import new_name
from imaging.edge.history import History
from imaging.edge.home import Home
from imaging.edge.spool import Spool, free_bytes
from tests.imaging.edge import wire
from tests.imaging.edge.parts import EdgeProcess, ct, saved, send, until
from tests.imaging.edge.running import Running

Start = Callable[..., EdgeProcess]
needs_dcmtk = pytest.mark.skipif(shutil.which("storescu") is None, reason="dcmtk is not installed")


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    made = Running(tmp_path)
    yield made
    made.listener.stop()


def dcmtk(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)


@needs_dcmtk
def test_stock_echo_and_store_succeed_and_keep_the_bytes(running: Running, tmp_path: Path) -> None:
    path = saved(ct(1), tmp_path / "one.dcm")
    assert dcmtk("echoscu", "-aec", "PRIME", "127.0.0.1", str(running.port)).returncode == 0
    assert dcmtk("storescu", "-aec", "PRIME", "127.0.0.1", str(running.port), str(path)).returncode == 0
    (kept,) = running.files()
    assert kept.stat().st_mode & 0o777 == 0o600
    assert kept.read_bytes().endswith(ct(1).PixelData)
    until(lambda: [row["what"] for row in running.history()] == ["accepted", "ended"] * 2, "the history")
    assert running.history()[-1]["answers"] == {"0x0000": 1}


@needs_dcmtk
@pytest.mark.parametrize(
    ("caller", "called", "words", "code"),
    [
        ("STRANGER", "PRIME", "Calling AE Title Not Recognized", "1/1/3"),
        ("FARAWAY", "PRIME", "Calling AE Title Not Recognized", "1/1/3"),
        ("STORESCU", "ANYTHING", "Called AE Title Not Recognized", "1/1/7"),
    ],
)
def test_strangers_unlisted_addresses_and_wrong_titles_are_turned_away(  # noqa: PLR0917 - fixtures and parameters
    running: Running, tmp_path: Path, caller: str, called: str, words: str, code: str
) -> None:
    """NW-04: listed address and calling AE and called AE; nothing stored, the exact reason in the history."""
    peers.add(tmp_path / "peers.json", ae_title="FARAWAY", addresses=["10.1.2.0/24"])
    path = saved(ct(1), tmp_path / "one.dcm")
    said = dcmtk("storescu", "-aet", caller, "-aec", called, "127.0.0.1", str(running.port), str(path))
    assert said.returncode != 0
    assert words in said.stdout + said.stderr
    assert running.files() == []
    assert running.history()[-1] | {"at": ""} == {
        "at": "",
        "what": "rejected",
        "ip": "127.0.0.1",
        "calling": caller,
        "called": called,
        "reason": code,
    }


def test_peer_that_is_removed_is_turned_away_at_once(running: Running, tmp_path: Path) -> None:
    assert send(running.port, [ct(1)]) == [0]
    peers.remove(tmp_path / "peers.json", ae_title="STORESCU")
    assert send(running.port, [ct(2)]) == []


@pytest.mark.parametrize(("listed", "address", "known"), [
    ("10.1.2.3", "10.1.2.3", True),
    ("10.1.2.3", "10.1.2.4", False),
    ("10.1.2.0/24", "10.1.2.4", True),
    ("10.1.2.3", "::ffff:10.1.2.3", True),
    ("fd00::/8", "fd00::1", True),
    ("fd00::/8", "10.1.2.3", False),
])  # fmt: skip
def test_peer_is_known_by_its_listed_address(tmp_path: Path, listed: str, address: str, known: bool) -> None:
    peers.add(tmp_path / "peers.json", ae_title="PACS", addresses=[listed])
    assert peers.is_known(tmp_path / "peers.json", "PACS", address) is known
    assert not peers.is_known(tmp_path / "peers.json", "pacs", address)


@pytest.mark.parametrize("uid", ["1.2.3/../../../../etc/cron.d/x", "1.2." + "3" * 62, "1.02.3", "1..2", "abc", "1.2.3."])
def test_malformed_instance_uid_is_answered_0117_and_leaves_nothing(running: Running, uid: str) -> None:
    """NW-05: pynetdicom does not check; file names never come from a UID."""
    assert raw_store(running.port, uid) == 0x0117
    assert running.files() == []


def test_wellformed_instance_uid_sent_the_same_raw_way_is_stored(running: Running) -> None:
    assert raw_store(running.port, "1.2.3.4") == 0x0000
    assert len(running.files()) == 1


def raw_store(port: int, uid: str) -> int:
    """The status of a C-STORE whose instance UID libraries would refuse to send."""
    with wire.associated(port) as (link, answers):
        link.sendall(wire.pdata(3, wire.command(1, instance=uid)) + wire.pdata(2, wire.element(0x20, b"PATIENT ", 0x10)))
        status = wire.status(wire.pdu(answers)[1])
        link.sendall(wire.RELEASE)
        assert wire.pdu(answers)[0] == 6
        return status


@pytest.mark.parametrize(("syntax", "accepted"), [
    (JPEGLosslessSV1, True),
    ("1.2.840.10008.1.2.4.57", True),
    ("1.2.840.10008.1.2.4.80", True),
    ("1.2.840.10008.1.2.4.90", True),
    ("1.2.840.10008.1.2.5", True),
    (DeflatedExplicitVRLittleEndian, False),
    (ExplicitVRBigEndian, False),
])  # fmt: skip
def test_transfer_syntaxes_of_hospitals_are_accepted_and_bombs_are_not(running: Running, syntax: str, accepted: bool) -> None:
    ae = AE(ae_title="STORESCU")
    ae.add_requested_context("1.2.840.10008.5.1.4.1.1.2", syntax)
    ae.add_requested_context("1.2.840.10008.5.1.4.1.1.88.67")
    association = ae.associate("127.0.0.1", running.port, ae_title="PRIME")
    assert association.is_established
    assert ("1.2.840.10008.5.1.4.1.1.2" in [context.abstract_syntax for context in association.accepted_contexts]) is accepted
    assert "1.2.840.10008.5.1.4.1.1.88.67" in [context.abstract_syntax for context in association.accepted_contexts]
    association.release()


def test_disk_at_its_reserve_answers_a700_and_recovers_by_itself(running: Running) -> None:
    assert send(running.port, [ct(1)]) == [0]
    running.spool.reserve = 2**60
    assert send(running.port, [ct(2), ct(3)]) == [0xA700, 0xA700]
    assert len(running.files()) == 1
    running.spool.reserve = 0
    assert send(running.port, [ct(2)]) == [0]


@pytest.mark.skipif(os.getuid() != 0 or shutil.which("mount") is None, reason="needs root to mount a small disk")
def test_full_disk_answers_a700_leaves_nothing_and_recovers_by_itself(tmp_path: Path) -> None:
    """ENOSPC of a real file system, without any reserve to warn."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(disk)], check=False).returncode:
        pytest.skip("mounting is not allowed here")
    running = Running(disk)
    try:
        running.spool.reserve = -(2**40)  # so that the write itself meets the full disk
        (disk / "filler").write_bytes(bytes(free_bytes(disk) - 16 * 1024))
        big = ct(1, Rows=128, Columns=128, PixelData=bytes(2 * 128 * 128))
        assert send(running.port, [big]) == [0xA700]
        assert running.files() == []
        (disk / "filler").unlink()
        assert send(running.port, [big]) == [0]
        assert len(running.files()) == 1
    finally:
        running.listener.stop()
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
@pytest.mark.parametrize(("call", "fault", "status"), [
    ("fdatasync", "EIO", 0xA701),
    ("link,linkat", "EIO", 0xA701),
    ("fdatasync", "ENOSPC", 0xA700),
    ("fdatasync", "EDQUOT", 0xA700),
])  # fmt: skip
def test_disk_faults_are_answered_with_their_status(edge_home: Home, start_edge: Start, call: str, fault: str, status: int) -> None:
    """Faults are injected into the real process's system calls; after EIO it takes nothing (no retry after a failed sync)."""
    edge = start_edge(edge_home)
    with traced(edge, "-e", f"inject={call}:error={fault}"):
        assert send(edge.port, [ct(1)]) == [status]
        assert list(edge_home.spool.iterdir()) == []
    assert send(edge.port, [ct(2)]) == ([0] if status == 0xA700 else [])  # turned away with 2/3/2 until it is restarted


@contextmanager
def traced(edge: EdgeProcess, *options: str, out: str = "/dev/null") -> Iterator[None]:
    """Follow a running edge with strace."""
    command = ["strace", "-f", "-yy", "-qq", "-o", out, *options, "-p", str(edge.half("receiving"))]
    strace = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    threads = Path(f"/proc/{edge.half('receiving')}/task")
    until(lambda: all("TracerPid:\t0" not in (one / "status").read_text() for one in threads.iterdir()), "strace is attached")
    yield
    strace.terminate()
    strace.wait(timeout=30)


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_success_is_sent_only_after_file_and_directory_are_synced(edge_home: Home, start_edge: Start, tmp_path: Path) -> None:
    """The durability promise as the kernel saw it, for every name of two batches.

    fsync(directory of the name) → write → fdatasync(file) → link into the spool → the response on the wire; the first name is removed
    only after the spool's own directory was synced.
    """
    edge, arriving = start_edge(edge_home), edge_home.directory / "arriving"
    count, before = 2 * BATCH + 3, set(arriving.iterdir())
    with traced(edge, "-e", "trace=openat,pwrite64,fdatasync,link,linkat,unlink,fsync,sendto", out=str(tmp_path / "trace")):
        assert send(edge.port, [ct(number) for number in range(count)]) == [0] * count
    calls = (tmp_path / "trace").read_text(errors="replace").splitlines()

    def when(call: str, *words: str) -> list[int]:
        return [at for at, line in enumerate(calls) if call in line and all(word in line for word in words)]

    prepared, shown = when("fsync(", f"<{arriving}>"), when("fsync(", f"<{edge_home.spool}>")
    answers = when("sendto(", f"127.0.0.1:{edge.port}->")[1:-1]  # the first accepts, the last releases
    assert len(answers) == count
    for answer, linked in zip(answers, when("link", f"{edge_home.spool}/"), strict=True):
        name = re.search(rf"{arriving}/(\w+)", calls[linked])
        assert name is not None
        made, (synced,) = when("openat(", name[1], "O_CREAT"), when("fdatasync(", name[1])
        written, removed = when("pwrite64(", name[1]), when("unlink(", f"{arriving}/{name[1]}")
        assert arriving / f"{name[1]}.dcm" in before or any(made[0] < at < written[0] for at in prepared)
        assert written[-1] < synced < linked < answer
        assert not removed or any(linked < at < removed[0] for at in shown)


def test_history_survives_a_torn_line(tmp_path: Path) -> None:
    path = tmp_path / "associations.jsonl"
    History(path).add("accepted", ip="127.0.0.1")
    with path.open("a") as file:
        file.write('{"at": "cut sho')
    assert [row["what"] for row in history.tail(path, 5)] == ["accepted"]
    assert json.loads(path.read_text().splitlines()[0])["ip"] == "127.0.0.1"


def test_start_sweeps_what_a_crash_left_half_written(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", reserve=0)
    spool.directory.mkdir()
    (spool.directory / "a.dcm.part").write_bytes(b"half")
    (spool.directory / "b.dcm").write_bytes(b"whole")
    assert spool.sweep() == 1
    assert [path.name for path in spool.directory.iterdir()] == ["b.dcm"]


@pytest.mark.parametrize(("harm", "shown"), [
    (lambda data: data, True),
    (lambda data: data[:-1], False),
    (lambda data: data + b"\0", False),
    (lambda data: data[:-4096] + bytes(4096), False),
    (lambda data: data[:200] + b"\1" + data[201:], False),
    (lambda data: bytes(128) + data[128:], False),
    (lambda data: b"", False),
])  # fmt: skip
def test_start_shows_what_a_power_cut_left_complete_and_nothing_else(tmp_path: Path, harm: Callable[[bytes], bytes], shown: bool) -> None:
    """The name in the spool is lost with the power, or the content: length and CRC-32 of the mark tell which (the CRC by zlib's own)."""
    spool = Spool(tmp_path / "spool", reserve=0)
    spool.directory.mkdir()
    file = spool.begin()
    for piece in (bytes(128) + b"DICM", b"\7" * 9000):
        file.write(piece)
    path = file.keep()
    whole, left = path.read_bytes(), tmp_path / "arriving" / path.name
    assert int.from_bytes(whole[8:16]) == len(whole) == 9132
    assert int.from_bytes(whole[16:20]) == zlib.crc32(b"DICM" + b"\7" * 9000)
    path.unlink()
    left.write_bytes(harm(whole))
    again = Spool(tmp_path / "spool", reserve=0)
    again.sweep()
    assert {path.name: path.read_bytes() for path in again.directory.iterdir()} == ({path.name: whole} if shown else {})
    assert not list((tmp_path / "arriving").iterdir())


def test_names_in_the_spool_are_in_the_order_of_time() -> None:
    """Two files within one tick of the file system's clock: the first that came stays the first version."""
    names = [new_name() for _ in range(1000)]
    assert names == sorted(names)
    assert len(set(names)) == 1000
