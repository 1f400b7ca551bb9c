"""How fast imaging works, as ratios between programs that run in turn in one run (`manage.py bench`)."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy import ndimage

from imaging import radiomics as measuring
from imaging import radiomics_engine, radiomics_profile

Row = dict[str, Any]

_SHAPE, _TUMOUR_MM = (160, 256, 256), 37.4  # 1 mm voxels (slices, rows, columns); an 8 cm tumour of 219,000 voxels
_WHOLE = """
setting: {binWidth: 25}
imageType: {Original: {}, LoG: {sigma: [4.0]}, Wavelet: {}}
"""


def radiomics(shape: tuple[int, int, int] = _SHAPE, radius_mm: float = _TUMOUR_MM) -> list[Row]:
    """944 features of one synthetic tumour: rows {task, n, tool, seconds, ratio, difference, log_difference}, one thread each.

    n is the number of voxels measured; ratio is the tool's time over ours. Plain pyradiomics runs once on the whole volume and once
    cut out with our margins, both in HU. The differences are the largest relative ones, those of the Laplacian of Gaussian apart.
    """
    image, mask = _tumour(shape, radius_mm)
    with TemporaryDirectory() as folder:
        profile = _written(Path(folder) / "hounsfield.yaml", "normalize: false")
        whole = _written(Path(folder) / "whole.yaml", _WHOLE)
    ours, seconds = _timed(lambda: measuring.measure(image, mask, profile).values)
    rows = {
        "ours": (ours, seconds),
        "pyradiomics, whole volume": _timed(lambda: radiomics_engine.plain(image, mask, whole)),
        "pyradiomics, our margins": _timed(lambda: radiomics_engine.plain(image, mask, profile)),
    }
    voxels = int(sitk.GetArrayViewFromImage(mask).sum())
    return [
        {"task": "944 features", "n": voxels, "tool": tool, "seconds": taken, "ratio": taken / seconds, **_apart(values, ours)}
        for tool, (values, taken) in rows.items()
    ]


def _apart(values: Mapping[str, float], ours: Mapping[str, float]) -> dict[str, float]:
    relative = {name: abs(ours[name] - value) / (abs(value) or 1) for name, value in values.items()}
    return {
        "difference": max(value for name, value in relative.items() if not name.startswith("log-")),
        "log_difference": max(value for name, value in relative.items() if name.startswith("log-")),
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
