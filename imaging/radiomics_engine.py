"""The one place that runs pyradiomics: its numbers, single-threaded, without its globals.

The values are those of `RadiomicsFeatureExtractor.execute` (pyradiomics 3.0.1 and its bhklab build) on the same input, to 1e-11. Left
out is what cannot change them: the wavelet of voxels far from the tumour, the hashes, the second look at the mask, and what
`radiomics_classes` finds once instead of once for every feature class.
pyradiomics keeps a logger, and SimpleITK its thread count, for the whole process: both are set here and nowhere else, and one
extraction runs at a time in a process. No geometry tolerance is ever set: the mask comes with the image's own grid.
"""

import logging
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import pywt
import SimpleITK as sitk
from numpy.typing import NDArray
from radiomics import featureextractor, imageoperations
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from imaging import radiomics_classes, radiomics_ibsi
from imaging.radiomics_profile import Profile

ENGINE = "2"  # raised whenever a value may differ in any digit; 2: mesh, runs, dependences and moments of our own
SOFTWARE = {"engine": ENGINE, **{name: version(name) for name in ("pyradiomics-bhklab", "SimpleITK", "numpy", "PyWavelets", "scipy")}}
_BANDS = 8  # of a 3-D stationary wavelet transform of one level

_lock = threading.Lock()
_logger = logging.getLogger("radiomics")
_logger.handlers.clear()
_logger.setLevel(logging.ERROR)  # its warnings repeat in every image what does not concern the reader


Prepared = tuple[sitk.Image, sitk.Image]


@dataclass(frozen=True)
class Region:
    """The region of interest on the grid the features are taken from; boxes are index and size (x, y, z, …) as in SimpleITK."""

    size: tuple[int, ...]
    spacing: tuple[float, ...]
    box: tuple[int, ...]
    voxels: int
    mean: float
    grey_levels: int


def prepare(image: sitk.Image, mask: sitk.Image, profile: Profile) -> dict[int, Prepared]:
    """Image and mask (1 in the region), normalised over the whole image, resampled and cut out with each margin the profile names.

    Each margin is resampled by itself, as pyradiomics would: on another grid B-splines differ in the last bit, which for an image of
    whole numbers, where SimpleITK cuts the fraction off, can be a whole unit.
    """
    with _alone():
        if profile.ibsi:
            return {profile.settings["padDistance"]: radiomics_ibsi.prepared(image, mask, profile.settings)}
        settings = {**profile.settings, "label": 1, "normalize": False}
        if profile.settings["normalize"]:
            image = imageoperations.normalizeImage(image, **profile.settings)
        load = featureextractor.RadiomicsFeatureExtractor.loadImage
        margins = {profile.settings["padDistance"], *profile.margins.values()}
        return {margin: load(image, mask, None, **{**settings, "padDistance": margin}) for margin in margins}


def region(image: sitk.Image, mask: sitk.Image, profile: Profile) -> Region:
    """Where the region lies in what `prepare` returned, and how many grey levels the profile sees in it. No empty mask."""
    values = sitk.GetArrayViewFromImage(image)[sitk.GetArrayViewFromImage(mask) == 1].astype(np.float64)
    bounds = _bounds(mask)
    box = (*(int(low) for low in bounds[0::2]), *(int(size) for size in extent(mask)))
    levels = profile.settings["binCount"] or len(np.unique(np.floor(values / profile.settings["binWidth"])))
    return Region(image.GetSize(), image.GetSpacing(), box, len(values), float(values.mean()), levels)


def features(prepared: Mapping[int, Prepared], profile: Profile) -> dict[str, float]:
    """Every value of the profile from what `prepare` returned, in pyradiomics' order and by its names.

    A filter that pyradiomics cannot apply to so small an image yields nothing: compare with `expected_images`.
    """
    with _alone():
        return _features(prepared, profile)


def plain(image: sitk.Image, mask: sitk.Image, profile: Profile, *, threads: int = 1) -> dict[str, float]:
    """What pyradiomics' own `execute` says by the profile: the reference that `features` is held against.

    pyradiomics knows one margin for all filters, so it runs once for each.
    """
    values: dict[str, float] = {}
    for margin in sorted(set(profile.margins.values())):
        extractor = _extractor(profile)
        extractor.settings.update({**profile.settings, "padDistance": margin})
        extractor.enabledImagetypes = {
            kind: dict(arguments) for kind, arguments in profile.images.items() if profile.margins[kind] == margin
        }
        if values:
            extractor.enableFeatureClassByName("shape", enabled=False)
        with _alone(threads):
            said = extractor.execute(image, mask, label=profile.label)
        values.update((name, float(value)) for name, value in said.items() if not name.startswith("diagnostics_"))
    return values


def extent(mask: sitk.Image) -> NDArray[np.int_]:
    """How many voxels the region spans along x, y and z. No empty mask."""
    bounds = _bounds(mask)
    return bounds[1::2] - bounds[0::2] + 1


def expected_images(profile: Profile) -> int:
    """How many images, original and filtered, the profile takes features from."""
    return sum(
        len(arguments["sigma"]) if kind == "LoG" else _BANDS if kind == "Wavelet" else 1 for kind, arguments in profile.images.items()
    )


def _features(prepared: Mapping[int, Prepared], profile: Profile) -> dict[str, float]:
    settings = {**profile.settings, "label": 1, **profile.textures}
    values: dict[str, float] = {}
    image, mask = prepared[profile.settings["padDistance"]]
    if "shape" in profile.classes:
        found = radiomics_classes.shape(*_cropped(image, mask, _bounds(mask)), profile.classes["shape"], settings)
        values.update((f"original_{name}", value) for name, value in found.items())
    regions = radiomics_classes.Regions()
    for kind, arguments in profile.images.items():
        source, region = prepared[profile.margins[kind]]
        if kind == "Wavelet":
            source, region = _near(source, region, arguments["wavelet"])
        region = measured(source, region, profile)
        bounds = _bounds(region)
        for derived, name, own in getattr(imageoperations, f"get{kind}Image")(source, region, **{**settings, **arguments}):
            found = radiomics_classes.features(*_cropped(derived, region, bounds), profile.classes, own, regions)
            values.update((f"{name}_{feature}", value) for feature, value in found.items())
    found = {name: float(value) for name, value in values.items()}
    return radiomics_ibsi.converted(found, int(sitk.GetArrayViewFromImage(mask).sum())) if profile.ibsi else found


def measured(image: sitk.Image, mask: sitk.Image, profile: Profile) -> sitk.Image:
    """The voxels that the intensity features are taken from: the region, or its part within the profile's range."""
    return radiomics_ibsi.in_range(image, mask, *profile.ibsi["resegmentRange"]) if profile.ibsi else mask


def _cropped(image: sitk.Image, mask: sitk.Image, bounds: NDArray[np.int_]) -> Prepared:
    cropped: Prepared = imageoperations.cropToTumorMask(image, mask, bounds)
    return cropped


def _extractor(profile: Profile) -> Any:
    extractor = featureextractor.RadiomicsFeatureExtractor()
    extractor.enabledFeatures = {kind: list(names) for kind, names in profile.classes.items()}
    return extractor


def _bounds(mask: sitk.Image) -> NDArray[np.int_]:
    """Lowest and highest index of the region per axis: (x0, x1, y0, y1, z0, z1), pyradiomics' bounding box."""
    marked = sitk.GetArrayViewFromImage(mask) == 1
    spans = [np.flatnonzero(marked.any(axis=tuple({0, 1, 2} - {axis}))) for axis in (2, 1, 0)]
    return np.array([index for span in spans for index in (span[0], span[-1])])


def _near(image: sitk.Image, mask: sitk.Image, wavelet: str) -> Prepared:
    """The part of both that the wavelet of the region depends on: an axis is cut only where neither end can be felt.

    The transform wraps around at the ends, so an axis whose region lies near one of them is left whole.
    """
    bounds, reach, part = _bounds(mask), pywt.Wavelet(wavelet).dec_len, []
    for low, high, size in zip(bounds[0::2].tolist(), bounds[1::2].tolist(), image.GetSize(), strict=True):
        inside = low >= reach and high + reach < size
        part.append(slice(low - reach, high + reach + 1) if inside else slice(None))
    return image[tuple(part)], mask[tuple(part)]


@contextmanager
def _alone(count: int = 1) -> Iterator[None]:
    """One extraction at a time, on one thread; undefined values come back as nan without a warning."""
    with _lock, threadpool_limits(count), np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        threads = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(count)
        try:
            yield
        finally:
            sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)
