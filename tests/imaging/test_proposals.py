"""Segmentations and structure sets that come through the edge: de-identified, paired with their series, of no force until assigned."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.test import Client
from django.urls import reverse
from pydicom.dataset import Dataset
from pytest_django.live_server_helper import LiveServer

from accounts.transitions import NotAllowedNow
from imaging import assessment, identity, ingest, proposals, region_checks
from imaging.edge import deidentify, pseudonyms
from imaging.edge.home import Home
from imaging.models import ProposedOutline, Roi, Series
from studies.models import Participant
from studies.vocabulary import Role
from tests.imaging import edges
from tests.imaging import world as worlds
from tests.imaging.edge.parts import LOCAL_ID, ct, link, rows
from tests.imaging.outlines import segmentation, square, structure_set
from tests.imaging.test_identity_stays import archived
from tests.imaging.world import World, ct_series, member

KEY = b"k" * 32
CUBE = np.zeros((12, 16, 16), dtype=bool)
CUBE[3:6, 10:15, 8:12] = True  # 60 voxels
SEG_SERIES, RT_SERIES = "1.2.3.50", "1.2.3.51"


def images() -> list[Dataset]:
    """A regular series of 12 slices, 0.7 × 0.7 × 1 mm, as the hospital's PACS has it."""
    return [ct(k, InstanceNumber=k + 1, AcquisitionTime="081530", RescaleSlope=1, RescaleIntercept=-1024) for k in range(12)]


def about_the_same_patient(data: bytes, series: str, **more: Any) -> Dataset:
    outline = pydicom.dcmread(io.BytesIO(data))
    said = {
        "PatientID": LOCAL_ID,
        "PatientName": "Zhang^San",
        "StudyInstanceUID": "1.2.3",
        "SeriesInstanceUID": series,
        "StudyDate": "20260301",
    }
    for name, value in (said | {"FrameOfReferenceUID": "1.2.3.9"} | more).items():
        setattr(outline, name, value)
    return outline


def hospital_segmentation(**more: Any) -> Dataset:
    sources = [str(image.SOPInstanceUID) for image in images()]
    data = segmentation({1: CUBE}, origin=(0, 0, 0), spacing=(0.7, 0.7, 1.0), sources=sources, names={1: "HCC Zhang San"})
    return about_the_same_patient(data, SEG_SERIES, **more)


def hospital_structure_set() -> Dataset:
    at = {float(k): str(image.SOPInstanceUID) for k, image in enumerate(images())}
    contours = [square(5.6 - 0.35, 7.0 - 0.35, 7.7 + 0.35, 9.8 + 0.35, float(k)) for k in (3, 4, 5)]
    data = structure_set({7: contours}, sources=at, names={7: "tumor by Dr. Wang"})
    return about_the_same_patient(data, RT_SERIES, StructureSetLabel="Wang", ReferringPhysicianName="Li")


def clean(outline: Dataset) -> deidentify.Cleaned:
    return deidentify.deidentify(outline, key=KEY, subject="01-0007-50", software="prime-edge 0.1.0")


@pytest.mark.parametrize("make", [hospital_segmentation, hospital_structure_set])
def test_outline_leaves_without_a_word_of_its_author_and_with_its_geometry(make: Any) -> None:
    original, out = make(), clean(make())
    left = pydicom.dcmread(io.BytesIO(out.data))
    for word in (b"Zhang", b"Wang", b"Li\0", LOCAL_ID.encode(), str(original.SOPInstanceUID).encode(), b"1.2.3.9"):
        assert word not in out.data
    assert identity.leftovers(left, "01-0007-50") == []
    named = {str(one.value) for one in left.iterall() if one.keyword == "ReferencedSOPInstanceUID"}
    assert named <= {pseudonyms.keyed_uid(KEY, str(image.SOPInstanceUID)) for image in images()}
    assert named
    if out.modality == "SEG":
        assert left.SegmentSequence[0].SegmentLabel == "TUMOUR"
        assert left.PixelData == original.PixelData
        assert [group.PlanePositionSequence[0].ImagePositionPatient for group in left.PerFrameFunctionalGroupsSequence] == [
            group.PlanePositionSequence[0].ImagePositionPatient for group in original.PerFrameFunctionalGroupsSequence
        ]
    else:
        assert left.StructureSetROISequence[0].ROIName == "TUMOUR"
        assert left.ROIContourSequence[0].ContourSequence[0].ContourData == original.ROIContourSequence[0].ContourSequence[0].ContourData


def test_text_that_the_edge_does_not_write_is_found_on_the_platform() -> None:
    outline = pydicom.dcmread(io.BytesIO(clean(hospital_segmentation()).data))
    outline.SegmentSequence[0].SegmentLabel = "Zhang San"
    outline.SegmentSequence[0].SegmentedPropertyTypeCodeSequence[0].CodeMeaning = "Zhang San"
    outline.ContentLabel = "ZHANG"
    assert identity.leftovers(outline, "01-0007-50") == ["free_text:CodeMeaning", "free_text:ContentLabel", "free_text:SegmentLabel"]


@pytest.fixture
def made(var: Path, live_server: LiveServer) -> World:
    return worlds.build()


@pytest.fixture
def edge_home(made: World, live_server: LiveServer, tmp_path_factory: pytest.TempPathFactory) -> Home:
    return edges.registered(made, live_server.url, tmp_path_factory.mktemp("hospital") / "edge")


@pytest.mark.django_db(transaction=True)
def test_outlines_arrive_with_their_images_and_count_once_somebody_says_whose_they_are(
    made: World, edge_home: Home, tmp_path_factory: pytest.TempPathFactory
) -> None:
    participant = made.enrol()
    link(edge_home, participant.study_number, LOCAL_ID)
    sent = [hospital_segmentation(), hospital_structure_set(), *images()]
    assert edges.packed(edge_home, edges.saved_all(sent, tmp_path_factory.mktemp("disc") / "d")) == []
    archived(edge_home)
    assert rows(edge_home, "SELECT modalities FROM content ORDER BY modalities") == [("CT",), ("RTSTRUCT",), ("SEG",)]
    assessment.sweep()
    series = Series.objects.get()
    assert series.verdict == "regular"
    assert not Roi.objects.exists(), "nothing counts by itself"
    found = {one.modality: one for one in proposals.of_series(series)}
    assert set(found) == {"SEG", "RTSTRUCT"}
    by = made.coordinators["01"]
    for modality, reader in (("SEG", "R1"), ("RTSTRUCT", "R2")):
        said = {"reader": reader, "treatment_known": False, "reason": "" if modality == "SEG" else "by the radiologist"}
        roi = proposals.assign(proposal=found[modality], series=series, by=by, **said)
        region_checks.sweep()
        roi.refresh_from_db()
        assert (roi.findings, roi.state, roi.voxels, roi.reader) == ([], "aligned", 60, reader)
    assert proposals.of_series(series) == []
    assert edges.packed(edge_home, edges.saved_all(sent[:1], tmp_path_factory.mktemp("again") / "d")) == []
    assert rows(edge_home, "SELECT count(*) FROM resend") == [(1,)]


@pytest.fixture
def arrived(world: World, participant: Participant) -> Iterator[tuple[Series, ProposedOutline]]:
    """A series of 12 slices of 32 × 32 and a segmentation of two regions on it, as a package brought them."""
    number = participant.study_number
    files = ct_series(number)
    voxels = np.zeros((12, 32, 32), dtype=bool)
    voxels[3:6, 10:15, 8:12] = True
    other = np.zeros_like(voxels)
    other[8, 2:4, 2:4] = True
    sources = [str(pydicom.dcmread(io.BytesIO(data)).SOPInstanceUID) for data in files]
    outline = pydicom.dcmread(io.BytesIO(segmentation({1: voxels, 2: other}, sources=sources, names={1: "TUMOUR", 2: "LIVER"})))
    for name in ("PatientID", "PatientName"):
        setattr(outline, name, number)
    outline.StudyInstanceUID, outline.SeriesInstanceUID = worlds.uid(number, "study"), worlds.uid(number, "seg")
    outline.SOPInstanceUID = outline.file_meta.MediaStorageSOPInstanceUID = worlds.uid(number, "seg", 1)
    outline.PatientIdentityRemoved, outline.DeidentificationMethod = "YES", "prime-edge"
    out = io.BytesIO()
    outline.save_as(out, enforce_file_format=True)
    sealed = world.seal(number, [*files, out.getvalue()])
    assert world.put(sealed).status_code == 201
    ingest.sweep()
    assert world.receipt(sealed[0]).state == "archived"
    assessment.sweep()
    yield Series.objects.get(), ProposedOutline.objects.get()


@pytest.mark.django_db
def test_refused_outline_can_be_handed_in_again_with_the_number_of_its_region(
    world: World, arrived: tuple[Series, ProposedOutline], client: Client
) -> None:
    series, proposal = arrived
    by = world.coordinators["01"]
    client.force_login(by)
    page = client.get(reverse("series", args=[series.uuid])).content.decode()
    assert reverse("outline-assign", args=[proposal.uuid]) in page
    form = {"series": str(series.uuid), "reader": "R1", "treatment_known": "no"}
    assert client.post(reverse("outline-assign", args=[proposal.uuid]), form | {"treatment_known": ""}).status_code == 400
    assert client.post(reverse("outline-assign", args=[proposal.uuid]), form).status_code == 302
    with pytest.raises(NotAllowedNow):
        proposals.assign(proposal=proposal, series=series, by=by, reader="R1", treatment_known=False)
    region_checks.sweep()
    assert Roi.objects.get().findings[0]["code"] == "several_regions"
    assert [one.pk for one in proposals.of_series(series)] == [proposal.pk]
    assert client.post(reverse("outline-assign", args=[proposal.uuid]), form | {"segment": "1"}).status_code == 302
    region_checks.sweep()
    assert sorted(Roi.objects.values_list("state", "voxels")) == [("aligned", 60), ("refused", None)]
    assert proposals.of_series(series) == []


@pytest.mark.django_db
def test_declined_outline_is_kept_with_the_reason_and_offered_no_more(
    world: World, arrived: tuple[Series, ProposedOutline], client: Client
) -> None:
    series, proposal = arrived
    by = world.coordinators["01"]
    with pytest.raises(ValidationError):
        proposals.decline(proposal=proposal, reason=" ", by=by)
    with pytest.raises(PermissionDenied):
        proposals.decline(proposal=proposal, reason="no", by=member(world.study, "monitor", Role.MONITOR))
    client.force_login(world.coordinators["02"])
    assert client.post(reverse("outline-decline", args=[proposal.uuid]), {"reason": "x"}).status_code == 404
    client.force_login(by)
    assert client.post(reverse("outline-decline", args=[proposal.uuid]), {"reason": "of the liver only"}).status_code == 302
    proposal.refresh_from_db()
    assert (proposal.state, proposal.reason, proposal.decided_by) == ("declined", "of the liver only", by)
    assert proposals.of_series(series) == []
    with pytest.raises(NotAllowedNow):
        proposals.assign(proposal=proposal, series=series, by=by, reader="R1", treatment_known=False)
