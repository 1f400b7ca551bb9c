"""pyradiomics' feature classes, told what they would each find out again: grey levels, surface and moments of one region.

The formulas stay pyradiomics'. Its six intensity classes discretise the same voxels six times and seek least and largest with
Python's own `min`; here one region is discretised once, by the same edges, and the same whole numbers reach every class.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from radiomics import imageoperations
from radiomics.firstorder import RadiomicsFirstOrder
from radiomics.glcm import RadiomicsGLCM
from radiomics.gldm import RadiomicsGLDM
from radiomics.glrlm import RadiomicsGLRLM
from radiomics.glszm import RadiomicsGLSZM
from radiomics.ngtdm import RadiomicsNGTDM
from radiomics.shape import RadiomicsShape

from imaging import radiomics_mesh
from imaging.radiomics_neighbours import Places, Walk


class Levels:
    """The grey levels of one region in one image, and their walk over its neighbouring voxels; each found when first asked for."""

    def __init__(self, image: sitk.Image, mask: sitk.Image, regions: "Regions", settings: Mapping[str, Any]) -> None:
        self.voxels = sitk.GetArrayFromImage(image)
        self.marked = sitk.GetArrayFromImage(mask) == settings["label"]
        self.settings, self._regions = settings, regions

    @cached_property
    def found(self) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
        """The levels of every voxel (0 outside the region), not to be written to, and which levels occur."""
        inside = self.voxels[self.marked]
        levels = np.zeros(self.voxels.shape, dtype=int)
        levels[self.marked] = found = np.digitize(inside, self._edges(inside))
        levels.flags.writeable = False
        return levels, np.flatnonzero(np.bincount(found))

    @cached_property
    def walk(self) -> Walk:
        levels, occurring = self.found
        return Walk(self._regions.places(self.marked, self.settings), levels, int(occurring[-1]), self.settings.get("gldm_a", 0))

    def _edges(self, inside: NDArray[Any]) -> NDArray[Any]:
        """pyradiomics' bin edges, from the least and the largest value: the edges of all the others lie between."""
        lowest = self.settings.get("lowest", inside.min())
        ends = inside if self.settings.get("binCount") is not None else np.array([lowest, inside.max()])
        return np.asarray(imageoperations.getBinEdges(ends, **self.settings))


class Regions:
    """Where the voxels of a region are neighbours, kept for as long as its images are measured."""

    def __init__(self) -> None:
        self._known: dict[tuple[tuple[int, ...], bytes], Places] = {}

    def places(self, marked: NDArray[np.bool_], settings: Mapping[str, Any]) -> Places:
        """The neighbours in this region; of all images cut to it they are the same."""
        key = marked.shape, np.packbits(marked).tobytes()
        if key not in self._known:
            self._known[key] = Places(marked, settings)
        return self._known[key]


def features(
    image: sitk.Image, mask: sitk.Image, classes: Mapping[str, Any], settings: Mapping[str, Any], regions: Regions
) -> dict[str, float]:
    """The intensity features of the region, by `class_name`, in pyradiomics' order; `classes` names those wanted, none means all."""
    levels = Levels(image, mask, regions, settings)
    found: dict[str, float] = {}
    for kind, names in classes.items():
        if kind in _CLASSES:
            found.update(_executed(_CLASSES[kind](image, mask, levels=levels, **settings), kind, names))
    return found


def shape(image: sitk.Image, mask: sitk.Image, names: tuple[str, ...], settings: Mapping[str, Any]) -> dict[str, float]:
    """The features of the region's shape, by `shape_name`."""
    return _executed(_Shape(image, mask, **settings), "shape", names)


def _executed(asked: Any, kind: str, names: tuple[str, ...]) -> dict[str, float]:
    for name in names:
        asked.enableFeatureByName(name)
    return {f"{kind}_{name}": value for name, value in asked.execute().items()}


def _sharing(pyradiomics: Any) -> Any:
    """The class, taking the grey levels that were found once."""

    def apply_binning(self: Any, matrix: NDArray[Any]) -> Any:
        levels, occurring = self.settings["levels"].found
        self.coefficients["grayLevels"], self.coefficients["Ng"] = occurring, int(occurring[-1])
        return levels

    return type(pyradiomics.__name__, (pyradiomics,), {"__module__": pyradiomics.__module__, "_applyBinning": apply_binning})


class _FirstOrder(_sharing(RadiomicsFirstOrder)):  # type: ignore[misc]
    """Percentiles in one search, and moments as products: a general power takes twenty times as long and differs in the last bit."""

    __module__ = RadiomicsFirstOrder.__module__  # pyradiomics names its loggers by it

    def _initCalculation(self, voxelCoordinates: None = None) -> None:
        self.targetVoxelArray = self.imageArray[self.maskArray].astype(float).reshape((1, -1))
        voxels = np.bincount(self.discretizedImageArray[self.maskArray])[self.coefficients["grayLevels"]]
        self.coefficients["p_i"] = voxels.reshape((1, -1)) / voxels.sum()
        found = np.percentile(self.targetVoxelArray, (10, 25, 50, 75, 90), axis=1)
        self.p10, self.p25, self.p50, self.p75, self.p90 = found

    def get10PercentileFeatureValue(self) -> Any:
        return self.p10

    def get90PercentileFeatureValue(self) -> Any:
        return self.p90

    def getMedianFeatureValue(self) -> Any:
        return self.p50

    def getInterquartileRangeFeatureValue(self) -> Any:
        return self.p75 - self.p25

    @staticmethod
    def _moment(a: NDArray[np.float64], moment: int = 1) -> Any:
        away = a - np.nanmean(a, 1, keepdims=True)
        squared = away * away
        return np.nanmean(squared if moment == 2 else squared * (away if moment == 3 else squared), 1)


class _GLRLM(_sharing(RadiomicsGLRLM)):  # type: ignore[misc]
    __module__ = RadiomicsGLRLM.__module__

    def _calculateMatrix(self, voxelCoordinates: None = None) -> Any:
        if self.weightingNorm is not None:
            return super()._calculateMatrix(voxelCoordinates)
        runs = self.settings["levels"].walk.runs()[:, self.coefficients["grayLevels"] - 1]
        number = runs.sum((1, 2))
        if runs.shape[3] > 1:
            met = number.any(axis=0)
            runs, number = runs[..., met], number[:, met]
        self.coefficients["Nr"] = np.where(number == 0, np.nan, number)
        return runs


class _GLDM(_sharing(RadiomicsGLDM)):  # type: ignore[misc]
    __module__ = RadiomicsGLDM.__module__

    def _calculateMatrix(self, voxelCoordinates: None = None) -> Any:
        dependence = self.settings["levels"].walk.dependence()[:, self.coefficients["grayLevels"] - 1]
        sizes = np.flatnonzero(dependence.sum((0, 1)))
        dependence = dependence[:, :, sizes]
        self.coefficients["Nz"] = dependence.sum((1, 2))
        self.coefficients["pd"], self.coefficients["pg"] = dependence.sum(1), dependence.sum(2)
        self.coefficients["ivector"] = self.coefficients["grayLevels"].astype(float)
        self.coefficients["jvector"] = sizes + 1.0
        return dependence


class _NGTDM(_sharing(RadiomicsNGTDM)):  # type: ignore[misc]
    __module__ = RadiomicsNGTDM.__module__

    def _calculateMatrix(self, voxelCoordinates: None = None) -> Any:
        return self.settings["levels"].walk.difference()[:, self.coefficients["grayLevels"] - 1]


class _Shape(RadiomicsShape):  # type: ignore[misc]
    """The mesh by `radiomics_mesh`; lengths of the axes from the covariance of the voxels' places, as pyradiomics takes them (by n)."""

    __module__ = RadiomicsShape.__module__

    def _initSegmentBasedCalculation(self) -> None:
        self.pixelSpacing = np.array(self.inputImage.GetSpacing()[::-1])
        self.maskArray = np.pad(sitk.GetArrayFromImage(self.inputMask) == self.label, 1)
        self.labelledVoxelCoordinates = np.nonzero(self.maskArray)
        mesh = radiomics_mesh.surface(self.maskArray, self.pixelSpacing)
        self.SurfaceArea, self.Volume, self.diameters = mesh.area, mesh.volume, mesh.diameters
        places = np.array(self.labelledVoxelCoordinates).T * self.pixelSpacing
        places -= places.mean(axis=0)
        self.eigenValues = np.sort(np.linalg.eigvalsh(places.T @ places / len(places)))
        self.eigenValues[(self.eigenValues < 0) & (self.eigenValues > -1e-10)] = 0


_CLASSES = {
    "firstorder": _FirstOrder,
    "glcm": _sharing(RadiomicsGLCM),
    "gldm": _GLDM,
    "glrlm": _GLRLM,
    "glszm": _sharing(RadiomicsGLSZM),
    "ngtdm": _NGTDM,
}
