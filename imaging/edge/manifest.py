"""The manifest of a package: what it must say, checked the same way before sealing and after opening."""

import json
import re
from collections.abc import Callable
from typing import Any, TypedDict

from accounts.canonical import canonical
from imaging.edge import envelope

VERSION = 1
MAX_OBJECTS = 20_000
MAX_APPROVAL = 200
MAX_MANIFEST_BYTES = 32 * 2**20
MAX_OBJECT_BYTES = 2**30  # one DIMSE object, NW-02; below the 8 GiB a ustar header can say


class ManifestRefused(Exception):
    """A manifest does not say what it must; the sentence names the field."""


class ObjectEntry(TypedDict):
    """One object of a package: its hash and size in bytes, its class, its own and its series' pseudonymous UID."""

    sha256: str
    size: int
    sop_class: str
    sop_uid: str
    series_uid: str


class Manifest(TypedDict):
    """What a gateway says about one package; `series` items hold at least `uid`, `modality` and `count`."""

    v: int
    study: str
    center: str
    gateway: str
    software: str
    seq: int
    made_at: str
    study_number: str
    approval: str
    rules_sha256: str
    series: list[dict[str, Any]]
    objects: list[ObjectEntry]


def _text(pattern: str) -> Callable[[Any], bool]:
    compiled = re.compile(pattern)
    return lambda value: isinstance(value, str) and compiled.fullmatch(value) is not None


def _whole(low: int, high: int) -> Callable[[Any], bool]:
    return lambda value: type(value) is int and low <= value <= high


_HASH = _text(r"[0-9a-f]{64}")
_UID = _text(r"(?=.{1,64}\Z)(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))*")
_FIELDS: dict[str, Callable[[Any], bool]] = {
    "v": _whole(VERSION, VERSION),
    "study": _text(r"[A-Za-z0-9._-]{1,40}"),
    "center": _text(r"[0-9]{2}"),
    "gateway": lambda value: isinstance(value, str) and envelope.is_gateway_id(value),
    "software": _text(r"[ -~]{1,80}"),
    "seq": _whole(1, 2**53 - 1),
    "made_at": _text(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z"),
    "study_number": _text(r"[0-9]{2}-[0-9]{4}-[0-9]{2}"),
    "approval": lambda value: isinstance(value, str) and len(value) <= MAX_APPROVAL,
    "rules_sha256": _HASH,
    "series": lambda value: isinstance(value, list) and 1 <= len(value) <= MAX_OBJECTS,
    "objects": lambda value: isinstance(value, list) and 1 <= len(value) <= MAX_OBJECTS,
}
_OBJECT: dict[str, Callable[[Any], bool]] = {
    "sha256": _HASH,
    "size": _whole(1, MAX_OBJECT_BYTES),
    "sop_class": _UID,
    "sop_uid": _UID,
    "series_uid": _UID,
}
_SERIES: dict[str, Callable[[Any], bool]] = {
    "uid": _UID,
    "modality": _text(r"[A-Z]{2,16}"),
    "count": _whole(1, MAX_OBJECTS),
}


def check(manifest: Any) -> Manifest:
    """The manifest, unchanged, when every field is as it must be; ManifestRefused names the first that is not."""
    _check_fields(manifest, _FIELDS, "manifest", exact=True)
    for entry in manifest["objects"]:
        _check_fields(entry, _OBJECT, "object", exact=True)
    for series in manifest["series"]:
        _check_fields(series, _SERIES, "series", exact=False)
    _check_sums(manifest)
    checked: Manifest = manifest
    return checked


def parse(data: bytes) -> Manifest:
    """The manifest in `data`; ManifestRefused unless it is valid and `data` are its canonical bytes, so that one id
    stands for one meaning."""
    try:
        value = json.loads(data)
        same = canonical(value) == data
    except (ValueError, TypeError, RecursionError):
        raise ManifestRefused("The manifest is not canonical JSON.") from None
    if not same:
        raise ManifestRefused("The manifest is not written in canonical bytes.")
    return check(value)


def _check_fields(value: Any, fields: dict[str, Callable[[Any], bool]], what: str, *, exact: bool) -> None:
    if not isinstance(value, dict) or not value.keys() >= fields.keys() or (exact and value.keys() != fields.keys()):
        raise ManifestRefused(f"The {what} does not have the fields {', '.join(fields)}.")
    for name, fits in fields.items():
        if not fits(value[name]):
            raise ManifestRefused(f"The field {name} of the {what} is not as it must be.")


def _check_sums(manifest: Any) -> None:
    """Each object once, each series once, counts equal to the objects listed, gateway and patient of this center."""
    objects, series = manifest["objects"], manifest["series"]
    for name in ("sha256", "sop_uid"):
        if len({entry[name] for entry in objects}) != len(objects):
            raise ManifestRefused(f"Two objects of the manifest have the same {name}.")
    counted: dict[str, int] = {}
    for entry in objects:
        counted[entry["series_uid"]] = counted.get(entry["series_uid"], 0) + 1
    if len(counted) != len(series) or {item["uid"]: item["count"] for item in series} != counted:
        raise ManifestRefused("The series of the manifest do not add up to its objects.")
    center = manifest["center"]
    if not manifest["gateway"].startswith(f"{center}-") or not manifest["study_number"].startswith(f"{center}-"):
        raise ManifestRefused("The gateway or the study number belongs to another center.")
