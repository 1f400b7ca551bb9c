"""An enhanced (multi-frame) CT: geometry per frame, rescale and spacing out of its functional groups (NW-03, PS3.3 C.7.6.16)."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import EnhancedCTImageStorage, ExplicitVRLittleEndian

from imaging import geometry, parsing
from imaging.geometry import Slice, Verdict
from tests.imaging.world import uid

NUMBER, FRAMES = "01-0001-68", 12


def item(**values: object) -> Dataset:
    made = Dataset()
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return made


@pytest.fixture
def enhanced(tmp_path: Path) -> Path:
    """12 frames of 8 × 8, 3 mm apart, head first; stored value 1084 + 100·frame, rescale −1024, pixels twice as high as wide."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID = EnhancedCTImageStorage, ExplicitVRLittleEndian
    meta.MediaStorageSOPInstanceUID = uid("enhanced")
    dataset = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    dataset.SOPClassUID, dataset.SOPInstanceUID, dataset.Modality = EnhancedCTImageStorage, uid("enhanced"), "CT"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = uid("study"), uid("series")
    dataset.PatientID = dataset.PatientName = NUMBER
    dataset.PatientIdentityRemoved = "YES"
    dataset.SharedFunctionalGroupsSequence = Sequence([item(
        PixelMeasuresSequence=Sequence([item(PixelSpacing=[2, 1], SliceThickness=3)]),
        PlaneOrientationSequence=Sequence([item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])]),
        PixelValueTransformationSequence=Sequence([item(RescaleSlope=1, RescaleIntercept=-1024)]),
    )])  # fmt: skip
    dataset.PerFrameFunctionalGroupsSequence = Sequence([
        item(
            PlanePositionSequence=Sequence([item(ImagePositionPatient=[0, 0, -3 * i])]),
            FrameContentSequence=Sequence([item(FrameAcquisitionNumber=1)]),
        )
        for i in range(FRAMES)
    ])  # fmt: skip
    dataset.NumberOfFrames, dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = FRAMES, 8, 8, 1
    dataset.PhotometricInterpretation, dataset.PixelRepresentation = "MONOCHROME2", 1
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
    levels = np.arange(FRAMES, dtype=np.int16)[:, None, None] * 100 + 1084
    dataset.add_new("PixelData", "OW", np.broadcast_to(levels, (FRAMES, 8, 8)).tobytes())
    dataset.save_as(tmp_path / "enhanced.dcm", enforce_file_format=True)
    return tmp_path / "enhanced.dcm"


def test_each_frame_is_a_slice(enhanced: Path) -> None:
    """NW-09: positions per frame, orientation and spacing shared; sorted along the normal the last frame comes first."""
    [header] = parsing.headers([enhanced], NUMBER)
    assert header.identity == []
    slices = [
        Slice(key=f"{i:02d}", **{name: tuple(value) if isinstance(value, list) else value for name, value in frame.items()})
        for i, frame in enumerate(header.frames)
    ]
    found = geometry.assess(slices)
    assert (found.verdict, found.count, found.spacing, found.thickness) == (Verdict.REGULAR, FRAMES, 3.0, 3.0)
    assert found.order[0] == "11"


def test_frame_is_drawn_with_its_own_rescale_and_spacing(enhanced: Path, tmp_path: Path) -> None:
    """PS3.3 C.11.2.1.2.1: frame 1 is 160 HU: ((160 − 39.5)/399 + 0.5) × 255 = 204.51; the picture is twice as high as wide."""
    [[soft, _]] = parsing.draw([(enhanced, 1)], tmp_path)
    picture = np.asarray(Image.open(io.BytesIO(soft.file.read_bytes())))
    assert picture.shape == (16, 8)
    assert set(np.unique(picture)) == {205}
