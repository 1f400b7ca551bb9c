"""How a tumour is measured, as data with a hash: a profile is a pyradiomics parameter file whose every setting is spelled out.

Two files that mean the same have one hash, whatever they leave to the defaults (pyradiomics 3.x "Customizing the Extraction").
Offered is what the platform measures by: Original, LoG and Wavelet images, all 3-D feature classes. What would change the mask
unseen (correctMask, geometryTolerance, resegmentRange) is not offered. One thing is added: `padDistance` under `LoG` is the margin, in
voxels, that this filter sees around the region; left out it is the setting's, as in pyradiomics. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonschema
import pywt
import yaml

from accounts.canonical import digest, number
from imaging.radiomics_refusal import Refused, Sentence

FOLDER = Path(__file__).parent / "profiles"
NAMES = ("prime", "authors", "ibsi", "ibsi-slices")
SECTIONS = ("setting", "imageType", "featureClass", "ibsi")
CLASSES = ("firstorder", "glcm", "gldm", "glrlm", "glszm", "ngtdm", "shape")

_DEFAULTS: Mapping[str, Any] = {
    "binWidth": 25.0,
    "binCount": None,
    "resampledPixelSpacing": None,
    "interpolator": "sitkBSpline",
    "normalize": False,
    "normalizeScale": 1.0,
    "removeOutliers": None,
    "preCrop": False,
    "padDistance": 5,
    "minimumROIDimensions": 2,
    "minimumROISize": None,
    "distances": [1],
    "symmetricalGLCM": True,
    "weightingNorm": None,
    "gldm_a": 0,
    "voxelArrayShift": 0,
    "label": 1,
}
_POSITIVE = {"type": "number", "exclusiveMinimum": 0}
_COUNT = {"type": "integer", "minimum": 1}
_BINS = {"binWidth": _POSITIVE, "binCount": {**_COUNT, "type": ["integer", "null"]}}
_MARGIN = {"padDistance": {"type": "integer", "minimum": 0}}
_SETTING = {
    **_BINS,
    "resampledPixelSpacing": {"type": ["array", "null"], "items": {"type": "number", "minimum": 0}, "minItems": 3, "maxItems": 3},
    "interpolator": {"enum": ["sitkNearestNeighbor", "sitkLinear", "sitkBSpline"]},
    "normalize": {"type": "boolean"},
    "normalizeScale": _POSITIVE,
    "removeOutliers": {**_POSITIVE, "type": ["number", "null"]},
    "preCrop": {"type": "boolean"},
    **_MARGIN,
    "minimumROIDimensions": {"enum": [1, 2, 3]},
    "minimumROISize": {**_COUNT, "type": ["integer", "null"]},
    "distances": {"type": "array", "items": _COUNT, "minItems": 1},
    "symmetricalGLCM": {"type": "boolean"},
    "weightingNorm": {"enum": [None, "manhattan", "euclidean", "infinity", "no_weighting"]},
    "gldm_a": {"type": "number", "minimum": 0},
    "voxelArrayShift": {"type": "integer"},
    "label": _COUNT,
    "additionalInfo": {"type": "boolean"},
}


def _map(properties: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "object", "properties": dict(properties), "additionalProperties": False, **more}


_SCHEMA = _map(
    {
        "setting": _map(_SETTING),
        "imageType": _map(
            {
                "Original": _map(_BINS),
                "LoG": _map({**_BINS, **_MARGIN, "sigma": {"type": "array", "items": _POSITIVE, "minItems": 1}}, required=["sigma"]),
                "Wavelet": _map({**_BINS, "wavelet": {"enum": pywt.wavelist(kind="discrete")}}),
            },
            minProperties=1,
        ),
        "featureClass": _map({kind: {"type": "array", "items": {"type": "string"}} for kind in CLASSES}, minProperties=1),
        "ibsi": _map(
            {
                "resegmentRange": {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2},
                "slices": {"type": "boolean"},
            },
            required=["resegmentRange"],
        ),
    }
)


class ProfileRefused(Refused):
    """A parameter file says something that cannot be measured by."""


@dataclass(frozen=True)
class Profile:
    """`settings`, `images` (filter → its arguments) and `classes` (feature class → names, none = all), defaults filled in.

    `label` is the mask value measured unless the caller names another; it is no part of the hash. `ibsi` (`resegmentRange`, `slices`) is
    empty where pyradiomics' own conventions hold.
    """

    name: str
    settings: Mapping[str, Any]
    images: Mapping[str, Mapping[str, Any]]
    classes: Mapping[str, tuple[str, ...]]
    label: int
    ibsi: Mapping[str, Any] = field(default_factory=dict)

    @property
    def textures(self) -> Mapping[str, Any]:
        """What the conventions of IBSI add to the settings: where levels begin, and whether texture stays within slices."""
        if not self.ibsi:
            return {}
        return {"lowest": self.ibsi["resegmentRange"][0], "force2D": self.ibsi["slices"], "force2Ddimension": 0}

    @property
    def margins(self) -> Mapping[str, int]:
        """Voxels cut out around the region for each filter."""
        return {kind: int(arguments.get("padDistance", self.settings["padDistance"])) for kind, arguments in self.images.items()}

    @property
    def sha256(self) -> str:
        """The canonical digest of everything that decides the values, and of nothing else."""
        said = {"v": 1, "settings": self.settings, "images": self.images, "classes": self.classes}
        return digest(_exact({**said, "ibsi": self.ibsi} if self.ibsi else said))


def named(name: str) -> Profile:
    """The profile that is shipped under `name`: one of `NAMES`."""
    return _profile(name, _document(FOLDER / f"{name}.yaml"))


def read(path: Path, base: str | None = None) -> Profile:
    """The profile in a YAML or JSON file.

    A file of bare settings (`normalize: false`) changes the profile `base`, or prime. One with sections (`setting`, `imageType`,
    `featureClass`) changes `base` section by section if one is named, and else stands alone, as pyradiomics would read it.
    """
    document = _document(path)
    if not set(SECTIONS) & set(document):
        document, base = {"setting": document}, base or "prime"
    if base is None:
        return _profile(path.stem, document)
    under = _document(FOLDER / f"{base}.yaml")
    merged = {**under, **document, "setting": {**under["setting"], **(document.get("setting") or {})}}
    return _profile(f"{base}+{path.stem}", merged)


def _document(path: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ProfileRefused(Sentence("profile_unreadable", "%(name)s cannot be read as YAML.", {"name": path.name})) from error
    if not isinstance(document, dict) or not document:
        raise ProfileRefused(Sentence("profile_empty", "%(name)s holds no settings.", {"name": path.name}))
    return document


def _profile(name: str, document: Mapping[str, Any]) -> Profile:
    stated = {key: _no_nulls(section) if key != "setting" else section for key, section in document.items() if section is not None}
    problem = next(iter(jsonschema.Draft202012Validator(_SCHEMA).iter_errors(stated)), None)
    if problem is not None:
        text = "The parameter file cannot be used: at %(where)s, %(what)s."
        params = {"where": "/".join(str(step) for step in problem.absolute_path) or "the top", "what": problem.message}
        raise ProfileRefused(Sentence("profile_invalid", text, params))
    settings = {**_DEFAULTS, **stated.get("setting", {})}
    settings.pop("additionalInfo", None)  # what it adds decides no value
    images = {kind: dict(arguments) for kind, arguments in stated.get("imageType", {"Original": {}}).items()}
    if "LoG" in images:
        images["LoG"].setdefault("padDistance", settings["padDistance"])
        images["LoG"]["sigma"] = [float(sigma) for sigma in images["LoG"]["sigma"]]
    if "Wavelet" in images:
        images["Wavelet"].setdefault("wavelet", "coif1")
    classes = {kind: tuple(names) for kind, names in stated.get("featureClass", dict.fromkeys(CLASSES, ())).items()}
    ibsi = {"slices": False, **stated["ibsi"]} if "ibsi" in stated else {}
    if ibsi and (set(images) != {"Original"} or settings["normalize"] or settings["binCount"]):
        raise ProfileRefused(Sentence("profile_ibsi", "By IBSI's conventions only the original image is measured, in its own units."))
    return Profile(name, settings, images, classes, label=settings.pop("label"), ibsi=ibsi)


def _no_nulls(section: Any) -> Any:
    """pyradiomics writes "nothing to add" as an empty YAML value."""
    if not isinstance(section, dict):
        return section
    return {key: ([] if key in CLASSES else {}) if value is None else value for key, value in section.items()}


def _exact(value: Any) -> Any:
    match value:
        case bool() | str() | None:
            return value
        case int() | float():
            return number(value)
        case Mapping():
            return {key: _exact(item) for key, item in value.items()}
    return [_exact(item) for item in value]
