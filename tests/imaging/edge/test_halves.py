"""Two processes with a folder between them: each runs without the other, says when the other is down, and stops cleanly."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from imaging.edge.halves import DISK, RECEIVING, WORKING
from imaging.edge.home import Home
from tests.imaging.edge.parts import REPOSITORY, EdgeProcess, Platform, ct, rows, send, until

Start = Callable[..., EdgeProcess]
ENVIRONMENT = os.environ | {"PRIME_DICOM_PORT": "0", "PRIME_EDGE_PORT": "0"}


def half(home: Home, name: str) -> "subprocess.Popen[bytes]":
    """One half by the command that an operator gives."""
    command = [sys.executable, "-m", "imaging.edge", "run", "--only", name, "--dir", str(home.directory)]
    started = subprocess.Popen(command, cwd=REPOSITORY, env=ENVIRONMENT, stderr=subprocess.DEVNULL)
    until(lambda: home.is_held(name) and name in home.running, f"the half runs: {name}")
    return started


def up(home: Home) -> dict[str, bool]:
    return {part: home.is_held(part) for part in (RECEIVING, WORKING, DISK)}


def test_halves_run_apart_and_what_one_received_the_other_packs_later(edge_home: Home, platform: Platform) -> None:
    receiving = half(edge_home, RECEIVING)
    assert up(edge_home) == {RECEIVING: True, WORKING: False, DISK: True}
    assert send(edge_home.running["dicom_port"], [ct(1), ct(2)]) == [0, 0]
    receiving.terminate()
    assert receiving.wait(timeout=60) == 0
    working = half(edge_home, WORKING)
    assert up(edge_home) == {RECEIVING: False, WORKING: True, DISK: False}
    until(lambda: rows(edge_home, "SELECT count(*) FROM object WHERE state = 'archived'") == [(2,)], "archived")
    working.terminate()
    assert working.wait(timeout=60) == 0
    assert up(edge_home) == {RECEIVING: False, WORKING: False, DISK: False}


def test_killed_half_comes_back_while_the_other_goes_on(edge_home: Home, start_edge: Start) -> None:
    """Stopped by SIGSTOP the other half cannot have helped; a dead receiving half makes the edge unhealthy until it is back."""
    edge = start_edge(edge_home)
    os.kill(edge.half(WORKING), signal.SIGSTOP)
    assert send(edge.port, [ct(1)]) == [0]
    os.kill(edge.half(WORKING), signal.SIGCONT)
    edge.kill_half(WORKING)
    assert send(edge.port, [ct(2)]) == [0]
    os.kill(edge.process.pid, signal.SIGSTOP)  # nobody starts it again now
    os.kill(edge.half(RECEIVING), signal.SIGKILL)
    until(lambda: not edge_home.is_held(RECEIVING), "the receiving half is gone")
    said = json.loads(edge.get("/healthz"))
    assert said == {"healthy": False, "receiving": False, "working": True, "disk": False}
    assert json.loads(edge.get("/status"))["halves"] == {"receiving": 0, "working": 1, "disk": 0}
    killed = edge.half(RECEIVING)
    os.kill(edge.process.pid, signal.SIGCONT)
    until(lambda: edge.half(RECEIVING) != killed, "it is back")
    assert json.loads(edge.get("/healthz"))["healthy"]
    assert edge.stop() == 0
    assert up(edge_home) == {RECEIVING: False, WORKING: False, DISK: False}


def test_both_halves_die_with_the_command(edge_home: Home, start_edge: Start) -> None:
    edge = start_edge(edge_home)
    os.kill(edge.process.pid, signal.SIGKILL)
    until(lambda: not any(up(edge_home).values()), "both are gone")


def test_half_that_cannot_run_as_things_are_ends_the_command(edge_home: Home, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "imaging.edge", "run", "--dir", str(edge_home.directory)]
    environment = ENVIRONMENT | {"PRIME_DICOM_TLS_PORT": "0"}
    ended = subprocess.run(command, check=False, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, "There is no certificate for TLS yet" in ended.stderr) == (2, True)
    assert not any(up(edge_home).values())
