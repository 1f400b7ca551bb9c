"""Real CT and MR files, de-identified by the edge's own rules, through the door into the archive (DI-01, NW-03, NW-09)."""

import io
import warnings
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image

from imaging import assessment, drawing, ingest, parsing
from imaging.edge.deidentify import deidentify
from imaging.models import Series
from studies.models import Participant
from tests.imaging.world import World
from tests.paths import SHARED

DATA = SHARED / "data"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"no real images: {DATA} is absent")
KEY = bytes(range(32))
NUMBER = "01-0001-68"
MR_FILES = ("MR_small.dcm", "MR_small_implicit.dcm", "MR_small_RLE.dcm", "MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm")


def cleaned(path: Path, number: str) -> bytes:
    """The file as the edge would send it, if it were an original image: the edge holds derived ones back."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # real headers bend the standard
        dataset = pydicom.dcmread(path)
        dataset.ImageType = ["ORIGINAL", "PRIMARY", *list(dataset.get("ImageType") or [])[2:]]
        return deidentify(dataset, key=KEY, subject=number, software="prime-edge 0.1").data


@pytest.fixture
def sent(tmp_path: Path) -> Path:
    folder = tmp_path / "sent"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("name", MR_FILES)
def test_compressed_mr_looks_like_the_plain_one(sent: Path, name: str) -> None:
    """NW-03: implicit, RLE, JPEG 2000 and JPEG-LS versions of one image give the same picture."""
    pictures = []
    for each in ("MR_small.dcm", name):
        file = sent / each
        file.write_bytes(cleaned(DATA / "04_dicom" / "pydicom" / "test_files" / each, NUMBER))
        folder = sent / f"out-{each}"
        folder.mkdir(exist_ok=True)
        [[one]] = parsing.draw([(file, 0)], folder)
        pictures.append(np.asarray(Image.open(io.BytesIO(one.file.read_bytes()))))
    assert np.array_equal(*pictures)
    assert len(np.unique(pictures[0])) > 50


@pytest.mark.parametrize("name", ["CT_small.dcm", "693_J2KI.dcm", *MR_FILES])
def test_edge_output_carries_no_identity_for_the_second_look(sent: Path, name: str) -> None:
    """DI-01, DI-02: what one set of eyes let pass, the other finds clean."""
    file = sent / name
    file.write_bytes(cleaned(DATA / "04_dicom" / "pydicom" / "test_files" / name, NUMBER))
    [header] = parsing.headers([file], NUMBER)
    assert header.identity == []
    assert header.lossy is (name == "693_J2KI.dcm")


def test_untouched_hospital_file_is_full_of_identity(sent: Path) -> None:
    """DI-02: the second look is not blind."""
    [header] = parsing.headers([DATA / "04_dicom" / "pydicom" / "test_files" / "CT_small.dcm"], NUMBER)
    assert {"not_study_number:PatientName", "not_study_number:PatientID", "foreign_uid:StudyInstanceUID", "private:unnamed"} <= set(
        header.identity
    )


@pytest.mark.django_db
def test_real_abdominal_ct_is_archived_and_judged(world: World, participant: Participant) -> None:
    """NW-09: 30 slices of one abdominal CT, sent in the order of their file names."""
    files = sorted((DATA / "03_radiomics" / "crlm_liver_ct").rglob("*.dcm"))
    number = participant.study_number
    world.put(world.seal(number, [cleaned(path, number) for path in files]))
    assert ingest.sweep() == 1
    assessment.sweep()
    series = Series.objects.get()
    positions = sorted(float(pydicom.dcmread(path, stop_before_pixels=True).ImagePositionPatient[2]) for path in files)
    assert series.slice_count == len(files)
    assert series.extent_mm == pytest.approx(positions[-1] - positions[0])
    assert series.verdict == "regular"
    picture = series.key_slices.get(index=4, window="soft_tissue")
    assert (picture.side_left, picture.side_right) == ("R", "L")
    assert series.key_slices.count() == 9 * len(drawing.CT_WINDOWS)


@pytest.mark.django_db
def test_single_real_slices_are_too_few_for_a_liver(world: World, participant: Participant) -> None:
    """NW-09: one slice of a real HCC CT is a series too short to measure."""
    number = participant.study_number
    file = DATA / "04_dicom" / "hcc_tace_seg_slices" / "HCC_001" / "1-01.dcm"
    world.put(world.seal(number, [cleaned(file, number)]))
    ingest.sweep()
    assessment.sweep()
    assert (Series.objects.get().verdict, Series.objects.get().slice_count) == ("too_few", 1)
