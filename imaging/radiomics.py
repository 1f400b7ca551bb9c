"""What a tumour's image measures: features by a hashed profile, with everything needed to repeat them (MD-07, MD-08).

`measure` is a pure function of voxels, mask and profile: the same three give the same values and the same hash in any process
on the same locked software. What cannot be measured honestly is refused with a sentence; what is measured but doubtful
carries a warning.
"""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import SimpleITK as sitk

from accounts.canonical import canonical, digest, number
from imaging import radiomics_engine as engine
from imaging.radiomics_grid import alignment
from imaging.radiomics_profile import Profile
from imaging.radiomics_refusal import Refused, Sentence

_MOST_BOX = 2**25  # voxels of the resampled box around the region: a 320 mm cube at 1 mm, about 4 GiB of work
_FEW_LEVELS = 3
_FEWEST = 2  # voxels
_LOG_REACH = 10  # sigmas; beyond it the Laplacian of Gaussian moves by less than 1e-5 of its value


class RadiomicsRefused(Refused):
    """This image, mask and profile give no measurement."""


@dataclass(frozen=True)
class Measurement:
    """Feature values by name in pyradiomics' order (nan: undefined for this region), and where they come from.

    `image_sha256` covers voxels, pixel type and grid, `mask_sha256` which voxels are marked on that grid; `diagnostics` describe
    the region as given and as resampled; `warnings` are sentences. `sha256` is one digest over values and provenance.
    """

    values: Mapping[str, float]
    image_sha256: str
    mask_sha256: str
    label: int
    profile: str
    profile_sha256: str
    software: Mapping[str, str]
    diagnostics: Mapping[str, Any]
    warnings: tuple[Sentence, ...]

    @property
    def sha256(self) -> str:
        return digest(
            {
                "v": 1,
                "values": [[name, number(value)] for name, value in self.values.items()],
                "image": self.image_sha256,
                "mask": self.mask_sha256,
                "profile": self.profile_sha256,
                "software": dict(self.software),
            }
        )


def measure(image: sitk.Image, mask: sitk.Image, profile: Profile, label: int | None = None) -> Measurement:
    """Measure the voxels of `mask` that carry `label` (the profile's own if None) in `image` by `profile`.

    Both are three-dimensional scalar images. Raises RadiomicsRefused: grids that differ, voxels that are not finite, an empty
    mask, a missing label, a region of one voxel or too few dimensions, a box too large, a filter that does not fit.
    """
    label = profile.label if label is None else label
    held = alignment(mask, image)
    if held.mask is None:
        raise RadiomicsRefused(*held.findings)
    _finite(image)
    marked = marked_voxels(held.mask, label)
    _enough(marked, profile)
    _not_too_large(image, marked, profile)
    prepared = _prepare(image, marked, profile)
    region = engine.region(*prepared[profile.settings["padDistance"]], profile)
    in_range = _in_range(*prepared[profile.settings["padDistance"]], profile)
    values = _features(prepared, profile)
    return Measurement(
        values=values,
        image_sha256=voxels_sha256(image),
        mask_sha256=voxels_sha256(marked),
        label=label,
        profile=profile.name,
        profile_sha256=profile.sha256,
        software=engine.SOFTWARE,
        diagnostics={"given": _described(engine.region(image, marked, profile)), "measured": {**_described(region), **in_range}},
        warnings=tuple(_warnings(held.reordered, region, profile, values)),
    )


def voxels_sha256(image: sitk.Image) -> str:
    """SHA-256 of the canonical header (pixel type, size, grid in mm), a zero byte, and the voxels, x fastest, little endian."""
    geometry = {
        "pixel": image.GetPixelIDTypeAsString(),
        "size": list(image.GetSize()),
        "spacing": [number(value) for value in image.GetSpacing()],
        "origin": [number(value) for value in image.GetOrigin()],
        "direction": [number(value) for value in image.GetDirection()],
    }
    voxels = sitk.GetArrayViewFromImage(image)
    hashed = hashlib.sha256(canonical(geometry) + b"\0")
    for plane in voxels.astype(voxels.dtype.newbyteorder("<"), copy=False):
        hashed.update(plane.tobytes())
    return hashed.hexdigest()


def _finite(image: sitk.Image) -> None:
    wrong = int(np.count_nonzero(~np.isfinite(sitk.GetArrayViewFromImage(image))))
    if wrong:
        raise RadiomicsRefused(Sentence("not_finite", "%(voxels)d voxels of the image are not finite numbers.", {"voxels": wrong}))


def marked_voxels(mask: sitk.Image, label: int) -> sitk.Image:
    """1 where the mask carries the label, as unsigned 32-bit, on the mask's grid. Raises RadiomicsRefused where it nowhere does."""
    labels = sitk.GetArrayViewFromImage(mask)
    chosen = labels == label
    if not chosen.any():
        present = [f"{value:g}" for value in np.unique(labels) if value]
        if not present:
            raise RadiomicsRefused(Sentence("empty", "The mask is empty: nothing is marked."))
        text = "Label %(label)d is not in the mask; it holds %(present)s."
        raise RadiomicsRefused(Sentence("label", text, {"label": label, "present": ", ".join(present)}))
    marked = sitk.GetImageFromArray(chosen.astype(np.uint32))
    marked.CopyInformation(mask)
    return marked


def _enough(marked: sitk.Image, profile: Profile) -> None:
    voxels = int(np.count_nonzero(sitk.GetArrayViewFromImage(marked)))
    if voxels == 0:
        raise RadiomicsRefused(Sentence("vanished", "The marked region is so thin that it vanishes when resampled."))
    spread = int(np.count_nonzero(engine.extent(marked) > 1))
    if voxels == 1:
        raise RadiomicsRefused(Sentence("one_voxel", "Only one voxel is marked; it has no shape and no texture."))
    if spread < profile.settings["minimumROIDimensions"]:
        text = "The marked region extends along %(has)d axes; the profile asks for %(needs)d."
        raise RadiomicsRefused(Sentence("flat", text, {"has": spread, "needs": profile.settings["minimumROIDimensions"]}))
    if voxels <= (profile.settings["minimumROISize"] or 0):
        text = "%(has)d voxels are marked; the profile asks for more than %(needs)d."
        raise RadiomicsRefused(Sentence("small", text, {"has": voxels, "needs": profile.settings["minimumROISize"]}))


def _not_too_large(image: sitk.Image, marked: sitk.Image, profile: Profile) -> None:
    """Judge the box before any memory is taken for it."""
    spacing = np.array(image.GetSpacing())
    target = np.array(profile.settings["resampledPixelSpacing"] or spacing)
    ratio = spacing / np.where(target == 0, spacing, target)
    extent = np.array(image.GetSize())
    if (profile.settings["resampledPixelSpacing"] or profile.settings["preCrop"]) and not profile.ibsi:
        box = np.minimum(engine.extent(marked) * ratio + 2 * max(profile.margins.values()), np.array(image.GetSize()) * ratio)
    else:
        box = extent * ratio
    if (voxels := float(np.prod(box))) > _MOST_BOX:
        text = "The region's box would have %(voxels)d million voxels; at most %(most)d million are measured."
        raise RadiomicsRefused(Sentence("too_large", text, {"voxels": voxels / 1e6, "most": _MOST_BOX / 1e6}))


def _prepare(image: sitk.Image, marked: sitk.Image, profile: Profile) -> dict[int, engine.Prepared]:
    try:
        prepared = engine.prepare(image, marked, profile)
    except (RuntimeError, ValueError) as error:
        raise RadiomicsRefused(Sentence("engine", "pyradiomics refuses: %(what)s", {"what": str(error)})) from error
    for _, region in prepared.values():
        _enough(region, profile)
    return prepared


def _in_range(image: sitk.Image, mask: sitk.Image, profile: Profile) -> dict[str, int]:
    """How many voxels a profile's range leaves to the intensity features; nothing where it has none."""
    if not profile.ibsi:
        return {}
    region = engine.measured(image, mask, profile)  # a name of its own: a view does not keep its image alive
    voxels = int(np.count_nonzero(sitk.GetArrayViewFromImage(region)))
    if voxels < _FEWEST:
        low, high = profile.ibsi["resegmentRange"]
        text = "Only %(voxels)d voxels of the region lie between %(low)g and %(high)g."
        raise RadiomicsRefused(Sentence("out_of_range", text, {"voxels": voxels, "low": low, "high": high}))
    return {"in_range": voxels}


def _features(prepared: Mapping[int, engine.Prepared], profile: Profile) -> dict[str, float]:
    try:
        values = engine.features(prepared, profile)
    except (RuntimeError, ValueError, LookupError) as error:
        raise RadiomicsRefused(Sentence("engine", "pyradiomics refuses: %(what)s", {"what": str(error)})) from error
    filters = {name.rsplit("_", 2)[0] for name in values if "_shape_" not in name} or {"original"}
    if len(filters) < engine.expected_images(profile) and set(profile.classes) != {"shape"}:
        raise RadiomicsRefused(Sentence("filter", "The image around the region is too small for the profile's filters."))
    return values


def _described(region: engine.Region) -> dict[str, Any]:
    return {
        "size": list(region.size),
        "spacing": list(region.spacing),
        "box": list(region.box),
        "voxels": region.voxels,
        "mean": region.mean,
        "grey_levels": region.grey_levels,
    }


def _warnings(reordered: bool, region: engine.Region, profile: Profile, values: Mapping[str, float]) -> list[Sentence]:
    said = []
    if reordered:
        said.append(Sentence("reordered", "The mask's axes run otherwise than the image's; it was put in order without resampling."))
    if region.grey_levels <= _FEW_LEVELS:
        text = "At bin width %(width)g the region shows only %(levels)d grey level(s): its texture features say little."
        said.append(Sentence("grey_levels", text, {"width": profile.settings["binWidth"], "levels": region.grey_levels}))
    sigma = max(profile.images.get("LoG", {}).get("sigma", [0.0]))
    margin = profile.margins.get("LoG", 0) * min(region.spacing)
    if profile.settings["resampledPixelSpacing"] and margin < _LOG_REACH * sigma:
        text = "The Laplacian of Gaussian (sigma %(sigma)g mm) sees only %(margin)g mm around the region; its values depend on that margin."
        said.append(Sentence("log_margin", text, {"sigma": sigma, "margin": margin}))
    undefined = [name for name, value in values.items() if not math.isfinite(value)]
    if undefined:
        text = "%(count)d features are undefined for this region: %(names)s."
        said.append(Sentence("undefined", text, {"count": len(undefined), "names": ", ".join(undefined[:5])}))
    return said
