"""Profiles `ibsi` and `ibsi-slices` against the reference values of IBSI-1: digital phantom, CT phantom configurations A and C (MD-08).

Zwanenburg et al., Radiology 2020;295:328-338; tolerances are those of the published tables.
"""

import csv
from pathlib import Path

import pytest

from imaging.radiomics import Measurement, measure
from imaging.radiomics_ibsi_tags import NOT_DEFINED, TAGS, tag
from imaging.radiomics_profile import named, read
from imaging.volumes import read_folder, read_image, read_mask
from tests.paths import SHARED

DATA = SHARED / "data" / "03_radiomics"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"no reference data: {DATA} is absent")


def table(name: str) -> dict[str, tuple[float, float]]:
    """Reference value and tolerance by tag, where the initiative agreed on a value."""
    with (DATA / "ibsi1_reference_values" / f"ibsi_1_{name}.csv").open(newline="", encoding="utf-8-sig") as file:
        rows = [row for row in csv.DictReader(file, delimiter=";") if row["reference value"]]
    return {row["tag"]: (float(row["reference value"]), float(row["tolerance"])) for row in rows}


def near(value: float, reference: float, tolerance: float) -> bool:
    """Within the table's tolerance, or equal when rounded to the three digits that it prints."""
    return abs(value - reference) <= tolerance or float(f"{value:.3g}") == reference


def off(measured: Measurement, name: str, *, slices: bool) -> dict[str, tuple[float, tuple[float, float]]]:
    """Every comparable feature that is not within its tolerance; all 102 must have a reference value."""
    values = {key.removeprefix("original_"): value for key, value in measured.values.items()}
    assert set(values) == set(TAGS) | set(NOT_DEFINED)
    reference = table(name)
    return {
        key: (values[key], reference[tag(key, slices=slices)]) for key in TAGS if not near(values[key], *reference[tag(key, slices=slices)])
    }


def test_features_are_comparable_or_say_why_not() -> None:
    assert (len(TAGS), len(NOT_DEFINED)) == (102, 5)
    assert not set(TAGS) & set(NOT_DEFINED)


@pytest.mark.parametrize("slices", [False, True])
def test_values_of_the_digital_phantom(slices: bool, tmp_path: Path) -> None:
    """74 voxels of 4 levels from 1 to 6, not interpolated; texture in space and within slices."""
    said = f"{{setting: {{binWidth: 1}}, ibsi: {{resegmentRange: [1, 6], slices: {str(slices).lower()}}}}}"
    (tmp_path / "phantom.yaml").write_text(said)
    phantom = DATA / "ibsi1_digital_phantom" / "nifti"
    image, mask = read_image(phantom / "image" / "phantom.nii.gz"), read_mask(phantom / "mask" / "mask.nii.gz")
    assert off(measure(image, mask, read(tmp_path / "phantom.yaml")), "dig_phantom", slices=slices) == {}


@pytest.mark.parametrize(("profile", "configuration"), [("ibsi-slices", "chest_config_a"), ("ibsi", "chest_config_c")])
def test_values_of_the_ct_phantom(profile: str, configuration: str) -> None:
    """A: slice by slice as it is; C: in space at 2 mm. Also how many voxels the region has, and how many the range leaves of it."""
    phantom = DATA / "ibsi1_ct_phantom"
    measured = measure(read_folder(phantom / "dicom").image, read_mask(phantom / "nifti" / "mask" / "mask.nii.gz"), named(profile))
    assert off(measured, configuration, slices=profile == "ibsi-slices") == {}
    reference, region = table(configuration), measured.diagnostics["measured"]
    assert near(region["voxels"], *reference["morph_mask_vox_count_reseg_roi"])
    assert near(region["in_range"], *reference["int_mask_vox_count_reseg_roi"])
