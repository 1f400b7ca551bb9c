"""Measuring as the Image Biomarker Standardisation Initiative defines it (arXiv 1612.07003v11), where pyradiomics differs.

The image is resampled on a grid centred on its own and rounded to whole units, the mask is interpolated linearly and cut at one half
(2.4), intensities outside a range are left out of everything but the shape (2.6), levels begin at the lower end of that range
(2.7), kurtosis is excess (3.3.4) and the lengths of axes divide by n - 1 (3.1.14). The formulas of texture are pyradiomics'.
"""

from collections.abc import Mapping
from math import sqrt
from typing import Any

import numpy as np
import SimpleITK as sitk

Prepared = tuple[sitk.Image, sitk.Image]

_HALF = 0.5 - 1e-6  # places halfway between two voxels come out a rounding error below


def prepared(image: sitk.Image, mask: sitk.Image, settings: Mapping[str, Any]) -> Prepared:
    """Image and region (1) on the profile's grid: spacing in mm along x, y, z, 0 keeps an axis, none keeps all."""
    if settings["resampledPixelSpacing"] is None:
        return image, mask
    grid = _centred(image, settings["resampledPixelSpacing"])
    voxels = sitk.Resample(sitk.Cast(image, sitk.sitkFloat64), grid, sitk.Transform(), getattr(sitk, settings["interpolator"]))
    share = sitk.Resample(sitk.Cast(mask, sitk.sitkFloat64), grid, sitk.Transform(), sitk.sitkLinear)
    return sitk.Round(voxels), sitk.Cast(share >= _HALF, sitk.sitkUInt32)


def _centred(image: sitk.Image, asked: list[float]) -> sitk.Image:
    """An empty image that covers this one with the asked spacing, its centre on this one's centre."""
    old, size = np.array(image.GetSpacing()), np.array(image.GetSize())
    new = np.where(np.array(asked) == 0, old, asked)
    count = np.ceil(size * old / new).astype(int)
    middle = image.TransformContinuousIndexToPhysicalPoint(((size - 1) / 2).tolist())
    direction = np.array(image.GetDirection()).reshape(3, 3)
    grid = sitk.Image(count.tolist(), sitk.sitkUInt8)
    grid.SetSpacing(new.tolist())
    grid.SetDirection(image.GetDirection())
    grid.SetOrigin((np.array(middle) - direction @ (new * (count - 1) / 2)).tolist())
    return grid


def in_range(image: sitk.Image, mask: sitk.Image, low: float, high: float) -> sitk.Image:
    """The part of the region whose intensities lie within the range, its ends included."""
    inside: sitk.Image = sitk.And(mask, sitk.Cast(sitk.And(image >= low, image <= high), mask.GetPixelID()))
    return inside


def converted(values: Mapping[str, float], voxels: int) -> dict[str, float]:
    """pyradiomics' values in IBSI's conventions; `voxels` is how many the shape has."""
    found = dict(values)
    for name in found:
        if name.endswith("_firstorder_Kurtosis"):
            found[name] -= 3
        if "_shape_" in name and name.endswith("AxisLength"):
            found[name] *= sqrt(voxels / (voxels - 1))
    return found
