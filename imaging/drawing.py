"""One slice of a CT or MR image as 8-bit grey levels in a PNG, through a fixed window. Runs only inside `imaging.parser`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
from PIL import Image
from pydicom.pixels import apply_modality_lut, pixel_array

from imaging.windows import CT_OFFSET as OFFSET
from imaging.windows import WHOLE

MOST_PIXELS = 4096 * 4096
LARGEST_SIDE = 512

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Window:
    """A display window: centre and width in output units of the modality LUT (HU for CT)."""

    name: str
    center: float
    width: float


CT_WINDOWS = (Window("soft_tissue", 40, 400), Window("liver", 90, 150))
"""Soft tissue is what the pages show first; the narrow one shows a lesion in enhanced liver, which lies at 80 to 130 HU."""


class NotDrawable(Exception):
    """The pixels cannot be decoded; the argument is a code."""


def draw(path: Path, frame: int, out: Path, *, whole: bool = False) -> dict[str, Any]:
    """Draw one frame of the file through each window of its modality into `out`-<window>.png; return the windows and their files.

    `whole` keeps the values instead: one file of 16-bit grey levels, CT with `OFFSET` added, MR from its darkest value on.
    """
    try:
        dataset = pydicom.dcmread(path, stop_before_pixels=True)
        if int(dataset.Rows) * int(dataset.Columns) > MOST_PIXELS or int(dataset.get("SamplesPerPixel", 1)) != 1:
            raise NotDrawable("pixel_format")
        stored = pixel_array(path, index=frame)
        values = np.asarray(apply_modality_lut(stored, _group(dataset, frame, "PixelValueTransformationSequence")), dtype=np.float64)
        aspect = _aspect(_group(dataset, frame, "PixelMeasuresSequence"))
    except (AttributeError, KeyError, IndexError, ValueError, TypeError, RuntimeError, EOFError):
        raise NotDrawable("pixel_data") from None
    windows = CT_WINDOWS if dataset.Modality == "CT" else (percentile_window(values),)
    inverted = dataset.get("PhotometricInterpretation") == "MONOCHROME1"
    if whole:
        return {"windows": [_whole(values, aspect, out, window=windows[0], is_ct=dataset.Modality == "CT")]}
    drawn = []
    for window in windows:
        grey = through(values, window)
        file = out.with_name(f"{out.name}-{window.name}.png")
        _save(255 - grey if inverted else grey, aspect, file)
        drawn.append({"name": window.name, "center": window.center, "width": window.width, "file": str(file)})
    return {"windows": drawn}


def through(values: Floats, window: Window) -> npt.NDArray[np.uint8]:
    """Grey levels 0…255 by the linear function of PS3.3 C.11.2.1.2.1."""
    scaled = ((values - (window.center - 0.5)) / (window.width - 1) + 0.5) * 255
    return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)


def percentile_window(values: Floats) -> Window:
    """For MR, whose numbers have no unit: from the 1st to the 99th percentile of what is above the darkest value."""
    lit = values[values > values.min()]
    low, high = np.percentile(lit if lit.size else values, [1, 99])
    return Window("percentile", float((low + high) / 2), float(max(high - low, 2)))


def _group(dataset: pydicom.Dataset, frame: int, name: str) -> pydicom.Dataset:
    """Where the attributes of a functional group stand: its item for the frame of an enhanced image, the dataset of a classic one."""
    if "PerFrameFunctionalGroupsSequence" not in dataset:
        return dataset
    for item in (dataset.PerFrameFunctionalGroupsSequence[frame], *dataset.get("SharedFunctionalGroupsSequence", [])):
        if name in item:
            return item[name].value[0]
    return pydicom.Dataset()


def _aspect(dataset: pydicom.Dataset) -> float:
    """Height of a pixel over its width."""
    spacing = dataset.get("PixelSpacing")
    return float(spacing[0]) / float(spacing[1]) if spacing and float(spacing[1]) > 0 else 1.0


def _whole(values: Floats, aspect: float, out: Path, *, window: Window, is_ct: bool) -> dict[str, Any]:
    shift = OFFSET if is_ct else -float(values.min())
    file = out.with_name(f"{out.name}-{WHOLE}.png")
    _save(np.clip(np.rint(values + shift), 0, 65_535).astype(np.uint16), aspect, file)
    return {"name": WHOLE, "center": window.center + (0 if is_ct else shift), "width": window.width, "file": str(file)}


def _save(grey: npt.NDArray[np.uint8] | npt.NDArray[np.uint16], aspect: float, file: Path) -> None:
    image = Image.fromarray(grey)
    width, height = image.width, max(1, round(image.height * min(max(aspect, 0.1), 10)))
    shrink = min(1.0, LARGEST_SIDE / max(width, height))
    size = max(1, round(width * shrink)), max(1, round(height * shrink))
    if size != image.size:
        image = _resized(image, size)
    image.save(file, format="PNG", optimize=False)


def _resized(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    if image.mode == "L":
        return image.resize(size, Image.Resampling.BILINEAR)
    smooth = np.asarray(image.convert("F").resize(size, Image.Resampling.BILINEAR))
    return Image.fromarray(np.clip(np.rint(smooth), 0, 65_535).astype(np.uint16))
