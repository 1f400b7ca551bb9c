"""A stored slice through a window of the viewer. It reads only 16-bit pictures that the platform's own worker drew, never DICOM. Pure."""

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

WHOLE = "whole"
"""The name of no window: a slice's values themselves as 16-bit grey levels, from which the viewer's windows are made."""
CT_OFFSET = 1024
"""Added to Hounsfield units so that air is not negative in a stored slice."""


@dataclass(frozen=True)
class Preset:
    """A window as radiologists name it: centre and width in HU."""

    center: float
    width: float


CT_PRESETS: dict[str, Preset] = {
    "soft_tissue": Preset(40, 400),
    "liver": Preset(90, 150),
    "lung": Preset(-600, 1500),
    "bone": Preset(400, 1800),
}


def through(png: bytes, center: float, width: float) -> bytes:
    """The picture as 8-bit PNG through the linear window of PS3.3 C.11.2.1.2.1; `center` in stored values."""
    with Image.open(io.BytesIO(png), formats=["PNG"]) as image:
        values = np.asarray(image, dtype=np.float64)
    grey = np.clip(np.rint(((values - (center - 0.5)) / (width - 1) + 0.5) * 255), 0, 255).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(grey).save(out, format="PNG", compress_level=1)
    return out.getvalue()
