"""The edge's own reading and writing of command sets, held against pynetdicom's, and what bytes of strangers can do to it."""

import contextlib
import struct
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from pynetdicom.dimse_messages import C_STORE_RQ, C_STORE_RSP
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.dsutils import decode

from imaging.edge.dicom import commands, negotiation
from imaging.edge.dicom.commands import UID
from imaging.edge.dicom.limits import Limits
from tests.imaging.edge import wire
from tests.imaging.edge.parts import ct, send
from tests.imaging.edge.running import Running

UIDS = some.from_regex(r"(1|2)(\.(0|[1-9][0-9]{0,5})){1,8}", fullmatch=True)


@given(uid=UIDS, message=some.integers(0, 65535), priority=some.sampled_from([0, 1, 2]))
def test_command_that_pynetdicom_writes_reads_the_same_here(uid: str, message: int, priority: int) -> None:
    request = C_STORE()
    request.MessageID, request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = message, wire.CT, uid
    request.Priority, request.DataSet = priority, BytesIO(b"")
    written = C_STORE_RQ()
    written.primitive_to_message(request)
    pdu = next(iter(written.encode_msg(1, 16384)))
    read = commands.decode(bytes(pdu.presentation_data_value_list[0][1][1:]))
    assert commands.number(read, commands.FIELD) == commands.C_STORE
    assert commands.number(read, commands.MESSAGE_ID) == message
    assert commands.uid(read, commands.AFFECTED_CLASS) == wire.CT
    assert commands.uid(read, commands.AFFECTED_INSTANCE) == uid


@given(uid=UIDS, status=some.sampled_from([0x0000, 0x0117, 0xA700, 0xA701, 0xC211]))
def test_answer_written_here_reads_the_same_in_pynetdicom(uid: str, status: int) -> None:
    said = commands.answer(commands.decode(wire.command(1, instance=uid)), status)
    read = decode(BytesIO(said), True, True)
    assert (read.CommandField, read.Status, read.AffectedSOPInstanceUID) == (0x8001, status, uid)
    assert read.CommandGroupLength == len(said) - 12
    message = C_STORE_RSP()
    message.command_set = read
    assert message.message_to_primitive().MessageIDBeingRespondedTo == 1


@pytest.mark.parametrize(("uid", "good"), [
    ("1.2.840.10008", True), ("0.1", True), ("2.25." + "9" * 59, True), ("2.25." + "9" * 60, False), ("1.02", False), ("", False),
    ("1..2", False), (".1", False), ("1.", False), ("1.2/../3", False), ("1.2\n", False), ("１.2", False),
])  # fmt: skip
def test_uid_is_what_the_standard_says(uid: str, good: bool) -> None:
    """PS3.5 §9.1: digits without leading zeros between dots, 64 characters at most."""
    assert bool(UID.fullmatch(uid)) is good


@given(some.binary(max_size=300))
def test_bytes_are_a_command_set_or_malformed(data: bytes) -> None:
    with contextlib.suppress(commands.Malformed):
        commands.decode(data)


@given(some.binary(max_size=120), some.integers(6, 200))
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_bytes_are_a_request_or_malformed(data: bytes, at: int) -> None:
    """Rubbish, and a good request with rubbish in its middle."""
    good = wire.associate_rq()[6:]
    for body in (data, good[:at] + data + good[at + len(data) :]):
        with contextlib.suppress(negotiation.Malformed):
            request = negotiation.read(memoryview(body))
            negotiation.accept(request, longest=131072, commitment=True)


def test_streams_of_rubbish_leave_nothing_and_stop_nobody(tmp_path: Path) -> None:
    """PDUs of every kind and length, whole and torn, before and within associations; a sender in between."""
    running = Running(tmp_path, limits=Limits(association_seconds=1, idle_seconds=1, slow_seconds=1, closing_seconds=0.1))
    try:
        rubbish(running.port)
        assert send(running.port, [ct(1), ct(2)]) == [0, 0]
        assert len(running.files()) == 2
    finally:
        running.listener.stop()
    assert not [path for path in running.files() if path.suffix == ".part"]
    assert not [row for row in running.history() if row.get("how") == "fault"]


def rubbish(port: int) -> None:
    for seed in range(60):
        piece = bytes((seed * place * 7 + seed) % 256 for place in range(seed * 11))
        streams = (
            struct.pack(">BxI", seed % 12, len(piece)) + piece,
            wire.associate_rq() + wire.pdata(seed % 4, piece) + piece,
            wire.associate_rq() + wire.pdata(3, wire.command(seed * 37 % 512)) + wire.pdata(seed % 4, piece),
        )
        for stream in streams:
            with wire.connected(port) as (link, _), contextlib.suppress(OSError):
                link.sendall(stream)
