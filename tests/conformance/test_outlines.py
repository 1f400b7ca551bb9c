"""Real segmentations and structure sets have the voxels that others count in them (done 8).

Expected counts are ITK's for the NRRD and NIfTI files published beside them, and highdicom 0.28's (`Segmentation.get_volume`, values from
0.5 on) for the others.
"""

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from imaging.radiomics_refusal import Refused
from imaging.region_files import Kind
from imaging.region_reading import read
from imaging.segmentation import Segmentation
from imaging.volumes import read_folder
from tests.paths import SHARED

DICOM, PHANTOM = SHARED / "data" / "04_dicom", SHARED / "data" / "03_radiomics" / "ibsi1_ct_phantom"
SEGMENTATIONS = DICOM / "dcmqi" / "segmentations"
pytestmark = pytest.mark.skipif(not DICOM.is_dir(), reason=f"no reference data: {DICOM} is absent")


@pytest.mark.parametrize(
    ("name", "segment", "count"),
    [
        ("dcmqi/segmentations/liver.dcm", 1, 107_098),
        ("dcmqi/segmentations/23x38x3/seg/label.seg", 1, 322),
        ("dcmqi/sr-example/seg.dcm", 1, 795),
        ("highdicom/seg_image_ct_binary.dcm", 1, 638),
        ("highdicom/seg_image_ct_binary_fractional.dcm", 1, 638),
        ("highdicom/seg_image_ct_true_fractional.dcm", 1, 638),
        ("highdicom/seg_image_ct_binary_single_frame.dcm", 1, 1_832),
    ],
)
def test_segment_has_the_voxels_that_others_count(name: str, segment: int, count: int) -> None:
    held = Segmentation(pydicom.dcmread(DICOM / name))
    assert held.numbers == [segment]
    assert sum(int(np.count_nonzero(plane.marked)) for plane in held.planes(segment)) == count


def test_liver_lies_voxel_by_voxel_where_its_label_map_has_it() -> None:
    """dcmqi's SEG of a liver on three CT slices against the NRRD that it was made from, read by ITK."""
    volume = read_folder(SEGMENTATIONS / "ct-3slice")
    reading = read(SEGMENTATIONS / "liver.dcm", Kind.DICOM, volume, None)
    assert reading.held.findings == ()
    assert set(reading.sources) == set(volume.instances)
    given = sitk.GetArrayFromImage(sitk.ReadImage(str(SEGMENTATIONS / "liver_seg.nrrd")))
    assert np.array_equal(sitk.GetArrayFromImage(reading.held.mask), given)


@pytest.mark.parametrize(("label", "count"), [(1, 107_098), (2, 12_439)])
def test_label_map_of_two_organs_gives_the_chosen_one(label: int, count: int) -> None:
    volume = read_folder(SEGMENTATIONS / "ct-3slice")
    mask = read(SEGMENTATIONS / "liver_spine_seg.nrrd", Kind.NRRD, volume, label).held.mask
    assert int((sitk.GetArrayFromImage(mask) == 1).sum()) == count


def test_structure_set_of_the_ct_phantom_is_its_published_mask() -> None:
    """IBSI: 26 contours of GTV-1; the NIfTI mask converted by the authors of the phantom has 125,256 voxels, and these very ones."""
    volume = read_folder(PHANTOM / "dicom" / "image")
    reading = read(next((PHANTOM / "dicom" / "mask").glob("*.dcm")), Kind.DICOM, volume, None)
    given = sitk.GetArrayFromImage(sitk.ReadImage(str(PHANTOM / "nifti" / "mask" / "mask.nii.gz")))
    marked = sitk.GetArrayFromImage(reading.held.mask)
    assert int(marked.sum()) == 125_256
    assert np.array_equal(marked, given)


def test_segmentation_of_another_scan_is_refused_by_how_much() -> None:
    volume = read_folder(PHANTOM / "dicom" / "image")
    said = [str(one) for one in read(SEGMENTATIONS / "liver.dcm", Kind.DICOM, volume, None).held.findings]
    assert said == [
        "The mask's voxels are 0.8105 × 0.8105 × 1 mm, the image's 0.977 × 0.977 × 3 mm.",
        "100 % of what the mask marks lies outside the image, up to 41.0 mm.",
        "The outline's voxels lie up to 1.46 mm beside the image's; 0.05 mm is allowed.",
    ]


@pytest.mark.parametrize("name", ["seg_image_sm_control.dcm", "seg_image_cr_binary.dcm"])
def test_segmentation_without_a_place_in_the_patient_is_refused(name: str) -> None:
    """Slides and radiographs."""
    with pytest.raises(Refused, match="does not say where its pictures lie"):
        Segmentation(pydicom.dcmread(DICOM / "highdicom" / name))
