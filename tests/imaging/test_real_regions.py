"""A real tumour mask on real CT images the whole way, and phantoms of two phases: edge, package, archive, check, measurement (MD-08)."""

import io
from datetime import timedelta

import pydicom
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from pydicom.dataset import Dataset

from accounts.canonical import number
from imaging import assessment, extraction, ingest, radiomics, radiomics_profile, region_checks, regions
from imaging.edge.deidentify import deidentify
from imaging.features import EXPECTED
from imaging.models import Roi, Series
from imaging.series import pick_phase
from imaging.volumes import read_folder, read_mask, read_series
from prime_platform.demo import phantoms
from studies.models import Milestone, Participant
from tests.imaging.masks import ball, other_phase, written
from tests.imaging.test_real_images import KEY, cleaned
from tests.imaging.world import SURGERY, World
from tests.paths import SHARED

DATA = SHARED / "data" / "03_radiomics"
MASK = DATA / "ibsi1_ct_phantom" / "nifti" / "mask" / "mask.nii.gz"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"no real images: {DATA} is absent")
pytestmark = pytest.mark.django_db


def receive(world: World, participant: Participant, files: list[bytes]) -> list[Series]:
    """The series of a package after both sweeps, oldest first."""
    before = set(Series.objects.values_list("pk", flat=True))
    world.put(world.seal(participant.study_number, files))
    ingest.sweep()
    assessment.sweep()
    return list(Series.objects.exclude(pk__in=before).order_by("pk"))


def outlined(series: Series, phase: str, file: SimpleUploadedFile, world: World) -> Roi:
    """The outline of a series whose phase is confirmed, after the check."""
    by = world.coordinators["01"]
    pick_phase(series=series, phase=phase, by=by)
    roi = regions.upload(series=series, file=file, treatment_known=False, by=by)
    region_checks.sweep()
    return Roi.objects.get(pk=roi.pk)


@needs_data
def test_tumour_of_the_ct_phantom_gives_the_values_of_the_original_files(world: World, participant: Participant) -> None:
    """60 slices and the NIfTI mask published with them (IBSI): 944 values, equal in every digit to those of the files themselves."""
    paths = sorted((DATA / "ibsi1_ct_phantom" / "dicom" / "image").glob("*.dcm"))
    files = [cleaned(path, participant.study_number) for path in paths]
    [series] = receive(world, participant, files)
    assert (series.verdict, series.slice_count) == ("regular", 60)
    roi = outlined(series, "arterial", SimpleUploadedFile("mask.nii.gz", MASK.read_bytes()), world)
    assert (roi.state, roi.findings) == ("aligned", [])
    assert extraction.sweep() == 1
    [copy] = receive(world, participant, other_phase(files))
    outlined(copy, "portal_venous", SimpleUploadedFile("mask.nii.gz", MASK.read_bytes()), world)
    assert extraction.sweep() == 1
    measured = radiomics.measure(read_folder(DATA / "ibsi1_ct_phantom" / "dicom").image, read_mask(MASK), radiomics_profile.named("prime"))
    for one in extraction.features_of(participant).values():
        assert one is not None
        assert len(one.values) == EXPECTED
        assert one.values == [[name, number(value)] for name, value in measured.values.items()]
        assert one.sha256 == measured.sha256
    assert Milestone.objects.filter(kind="features_ready").count() == 1


@needs_data
def test_structure_set_with_the_hospitals_uids_lands_on_the_edges_series(world: World, participant: Participant) -> None:
    """IBSI's RTSTRUCT names the original images; the edge gave them new UIDs: matched by place, 125,256 voxels as in the published mask."""
    paths = sorted((DATA / "ibsi1_ct_phantom" / "dicom" / "image").glob("*.dcm"))
    [series] = receive(world, participant, [cleaned(path, participant.study_number) for path in paths])
    [given] = (DATA / "ibsi1_ct_phantom" / "dicom" / "mask").glob("*.dcm")
    roi = outlined(series, "arterial", SimpleUploadedFile("RS.dcm", given.read_bytes()), world)
    assert (roi.state, roi.findings, roi.voxels, roi.file_format) == ("aligned", [], 125_256, "dicom")
    assert roi.outlines.count() == 26


@needs_data
def test_that_mask_on_another_patients_liver_is_refused_by_how_much(world: World, participant: Participant) -> None:
    paths = sorted((DATA / "crlm_liver_ct").rglob("*.dcm"))
    [series] = receive(world, participant, [cleaned(path, participant.study_number) for path in paths])
    roi = outlined(series, "portal_venous", SimpleUploadedFile("mask.nii.gz", MASK.read_bytes()), world)
    assert (roi.state, [finding["code"] for finding in roi.findings]) == ("refused", ["size", "spacing", "origin", "outside"])
    said = " ".join(finding["message"] % finding["params"] for finding in roi.findings)
    print(said)
    assert "The mask has 204 × 201 × 60 voxels, the image 512 × 512 × 30." in said
    assert "mm away from the image's place" in said
    assert series.instances.count() == 30
    assert extraction.sweep() == 0


def test_demo_phantoms_are_outlined_and_measured(world: World, participant: Participant) -> None:
    """Through the edge's own de-identification: two series, a ball around the first patient's tumour, 944 values a phase."""
    sent = phantoms.objects(1, "DEMO000001", SURGERY - timedelta(days=7))
    files = [deidentify(_loaded(one), key=KEY, subject=participant.study_number, software="prime-edge 0.1").data for one in sent]
    series = receive(world, participant, files)
    assert {one.phase_proposed for one in series} == {"arterial", "portal_venous"}
    for one in series:
        own = [file for file in files if one.series_instance_uid.encode() in file]
        mask = ball(own, _tumour(own), 16)
        assert outlined(one, one.phase_proposed, written(mask), world).state == "aligned"
    assert extraction.sweep() == 2
    kept = extraction.features_of(participant)
    assert {name: len(one.values) for name, one in kept.items() if one} == {"arterial": EXPECTED, "venous": EXPECTED}
    assert kept["arterial"] is not None
    assert kept["venous"] is not None
    assert float(kept["arterial"].by_name["original_firstorder_Mean"]) != float(kept["venous"].by_name["original_firstorder_Mean"])


def _loaded(dataset: Dataset) -> Dataset:
    out = io.BytesIO()
    dataset.save_as(out, enforce_file_format=True)
    return pydicom.dcmread(io.BytesIO(out.getvalue()))


def _tumour(files: list[bytes]) -> tuple[int, int, int]:
    """Where the first patient's phantom has its tumour: x = −0.36, y = −0.11, z = −0.15 of the half extents."""
    width, height, depth = read_series(files).image.GetSize()
    return round((1 - 0.36) / 2 * (width - 1)), round((1 - 0.11) / 2 * (height - 1)), round((1 - 0.15) / 2 * (depth - 1))
