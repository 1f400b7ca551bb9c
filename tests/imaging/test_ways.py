"""The ways of a package: a cable that is cut again and again, a disk that is carried, a folder between two machines (NW-08)."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import call_command
from pytest_django.live_server_helper import LiveServer

from imaging import inbox, ingest
from imaging.edge import carriage, clock, folder, state
from imaging.edge import home as homes
from imaging.edge.exchange import Exchange
from imaging.edge.forward import Forwarder
from imaging.edge.home import Home
from imaging.edge.intake import Intake
from imaging.edge.packing import path_of
from imaging.edge.sandbox import Sandbox
from imaging.edge.spool import Spool, SpoolBroken, SpoolFull
from imaging.models import Instance, Package
from tests.imaging import edges
from tests.imaging import world as worlds
from tests.imaging.edge.cable import cable
from tests.imaging.edge.parts import REPOSITORY, ct, link, rows
from tests.imaging.world import World

pytestmark = pytest.mark.django_db(transaction=True)
CUTS, AFTER, SIZE = 50, 40_000, 512


@pytest.fixture
def made(var: Path, live_server: LiveServer) -> World:
    return worlds.build()


@pytest.fixture
def edge_home(made: World, live_server: LiveServer, tmp_path: Path) -> Home:
    """An edge of center 01 that is registered, linked to one participant, and holds one sealed package of 2 MB of noise."""
    home = edges.registered(made, live_server.url, tmp_path / "edge")
    link(home, made.enrol().study_number, "P1")
    noise = [np.random.default_rng(number).integers(0, 4096, (SIZE, SIZE), dtype=np.uint16).tobytes() for number in range(4)]
    images = [ct(number, patient="P1", Rows=SIZE, Columns=SIZE, PixelData=data) for number, data in enumerate(noise)]
    edges.packed(home, edges.saved_all(images, tmp_path / "noise"))
    return home


@pytest.fixture
def connection(edge_home: Home) -> Iterator[Any]:
    with closing(state.connect(edge_home.database)) as opened:
        yield opened


def forward(home: Home, connection: Any, done: Callable[[], bool], rounds: int) -> Forwarder:
    forwarder = Forwarder(home, connection, Exchange(home))
    for _ in range(rounds):
        forwarder.step()
        if done():
            return forwarder
    raise AssertionError(f"not in {rounds} rounds: {forwarder.fault}")


def states(home: Home) -> list[str]:
    return [state for (state,) in rows(home, "SELECT state FROM package ORDER BY seq")]


def test_a_cable_cut_fifty_times_restarts_nothing_from_zero(edge_home: Home, connection: Any, live_server: LiveServer) -> None:
    """RL-05: the upload goes on where it was cut, and the platform has the package once."""
    size = path_of(edge_home, 1).stat().st_size
    assert size > CUTS * (AFTER - 2_000)
    described = json.loads((edge_home.directory / "platform.json").read_bytes())
    with cable(int(live_server.url.rsplit(":", 1)[1]), cuts=CUTS, after=AFTER) as line:
        homes.move_platform(edge_home, json.dumps(described | {"url": f"http://127.0.0.1:{line.port}"}).encode())
        forwarder = forward(edge_home, connection, lambda: states(edge_home) == ["stored"], 4 * CUTS)
        assert line.broken == CUTS
        assert line.upward < 1.2 * size, "only what was in flight at a cut is sent twice"
        assert forwarder.wait < 1, "progress is not punished by waiting"
        ingest.sweep()
        forward(edge_home, connection, lambda: states(edge_home) == ["archived"], 3)
    assert (Package.objects.count(), Instance.objects.count()) == (1, 4)
    assert not list(inbox.directory().iterdir())
    assert not list(edge_home.spool.iterdir())


def test_part_that_was_changed_in_the_inbox_is_noticed_and_sent_again(edge_home: Home, connection: Any, live_server: LiveServer) -> None:
    described = json.loads((edge_home.directory / "platform.json").read_bytes())
    with cable(int(live_server.url.rsplit(":", 1)[1]), cuts=2, after=200_000) as line:
        homes.move_platform(edge_home, json.dumps(described | {"url": f"http://127.0.0.1:{line.port}"}).encode())
        forwarder = Forwarder(edge_home, connection, Exchange(edge_home))
        while not list(inbox.directory().glob("*.coming")):
            forwarder.step()
        [part] = inbox.directory().glob("*.coming")
        part.write_bytes(bytes(part.stat().st_size))
        forward(edge_home, connection, lambda: states(edge_home) == ["stored"], 6)
        ingest.sweep()
        forward(edge_home, connection, lambda: states(edge_home) == ["archived"], 3)


def test_a_disk_carries_packages_there_and_receipts_back(edge_home: Home, connection: Any, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    first = carriage.put_out(edge_home, connection, disk, by="ZS", at=clock.now())
    again = carriage.put_out(edge_home, connection, disk, by="ZS", at=clock.now())
    assert [(one.seq, one.became) for one in (*first, *again)] == [(1, "put out"), (1, "there already")]
    assert receive(disk) == ["stored"]
    assert [one.became for one in carriage.take_back(edge_home, connection, disk, by="ZS", at=clock.now())] == ["stored"]
    old = {path.name: path.read_bytes() for path in disk.iterdir()}
    ingest.sweep()
    assert receive(disk) == receive(disk) == ["archived"]
    assert [one.became for one in carriage.take_back(edge_home, connection, disk, by="ZS", at=clock.now())] == ["archived"]
    assert not list(edge_home.spool.iterdir())
    assert [path.suffixes for path in disk.iterdir()] == [[".receipt", ".json"]], "the copies are gone"
    for name, data in old.items():  # yesterday's disk comes again, to both
        (disk / name).write_bytes(data)
    assert [one.became for one in carriage.take_back(edge_home, connection, disk, by="ZS", at=clock.now())] == ["archived"]
    assert states(edge_home) == ["archived"]
    for name, data in old.items():
        (disk / name).write_bytes(data)
    assert receive(disk) == ["archived"]
    assert (Package.objects.count(), Instance.objects.count()) == (1, 4)
    assert [what for (what,) in rows(edge_home, "SELECT what FROM act ORDER BY id")] == ["carried-out", "receipt-read", "receipt-read"]


def receive(disk: Path) -> list[str]:
    """`manage.py receive`, without leaving the test's database."""
    from imaging import carried

    return [one.state for one in carried.receive(disk)]


def test_what_is_wrong_on_a_disk_is_said_and_not_taken(edge_home: Home, connection: Any, tmp_path: Path, made: World) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    [one] = carriage.put_out(edge_home, connection, disk, by="ZS", at=clock.now())
    package, note = disk / f"{one.id}.package", disk / f"{one.id}.note.json"
    whole, signed = package.read_bytes(), json.loads(note.read_bytes())
    for bad in (whole[:-1], whole[:-1] + bytes([whole[-1] ^ 1]), b""):
        package.write_bytes(bad)
        assert receive(disk) == ["not taken"]
    package.write_bytes(whole)
    for change in (
        {"Prime-Digest": "0" * 64},
        {"Prime-Gateway": made.gateways["02"].code},
        {"Prime-Time": "yesterday"},
        {"Prime-Signature": ""},
    ):
        note.write_text(json.dumps(signed | change))
        assert receive(disk) == ["not taken"]
    note.write_text("[]")
    assert receive(disk) == ["not taken"]
    note.write_text(json.dumps(signed))
    package.rename(disk / "moved")
    package.symlink_to(disk / "moved")
    assert receive(disk) == ["not taken"]
    assert not Package.objects.exists()
    assert not list(inbox.directory().glob("*.package"))
    (disk / "moved").replace(package)
    assert receive(disk) == ["stored"]
    forged = disk / f"{one.id}.receipt.json"
    body = json.loads(forged.read_bytes())
    body["receipt"]["state"] = "archived"
    forged.write_text(json.dumps(body))
    assert [one.became for one in carriage.take_back(edge_home, connection, disk, by="ZS", at=clock.now())] == ["not believed"]
    assert states(edge_home) == ["sealed"]
    assert path_of(edge_home, 1).exists()


def test_a_machine_without_keys_carries_from_a_folder(edge_home: Home, connection: Any, tmp_path: Path) -> None:
    """E: collect and forward are two machines with only a folder between them."""
    folder = tmp_path / "exchange"
    folder.mkdir()
    forwarder = carriage.FolderForwarder(edge_home, connection, folder)
    forwarder.step()
    (tmp_path / "platform.json").write_bytes((edge_home.directory / "platform.json").read_bytes())
    command = [sys.executable, "-m", "imaging.edge", "carry", str(folder), "--platform", str(tmp_path / "platform.json"), "--once"]
    said = subprocess.run(command, check=False, cwd=REPOSITORY, capture_output=True, text=True, timeout=60)
    assert (said.returncode, said.stdout.split()[1:]) == (1, ["stored"]), said.stderr
    ingest.sweep()
    said = subprocess.run(command, check=False, cwd=REPOSITORY, capture_output=True, text=True, timeout=60)
    assert (said.returncode, said.stdout.split()[1:]) == (0, ["archived"]), said.stderr
    assert forwarder.step() == 1
    assert states(edge_home) == ["archived"]
    [note] = [json.loads(path.read_bytes()) for path in folder.glob("*.note.json")] or [None]
    assert note is None


def test_a_note_is_no_key_to_anything_else(edge_home: Home, connection: Any, made: World, tmp_path: Path, client: Any) -> None:
    """NW-04: a note is good for its package only, and only for sending it and asking for its receipt."""
    disk = tmp_path / "disk"
    disk.mkdir()
    [one] = carriage.put_out(edge_home, connection, disk, by="ZS", at=clock.now())
    note = json.loads((disk / f"{one.id}.note.json").read_bytes()) | {"Prime-Carried": "1"}
    other = "0" * 64
    asked = [
        client.get(f"/edge/v1/packages/{other}/receipt", headers=note),
        client.put(f"/edge/v1/packages/{other}", b"x", headers=note),
        client.get(f"/edge/v1/packages/{other}", headers=note),
        client.post("/edge/v1/heartbeat", b"{}", content_type="application/json", headers=note),
    ]
    assert [answer.status_code for answer in asked] == [401] * 4
    assert client.get(f"/edge/v1/packages/{one.id}", headers=note).json() == {"received": 0}


def test_the_command_says_what_became_of_each_package(edge_home: Home, connection: Any, tmp_path: Path, capsys: Any) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    carriage.put_out(edge_home, connection, disk, by="ZS", at=clock.now())
    with pytest.raises(SystemExit) as ended:
        call_command("receive", str(disk), "--json")
    assert (ended.value.code, [one["state"] for one in json.loads(capsys.readouterr().out)]) == (1, ["stored"])
    ingest.sweep()
    call_command("receive", str(disk))
    assert "archived" in capsys.readouterr().out


@contextlib.contextmanager
def small_disk(directory: Path, size: str) -> Iterator[Path]:
    """A file system of its own, so small that it is full at once."""
    directory.mkdir()
    if os.getuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(directory)], check=False).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        yield directory
    finally:
        subprocess.run(["umount", str(directory)], check=True)


def test_a_full_or_locked_disk_leaves_nothing_partial_and_costs_nothing(edge_home: Home, connection: Any, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "1m") as disk:
        with pytest.raises(carriage.CarriageFault, match="full"):
            carriage.put_out(edge_home, connection, disk, by="ZS", at=clock.now())
        assert list(disk.iterdir()) == []
        subprocess.run(["mount", "-o", "remount,size=8m", str(disk)], check=True)
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        with pytest.raises(carriage.CarriageFault):
            carriage.put_out(edge_home, connection, disk, by="ZS", at=clock.now())
        assert rows(edge_home, "SELECT * FROM act") == []
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
        assert [one.became for one in carriage.put_out(edge_home, connection, disk, by="ZS", at=clock.now())] == ["put out"]
        assert receive(disk) == ["stored"]
        ingest.sweep()
        assert receive(disk) == ["archived"]
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        assert [one.became for one in carriage.take_back(edge_home, connection, disk, by="ZS", at=clock.now())] == ["archived"]
        assert states(edge_home) == ["archived"]


def test_a_full_spool_stops_an_import_and_a_larger_one_finishes_it(made: World, live_server: LiveServer, tmp_path: Path) -> None:
    home = edges.registered(made, live_server.url, tmp_path / "edge")
    home.spool.rmdir()
    images = edges.saved_all([ct(number, patient="P1", Rows=SIZE, Columns=SIZE, PixelData=bytes(2 * SIZE * SIZE)) for number in range(4)],
                             tmp_path / "disc")  # fmt: skip
    with small_disk(home.spool, "1200k"):
        spool, taken = Spool(home.spool, reserve=-(2**40)), []
        with pytest.raises(SpoolFull):
            taken.extend(folder.take_in(images, spool))
        assert len(list(home.spool.iterdir())) == 2, "two are durable, of the third nothing is visible"
        subprocess.run(["mount", "-o", "remount,size=8m", str(home.spool)], check=True)
        assert [one.became for one in folder.take_in(images, spool)] == ["taken"] * 4
        sandbox = Sandbox()
        with closing(state.connect(home.database)) as connection:
            Intake(home, connection, sandbox).step()
        sandbox.close()
        assert rows(home, "SELECT count(*) FROM object") == [(4,)]
        assert rows(home, "SELECT count(*) FROM resend") == [(2,)]
        subprocess.run(["mount", "-o", "remount,ro", str(home.spool)], check=True)
        with pytest.raises((SpoolFull, SpoolBroken)):
            list(folder.take_in(images, Spool(home.spool, reserve=-(2**40))))


@pytest.mark.parametrize("place", ["missing", "inside", "locked"])
def test_a_place_that_is_no_disk_is_refused_in_a_sentence(edge_home: Home, connection: Any, tmp_path: Path, place: str) -> None:
    directory = {"missing": tmp_path / "no", "inside": edge_home.outbox, "locked": Path("/proc")}[place]
    with pytest.raises(carriage.CarriageFault):
        carriage.put_out(edge_home, connection, directory, by="ZS", at=clock.now())
    assert not rows(edge_home, "SELECT * FROM act")
