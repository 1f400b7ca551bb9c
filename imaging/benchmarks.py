"""How fast imaging works, as ratios between programs that run in turn in one run (`manage.py bench`)."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy import ndimage

from imaging import radiomics as measuring
from imaging import radiomics_engine, radiomics_profile

_SHAPE, _TUMOUR_MM = (160, 256, 256), 37.4  # 1 mm voxels (slices, rows, columns); an 8 cm tumour of 219,000 voxels
_WHOLE = """
setting: {binWidth: 25}
imageType: {Original: {}, LoG: {sigma: [4.0]}, Wavelet: {}}
"""


def radiomics(shape: tuple[int, int, int] = _SHAPE, radius_mm: float = _TUMOUR_MM) -> dict[str, float]:
    """944 features of one synthetic tumour by us and by plain pyradiomics, one thread each.

    `ratio_whole` is against plain pyradiomics that filters the whole volume, `ratio_profile` against plain pyradiomics that cuts out
    the same box as the profile; both on HU. `largest_difference` and `largest_log_difference` are relative, against the whole.
    """
    image, mask = _tumour(shape, radius_mm)
    with TemporaryDirectory() as folder:
        profile = _written(Path(folder) / "hounsfield.yaml", "normalize: false")
        whole = _written(Path(folder) / "whole.yaml", _WHOLE)
    ours, seconds = _timed(lambda: measuring.measure(image, mask, profile).values)
    plain, plain_seconds = _timed(lambda: radiomics_engine.plain(image, mask, whole))
    _, boxed_seconds = _timed(lambda: radiomics_engine.plain(image, mask, profile))
    apart = {name: abs(ours[name] - value) / abs(value) if value else abs(ours[name]) for name, value in plain.items()}
    return {
        "seconds": seconds,
        "ratio_whole": plain_seconds / seconds,
        "ratio_profile": boxed_seconds / seconds,
        "largest_difference": max(value for name, value in apart.items() if not name.startswith("log-")),
        "largest_log_difference": max(value for name, value in apart.items() if name.startswith("log-")),
    }


def _tumour(shape: tuple[int, int, int], radius_mm: float) -> tuple[sitk.Image, sitk.Image]:
    rng = np.random.default_rng(25)
    texture: NDArray[np.float64] = ndimage.gaussian_filter(rng.standard_normal(shape), 1.5) * 600 + rng.normal(60, 10, shape)
    place = np.indices(shape) - (np.array(shape) / 2)[:, None, None, None]
    mask = sitk.GetImageFromArray((np.linalg.norm(place, axis=0) <= radius_mm).astype(np.uint8))
    return sitk.GetImageFromArray(np.rint(texture).astype(np.int16)), mask


def _written(path: Path, text: str) -> radiomics_profile.Profile:
    path.write_text(text, encoding="utf-8")
    return radiomics_profile.read(path)


def _timed(work: Callable[[], Mapping[str, float]]) -> tuple[Mapping[str, float], float]:
    begun = time.perf_counter()
    return work(), time.perf_counter() - begun
