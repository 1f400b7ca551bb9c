"""The one place that runs pyradiomics: its numbers, single-threaded, without its globals.

The values are those of `RadiomicsFeatureExtractor.execute` (pyradiomics 3.0.1 and its bhklab build) on the same input; only
what cannot change them is left out: the wavelet of voxels far from the tumour, the hashes and the second look at the mask.
pyradiomics keeps a logger, and SimpleITK its thread count, for the whole process: both are set here and nowhere else, and one
extraction runs at a time in a process. No geometry tolerance is ever set: the mask comes with the image's own grid.
"""

import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import pywt  # type: ignore[import-untyped]
import SimpleITK as sitk
from numpy.typing import NDArray
from radiomics import featureextractor, imageoperations  # type: ignore[import-untyped]
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from imaging.radiomics_profile import Profile

SOFTWARE = {name: version(name) for name in ("pyradiomics-bhklab", "SimpleITK", "numpy", "PyWavelets")}
_WAVELET_MARGIN = 10  # voxels; at least the filter's length (coif1 has 6 taps)
_BANDS = 8  # of a 3-D stationary wavelet transform of one level

_lock = threading.Lock()
_logger = logging.getLogger("radiomics")
_logger.handlers.clear()
_logger.setLevel(logging.ERROR)  # its warnings repeat in every image what does not concern the reader


@dataclass(frozen=True)
class Region:
    """The region of interest on the grid the features are taken from; boxes are index and size (x, y, z, …) as in SimpleITK."""

    size: tuple[int, ...]
    spacing: tuple[float, ...]
    box: tuple[int, ...]
    voxels: int
    mean: float
    grey_levels: int


def prepare(image: sitk.Image, mask: sitk.Image, profile: Profile) -> tuple[sitk.Image, sitk.Image]:
    """Image and mask (1 in the region) normalised over the whole image, then resampled and cut out with the profile's margin."""
    with _alone():
        settings = {**profile.settings, "label": 1}
        prepared: tuple[sitk.Image, sitk.Image] = featureextractor.RadiomicsFeatureExtractor.loadImage(image, mask, None, **settings)
        return prepared


def region(image: sitk.Image, mask: sitk.Image, profile: Profile) -> Region:
    """Where the region lies in what `prepare` returned, and how many grey levels the profile sees in it. No empty mask."""
    marked = sitk.GetArrayViewFromImage(mask) == 1
    values = sitk.GetArrayViewFromImage(image)[marked].astype(np.float64)
    bounds = _bounds(marked)
    box = (*(int(low) for low in bounds[0::2]), *(int(size) for size in bounds[1::2] - bounds[0::2] + 1))
    levels = profile.settings["binCount"] or len(np.unique(np.floor(values / profile.settings["binWidth"])))
    return Region(image.GetSize(), image.GetSpacing(), box, len(values), float(values.mean()), levels)


def features(image: sitk.Image, mask: sitk.Image, profile: Profile) -> dict[str, float]:
    """Every value of the profile from what `prepare` returned, in pyradiomics' order and by its names.

    A filter that pyradiomics cannot apply to so small an image yields nothing: compare with `expected_images`.
    """
    with _alone():
        return _features(image, mask, profile)


def plain(image: sitk.Image, mask: sitk.Image, profile: Profile) -> dict[str, Any]:
    """What pyradiomics' own `execute` says by the profile, on one thread: the reference that `features` is held against."""
    extractor = _extractor(profile)
    extractor.settings.update(profile.settings)
    extractor.enabledImagetypes = {kind: dict(arguments) for kind, arguments in profile.images.items()}
    with _alone():
        return dict(extractor.execute(image, mask, label=profile.label))


def expected_images(profile: Profile) -> int:
    """How many images, original and filtered, the profile takes features from."""
    return sum(
        len(arguments["sigma"]) if kind == "LoG" else _BANDS if kind == "Wavelet" else 1 for kind, arguments in profile.images.items()
    )


def _features(image: sitk.Image, mask: sitk.Image, profile: Profile) -> dict[str, float]:
    settings = {**profile.settings, "label": 1}
    extractor = _extractor(profile)
    bounds = _bounds(sitk.GetArrayViewFromImage(mask) == 1)
    values = dict(extractor.computeShape(image, mask, bounds, **settings))
    for kind, arguments in profile.images.items():
        source = _near(image, mask, bounds, arguments["wavelet"]) if kind == "Wavelet" else (image, mask)
        around = _bounds(sitk.GetArrayViewFromImage(source[1]) == 1)
        filtered = getattr(imageoperations, f"get{kind}Image")(*source, **{**settings, **arguments})
        for derived, name, own in filtered:
            cut, cut_mask = imageoperations.cropToTumorMask(derived, source[1], around)
            values.update(extractor.computeFeatures(cut, cut_mask, name, **own))
    return {name: float(value) for name, value in values.items()}


def _extractor(profile: Profile) -> Any:
    extractor = featureextractor.RadiomicsFeatureExtractor()
    extractor.enabledFeatures = {kind: list(names) for kind, names in profile.classes.items()}
    return extractor


def _bounds(marked: NDArray[np.bool_]) -> NDArray[np.int_]:
    """Lowest and highest index of the region per axis: (x0, x1, y0, y1, z0, z1), pyradiomics' bounding box."""
    spans = [np.flatnonzero(marked.any(axis=tuple({0, 1, 2} - {axis}))) for axis in (2, 1, 0)]
    return np.array([index for span in spans for index in (span[0], span[-1])])


def _near(image: sitk.Image, mask: sitk.Image, bounds: NDArray[np.int_], wavelet: str) -> tuple[sitk.Image, sitk.Image]:
    """The part of both that the wavelet of the region depends on: an axis is cut only where neither end can be felt.

    The transform wraps around at the ends, so an axis whose region lies near one of them is left whole.
    """
    margin = max(_WAVELET_MARGIN, pywt.Wavelet(wavelet).dec_len)
    part = []
    for low, high, size in zip(bounds[0::2].tolist(), bounds[1::2].tolist(), image.GetSize(), strict=True):
        inside = low >= margin and high + margin < size
        part.append(slice(low - margin, high + margin + 1) if inside else slice(None))
    return image[tuple(part)], mask[tuple(part)]


@contextmanager
def _alone() -> Iterator[None]:
    """One extraction at a time, on one thread; undefined values come back as nan without a warning."""
    with _lock, threadpool_limits(1), np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        threads = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
        try:
            yield
        finally:
            sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)
