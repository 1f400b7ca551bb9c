"""Storage commitment: what is read again and hashed again is held, and a sender hears so on the same association (NW-10)."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import BasicTextSRStorage, ExplicitVRLittleEndian, ImplicitVRLittleEndian, MRImageStorage
from pynetdicom import AE, evt
from pynetdicom.sop_class import StorageCommitmentPushModel, StorageCommitmentPushModelInstance  # type: ignore[attr-defined]

from imaging.edge import associations, state
from imaging.edge.custody import Custody
from imaging.edge.home import Home
from imaging.edge.intake import Intake
from imaging.edge.sandbox import Sandbox
from tests.imaging.edge.parts import EdgeProcess, ct, send, until
from tests.imaging.edge.running import Running

Start = Callable[..., EdgeProcess]
Reasons = dict[str, int | None]


def ask(port: int, images: list[Dataset], *, syntax: str = ExplicitVRLittleEndian, action: int = 1) -> tuple[int, int, Reasons]:
    """N-ACTION by pynetdicom: its status, the report's event type, and each instance's reason (None: held)."""
    reported: list[tuple[int, Dataset]] = []

    def report(event: evt.Event) -> tuple[int, None]:
        reported.append((event.request.EventTypeID, event.event_information))
        return 0, None

    ae = AE(ae_title="STORESCU")
    ae.add_requested_context(StorageCommitmentPushModel, syntax)
    association = ae.associate("127.0.0.1", port, ae_title="PRIME", evt_handlers=[(evt.EVT_N_EVENT_REPORT, report)])
    assert association.is_established
    said = association.send_n_action(request(images), action, StorageCommitmentPushModel, StorageCommitmentPushModelInstance)[0]
    if said.Status == 0:
        until(lambda: reported, "the report")
    association.release()
    return said.Status, *(told(*reported[0]) if reported else (0, {}))


def request(images: list[Dataset]) -> Dataset:
    asked = Dataset()
    asked.TransactionUID, asked.ReferencedSOPSequence = "1.2.3.77", []
    for image in images:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = image.SOPClassUID, image.SOPInstanceUID
        asked.ReferencedSOPSequence.append(item)
    return asked


def told(event: int, information: Dataset) -> tuple[int, Reasons]:
    assert information.TransactionUID == "1.2.3.77"
    reasons: dict[str, Any] = {item.ReferencedSOPInstanceUID: None for item in information.get("ReferencedSOPSequence", [])}
    return event, reasons | {item.ReferencedSOPInstanceUID: item.FailureReason for item in information.get("FailedSOPSequence", [])}


@pytest.fixture
def running(edge_home: Home) -> Iterator[Running]:
    made = Running(edge_home.directory, custodian=Custody(edge_home))
    yield made
    made.listener.stop()


def take_in(home: Home) -> None:
    connection, sandbox = state.connect(home.database), Sandbox()
    Intake(home, connection, sandbox).step()
    sandbox.close()
    connection.close()


def test_what_is_held_is_told_from_what_is_not(running: Running, edge_home: Home) -> None:
    """Held as it came; changed on the disk since (one bit); discarded by rule; never sent; asked for as another class."""
    intact, changed, discarded, unsent, other = (ct(number) for number in range(5))
    discarded.SOPClassUID = discarded.file_meta.MediaStorageSOPClassUID = BasicTextSRStorage
    assert send(running.port, [intact, changed, discarded, other]) == [0] * 4
    take_in(edge_home)
    (hit,) = [path for path in running.files() if path.read_bytes().endswith(changed.PixelData)]
    data = bytearray(hit.read_bytes())
    data[-1] ^= 1
    hit.write_bytes(data)
    other.SOPClassUID = MRImageStorage
    status, event, reasons = ask(running.port, [intact, changed, discarded, unsent, other])
    assert (status, event) == (0, 2)
    assert reasons == {
        intact.SOPInstanceUID: None,
        changed.SOPInstanceUID: 0x0110,
        discarded.SOPInstanceUID: 0x0112,
        unsent.SOPInstanceUID: 0x0112,
        other.SOPInstanceUID: 0x0119,
    }
    until(lambda: any(row["what"] == "committed" for row in running.history()), "the history")
    row = next(row for row in running.history() if row["what"] == "committed")
    assert (row["held"], row["failed"]) == (1, 4)
    assert [said.say("en") for said in associations.explained(row, "PRIME")] == ["It asked what is held: 1 of its images, 4 not."]


def test_running_edge_commits_right_after_the_push(edge_home: Home, start_edge: Start) -> None:
    """The question waits for the intake; both syntaxes; an archived instance is held by the platform's receipt."""
    edge = start_edge(edge_home)
    images = [ct(number) for number in range(3)]
    assert send(edge.port, images) == [0] * 3
    held = (0, 1, dict.fromkeys([image.SOPInstanceUID for image in images]))
    assert ask(edge.port, images, syntax=ImplicitVRLittleEndian) == held
    until(lambda: not list(edge_home.spool.iterdir()), "archived and purged")
    assert ask(edge.port, images) == held


@pytest.mark.parametrize(("change", "action", "status"), [
    ({}, 7, 0x0123),
    ({"TransactionUID": "1.2.x"}, 1, 0x0115),
    ({"ReferencedSOPSequence": []}, 1, 0x0115),
])  # fmt: skip
def test_request_that_asks_nothing_is_answered_and_nothing_follows(
    running: Running, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], action: int, status: int
) -> None:
    asked = request([ct(1)])
    for name, value in change.items():
        setattr(asked, name, value)
    monkeypatch.setattr("tests.imaging.edge.test_commitment.request", lambda images: asked)
    assert ask(running.port, [ct(1)], action=action) == (status, 0, {})


def test_commitment_is_not_offered_where_nobody_can_judge(tmp_path: Any) -> None:
    running = Running(tmp_path)
    ae = AE(ae_title="STORESCU")
    ae.add_requested_context(StorageCommitmentPushModel)
    association = ae.associate("127.0.0.1", running.port, ae_title="PRIME")
    assert association.accepted_contexts == []
    running.listener.stop()
