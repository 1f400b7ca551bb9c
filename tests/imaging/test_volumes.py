"""A DICOM series or a file becomes a volume, or is refused with a sentence; a mask is held against it to the millimetre."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from imaging.volumes import Refused, VolumeRefused, alignment, read_folder, read_image, read_mask, read_series

SERIES = generate_uid(entropy_srcs=["series"])
AXIAL, SAGITTAL = (1, 0, 0, 0, 1, 0), (0, 1, 0, 0, 0, -1)


def ct(position: tuple[float, float, float], number: int = 1, **changes: Any) -> Dataset:
    """One axial CT slice of 3 rows and 4 columns whose stored values count up from 100 × `number`; a change to None removes."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, generate_uid(entropy_srcs=[str(position), str(number)])
    dataset.SeriesInstanceUID, dataset.FrameOfReferenceUID, dataset.Modality = SERIES, "1.2.3", "CT"
    dataset.ImageOrientationPatient, dataset.ImagePositionPatient, dataset.PixelSpacing = list(AXIAL), list(position), [0.5, 0.8]
    dataset.RescaleSlope, dataset.RescaleIntercept, dataset.InstanceNumber = 1, -1024, number
    dataset.Rows, dataset.Columns, dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 3, 4, 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation = 15, 0
    dataset.PixelData = (100 * number + np.arange(12, dtype="<u2")).astype("<u2").tobytes()
    for keyword, value in changes.items():
        if value is None:
            del dataset[keyword]
        else:
            setattr(dataset, keyword, value)
    return dataset


def written(dataset: Dataset) -> bytes:
    held = BytesIO()
    dataset.save_as(held, enforce_file_format=True)
    return held.getvalue()


def stack(*heights: float, change: Callable[[int], dict[str, Any]] = lambda number: {}) -> list[bytes]:
    return [written(ct((-10, -20, height), number, **change(number))) for number, height in enumerate(heights, start=1)]


def refusal(sources: list[bytes]) -> str:
    with pytest.raises(VolumeRefused) as refused:
        read_series(sources)
    return refused.value.sentences[0].code


def test_series_is_sorted_by_place_and_given_in_hounsfield_units() -> None:
    """The numbers of the slices run against their places; stored 100 with intercept −1024 is −924 HU (PS3.3 C.11.1)."""
    volume = read_series(stack(35, 30, 25))
    assert volume.image.GetSize() == (4, 3, 3)
    assert volume.image.GetOrigin() == (-10, -20, 25)
    assert volume.image.GetSpacing() == (0.8, 0.5, 5)
    assert volume.image.GetPixelID() == sitk.sitkInt16
    assert [volume.image[0, 0, k] for k in range(3)] == [300 - 1024, 200 - 1024, 100 - 1024]
    assert volume.image[1, 0, 2] == 101 - 1024
    assert (volume.modality, volume.series, volume.frame_of_reference) == ("CT", SERIES, "1.2.3")
    assert volume.instances[0] == generate_uid(entropy_srcs=[str((-10, -20, 25)), "3"])


def test_series_of_sagittal_slices_has_its_own_axes() -> None:
    """Rows run to the back and columns to the feet, so the stack's normal is (0,1,0) × (0,0,−1) = (−1,0,0): it runs to the right."""
    volume = read_series([written(ct((x, 0, 0), ImageOrientationPatient=list(SAGITTAL))) for x in (10.0, 13.0)])
    assert volume.image.GetOrigin() == (13, 0, 0)
    assert volume.image.TransformIndexToPhysicalPoint((1, 2, 1)) == pytest.approx((10, 0.8, -1.0))


def test_series_with_fractional_rescale_is_float() -> None:
    volume = read_series(stack(0, 5, change=lambda number: {"RescaleSlope": 0.5}))
    assert volume.image.GetPixelID() == sitk.sitkFloat64
    assert volume.image[1, 0, 0] == 101 * 0.5 - 1024


def test_series_beyond_sixteen_bits_keeps_its_values() -> None:
    volume = read_series(stack(0, 5, change=lambda number: {"RescaleSlope": 1000}))
    assert volume.image.GetPixelID() == sitk.sitkInt32
    assert volume.image[0, 0, 1] == 200 * 1000 - 1024


@pytest.mark.parametrize(
    ("code", "sources"),
    [
        ("duplicate", stack(0, 5, 5, 10)),
        ("gap", stack(0, 5, 10, 20, 25)),
        ("gap", stack(0, 5, 10, 15.5, 20)),
        ("sheared", stack(0, 5, 10, change=lambda number: {"ImagePositionPatient": [-10, number, 5 * number]})),
        ("mixed_orientation", stack(0, 5, change=lambda number: {"ImageOrientationPatient": list((AXIAL, SAGITTAL)[number - 1])})),
        ("mixed_orientation", stack(0, 5, change=lambda number: {"FrameOfReferenceUID": f"1.{number}"})),
        ("mixed_spacing", stack(0, 5, change=lambda number: {"PixelSpacing": [0.5, number]})),
        ("series", stack(0, 5, change=lambda number: {"SeriesInstanceUID": f"1.{number}"})),
        ("slices", stack(0)),
        ("no_geometry", stack(0, 5, change=lambda number: {"ImagePositionPatient": None})),
        ("localizer", stack(0, 5, change=lambda number: {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]})),
        ("frames", stack(0, 5, change=lambda number: {"NumberOfFrames": 2})),
        ("no_rescale", stack(0, 5, change=lambda number: {"RescaleIntercept": None})),
        ("no_pixels", stack(0, 5, change=lambda number: {"PixelData": b"\0\0"})),
        ("no_pixels", stack(0, 5, change=lambda number: {"Rows": None})),
        ("skewed_axes", stack(0, 5, change=lambda number: {"ImageOrientationPatient": [1, 0, 0, 0.04, 0.9992, 0]})),
        ("not_dicom", [b"text", b"text"]),
    ],
)
def test_series_that_is_no_even_stack_is_refused(code: str, sources: list[bytes]) -> None:
    """NW-09: gaps, duplicates and mixed geometry are never filled in."""
    assert refusal(sources) == code


def test_series_with_a_gap_is_told_where_and_how_wide() -> None:
    with pytest.raises(VolumeRefused, match=r"^10\.0 mm into the stack the step is 10\.00 mm, elsewhere 5\.00 mm"):
        read_series(stack(0, 5, 10, 20, 25))


def test_folder_is_read_past_files_that_are_not_dicom(tmp_path: Path) -> None:
    (tmp_path / "LICENSE").write_text("not an image")
    for place, source in enumerate(stack(0, 5)):
        (tmp_path / f"IM{place}").write_bytes(source)
    assert read_folder(tmp_path).image.GetSize() == (4, 3, 2)


def grid(
    size: tuple[int, int, int] = (20, 30, 10),
    spacing: tuple[float, float, float] = (0.8, 0.8, 2.5),
    origin: tuple[float, float, float] = (-100, -120, 40),
    direction: np.ndarray | None = None,
) -> sitk.Image:
    image = sitk.Image(*size, sitk.sitkUInt8)
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    image.SetDirection(np.eye(3).ravel().tolist() if direction is None else direction.ravel().tolist())
    image[5:9, 6:12, 2:5] = 1
    return image


def codes(mask: sitk.Image, image: sitk.Image) -> dict[str, str]:
    held = alignment(mask, image)
    assert held.mask is None
    assert held.verdict == "refused"
    return {finding.code: str(finding) for finding in held.findings}


def test_mask_on_the_grid_is_aligned() -> None:
    held = alignment(grid(), grid())
    assert (held.verdict, held.apart_mm, held.findings) == ("aligned", 0, ())


def test_mask_with_rounded_geometry_is_given_the_grid_of_the_image() -> None:
    """A file format that keeps 32-bit numbers moves corners by micrometres: less than 5 % of a voxel."""
    image = grid(spacing=(0.8000001, 0.8000001, 2.5), origin=(-100.00001, -120, 40))
    held = alignment(grid(), image)
    assert held.mask is not None
    assert held.mask.GetOrigin() == image.GetOrigin()
    assert held.mask.GetSpacing() == image.GetSpacing()


def test_mask_shifted_by_three_millimetres_is_told_three() -> None:
    found = codes(grid(origin=(-100, -120, 43)), grid())
    assert found == {"origin": "The mask lies 3.0 mm away from the image's place (left +0.0, back +0.0, head +3.0 mm)."}


def test_mask_with_other_spacing_is_told_both() -> None:
    found = codes(grid(spacing=(0.8, 0.8, 2.0)), grid())
    assert found == {"spacing": "The mask's voxels are 0.8 × 0.8 × 2 mm, the image's 0.8 × 0.8 × 2.5 mm."}


def test_mask_of_other_size_is_told_both() -> None:
    found = codes(grid(size=(20, 30, 9)), grid())
    assert found == {"size": "The mask has 20 × 30 × 9 voxels, the image 20 × 30 × 10."}


def test_mask_turned_by_five_degrees_is_told_five() -> None:
    angle = np.radians(5)
    turned = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    assert codes(grid(direction=turned), grid()) == {"direction": "The mask's axes are turned by 5.0 degrees against the image's."}


def test_mask_that_marks_outside_the_image_is_told_how_much() -> None:
    """Half of the marked columns (5…8 of 0.8 mm) lie left of an image that begins at column 7 of the mask."""
    image = grid(origin=(-100 + 7 * 0.8, -120, 40))
    assert codes(grid(), image)["outside"] == "50 % of what the mask marks lies outside the image."


def test_mask_with_reversed_axes_is_put_in_order_without_resampling() -> None:
    """NIfTI writes x and y towards right and front; voxel (5, 6, 2) of the image is then voxel (14, 23, 2) of the mask."""
    image, straight = grid(), sitk.GetArrayFromImage(grid())
    mask = sitk.GetImageFromArray(np.ascontiguousarray(straight[:, ::-1, ::-1]))
    mask.SetSpacing(image.GetSpacing())
    mask.SetDirection((-1, 0, 0, 0, -1, 0, 0, 0, 1))
    mask.SetOrigin(image.TransformIndexToPhysicalPoint((19, 29, 0)))
    held = alignment(mask, image)
    assert held.mask is not None
    assert (held.verdict, held.apart_mm) == ("reordered", pytest.approx(0, abs=1e-9))
    assert np.array_equal(sitk.GetArrayFromImage(held.mask), straight)
    assert held.mask.GetDirection() == image.GetDirection()


def test_mask_with_swapped_axes_is_put_in_order() -> None:
    """The mask runs z, x, y where the image runs x, y, z."""
    image = grid()
    mask = sitk.PermuteAxes(image, [2, 0, 1])
    held = alignment(mask, image)
    assert held.mask is not None
    assert held.verdict == "reordered"
    assert np.array_equal(sitk.GetArrayFromImage(held.mask), sitk.GetArrayFromImage(image))


def test_mask_with_reversed_axes_elsewhere_is_told_its_distance() -> None:
    mask = grid(direction=np.diag([-1.0, -1.0, 1.0]))
    mask.SetOrigin(grid().TransformIndexToPhysicalPoint((19, 29, 0)))
    mask.SetOrigin((mask.GetOrigin()[0], mask.GetOrigin()[1], mask.GetOrigin()[2] + 5))
    assert codes(mask, grid())["origin"].startswith("The mask lies 5.0 mm away")


def test_mask_survives_the_way_through_a_file(tmp_path: Path) -> None:
    for name in ("mask.nii", "mask.nii.gz", "mask.nrrd"):
        sitk.WriteImage(grid(), str(tmp_path / name))
        assert alignment(read_mask(tmp_path / name), grid()).verdict == "aligned"


@pytest.mark.parametrize(
    ("code", "image"),
    [
        ("labels", sitk.GetImageFromArray(np.full((2, 2, 2), 0.5))),
        ("labels", sitk.GetImageFromArray(np.full((2, 2, 2), -1, dtype=np.int16))),
        ("labels", sitk.GetImageFromArray(np.full((2, 2, 2), np.nan))),
        ("layers", sitk.GetImageFromArray(np.zeros((2, 2, 2, 3), dtype=np.uint8), isVector=True)),
        ("dimensions", sitk.GetImageFromArray(np.zeros((4, 4), dtype=np.uint8))),
    ],
)
def test_mask_that_holds_no_labels_is_refused(tmp_path: Path, code: str, image: sitk.Image) -> None:
    sitk.WriteImage(image, str(tmp_path / "mask.nrrd"))
    with pytest.raises(VolumeRefused) as refused:
        read_mask(tmp_path / "mask.nrrd")
    assert refused.value.sentences[0].code == code


def test_mask_of_four_dimensions_with_one_time_point_is_three_dimensional(tmp_path: Path) -> None:
    sitk.WriteImage(sitk.JoinSeries([grid()]), str(tmp_path / "mask.nii.gz"))
    assert read_mask(tmp_path / "mask.nii.gz").GetSize() == (20, 30, 10)


@pytest.mark.parametrize(("name", "code"), [("image.png", "format"), ("image.nii", "unreadable")])
def test_file_that_is_no_image_is_refused(tmp_path: Path, name: str, code: str) -> None:
    (tmp_path / name).write_bytes(b"not an image")
    with pytest.raises(Refused) as refused:
        read_image(tmp_path / name)
    assert refused.value.sentences[0].code == code


def test_object_is_read_the_same_from_path_and_from_bytes(tmp_path: Path) -> None:
    sources = stack(0, 5)
    paths = []
    for place, source in enumerate(sources):
        paths.append(tmp_path / str(place))
        paths[-1].write_bytes(source)
    assert pydicom.dcmread(paths[0]).InstanceNumber == 1
    assert read_series(paths).instances == read_series(sources).instances
