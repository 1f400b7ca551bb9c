"""Measuring a region: the same input gives the same values and hash everywhere; what cannot be measured is refused (MD-07, MD-08)."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import radiomics as pyradiomics
import SimpleITK as sitk
from radiomics.featureextractor import RadiomicsFeatureExtractor

from imaging import radiomics_engine, radiomics_profile
from imaging.benchmarks import radiomics as benchmark
from imaging.radiomics import Measurement, RadiomicsRefused, measure, voxels_sha256
from imaging.radiomics_profile import NAMES, Profile, ProfileRefused, named, read

HOUNSFIELD = "normalize: false\n"


def texture(
    shape: tuple[int, int, int] = (30, 33, 36), spacing: tuple[float, float, float] = (1.0, 1.0, 1.0), seed: int = 25
) -> sitk.Image:
    """Grey noise between −200 and 200, the same for the same seed."""
    image = sitk.GetImageFromArray(np.random.default_rng(seed).integers(-200, 200, shape).astype(np.int16))
    image.SetSpacing(spacing)
    return image


def ball(image: sitk.Image, center: tuple[int, int, int], radius: float = 5, label: int = 1) -> sitk.Image:
    """`label` within `radius` voxels of `center` (z, y, x)."""
    place = np.indices(image.GetSize()[::-1]) - np.array(center)[:, None, None, None]
    mask = sitk.GetImageFromArray(np.where(np.linalg.norm(place, axis=0) <= radius, label, 0).astype(np.uint8))
    mask.CopyInformation(image)
    return mask


def block(image: sitk.Image, *size: int) -> sitk.Image:
    """A cuboid of 1 of `size` (x, y, z) voxels, 4 voxels into the image."""
    mask = sitk.Image(image.GetSize(), sitk.sitkUInt8)
    mask.CopyInformation(image)
    mask[tuple(slice(4, 4 + length) for length in size)] = 1
    return mask


@pytest.fixture
def written(tmp_path: Path):
    def write(text: str, base: str | None = None) -> Profile:
        (tmp_path / "params.yaml").write_text(text, encoding="utf-8")
        return read(tmp_path / "params.yaml", base)

    return write


def refusal(image: sitk.Image, mask: sitk.Image, profile: Profile, label: int | None = None) -> str:
    with pytest.raises(RadiomicsRefused) as refused:
        measure(image, mask, profile, label)
    assert str(refused.value)
    return refused.value.sentences[0].code


# -- profiles


@pytest.mark.parametrize("name", ["prime", "authors"])
@pytest.mark.filterwarnings("ignore:the load_module")
def test_profile_is_a_plain_pyradiomics_parameter_file(name: str) -> None:
    """pyradiomics validates the file with its own schema and reads the same settings out of it."""
    plain = RadiomicsFeatureExtractor(str(radiomics_profile.FOLDER / f"{name}.yaml"))
    profile = named(name)
    decisive = {key: value for key, value in plain.settings.items() if key in profile.settings}
    assert decisive == {key: profile.settings[key] for key in decisive}
    assert set(plain.settings) - set(decisive) == {"label", "additionalInfo", "force2D", "force2Ddimension", "resegmentRange"}
    plain.enabledImagetypes["LoG"].setdefault("padDistance", plain.settings["padDistance"])
    assert plain.enabledImagetypes == {key: dict(value) for key, value in profile.images.items()}


def test_profiles_are_pinned() -> None:
    """MD-04, MD-08: a changed digit is another profile and needs a new registration of every model that uses it."""
    assert {name: named(name).sha256 for name in NAMES} == {
        "prime": "f57122f0793b30db1bd3255cfcade0b47259dea7dae244a84091052f8a4848e1",
        "authors": "76239011875b686c6654adab85f27ff732975d58754f76ab656276a74c74f008",
        "ibsi": "a9268123fd2deccc16ad1db8c756356def3eef9ef09d491ad9e66e7faf3d2692",
        "ibsi-slices": "d85a52a1fbd37b8d7ea3da0f2af3ed586542dc03a4a59596100aaa48bd0b10e8",
    }


def test_profile_hash_follows_the_meaning_of_the_file(written) -> None:
    base = written("setting: {binWidth: 25}")
    assert (
        written("{setting: {binWidth: 25.0, padDistance: 5, label: 3, additionalInfo: true}, imageType: {Original: }}").sha256
        == base.sha256
    )
    assert written("setting: {binWidth: 24}").sha256 != base.sha256
    assert written("setting: {normalize: true}").sha256 != base.sha256
    assert written("imageType: {Wavelet: }").sha256 == written("imageType: {Wavelet: {wavelet: coif1}}").sha256


def test_bare_settings_change_the_profile_and_sections_stand_alone(written) -> None:
    changed, alone, merged = written(HOUNSFIELD), written("setting: {normalize: false}"), written("imageType: {Original: }", "authors")
    assert dict(changed.settings) == {**named("prime").settings, "normalize": False}
    assert changed.images == named("prime").images
    assert alone.settings["resampledPixelSpacing"] is None
    assert list(alone.images) == ["Original"]
    assert merged.settings == named("authors").settings
    assert list(merged.images) == ["Original"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[1, 2]",
        "{",
        "binWidth: -1",
        "binWidth: wide",
        "interpolator: sitkGaussian",
        "correctMask: true",
        "geometryTolerance: 0.1",
        "imageType: {Exponential: }",
        "imageType: {LoG: }",
        "imageType: {Wavelet: {wavelet: mexh}}",
        "featureClass: {shape2D: }",
        "{setting: {}, extra: 1}",
        "resampledPixelSpacing: [1, 1]",
    ],
)
def test_parameters_that_cannot_be_measured_by_are_refused(written, text: str) -> None:
    with pytest.raises(ProfileRefused):
        written(text)


# -- values


def test_profile_prime_has_944_values_in_order() -> None:
    """107 original + 93 Laplacian of Gaussian + 8 × 93 wavelet."""
    image = texture()
    names = list(measure(image, ball(image, (15, 16, 18)), named("prime")).values)
    assert [sum(name.startswith(kind) for name in names) for kind in ("original", "log-sigma-4-0-mm-3D", "wavelet")] == [107, 93, 744]
    assert names[0] == "original_shape_Elongation"
    assert len(set(names)) == 944


def test_values_of_a_cube_are_those_done_by_hand(written) -> None:
    """10 × 10 × 10 voxels of 2 mm, half 30 and half 80 HU: 8,000 mm³, mean 55, variance 25², entropy 1 bit, energy 500·(30² + 80²)."""
    voxels = np.zeros((20, 20, 20), dtype=np.int16)
    voxels[:9], voxels[9:] = 30, 80
    image = sitk.GetImageFromArray(voxels)
    image.SetSpacing((2, 2, 2))
    values = measure(image, block(image, 10, 10, 10), written("{setting: {binWidth: 25}}")).values
    assert values["original_shape_VoxelVolume"] == 8000
    assert values["original_firstorder_Mean"] == 55
    assert values["original_firstorder_Variance"] == 625
    assert values["original_firstorder_Entropy"] == pytest.approx(1, abs=1e-12)
    assert values["original_firstorder_Energy"] == 500 * (30**2 + 80**2)


@pytest.mark.parametrize(
    "center",
    [(15, 16, 18), (5, 5, 5), (24, 27, 30), (15, 5, 18), (14, 17, 30)],
    ids=["inside", "first corner", "last corner", "low y", "high x"],
)
@pytest.mark.parametrize("text", [HOUNSFIELD, "{setting: {binWidth: 25}, imageType: {Original: , LoG: {sigma: [2.0]}, Wavelet: }}"])
def test_values_equal_plain_pyradiomics_wherever_the_region_lies(written, text: str, center: tuple[int, int, int]) -> None:
    """The wavelet left out far from the region changes nothing, also where the transform wraps around an end or pads an odd size; sums
    are taken in another order (1e-11)."""
    image, profile = texture(), written(text)
    mask = ball(image, center)
    plain = {
        name: float(value) for name, value in radiomics_engine.plain(image, mask, profile).items() if not name.startswith("diagnostics")
    }
    assert measure(image, mask, profile).values == pytest.approx(plain, rel=1e-11)


def test_margin_of_one_filter_moves_no_value_of_another(written) -> None:
    """SimpleITK cuts fractions off when it resamples whole numbers; on another grid 57.0 can come out as 56."""
    image = texture((14, 16, 18), spacing=(3.0, 3.0, 3.0))
    mask = ball(image, (7, 8, 9), radius=4)
    own = measure(image, mask, written(HOUNSFIELD)).values
    narrow = radiomics_engine.plain(image, mask, written("{setting: {normalize: false}, imageType: {Original: , Wavelet: }}", "prime"))
    assert {name: own[name] for name in narrow} == pytest.approx(narrow, rel=1e-11)
    wide = radiomics_engine.plain(image, mask, written("{setting: {normalize: false, padDistance: 40}, imageType: {Original: }}", "prime"))
    assert wide != pytest.approx({name: own[name] for name in wide}, rel=1e-6)


def test_values_are_of_the_asked_label_alone() -> None:
    image = texture()
    seven, one = ball(image, (15, 16, 18), label=7), ball(image, (6, 6, 6), radius=3)
    both = measure(image, seven + one, named("authors"), label=7)
    assert both.values == measure(image, seven, named("authors"), label=7).values
    assert both.label == 7


def test_mask_in_another_order_gives_the_same_measurement() -> None:
    image = texture()
    mask = ball(image, (15, 16, 18))
    turned = sitk.Flip(mask, [True, False, True])
    straight, reordered = measure(image, mask, named("authors")), measure(image, turned, named("authors"))
    assert reordered.sha256 == straight.sha256
    assert "reordered" in [warning.code for warning in reordered.warnings]


# -- refusals and warnings


def test_regions_that_give_no_measurement_are_refused() -> None:
    image, prime = texture(), named("prime")
    assert refusal(image, block(image, 0, 0, 0), prime) == "empty"
    assert refusal(image, block(image, 5, 5, 5), prime, label=2) == "label"
    assert refusal(image, block(image, 1, 1, 1), prime) == "one_voxel"
    assert refusal(image, block(image, 5, 1, 1), prime) == "flat"
    assert refusal(image, ball(texture((29, 33, 36)), (15, 16, 18)), prime) == "size"


def test_region_that_vanishes_between_the_new_voxels_is_refused() -> None:
    """Two voxels of 0.2 mm meet no centre of 1 mm voxels (which lie at 0.4, 1.4, … mm; the mask covers 0.7…1.1 mm)."""
    image = texture(spacing=(0.2, 0.2, 0.2))
    mask = sitk.Image(image.GetSize(), sitk.sitkUInt8)
    mask.CopyInformation(image)
    mask[4:6, 4:6, 4:6] = 1
    assert refusal(image, mask, named("prime")) == "vanished"


def test_image_with_values_that_are_no_numbers_is_refused() -> None:
    image = sitk.Cast(texture(), sitk.sitkFloat32)
    image[0, 0, 0] = float("nan")
    assert refusal(image, ball(image, (15, 16, 18)), named("prime")) == "not_finite"


def test_region_whose_box_would_be_too_large_is_refused_before_it_is_made() -> None:
    """36 × 33 × 30 voxels of 20 mm are 285 million voxels of 1 mm."""
    image = texture(spacing=(20, 20, 20))
    assert refusal(image, ball(image, (15, 16, 18), radius=14), named("prime")) == "too_large"


def test_image_too_small_for_a_filter_is_refused(written) -> None:
    """The Laplacian of Gaussian of sigma 4 mm needs 5 voxels of 1 mm on every side."""
    image = texture((4, 33, 36))
    mask = ball(image, (2, 16, 18), radius=3)
    assert refusal(image, mask, written("{setting: {}, imageType: {Original: , LoG: {sigma: [4.0]}}}")) == "filter"


def test_region_outside_the_range_of_intensities_is_refused(written) -> None:
    """IBSI leaves intensities out by a range; where nothing remains there is nothing to measure, and other images are not offered."""
    image = texture()
    assert refusal(image, ball(image, (15, 16, 18)), written("{setting: {}, ibsi: {resegmentRange: [900, 1000]}}")) == "out_of_range"
    with pytest.raises(ProfileRefused):
        written("{imageType: {Wavelet: }, ibsi: {resegmentRange: [0, 1]}}")


def test_unknown_feature_name_is_refused(written) -> None:
    image = texture()
    assert refusal(image, ball(image, (15, 16, 18)), written("featureClass: {firstorder: [Beauty]}")) == "engine"


def test_grey_levels_and_margin_that_say_little_are_warned_about(written) -> None:
    """Normalised to standard deviation 1, a bin width of 25 leaves one or two grey levels; 5 mm of margin are less than ten sigma."""
    image = texture()
    mask = ball(image, (15, 16, 18))

    def warned(profile: Profile) -> list[str]:
        return [warning.code for warning in measure(image, mask, profile).warnings]

    assert warned(named("authors")) == ["grey_levels", "log_margin"]
    assert warned(named("prime")) == ["grey_levels"]
    assert warned(written(HOUNSFIELD)) == []


def test_undefined_values_are_named_and_not_invented(written) -> None:
    """Three voxels apart from each other make no co-occurring pair: all 24 GLCM features are undefined, and only they."""
    image = texture()
    mask = block(image, 0, 0, 0)
    for voxel in ((4, 4, 4), (10, 10, 10), (20, 4, 9)):
        mask[voxel] = 1
    said = measure(image, mask, written("setting: {}"))
    undefined = [name for name, value in said.values.items() if np.isnan(value)]
    assert undefined == [name for name in said.values if "_glcm_" in name]
    assert [warning.params["count"] for warning in said.warnings if warning.code == "undefined"] == [24]


# -- the same everywhere

SCRIPT = """
from tests.imaging.test_radiomics import small
print(small().sha256)
"""


def small() -> Measurement:
    image = texture(spacing=(0.8, 0.8, 1.5))
    return measure(image, ball(image, (15, 16, 18)), named("prime"))


def test_measurement_is_the_same_three_times_and_in_two_processes() -> None:
    """MD-07: three runs, two processes, whatever number of threads the environment offers."""
    here = {small().sha256 for _ in range(2)}
    environment = {**os.environ, "OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "2"}
    root = Path(__file__).parents[2]
    there = subprocess.run([sys.executable, "-c", SCRIPT], cwd=root, env=environment, capture_output=True, text=True, check=True)
    assert here == {there.stdout.strip()}


def test_measurement_hash_feels_every_voxel_of_image_and_mask(written) -> None:
    image, profile = texture(), written("featureClass: {shape: }")
    mask = ball(image, (15, 16, 18))
    base = measure(image, mask, profile)
    moved, more = sitk.Image(image), sitk.Image(mask)
    moved[0, 0, 0], more[0, 0, 0] = 999, 1
    assert measure(moved, mask, profile).image_sha256 != base.image_sha256
    assert measure(moved, mask, profile).sha256 != base.sha256
    assert measure(image, more, profile).mask_sha256 != base.mask_sha256
    assert base.mask_sha256 == measure(image, ball(image, (15, 16, 18), label=9), profile, label=9).mask_sha256


def test_image_hash_covers_grid_and_type() -> None:
    image = texture()
    shifted = sitk.Image(image)
    shifted.SetOrigin((0, 0, 1))
    assert len({voxels_sha256(one) for one in (image, shifted, sitk.Cast(image, sitk.sitkInt32))}) == 3


def test_engine_leaves_the_process_as_it_found_it() -> None:
    """pyradiomics' logger says nothing, and the number of threads of SimpleITK is what it was."""
    before = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads(), sitk.ProcessObject.GetGlobalDefaultCoordinateTolerance()
    small()
    assert (sitk.ProcessObject.GetGlobalDefaultNumberOfThreads(), sitk.ProcessObject.GetGlobalDefaultCoordinateTolerance()) == before
    assert pyradiomics.logger.handlers == []
    assert pyradiomics.logger.level == logging.ERROR


def test_benchmark_compares_equal_values() -> None:
    """A ratio counts only between programs that say the same; the margin of 40 mm holds the Laplacian of Gaussian to 1e-5."""
    rows = benchmark(shape=(104, 104, 104), radius_mm=10, at_once=1)
    assert [row["tool"] for row in rows] == ["pyradiomics, whole volume", "ours", "pyradiomics, our margins"]
    assert max(row["difference"] for row in rows) <= 1e-9
    assert max(row["log_difference"] for row in rows) <= 1e-5
    assert rows[2]["log_difference"] <= 1e-11
