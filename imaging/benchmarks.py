"""How fast imaging works, as ratios between programs that run in turn in one run (`manage.py bench`)."""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
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


def radiomics(shape: tuple[int, int, int] = _SHAPE, radius_mm: float = _TUMOUR_MM, *, at_once: int = 2) -> list[Row]:
    """944 features of one synthetic tumour: rows {task, n, tool, seconds, cpu_seconds, ratio, cpu_ratio, difference, log_difference}.

    n is the number of voxels measured, seconds are those of one tumour; a ratio is plain pyradiomics' time on the whole volume over the
    tool's. Plain pyradiomics runs on one thread and on as many as there are at once, and once cut out with our margins, all in HU;
    ours runs alone, and `at_once` tumours in as many processes, as the platform does. The differences are the largest relative ones,
    those of the Laplacian of Gaussian apart.
    """
    image, mask = _tumour(shape, radius_mm)
    with TemporaryDirectory() as folder:
        profile = _written(Path(folder) / "hounsfield.yaml", "normalize: false")
        whole = _written(Path(folder) / "whole.yaml", _WHOLE)
    taken = {
        "pyradiomics, whole volume": _timed(lambda: radiomics_engine.plain(image, mask, whole)),
        "ours": _timed(lambda: measuring.measure(image, mask, profile).values),
        "pyradiomics, our margins": _timed(lambda: radiomics_engine.plain(image, mask, profile)),
    }
    if at_once > 1:
        taken[f"pyradiomics, {at_once} threads"] = _timed(lambda: radiomics_engine.plain(image, mask, whole, threads=at_once))
        taken[f"ours, {at_once} at once"] = _together(shape, radius_mm, profile, at_once)
    stock, ours = taken["pyradiomics, whole volume"], taken["ours"].values
    voxels = int(sitk.GetArrayViewFromImage(mask).sum())
    return [
        {
            "task": "944 features", "n": voxels, "tool": tool, "seconds": each.seconds, "cpu_seconds": each.cpu,
            "ratio": stock.seconds / each.seconds, "cpu_ratio": stock.cpu / each.cpu, **_apart(each.values, ours),
        }
        for tool, each in taken.items()
    ]  # fmt: skip


def _together(shape: tuple[int, int, int], radius_mm: float, profile: radiomics_profile.Profile, count: int) -> "Taken":
    """Each process makes its tumour first and waits for the others; the time is the slowest one's, shared out."""
    spawned = get_context("spawn")
    with spawned.Manager() as manager, ProcessPoolExecutor(count, spawned) as pool:
        start = manager.Barrier(count)
        running = [pool.submit(_in_process, shape, radius_mm, profile, start) for _ in range(count)]
        each = [one.result() for one in running]
    slowest = max(one.seconds for one in each)
    return Taken(each[0].values, slowest / count, sum(one.cpu for one in each) / count)


def _in_process(shape: tuple[int, int, int], radius_mm: float, profile: radiomics_profile.Profile, start: Any) -> "Taken":
    image, mask = _tumour(shape, radius_mm)
    start.wait()
    return _timed(lambda: measuring.measure(image, mask, profile).values)


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


@dataclass(frozen=True)
class Taken:
    """What one tool said, and what it took: seconds by the clock and of computing."""

    values: Mapping[str, float]
    seconds: float
    cpu: float


def _timed(work: Callable[[], Mapping[str, float]]) -> Taken:
    clock, computing = time.perf_counter(), time.process_time()
    values = work()
    return Taken(values, time.perf_counter() - clock, time.process_time() - computing)
