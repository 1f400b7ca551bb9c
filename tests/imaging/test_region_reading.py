"""Segmentations, structure sets and label maps held against a series: counted by hand, refused by how much (MD-08)."""

import io
import random
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from imaging.region_files import HEAD, Kind, kind_of
from imaging.region_reading import Reading, read
from imaging.volumes import Refused, Volume, read_series
from tests.imaging.outlines import segmentation, square, structure_set, uids
from tests.imaging.world import ct_series

FILES = ct_series("01-0001-00")
"""12 slices of 32 × 32, 1 × 1 × 2.5 mm, the first pixel at (−16, −16, 0) mm."""


@pytest.fixture(scope="module")
def volume() -> Volume:
    return read_series(FILES)


def voxels(*marked: tuple[slice, slice, slice]) -> np.ndarray:
    """A grid as the series has it, with boxes (slices, rows, columns) marked."""
    grid = np.zeros((12, 32, 32), dtype=np.uint8)
    for box in marked:
        grid[box] = 1
    return grid


CUBE = voxels((slice(3, 6), slice(10, 15), slice(8, 12)))  # 3 × 5 × 4 = 60 voxels


def held(data: bytes, volume: Volume, tmp_path: Path, chosen: int | None = None) -> Reading:
    path = tmp_path / "given.nrrd"
    path.write_bytes(data)
    kind = kind_of(data[:HEAD])
    assert kind is not None
    return read(path, kind, volume, chosen)


def codes(data: bytes, volume: Volume, tmp_path: Path, chosen: int | None = None) -> list[str]:
    """The codes of what a file is refused for; [] when it is aligned."""
    try:
        return [sentence.code for sentence in held(data, volume, tmp_path, chosen).held.findings]
    except Refused as refused:
        return [sentence.code for sentence in refused.sentences]


def said(data: bytes, volume: Volume, tmp_path: Path) -> str:
    try:
        return " ".join(map(str, held(data, volume, tmp_path).held.findings))
    except Refused as refused:
        return str(refused)


def array(reading: Reading) -> np.ndarray:
    assert reading.held.mask is not None
    return sitk.GetArrayFromImage(reading.held.mask)


# Segmentation objects


def test_segmentation_lands_on_its_voxels(volume: Volume, tmp_path: Path) -> None:
    """60 voxels, frames from the head to the feet: the order of frames plays no part."""
    reading = held(segmentation({1: CUBE}, sources=uids(FILES)), volume, tmp_path)
    assert np.array_equal(array(reading), CUBE)
    assert reading.held.apart_mm == pytest.approx(0, abs=1e-9)
    assert set(reading.sources) == set(uids(FILES)[3:6])


@pytest.mark.parametrize(("value", "count"), [(127, 0), (128, 60), (255, 60)])
def test_fractional_voxel_counts_from_half_on(volume: Volume, tmp_path: Path, value: int, count: int) -> None:
    """Of 255: 127 is 0.498, 128 is 0.502."""
    data = segmentation({1: CUBE * value}, fractional=255)
    if not count:
        assert codes(data, volume, tmp_path) == ["empty"]
    else:
        assert array(held(data, volume, tmp_path)).sum() == count


def test_several_segments_are_listed_and_one_is_chosen(volume: Volume, tmp_path: Path) -> None:
    """60 voxels of 2.5 mm³ are 0.15 mL, 1,280 are 3.2 mL; the names of segments are not repeated, they may be a person's."""
    liver = voxels((slice(1, 6), slice(0, 16), slice(0, 16)))
    data = segmentation({2: CUBE, 7: liver}, names={2: "HCC of Zhang San", 7: "Liver"})
    sentence = said(data, volume, tmp_path)
    assert sentence == (
        "The file holds 2 regions (2: 肿瘤 tumour 0.15 mL; 7: 肝 liver 3.20 mL). Send it again with the number of the tumour."
    )
    assert array(held(data, volume, tmp_path, chosen=2)).sum() == 60
    assert array(held(data, volume, tmp_path, chosen=7)).sum() == 1280
    assert codes(data, volume, tmp_path, chosen=3) == ["no_such_region"]


@pytest.mark.parametrize(
    ("changes", "code", "sentence"),
    [
        ({"origin": (-16, -16, 0.4)}, "beside", "up to 0.40 mm beside the image's; 0.05 mm is allowed."),
        ({"origin": (-15.7, -15.6, 0)}, "beside", "up to 0.50 mm beside"),
        ({"spacing": (1, 1, 5.0)}, "spacing", "1 × 1 × 5 mm, the image's 1 × 1 × 2.5 mm."),
        ({"origin": (-16, -16, 25)}, "outside_by", "100 % of what the mask marks lies outside the image, up to 10.0 mm."),
    ],
)
def test_segmentation_elsewhere_is_refused_by_how_much(
    volume: Volume, tmp_path: Path, changes: dict[str, object], code: str, sentence: str
) -> None:
    """The last: slices 3…5 from 25 mm on lie at 32.5…37.5 mm, the image ends at 27.5 mm."""
    data = segmentation({1: CUBE}, **changes)  # type: ignore[arg-type]
    assert code in codes(data, volume, tmp_path)
    assert sentence in said(data, volume, tmp_path)


def test_frame_that_names_another_slice_is_refused(volume: Volume, tmp_path: Path) -> None:
    """References and positions contradict each other: every frame names the slice below its own."""
    names = uids(FILES)
    assert said(segmentation({1: CUBE}, sources=[names[0], *names[:-1]]), volume, tmp_path).startswith("3 of 3 parts")


def test_references_from_before_the_edge_are_matched_by_place(volume: Volume, tmp_path: Path) -> None:
    """The edge makes new UIDs: a file with the hospital's own is held against the series by geometry."""
    assert codes(segmentation({1: CUBE}, sources=[f"1.2.840.{k}" for k in range(12)]), volume, tmp_path) == []


# Structure sets


def test_contours_are_filled_with_their_holes(volume: Volume, tmp_path: Path) -> None:
    """10 × 8 mm around 3 × 3 mm, on two slices: 2 × (80 − 9) voxels; contours run between voxels."""
    ring = [contour for z in (5.0, 7.5) for contour in (square(-10.5, -8.5, -0.5, -0.5, z), square(-6.5, -5.5, -3.5, -2.5, z))]
    reading = held(structure_set({1: ring}, sources={5.0: uids(FILES)[2], 7.5: uids(FILES)[3]}), volume, tmp_path)
    marked = array(reading)
    assert (marked.sum(), marked[2].sum(), marked[3].sum()) == (142, 71, 71)
    assert marked[2, 16 - 8, 16 - 10] == 1  # y from −8.5 up: the row at −8; x from −10.5 up: the column at −10
    assert marked[2, 16 - 5, 16 - 6] == 0


def test_structure_set_with_several_regions_asks_for_one(volume: Volume, tmp_path: Path) -> None:
    """10 × 10 mm on one slice of 2.5 mm: 0.25 mL; 4 × 4: 0.04."""
    data = structure_set({3: [square(-10, -10, 0, 0, 5.0)], 4: [square(1, 1, 5, 5, 5.0)]}, names={3: "GTV-1", 4: "Zhang"})
    assert said(data, volume, tmp_path) == (
        "The file holds 2 regions (3: 肿瘤 tumour 0.25 mL; 4: 0.04 mL). Send it again with the number of the tumour."
    )
    assert array(held(data, volume, tmp_path, chosen=3)).sum() == 100


@pytest.mark.parametrize(
    ("heights", "code", "sentence"),
    [
        ([5.4, 7.9], "contour_off", "0.40 mm beside the nearest slice; 0.25 mm is allowed."),
        ([5.0, 10.0, 15.0], "contour_steps", "The contours lie 5.0 mm apart, the slices 2.5 mm"),
        ([27.5, 30.0, 32.5], "contour_outside", "A contour lies 5.0 mm above or below the image."),
    ],
)
def test_contours_off_the_slices_are_refused_by_how_much(
    volume: Volume, tmp_path: Path, heights: list[float], code: str, sentence: str
) -> None:
    data = structure_set({1: [square(-10.5, -8.5, -0.5, -0.5, z) for z in heights]})
    assert codes(data, volume, tmp_path) == [code]
    assert sentence in said(data, volume, tmp_path)


def test_contour_that_names_another_slice_is_refused(volume: Volume, tmp_path: Path) -> None:
    data = structure_set({1: [square(-10.5, -8.5, -0.5, -0.5, 5.0)]}, sources={5.0: uids(FILES)[9]})
    assert codes(data, volume, tmp_path) == ["wrong_slices"]


def test_points_and_open_lines_enclose_nothing(volume: Volume, tmp_path: Path) -> None:
    assert codes(structure_set({1: [square(-10, -8, 0, 0, 5.0)]}, kind="OPEN_PLANAR"), volume, tmp_path) == ["empty"]


# Label maps and other files


def test_nrrd_is_read_and_a_label_chosen(volume: Volume, tmp_path: Path) -> None:
    labels = sitk.GetImageFromArray(CUBE * 3)
    labels.CopyInformation(volume.image)
    sitk.WriteImage(labels, str(tmp_path / "labels.nrrd"))
    data = (tmp_path / "labels.nrrd").read_bytes()
    assert kind_of(data) is Kind.NRRD
    assert array(held(data, volume, tmp_path, chosen=3)).sum() == 60


def test_nrrd_that_leads_to_another_file_is_refused(volume: Volume, tmp_path: Path) -> None:
    """A detached header could name any file of this machine."""
    header = b"NRRD0004\ntype: uchar\ndimension: 3\nsizes: 32 32 12\nencoding: raw\ndata file: /etc/hostname\n\n"
    assert codes(header, volume, tmp_path) == ["detached"]
    assert codes(header.replace(b"data file", b"DataFile"), volume, tmp_path) == ["detached"]


def test_other_dicom_objects_are_refused(volume: Volume, tmp_path: Path) -> None:
    assert codes(FILES[0], volume, tmp_path) == ["dicom_other"]


@pytest.mark.parametrize("start", [b"", b"%PDF-1.7", b"PK\x03\x04", bytes(4096)])
def test_other_files_are_no_outlines(start: bytes) -> None:
    assert kind_of(start) is None


def harmed(data: bytes, chance: random.Random) -> bytes:
    """A file with bytes changed, lengths made endless or nothing, parts cut out, and parts repeated inside others."""
    spoiled = bytearray(data)
    for _ in range(chance.choice([1, 1, 2, 5, 20])):
        at, other = chance.randrange(132, len(spoiled)), chance.randrange(132, len(spoiled))
        match chance.randrange(4):
            case 0:
                spoiled[at] = chance.randrange(256)
            case 1:
                spoiled[at : at + 4] = chance.choice([b"\xff" * 4, bytes(4), b"\xfe\xff\x00\xe0", b"\1\0\0\0"])
            case 2:
                del spoiled[at : at + chance.randrange(1, 40)]
            case _:
                spoiled[at:at] = spoiled[other : other + chance.randrange(1, 300)]
    return bytes(spoiled)


def nested(data: bytes, depth: int) -> bytes:
    """A structure set whose first contour carries itself, again and again."""
    dataset = pydicom.dcmread(io.BytesIO(data))
    contour = dataset.ROIContourSequence[0].ContourSequence[0]
    for _ in range(depth):
        around = pydicom.Dataset()
        around.ROIContourSequence = [pydicom.Dataset()]
        around.ROIContourSequence[0].ContourSequence = [contour]
        contour = around
    dataset.ROIContourSequence[0].ContourSequence = [contour]
    out = io.BytesIO()
    dataset.save_as(out, enforce_file_format=True)
    return out.getvalue()


@pytest.mark.filterwarnings("ignore")  # what pydicom thinks of it is no fault here
@pytest.mark.parametrize("seed", range(2))
def test_whatever_a_file_is_harmed_by_it_is_read_or_refused(volume: Volume, tmp_path: Path, seed: int) -> None:
    """Done 6: nothing a stranger's SEG or RTSTRUCT holds, at any depth, ends in anything but a reading or a sentence."""
    chance = random.Random(seed)
    whole = [structure_set({1: [square(-10.5, -8.5, -0.5, -0.5, z) for z in (5.0, 7.5)]}), segmentation({1: CUBE, 2: 1 - CUBE})]
    for turn in range(150):
        try:
            held(harmed(whole[turn % 2], chance), volume, tmp_path, chance.choice([None, 1, 2]))
        except Refused as refused:
            assert refused.sentences


@pytest.mark.parametrize("depth", [1, 40])
def test_structure_set_nested_in_itself_is_refused(volume: Volume, tmp_path: Path, depth: int) -> None:
    data = nested(structure_set({1: [square(-10.5, -8.5, -0.5, -0.5, 5.0)]}), depth)
    with pytest.raises(Refused):
        held(data, volume, tmp_path)
