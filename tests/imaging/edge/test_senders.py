"""Hospitals' senders against the listener: dcmtk, Orthanc and pynetdicom; all syntaxes, mixed studies, many at once (NW-03, RL-07)."""

import http.client
import json
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    BasicTextSRStorage,
    CTImageStorage,
    EnhancedCTImageStorage,
    EnhancedMRImageStorage,
    KeyObjectSelectionDocumentStorage,
    MRImageStorage,
    SecondaryCaptureImageStorage,
)
from pynetdicom import AE
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind  # type: ignore[attr-defined]

from imaging.edge import peers, state
from imaging.edge.dicom.negotiation import TRANSFER_SYNTAXES
from imaging.edge.home import Home
from imaging.edge.intake import Intake
from imaging.edge.sandbox import Sandbox
from tests.imaging.edge import wire
from tests.imaging.edge.parts import ct, rows, saved, send, until
from tests.imaging.edge.running import Running

OTHERS = (BasicTextSRStorage, SecondaryCaptureImageStorage, KeyObjectSelectionDocumentStorage)
Push = Callable[[int, list[Path]], None]


@pytest.fixture
def running(edge_home: Home) -> Iterator[Running]:
    """A listener over the spool of an edge, whose intake the test runs."""
    made = Running(edge_home.directory)
    yield made
    made.listener.stop()


def mixed_study(folder: Path) -> list[Path]:
    images = [ct(1), ct(2), *(ct(3 + place, SOPClassUID=other) for place, other in enumerate(OTHERS))]
    return [saved(image, folder / f"{place}.dcm") for place, image in enumerate(images)]


def by_storescu(port: int, files: list[Path]) -> None:
    subprocess.run(["storescu", "-R", "-aec", "PRIME", "127.0.0.1", str(port), *map(str, files)], check=True, timeout=60)


def by_dcmsend(port: int, files: list[Path]) -> None:
    command = ["dcmsend", "-v", "-aet", "STORESCU", "-aec", "PRIME", "127.0.0.1", str(port), *map(str, files)]
    said = subprocess.run(command, check=True, timeout=60, capture_output=True, text=True)
    assert f"with status SUCCESS  : {len(files)}" in said.stdout + said.stderr


def by_pynetdicom(port: int, files: list[Path]) -> None:
    assert send(port, [dcmread(path) for path in files]) == [0] * len(files)


def by_orthanc(port: int, files: list[Path]) -> None:
    with orthanc(files[0].parent / "orthanc", port) as http_port:
        stored = [asked(http_port, "/instances", path.read_bytes())["ID"] for path in files]
        said = asked(http_port, "/modalities/edge/store", json.dumps(stored).encode())
        assert said["FailedInstancesCount"] == 0
        assert said["InstancesCount"] == len(files)


@contextmanager
def orthanc(directory: Path, port: int) -> Iterator[int]:
    """Orthanc as it is delivered, which knows the edge as a modality; the port of its REST interface."""
    directory.mkdir()
    with socket.socket() as one, socket.socket() as other:
        for chosen in (one, other):
            chosen.bind(("127.0.0.1", 0))
        http_port, dicom_port = (int(chosen.getsockname()[1]) for chosen in (one, other))
    said = {
        "DicomAet": "STORESCU",
        "HttpPort": http_port,
        "DicomPort": dicom_port,
        "DicomModalities": {"edge": ["PRIME", "127.0.0.1", port]},
    }
    said |= {"StorageDirectory": str(directory), "IndexDirectory": str(directory)}
    (directory / "orthanc.json").write_text(json.dumps(said))
    process = subprocess.Popen(["Orthanc", str(directory / "orthanc.json")], stderr=subprocess.DEVNULL)
    try:
        until(lambda: is_open(http_port), "Orthanc answers")
        yield http_port
    finally:
        process.terminate()
        process.wait(30)


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def asked(port: int, path: str, body: bytes) -> Any:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.request("POST", path, body)
        answer = connection.getresponse()
        said = answer.read()
        assert answer.status == 200, said
        return json.loads(said)


@pytest.mark.parametrize(("push", "program"), [
    (by_storescu, "storescu"), (by_dcmsend, "dcmsend"), (by_orthanc, "Orthanc"), (by_pynetdicom, ""),
])  # fmt: skip
def test_mixed_study_is_all_success_at_the_sender_and_only_ct_is_kept(
    running: Running, edge_home: Home, tmp_path: Path, push: Push, program: str
) -> None:
    """One refused context can turn a hospital's whole export red: SR, SC and KO are taken, counted and discarded by rule."""
    if program and shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    files = mixed_study(tmp_path)
    push(running.port, files)
    assert len(running.files()) == len(files)
    connection, sandbox = state.connect(edge_home.database), Sandbox()
    assert Intake(edge_home, connection, sandbox).step() == len(files)
    sandbox.close()
    connection.close()
    assert rows(edge_home, "SELECT state, modality, count(*) FROM object GROUP BY 1, 2") == [("waiting", "CT", 2)]
    assert rows(edge_home, "SELECT rule, count(*) FROM discard GROUP BY 1") == [("class-not-used", len(OTHERS))]
    answers = [row["answers"] for row in running.history() if row["what"] == "ended" and row["answers"]]
    assert sum(answer["0x0000"] for answer in answers) == len(files)


def test_every_syntax_is_received_and_its_bytes_kept(running: Running) -> None:
    """NW-03. The header says the syntax of the context; the dataset is not touched."""
    images = [in_syntax(place, syntax) for place, syntax in enumerate(TRANSFER_SYNTAXES)]
    assert send(running.port, images) == [0] * len(images)
    kept = {str(image.SOPInstanceUID): image for image in map(dcmread, running.files())}
    assert len(kept) == len(images)
    for image in images:
        assert kept[image.SOPInstanceUID].file_meta.TransferSyntaxUID == image.file_meta.TransferSyntaxUID
        assert kept[image.SOPInstanceUID].PixelData == image.PixelData


UNLISTED = {
    "1.3.12.2.1107.5.9.1": "a maker's own (CSA non-image)",
    "1.2.840.10008.5.1.4.1.1.6": "ultrasound, retired",
    "1.2.840.10008.5.1.4.1.1.200.1": "a CT protocol",
}


def test_storage_classes_in_no_list_are_taken_and_discarded_by_rule(running: Running, edge_home: Home) -> None:
    """What an old archive or a maker's console sends along turns no export red; what is no storage is refused still."""
    ae = AE(ae_title="STORESCU")
    for uid in (*UNLISTED, StudyRootQueryRetrieveInformationModelFind, "1.2.840.10008.5.1.4.31"):
        ae.add_requested_context(uid)
    association = ae.associate("127.0.0.1", running.port, ae_title="PRIME")
    assert {context.abstract_syntax for context in association.accepted_contexts} == UNLISTED.keys()
    association.release()
    assert send(running.port, [ct(place, SOPClassUID=uid) for place, uid in enumerate(UNLISTED)]) == [0] * len(UNLISTED)
    with closing(state.connect(edge_home.database)) as connection, closing(Sandbox()) as sandbox:
        assert Intake(edge_home, connection, sandbox).step() == len(UNLISTED)
    assert rows(edge_home, "SELECT rule, count(*) FROM discard GROUP BY 1") == [("class-not-used", len(UNLISTED))]


def in_syntax(number: int, syntax: str) -> Dataset:
    image = ct(number)
    image.file_meta.TransferSyntaxUID = syntax
    if image.file_meta.TransferSyntaxUID.is_encapsulated:
        image.PixelData = encapsulate([bytes([number]) * 300])
        image["PixelData"].VR = "OB"
        image["PixelData"].is_undefined_length = True
    return image


@pytest.mark.parametrize("sop_class", [CTImageStorage, EnhancedCTImageStorage, MRImageStorage, EnhancedMRImageStorage])
def test_classes_of_the_study_are_received(running: Running, sop_class: str) -> None:
    assert send(running.port, [ct(1, SOPClassUID=sop_class)]) == [0]
    assert dcmread(running.files()[0]).file_meta.MediaStorageSOPClassUID == sop_class


def test_instance_of_any_size_costs_one_buffer(running: Running) -> None:
    """96 MiB in fragments of 64 KiB: what is on the disk is what was sent."""
    piece, count = bytes(range(256)) * 256, 1536
    with wire.associated(running.port) as (link, answers):
        link.sendall(wire.pdata(3, wire.command(1)))
        for place in range(count):
            link.sendall(wire.pdata(2 if place == count - 1 else 0, piece))
        assert wire.status(wire.pdu(answers)[1]) == 0
    (kept,) = running.files()
    with kept.open("rb") as file:
        file.seek(-len(piece) * count, 2)
        assert all(file.read(len(piece)) == piece for _ in range(count))


@pytest.mark.parametrize("instances", [3, pytest.param(200, marks=pytest.mark.soak)])
def test_fifteen_peers_of_four_associations_have_every_instance_taken(tmp_path: Path, instances: int) -> None:
    """RL-07: each peer has an address and a title of its own; nobody is turned away and nothing fails."""
    running = Running(tmp_path)
    dataset = bytes(20_000 if instances == 3 else 534_000)
    statuses: list[int] = []

    def push(peer: int) -> None:
        source = f"127.0.0.{peer + 2}"
        with wire.connected(running.port, source) as (link, answers):
            link.sendall(wire.associate_rq(caller=f"PEER{peer}"))
            assert wire.pdu(answers)[0] == 2
            for number in range(instances):
                link.sendall(wire.pdata(3, wire.command(1, instance=f"1.2.{peer}.{number}")))
                for at in range(0, len(dataset), 100_000):
                    piece = dataset[at : at + 100_000]
                    link.sendall(wire.pdata(2 if at + len(piece) == len(dataset) else 0, piece))
                statuses.append(wire.status(wire.pdu(answers)[1]))
            link.sendall(wire.RELEASE)
            assert wire.pdu(answers)[0] == 6

    for peer in range(15):
        peers.add(tmp_path / "peers.json", ae_title=f"PEER{peer}", addresses=[f"127.0.0.{peer + 2}"])
    threads = [threading.Thread(target=push, args=(peer,)) for peer in range(15) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    running.listener.stop()
    assert statuses == [0] * (60 * instances)
    assert len(running.files()) == 60 * instances
    assert {row["what"] for row in running.history()} == {"accepted", "ended"}
