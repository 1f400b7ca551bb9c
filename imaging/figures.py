"""What was found of a stack, in numbers: the sentences beneath the verdict of a series (NW-09)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from imaging import clock
from imaging.geometry import Verdict
from imaging.models import Series
from imaging.models.images import PHASE_WORDS
from imaging.phase import Evidence, Phase, propose
from imaging.separation import By

BY: dict[By, Promise] = {
    By.TEMPORAL: gettext_lazy("temporal position"),
    By.ACQUISITION: gettext_lazy("acquisition number"),
    By.TRIGGER: gettext_lazy("trigger time (ms)"),
    By.TIME: gettext_lazy("acquisition time"),
}


@dataclass(frozen=True)
class PartView:
    """One pass of a series that holds several: how it is told, what it covers, and the phase that the headers speak for."""

    by: Promise
    value: str
    count: int
    start: float
    end: float
    phase: Promise | None


def sentences(series: Series) -> list[str]:
    """What the verdict rests on, with numbers, in the reader's language; nothing where the verdict says it all."""
    said = _SAID.get(series.verdict)
    return said(series, series.findings) if said else []


def parts(series: Series) -> list[PartView]:
    """How a series that covers the body several times could be taken apart, with the phase proposed for each part."""
    found = series.findings.get("parts", [])
    times = [part["acquired"] for part in found if part["acquired"] is not None]
    return [
        PartView(
            BY[By(part["by"])], _value(part), part["count"], part["start"], part["end"], _phase(series, part["acquired"], times)
        )
        for part in found
    ]  # fmt: skip


def _tilted(series: Series, found: Mapping[str, Any]) -> list[str]:
    return [_("The stack leans by %(degrees).1f° against the normal of its slices; 1° is allowed.") % {"degrees": found["tilt"]}]


def _uneven(series: Series, found: Mapping[str, Any]) -> list[str]:
    if found.get("off") is None:
        return []
    text = _("The worst slice lies %(mm).2f mm off the even grid of %(spacing).2f mm.")
    return [text % {"mm": found["off"], "spacing": series.spacing_mm}]


def _gaps(series: Series, found: Mapping[str, Any]) -> list[str]:
    said = []
    for gap in found["gaps"]:
        text = ngettext(
            "%(after).1f mm from the first slice, %(n)d slice is missing.",
            "%(after).1f mm from the first slice, %(n)d slices are missing.",
            gap["missing"],
        )
        said.append(text % {"after": gap["after"], "n": gap["missing"]})
    return said


def _mixed(series: Series, found: Mapping[str, Any]) -> list[str]:
    if not found.get("groups"):
        return []
    return [_("Groups of slices that belong together: %(sizes)s.") % {"sizes": " + ".join(map(str, found["groups"]))}]


def _doubles(series: Series, found: Mapping[str, Any]) -> list[str]:
    other = found.get("conflicting", 0)
    same, said = found["duplicates"] - other, []
    if same:
        text = ngettext("%(n)d slice repeats what lies there already.", "%(n)d slices repeat what lies there already.", same)
        said.append(text % {"n": same})
    if other:
        text = ngettext(
            "%(n)d slice shows something else than another at its place.",
            "%(n)d slices show something else than another at their place.",
            other,
        )
        said.append(text % {"n": other})
    return said


def _few(series: Series, found: Mapping[str, Any]) -> list[str]:
    text = ngettext("%(n)d place in all; 10 are needed.", "%(n)d places in all; 10 are needed.", series.slice_count or 0)
    return [text % {"n": series.slice_count or 0}]


def _value(part: Mapping[str, Any]) -> str:
    if part["by"] != By.TIME:
        return str(part["value"])
    moment = int(part["acquired"])
    return f"{moment // 3600:02d}:{moment // 60 % 60:02d}:{moment % 60:02d}"


def _phase(series: Series, acquired: float | None, times: list[float]) -> Promise | None:
    agent = series.facts.get("ContrastBolusAgent", "") not in ("", "oral")
    proposal = propose(
        Evidence(
            modality=series.modality, contrast_agent=agent, contrast_start=clock.seconds(series.facts.get("ContrastBolusStartTime", "")),
            acquired=acquired, other_contrast=tuple(time for time in times if time != acquired),
        )
    )  # fmt: skip
    return None if proposal.phase is Phase.UNKNOWN else PHASE_WORDS[proposal.phase]


_SAID: dict[str, Callable[[Series, Mapping[str, Any]], list[str]]] = {
    Verdict.TILTED: _tilted,
    Verdict.UNEVEN: _uneven,
    Verdict.GAP: _gaps,
    Verdict.MIXED_ORIENTATION: _mixed,
    Verdict.MIXED_REFERENCE: _mixed,
    Verdict.DUPLICATE_POSITIONS: _doubles,
    Verdict.CONFLICTING_POSITIONS: _doubles,
    Verdict.TOO_FEW: _few,
}
