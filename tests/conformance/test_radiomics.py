"""The measurement against known answers: pyradiomics 3.0.1, real series and their masks (MD-08)."""

import csv
from functools import cache
from math import isclose
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

from imaging import radiomics_engine
from imaging.radiomics import Measurement, RadiomicsRefused, measure
from imaging.radiomics_profile import Profile, named, read
from imaging.volumes import alignment, read_folder, read_image, read_mask
from tests.paths import SHARED

DATA = SHARED / "data" / "03_radiomics"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"no reference data: {DATA} is absent")

CASES = {
    "brain1": ("pyradiomics/brain1_image.nrrd", "pyradiomics/brain1_label.nrrd", 1),
    "brain2": ("pyradiomics/brain2_image.nrrd", "pyradiomics/brain2_label.nrrd", 1),
    "totalseg_liver_label5": ("totalseg_abdomen/example_ct_sm.nii.gz", "totalseg_abdomen/example_seg.nii.gz", 5),
}
PARAMETERS = {  # of the stored configurations: a parameter file and the profile it changes
    "PRIME_repo": ("setting: {normalize: true}", "authors", 944),
    "prime_bspline_no_norm": ("{setting: {normalize: false}, imageType: {Original: }}", "prime", 107),
    "default_binWidth25": ("setting: {binWidth: 25}", None, 107),
}
large = pytest.param("totalseg_liver_label5", marks=pytest.mark.soak)


@cache
def stored() -> dict[tuple[str, str], dict[str, str]]:
    rows: dict[tuple[str, str], dict[str, str]] = {}
    with (DATA / "expected" / "pyradiomics_3.0.1_features_given.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            rows.setdefault((row["case"], row["config"]), {})[row["feature"]] = row["value"]
    return rows


def profile_of(config: str, folder: Path) -> Profile:
    text, base, _ = PARAMETERS[config]
    (folder / f"{config}.yaml").write_text(text)
    return read(folder / f"{config}.yaml", base)


def given(case: str) -> tuple[sitk.Image, sitk.Image, int]:
    image, mask, label = CASES[case]
    return read_image(DATA / image), read_mask(DATA / mask), label


def same(name: str, value: float, reference: float) -> bool:
    """MD-08, the design's bounds: 1e-9 relative, 1e-5 for the Laplacian of Gaussian."""
    return isclose(value, reference, rel_tol=1e-5 if name.startswith("log-") else 1e-9)


def described(measured: Measurement) -> dict[str, Any]:
    """The measurement's diagnostics under pyradiomics' names, as it prints them."""
    before, after = measured.diagnostics["given"], measured.diagnostics["measured"]
    return {
        "diagnostics_Image-original_Size": str(tuple(before["size"])),
        "diagnostics_Mask-original_BoundingBox": str(tuple(before["box"])),
        "diagnostics_Mask-original_VoxelNum": str(before["voxels"]),
        "diagnostics_Mask-interpolated_VoxelNum": str(after["voxels"]),
    }


@pytest.mark.parametrize("config", list(PARAMETERS))
@pytest.mark.parametrize("case", ["brain1", "brain2", large])
def test_values_are_those_of_pyradiomics_301(case: str, config: str, tmp_path: Path) -> None:
    reference = stored()[case, config]
    image, mask, label = given(case)
    measured = measure(image, mask, profile_of(config, tmp_path), label)
    features = {name: float(value) for name, value in reference.items() if not name.startswith("diagnostics_")}
    assert len(features) == PARAMETERS[config][2]
    assert set(measured.values) == set(features)
    assert [name for name, value in features.items() if not same(name, measured.values[name], value)] == []
    assert {name: value for name, value in described(measured).items() if name in reference and reference[name] != value} == {}


def test_profile_authors_is_the_stored_configuration(tmp_path: Path) -> None:
    assert profile_of("PRIME_repo", tmp_path).sha256 == named("authors").sha256


@pytest.mark.parametrize("case", ["brain1", "brain2", large])
def test_profile_prime_equals_plain_pyradiomics_in_the_same_run(case: str) -> None:
    """All 944 values, not only the 107 for which numbers are stored."""
    image, mask, label = given(case)
    measured = measure(image, mask, named("prime"), label)
    plain = radiomics_engine.plain(image, sitk.Cast(mask == label, sitk.sitkUInt32), named("prime"))
    assert set(measured.values) == set(plain)
    assert [name for name, value in plain.items() if not same(name, measured.values[name], value)] == []


def test_series_of_the_ct_phantom_is_its_published_volume_and_its_mask_aligns() -> None:
    """60 slices (the RTSTRUCT beside them is passed over) are, voxel for voxel in HU, the NIfTI file published with them."""
    phantom = DATA / "ibsi1_ct_phantom"
    volume = read_folder(phantom / "dicom")
    published = sitk.GetArrayFromImage(read_image(phantom / "nifti" / "image" / "phantom.nii.gz"))
    assert volume.image.GetSize() == (204, 201, 60)
    assert np.array_equal(sitk.GetArrayFromImage(volume.image), published)
    held = alignment(read_mask(phantom / "nifti" / "mask" / "mask.nii.gz"), volume.image)
    assert held.verdict == "aligned"
    assert held.apart_mm is not None
    assert held.apart_mm < 1e-3


def test_mask_of_another_patient_is_refused_with_the_distance() -> None:
    mask = read_mask(DATA / "ibsi1_ct_phantom" / "nifti" / "mask" / "mask.nii.gz")
    with pytest.raises(RadiomicsRefused) as refused:
        measure(read_folder(DATA / "crlm_liver_ct").image, mask, named("prime"))
    assert [sentence.code for sentence in refused.value.sentences] == ["size", "spacing", "origin", "outside"]
    assert "The mask has 204 × 201 × 60 voxels, the image 512 × 512 × 30." in str(refused.value)
    assert "100 % of what the mask marks lies outside the image." in str(refused.value)


def test_mask_written_back_to_front_is_put_in_order() -> None:
    """A NIfTI mask made of a DICOM series (JPEG 2000, 20 slices) has its rows reversed against it."""
    image = read_folder(DATA / "totalseg_abdomen" / "dicom").image
    held = alignment(read_mask(DATA / "totalseg_abdomen" / "example_seg_dicom.nii.gz"), image)
    assert (held.verdict, held.apart_mm) == ("reordered", pytest.approx(0, abs=1e-9))
