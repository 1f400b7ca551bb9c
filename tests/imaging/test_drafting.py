"""Drafts from a box: phantoms whose tumour is known, and a real tumour against its published mask."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from django.core.management import CommandError, call_command
from django.utils.translation import override

from imaging import overlap
from imaging.drafting import Box, Classical, DraftRefused, Marked, Voxels, draft, named
from imaging.region_files import Kind
from imaging.region_reading import read
from imaging.volumes import read_folder
from tests.imaging.world import ct_series
from tests.paths import SHARED

SPACING = (2.5, 0.8, 0.8)
PHANTOM = SHARED / "data" / "03_radiomics" / "ibsi1_ct_phantom"


def ball(inside: float, outside: float, noise: float = 12.0) -> tuple[Voxels, Marked, Box]:
    """A ball of 12 mm in liver, noise in HU, and the box that just holds it."""
    z, y, x = np.indices((24, 64, 64)).astype(float)
    marked = ((z - 12) * 2.5) ** 2 + ((y - 30) * 0.8) ** 2 + ((x - 34) * 0.8) ** 2 <= 12**2
    voxels = np.where(marked, inside, outside) + np.random.default_rng(3).normal(0, noise, marked.shape)
    places = np.nonzero(marked)
    return voxels, marked, Box(tuple(int(axis.min()) for axis in places), tuple(int(axis.max()) for axis in places))


@pytest.mark.parametrize(("inside", "outside"), [(130, 70), (60, 110)])
def test_tumour_brighter_or_darker_than_the_liver_is_found(inside: float, outside: float) -> None:
    """Arterial enhancement and washout, noise of 12 HU: the truth is known by construction."""
    voxels, truth, box = ball(inside, outside)
    assert overlap.compare(draft(voxels, box, SPACING, Classical()), truth, SPACING).dice > 0.9


def test_tumour_like_its_surroundings_is_refused_with_a_sentence() -> None:
    voxels, _, box = ball(100, 100)
    with pytest.raises(DraftRefused, match="cannot be told from its surroundings"):
        draft(voxels, box, SPACING, Classical())


@pytest.mark.parametrize("box", [Box((0, 0, 0), (24, 9, 9)), Box((-1, 0, 0), (2, 9, 9)), Box((5, 9, 0), (5, 8, 9))])
def test_box_that_leaves_the_image_is_refused(box: Box) -> None:
    with pytest.raises(DraftRefused, match="does not lie in the image"):
        draft(ball(130, 70)[0], box, SPACING, Classical())


class Everything:
    """An operator's segmenter: it marks all there is."""

    name = "everything 1"

    def __call__(self, voxels: Voxels, box: Box, spacing: tuple[float, float, float]) -> Marked:
        return np.ones(voxels.shape, dtype=np.bool_)


def test_operators_segmenter_stands_behind_the_same_door_and_stays_in_the_box() -> None:
    """Its factory is named; what it marks outside the box is cut off."""
    segmenter = named(f"{__name__}:Everything")
    marked = draft(ball(130, 70)[0], Box((2, 3, 4), (4, 8, 6)), SPACING, segmenter)
    assert (segmenter.name, int(marked.sum())) == ("everything 1", 3 * 6 * 3)
    with pytest.raises(DraftRefused, match="There is no segmenter medsam"):
        named("medsam")


@pytest.mark.skipif(not PHANTOM.is_dir(), reason=f"no reference data: {PHANTOM} is absent")
def test_real_tumour_is_drafted_near_its_published_mask() -> None:
    """IBSI's CT phantom (a lung tumour), from the box around the mask that its authors published."""
    image = read_folder(PHANTOM / "dicom" / "image").image
    truth = sitk.GetArrayFromImage(sitk.ReadImage(str(PHANTOM / "nifti" / "mask" / "mask.nii.gz"))) == 1
    places = np.nonzero(truth)
    box = Box(tuple(int(axis.min()) for axis in places), tuple(int(axis.max()) for axis in places))
    marked = draft(sitk.GetArrayFromImage(image).astype(float), box, image.GetSpacing()[::-1], Classical())
    found = overlap.compare(marked, truth, image.GetSpacing()[::-1])
    print(found)
    assert found.dice > 0.7


def test_command_writes_a_segmentation_that_lies_on_its_series(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A bright block of 8 × 8 pixels on slices 4 to 8, drafted as DICOM and read back."""
    folder = tmp_path / "series"
    folder.mkdir()

    def change(dataset: object, i: int) -> None:
        pixels = np.full((32, 32), 1024 + 60, dtype=np.int16)
        if 4 <= i <= 8:
            pixels[12:20, 12:20] = 1024 + 160
        dataset.PixelData = pixels.tobytes()  # type: ignore[attr-defined]

    for i, data in enumerate(ct_series("01-0001-00", change=change)):
        (folder / f"{i}.dcm").write_bytes(data)
    box = ["3", "11", "11", "9", "20", "20"]
    with override("en"):
        call_command("draft", "--image", str(folder), "--out", str(tmp_path / "out.dcm"), "--box", *box)
    assert "a draft, to be corrected by a person" in capsys.readouterr().out
    mask = read(tmp_path / "out.dcm", Kind.DICOM, read_folder(folder), None).held.mask
    truth = np.zeros((12, 32, 32), dtype=bool)
    truth[4:9, 12:20, 12:20] = True
    assert overlap.compare(sitk.GetArrayFromImage(mask) == 1, truth, (2.5, 1, 1)).dice > 0.9
    with pytest.raises(CommandError) as refused:
        call_command("draft", "--image", str(folder), "--out", str(tmp_path / "out.nii.gz"), "--box", "0", "0", "0", "99", "9", "9")
    assert refused.value.returncode == 1
