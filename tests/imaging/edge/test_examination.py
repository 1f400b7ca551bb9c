"""The limited examination of received files, and the process that runs it (NW-06)."""

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian, JPEGLosslessSV1

from imaging.edge import part10
from imaging.edge.examination import MAX_DEPTH, MAX_ELEMENTS, decoded, examine
from imaging.edge.sandbox import Sandbox, SandboxFault
from tests.imaging.edge.parts import ct, saved


def judged(image: Dataset, path: Path) -> tuple[str, str]:
    found = examine(saved(image, path))
    return found.verdict, found.reason


@pytest.mark.parametrize(("changed", "verdict", "reason"), [
    ({}, "instance", ""),
    ({"PatientID": ""}, "quarantine", "no-patient-id"),
    ({"StudyInstanceUID": ""}, "quarantine", "missing-uid"),
    ({"SeriesInstanceUID": ""}, "quarantine", "missing-uid"),
    ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.33"}, "discard", "class-not-used"),
    ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.67"}, "discard", "class-not-used"),
    ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, "discard", "class-not-used"),
    ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.66.4"}, "instance", ""),
    ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.77.1.6"}, "quarantine", "class-not-handled"),
])  # fmt: skip
def test_each_object_gets_its_verdict(tmp_path: Path, changed: dict[str, Any], verdict: str, reason: str) -> None:
    assert judged(ct(1, **changed), tmp_path / "x") == (verdict, reason)


@pytest.mark.parametrize("name", ["sop_class", "sop_instance"])
def test_dataset_that_is_not_what_the_command_said_is_quarantined(tmp_path: Path, name: str) -> None:
    """pynetdicom does not check; the file's header holds what the C-STORE request affected."""
    image = ct(1)
    affected = {"sop_class": image.SOPClassUID, "sop_instance": image.SOPInstanceUID} | {name: "1.2.840.10008.5.1.4.1.1.4"}
    head = part10.header(**affected, transfer_syntax=image.file_meta.TransferSyntaxUID, caller="PACS")
    whole = saved(image, tmp_path / "x").read_bytes()
    (tmp_path / "x").write_bytes(head + whole[144 + int.from_bytes(whole[140:144], "little") :])
    assert (examine(tmp_path / "x").verdict, examine(tmp_path / "x").reason) == ("quarantine", "sop-mismatch")


def test_depth_and_number_of_elements_are_limited(tmp_path: Path) -> None:
    def nested(depth: int) -> Dataset:
        image = inner = ct(1)
        for _ in range(depth - 1):
            inner.ReferencedImageSequence = [Dataset()]
            inner = inner.ReferencedImageSequence[0]
        inner.Rows = 16
        return image

    assert judged(nested(MAX_DEPTH), tmp_path / "a")[0] == "instance"
    assert judged(nested(MAX_DEPTH + 1), tmp_path / "b") == ("quarantine", "limits")
    assert judged(nested(200), tmp_path / "c") == ("quarantine", "limits")
    many = ct(1)
    many.ReferencedImageSequence = [Dataset() for _ in range(MAX_ELEMENTS // 2)]
    for item in many.ReferencedImageSequence:
        item.Rows, item.Columns = 1, 1
    assert judged(many, tmp_path / "d") == ("quarantine", "limits")


@pytest.mark.parametrize(
    "data", [b"", b"not dicom at all", bytes(132), bytes(128) + b"DICM", bytes(128) + b"DICM" + b"\x02\0\0\0UL\4\0\xff\xff\xff\x7f"]
)
def test_bytes_that_are_no_dicom_are_quarantined(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x").write_bytes(data)
    found = examine(tmp_path / "x")
    assert (found.verdict, found.reason) == ("quarantine", "unparseable")


@pytest.mark.parametrize("cut", [140, 300, 500, 700, 900])
def test_file_cut_anywhere_is_never_an_instance(tmp_path: Path, cut: int) -> None:
    whole = saved(ct(1), tmp_path / "x").read_bytes()
    (tmp_path / "x").write_bytes(whole[:cut])
    assert examine(tmp_path / "x").verdict == "quarantine"


def test_syntax_the_edge_does_not_speak_is_quarantined(tmp_path: Path) -> None:
    image = ct(1)
    image.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    image.save_as(tmp_path / "x", implicit_vr=False, little_endian=False, enforce_file_format=True)
    assert examine(tmp_path / "x").reason == "transfer-syntax"


def test_content_is_the_same_in_implicit_and_explicit_vr_and_differs_by_any_value(tmp_path: Path) -> None:
    def content(**changed: Any) -> str:
        image = ct(1)
        image.ReferencedImageSequence = [Dataset()]
        image.ReferencedImageSequence[0].ReferencedSOPInstanceUID = changed.pop("reference", "1.2.3.4")
        image.file_meta.TransferSyntaxUID = changed.pop("syntax", image.file_meta.TransferSyntaxUID)
        for name, value in changed.items():
            setattr(image, name, value)
        return examine(saved(image, tmp_path / "x")).content

    first = content()
    assert first == content() == content(syntax=ImplicitVRLittleEndian) == content(RetrieveAETitle="ARCHIVE2")
    for changed in ({"PatientID": "OTHER"}, {"AcquisitionTime": "081531"}, {"reference": "1.2.3.5"}, {"PixelData": bytes(512)}):
        assert content(**changed) != first


def test_ids_come_with_their_issuers(tmp_path: Path) -> None:
    image = ct(1, patient=" img-7 ", IssuerOfPatientID="pacs", OtherPatientIDs=["A1", "A2"])
    other = Dataset()
    other.PatientID, other.IssuerOfPatientID = "住院0042", "HIS"
    image.SpecificCharacterSet = "GB18030"
    image.OtherPatientIDsSequence = [other]
    assert examine(saved(image, tmp_path / "x")).ids == [("PACS", "IMG-7"), ("HIS", "住院0042"), ("", "A1"), ("", "A2")]


@pytest.mark.parametrize(("label", "encoding"), [
    (b"GB18030", "gb18030"), (b"ISO_IR 192", "utf-8"), (b"", "gb18030"), (b"", "utf-8"),
    (b"ISO_IR 100", "gb18030"), (b"ISO_IR 100", "utf-8"),
])  # fmt: skip
@pytest.mark.parametrize("text", ["住院0042", "影像号", "张三", "IMG-7"])
def test_chinese_ids_are_read_however_they_are_labelled(label: bytes, encoding: str, text: str) -> None:
    """peers B7: GBK labelled as Latin-1 or not at all."""
    assert decoded(text.encode(encoding), label) == text


def test_compressed_image_is_an_instance(tmp_path: Path) -> None:
    image = ct(1)
    image.file_meta.TransferSyntaxUID = JPEGLosslessSV1
    image.PixelData = encapsulate([b"\xff\xd8\xff\xd9"])
    image["PixelData"].is_undefined_length = True
    assert judged(image, tmp_path / "x")[0] == "instance"


def test_sandbox_survives_what_kills_its_process() -> None:
    sandbox = Sandbox(seconds=3)
    assert sandbox.run(abs, -3) == 3
    for function, argument in ((os._exit, 1), (time.sleep, 60), (os.abort, None), (bytes, 2**40)):
        with pytest.raises(SandboxFault):
            sandbox.run(function, *([] if argument is None else [argument]))
        assert sandbox.run(abs, -3) == 3
    with pytest.raises(FileNotFoundError):
        sandbox.run(os.stat, "/nowhere/at/all")
    with pytest.raises(SandboxFault, match="ValueError"):
        sandbox.run(int, "secret")
    sandbox.close()


def test_sandbox_outlives_a_stop_of_its_group_and_tries_again_when_it_was_killed() -> None:
    """A SIGTERM to the whole group must not put an innocent instance into quarantine."""
    sandbox = Sandbox(seconds=30)
    assert sandbox.run(abs, -3) == 3
    for number in (signal.SIGTERM, signal.SIGKILL):
        victim = sandbox.process.pid
        timer = threading.Timer(0.3, os.kill, (victim, number))
        timer.start()
        sandbox.run(time.sleep, 1)
        assert (sandbox.process.pid == victim) is (number == signal.SIGTERM)
    sandbox.close()
