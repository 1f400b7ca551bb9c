"""Every row of the measured-attack table (domain-rules §8.1, NW-01, NW-02): refused, while a legitimate sender keeps succeeding."""

import contextlib
import resource
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from imaging.edge.dicom.limits import Limits
from tests.imaging.edge import wire
from tests.imaging.edge.parts import ct, send, until
from tests.imaging.edge.running import Running

SHORT = Limits(
    association_seconds=0.8, idle_seconds=0.8, slow_seconds=0.8, closing_seconds=0.2, waiting_per_address=6, waiting=8, associations=3
)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    made = Running(tmp_path_factory.mktemp("attacked"), limits=SHORT)
    yield made
    made.listener.stop()


def legitimate(running: Running) -> None:
    """A sender that does nothing wrong is served now."""
    assert send(running.port, [ct(1)]) == [0]


def is_ended(answers: "wire.BinaryIO") -> bool:
    """The edge says A-ABORT (or, where bytes of ours are unread, the kernel resets) and nothing else."""
    kind, body = wire.pdu(answers)
    assert kind in (0, 7), "something was answered"
    return body in (b"", b"\0\0\2\0", b"\0\0\2\1", b"\0\0\2\2", b"\0\0\2\6")


@pytest.mark.parametrize("head", [
    struct.pack(">BxI", 1, 400 * 10**6),  # A-ASSOCIATE-RQ of 400 MB
    struct.pack(">BxI", 1, 64 * 1024 + 1),
    struct.pack(">BxI", 4, 12),  # data before an association
    struct.pack(">BxI", 2, 100),  # an answer nobody asked for
    b"GET / HTTP/1.1\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01",  # a TLS hello on the plain port
])  # fmt: skip
def test_what_is_no_request_for_an_association_ends_after_six_bytes(running: Running, head: bytes) -> None:
    with wire.connected(running.port) as (link, answers):
        link.sendall(head)
        legitimate(running)
        assert is_ended(answers)


def test_declared_400_megabytes_are_never_buffered(running: Running) -> None:
    legitimate(running)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with wire.connected(running.port) as (link, _), contextlib.suppress(OSError):
        link.sendall(struct.pack(">BxI", 1, 400 * 10**6))
        for _ in range(150):
            link.sendall(bytes(10**6))
        raise AssertionError("150 MB were taken")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 16 * 1024  # KiB
    legitimate(running)


def drip(link: socket.socket, data: bytes, *, meanwhile: Callable[[], None]) -> None:
    """A byte each 50 ms until the other side has had enough; `meanwhile` happens after the first few."""
    with contextlib.suppress(OSError):
        for place in range(len(data)):
            link.sendall(data[place : place + 1])
            time.sleep(0.05)
            if place == 3:
                meanwhile()
        raise AssertionError("all of it was taken")


def test_dripped_request_meets_an_absolute_deadline(tmp_path: Path) -> None:
    """pynetdicom's timeout is per recv: a byte each 3 s lived for ever."""
    running = Running(tmp_path, limits=SHORT)  # of its own: the history writes a stranger's line once a minute
    try:
        with wire.connected(running.port) as (link, answers):
            drip(link, wire.associate_rq(), meanwhile=lambda: legitimate(running))
            assert is_ended(answers)
        until(lambda: running.reasons() == ["deadline"], "the history says deadline")
    finally:
        running.listener.stop()


@pytest.mark.parametrize(("sent", "how"), [
    (b"", "idle"),
    (wire.pdata(3, wire.command(1)) + wire.pdata(0, bytes(5000)), "slow"),
    (wire.pdata(3, wire.command(1))[:9], "slow"),
])  # fmt: skip
def test_silent_association_is_ended_and_leaves_nothing(running: Running, sent: bytes, how: str) -> None:
    kept = len(running.files())
    with wire.associated(running.port) as (link, answers):
        link.sendall(sent)
        assert is_ended(answers)
    until(lambda: running.history()[-1].get("how") == how, f"the history says {how}")
    assert len(running.files()) == kept
    legitimate(running)


def test_dripped_dataset_is_too_slow(running: Running) -> None:
    with wire.associated(running.port) as (link, answers):
        link.sendall(wire.pdata(3, wire.command(1)))
        drip(link, wire.pdata(2, bytes(100_000)), meanwhile=lambda: legitimate(running))
        assert is_ended(answers)
    until(lambda: running.history()[-1].get("how") == "slow", "the history says slow")


def test_silent_connections_keep_nobody_out(running: Running) -> None:
    """Five of them were enough; here as many as there are places and more, of one address and of others."""
    with contextlib.ExitStack() as stack:
        for place in range(20):
            stack.enter_context(wire.connected(running.port, f"127.0.0.{2 + place % 4}" if place % 2 else "127.0.0.1"))
        for _ in range(3):
            legitimate(running)
    assert "crowded-out" in running.reasons()


def test_burst_of_one_sender_is_taken_whole(tmp_path: Path) -> None:
    """A PACS that opens many associations in one moment is no crowd: who has said what it wants is not ended for who has not."""
    running = Running(tmp_path)
    kinds: list[int] = []

    def call() -> None:
        with wire.associated(running.port) as (link, answers):
            link.sendall(wire.RELEASE)
            kinds.append(wire.pdu(answers)[0])

    threads = [threading.Thread(target=call) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    running.listener.stop()
    assert kinds == [6] * 30


def test_turned_away_callers_who_do_not_hang_up_are_bounded(running: Running) -> None:
    """After a rejection a connection waits for its peer to close it, among those that wait, and no longer than its seconds."""
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            link, answers = stack.enter_context(wire.connected(running.port))
            link.sendall(wire.associate_rq(caller="STRANGER"))
            assert wire.pdu(answers) == (3, b"\0\1\1\3")
            assert len(running.listener.threads) <= SHORT.waiting + SHORT.associations + 1
        legitimate(running)


def test_association_beyond_the_places_is_turned_away_and_there_is_one_again(running: Running) -> None:
    with contextlib.ExitStack() as stack:
        links = [stack.enter_context(wire.associated(running.port)) for _ in range(3)]
        with wire.connected(running.port) as (link, answers):
            link.sendall(wire.associate_rq())
            assert wire.pdu(answers) == (3, b"\0\2\3\2")
        assert running.history()[-1]["reason"] == "2/3/2"
        links[0][0].sendall(wire.RELEASE)
        assert wire.pdu(links[0][1])[0] == 6
        legitimate(running)


@pytest.mark.parametrize("sent", [
    struct.pack(">BxI", 4, 128 * 1024 + 1),  # longer than agreed
    struct.pack(">BxI", 4, 4) + bytes(4),  # no room for a value's head
    struct.pack(">BxIIBB", 4, 6, 400, 1, 3),  # a value longer than its PDU
    wire.pdata(3, b"", 1)[:-1] + b"\0",  # an empty fragment that is not the last
    wire.pdata(3, b"rubbish"),
    wire.pdata(3, struct.pack("<HHI", 0, 0x100, 2**32 - 1)),  # an element longer than the command
    wire.pdata(3, wire.element(0x10, b"X", group=8)),  # another group
    wire.pdata(1, bytes(100_000)),  # a command set without an end
    wire.pdata(3, wire.command(1), context=3),  # a context nobody agreed to
    wire.pdata(2, b"dataset first"),
    wire.pdata(3, wire.command(1)) + wire.pdata(3, wire.command(1)),  # a command inside a dataset
    wire.pdata(3, wire.command(1)) + wire.RELEASE,
    wire.associate_rq(),
    struct.pack(">BxI", 9, 4) + bytes(4),
])  # fmt: skip
def test_malformed_data_aborts_this_association_only(running: Running, sent: bytes) -> None:
    kept = len(running.files())
    with wire.associated(running.port) as (link, answers):
        link.sendall(sent)
        assert is_ended(answers)
    assert len(running.files()) == kept
    legitimate(running)


@pytest.mark.parametrize("body", [bytes(68), b"\0\1" + bytes(66), b"\xff" * 500, wire.associate_rq()[6:90], wire.associate_rq()[6:-3]])
def test_malformed_request_is_aborted(running: Running, body: bytes) -> None:
    with wire.connected(running.port) as (link, answers):
        link.sendall(struct.pack(">BxI", 1, len(body)) + body)
        assert is_ended(answers)
    legitimate(running)


def test_other_protocol_version_and_application_context_are_rejected_by_their_codes(running: Running) -> None:
    for request, code in (
        (wire.associate_rq()[:6] + b"\0\2" + wire.associate_rq()[8:], b"\0\1\2\2"),
        (wire.associate_rq().replace(b"1.2.840.10008.3.1.1.1", b"1.2.840.10008.3.1.1.9"), b"\0\1\1\2"),
    ):
        with wire.connected(running.port) as (link, answers):
            link.sendall(request)
            assert wire.pdu(answers) == (3, code)


def test_object_beyond_the_largest_and_one_too_many_end_the_association(tmp_path: Path) -> None:
    running = Running(tmp_path, limits=Limits(object_bytes=50_000, objects=2))
    try:
        with wire.associated(running.port) as (link, answers):
            link.sendall(wire.pdata(3, wire.command(1)) + wire.pdata(0, bytes(40_000)) + wire.pdata(0, bytes(20_000)))
            assert is_ended(answers)
        assert send(running.port, [ct(1), ct(2), ct(3)])[:2] == [0, 0]
        until(lambda: [row["how"] for row in running.history() if row["what"] == "ended"] == ["object-size", "objects"], "the history")
        assert len(running.files()) == 2
    finally:
        running.listener.stop()


def test_deep_and_deflated_bombs_cost_the_listener_nothing(running: Running) -> None:
    """It never parses: 2,000 nested sequences are bytes for the spool, and nobody inflates anything."""
    nested = b"".join(struct.pack("<HHIHHI", 0x40, 0xA730, 2**32 - 1, 0xFFFE, 0xE000, 2**32 - 1) for _ in range(2000))
    with wire.associated(running.port) as (link, answers):
        link.sendall(wire.pdata(3, wire.command(1)) + wire.pdata(2, nested))
        assert wire.status(wire.pdu(answers)[1]) == 0
    with wire.connected(running.port) as (link, answers):
        link.sendall(wire.associate_rq(syntax="1.2.840.10008.1.2.1.99"))
        kind, body = wire.pdu(answers)
        assert kind == 2
        assert body[body.index(b"\x21\0") + 6] == 4  # the context's result: transfer syntaxes not supported
        link.sendall(wire.pdata(3, wire.command(1)))
        assert is_ended(answers)


def test_attackers_together_do_not_fail_one_instance_of_a_sender(running: Running) -> None:
    """Silent, dripping and shouting connections all the while; the sender's association answers 0x0000 to each instance."""
    stop = threading.Event()

    def attack(data: bytes) -> None:
        while not stop.is_set():
            with contextlib.suppress(OSError, AssertionError), wire.connected(running.port) as (link, answers):
                link.sendall(data)
                answers.read(1)

    attackers = [
        threading.Thread(target=attack, args=(data,))
        for data in (b"", wire.associate_rq()[:40], struct.pack(">BxI", 1, 2**31), b"GET /\r\n\r\n", wire.associate_rq(caller="STRANGER"))
    ]
    for attacker in attackers:
        attacker.start()
    try:
        for first in range(0, 30, 10):
            assert send(running.port, [ct(number) for number in range(first, first + 10)]) == [0] * 10
    finally:
        stop.set()
        for attacker in attackers:
            attacker.join(30)


def test_no_answer_and_no_history_quotes_a_stranger(running: Running) -> None:
    """NW-07: statuses are numbers; no ErrorComment, no text of an exception."""
    with wire.associated(running.port) as (link, answers):
        link.sendall(wire.pdata(3, wire.command(1, instance="CANARY^ZHANG")) + wire.pdata(2, b"CANARY"))
        said = wire.pdu(answers)[1]
        assert wire.status(said) == 0x0117
        assert b"CANARY" not in said
        assert struct.pack("<HH", 0, 0x902) not in said
    assert "CANARY" not in (running.directory / "associations.jsonl").read_text()
