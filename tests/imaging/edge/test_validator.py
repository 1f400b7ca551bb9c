"""What a validator of the standard says of what leaves: no error that the original had not (dciodvfy; DI-02)."""

import re
import shutil
import subprocess
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread

from imaging import identity
from imaging.edge import deidentify, objections
from tests.imaging.edge.parts import NUMBER, ct, saved
from tests.imaging.outlines import square, structure_set
from tests.paths import SHARED

DATA = SHARED / "data"
KEY = bytes(range(32))


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy (dicom3tools) is not installed")
def test_no_error_is_new_to_a_validator_of_the_standard(tmp_path: Path) -> None:
    """What dciodvfy says of an image that leaves it said of the image that came: nothing required was removed or made wrong."""
    sources = [DATA / "04_dicom/pydicom/test_files" / name for name in ("CT_small.dcm", "MR_small.dcm", "MR_small_RLE.dcm")]
    sources += sorted((DATA / "03_radiomics/ibsi1_ct_phantom/dicom/image").glob("*.dcm"))[:1]
    tried = [path for path in sources if path.exists()] or [saved(ct(1), tmp_path / "made")]
    for path in tried:
        out = tmp_path / "out.dcm"
        looked_at = {"accepted": objections.LOOKED_AT}
        out.write_bytes(deidentify.deidentify(dcmread(path), key=KEY, subject=NUMBER, software="prime-edge 0.1.0", **looked_at).data)
        assert errors(out) - errors(path) == set(), path.name


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy (dicom3tools) is not installed")
def test_no_error_is_new_in_an_outline(tmp_path: Path) -> None:
    """The same of a structure set and, where they are, of real segmentations: what these must state are fixed words, or nothing."""
    names = ("dcmqi/segmentations/liver.dcm", "highdicom/seg_image_ct_binary.dcm", "highdicom/seg_image_ct_true_fractional.dcm")
    sources = [DATA / "04_dicom" / name for name in (*names, "dcmqi/sr-example/seg.dcm")]
    made, drawn = tmp_path / "made.dcm", dcmread(BytesIO(structure_set({1: [square(1, 1, 9, 9, 5)]})))
    for name in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"):
        setattr(drawn, name, "1.2.3.9")
    drawn.PatientID, drawn.PatientName = "1", "Zhang^San"
    drawn.save_as(made, enforce_file_format=True)
    for path in [made, *(path for path in sources if path.exists())]:
        out = tmp_path / "out.dcm"
        out.write_bytes(deidentify.deidentify(dcmread(path), key=KEY, subject=NUMBER, software="prime-edge 0.1.0").data)
        assert errors(out) - errors(path) == set(), path.name
        assert identity.leftovers(dcmread(out), NUMBER) == [], path.name


def errors(path: Path) -> set[str]:
    said = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False, errors="replace")
    return {re.sub("<[0-9.]+>", "<UID>", line) for line in (said.stderr + said.stdout).splitlines() if line.startswith("Error")}
