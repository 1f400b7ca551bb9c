"""The listener's contract over real sockets with stock senders: who is let in, and what each C-STORE is answered (NW-03…NW-05)."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, JPEGLosslessSV1
from pynetdicom import AE

from imaging.edge import history, peers
from imaging.edge.history import History
from imaging.edge.home import Home
from imaging.edge.spool import Spool, new_name
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
    (tmp_path / "spool").mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(tmp_path / "spool")], check=False).returncode:
        pytest.skip("mounting is not allowed here")
    running = Running(tmp_path)
    try:
        (tmp_path / "spool" / "filler").write_bytes(bytes(240 * 1024))
        big = ct(1, Rows=128, Columns=128, PixelData=bytes(2 * 128 * 128))
        running.spool.reserve = -(2**40)  # so that the write itself meets the full disk
        assert send(running.port, [big]) == [0xA700]
        assert [path.name for path in running.files()] == ["filler"]
        (tmp_path / "spool" / "filler").unlink()
        assert send(running.port, [big]) == [0]
    finally:
        running.listener.stop()
        subprocess.run(["umount", str(tmp_path / "spool")], check=True)


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
@pytest.mark.parametrize(("call", "fault", "status"), [
    ("fdatasync", "EIO", 0xA701),
    ("rename", "EIO", 0xA701),
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
    """The durability promise as the kernel saw it: fdatasync(file) → rename → fsync(directory) → the response on the wire."""
    edge = start_edge(edge_home)
    with traced(edge, "-e", "trace=fdatasync,rename,fsync,sendto", out=str(tmp_path / "trace")):
        assert send(edge.port, [ct(1)]) == [0]
    spool = str(edge_home.spool)
    lines = (tmp_path / "trace").read_text(errors="replace").splitlines()
    receiver = next(line for line in lines if "fdatasync(" in line and f"{spool}/" in line).split()[0]
    said = f"127.0.0.1:{edge.port}->"
    own = [line for line in lines if line.startswith(receiver) or ("sendto(" in line and said in line)]
    synced = next(at for at, line in enumerate(own) if "fdatasync(" in line and f"{spool}/" in line and ".part>" in line)
    renamed = next(at for at, line in enumerate(own) if "rename(" in line and f"{spool}/" in line)
    directory = next(at for at, line in enumerate(own) if "fsync(" in line and f"<{spool}>" in line)
    answers = [at for at, line in enumerate(own) if "sendto(" in line and said in line]
    assert synced < renamed < directory
    assert [at < synced for at in answers] == [True, False, False], "accept, then the C-STORE response, then the release"
    assert all(at > directory for at in answers[1:])


def test_history_survives_a_torn_line(tmp_path: Path) -> None:
    path = tmp_path / "associations.jsonl"
    History(path).add("accepted", ip="127.0.0.1")
    with path.open("a") as file:
        file.write('{"at": "cut sho')
    assert [row["what"] for row in history.tail(path, 5)] == ["accepted"]
    assert json.loads(path.read_text().splitlines()[0])["ip"] == "127.0.0.1"


def test_start_sweeps_what_a_crash_left_half_written(tmp_path: Path) -> None:
    (tmp_path / "a.dcm.part").write_bytes(b"half")
    (tmp_path / "b.dcm").write_bytes(b"whole")
    assert Spool(tmp_path, reserve=0).sweep() == 1
    assert [path.name for path in tmp_path.iterdir()] == ["b.dcm"]


def test_names_in_the_spool_are_in_the_order_of_time() -> None:
    """Two files within one tick of the file system's clock: the first that came stays the first version."""
    names = [new_name() for _ in range(1000)]
    assert names == sorted(names)
    assert len(set(names)) == 1000
