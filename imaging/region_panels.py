"""What the series page shows of an outline: its state, how far its measuring is, and the features."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _

from accounts.models import User
from imaging import features
from imaging.models import Extraction, FeatureSet, Roi, Series
from imaging.regions import UPLOAD
from studies.access import may

EXPORT = "export.run"
FIRST = 20
LOOKS: dict[str, tuple[str, str]] = {
    Roi.State.RECEIVED: ("half", "info"), Roi.State.ALIGNED: ("ok", "ok"), Roi.State.REFUSED: ("bad", "bad"),
    Roi.State.COMPARED: ("ok", "info"), Roi.State.REPLACED: ("na", ""), Roi.State.VOIDED: ("na", ""),
}  # fmt: skip
"""Icon and tone of an outline's state."""


@dataclass(frozen=True)
class RoiView:
    """One outline as a page shows it."""

    roi: Roi
    icon: str
    tone: str
    word: str | Promise
    sentences: list[str]
    ended: str


@dataclass(frozen=True)
class RegionView:
    """Everything about the outlines of one series; `now` is the one in force or being checked, or the last that was refused."""

    series: Series
    now: RoiView | None
    in_force: RoiView | None
    earlier: list[RoiView]
    phase_is_measured: bool
    extraction: Extraction | None
    failures: list[str]
    measured: FeatureSet | None
    may_upload: bool
    may_export: bool
    expected: int = features.EXPECTED
    warnings: list[str] = field(default_factory=list)

    @property
    def sessions(self) -> list[tuple[str, str | Promise]]:
        """What an outline may be uploaded as; those for comparison once there is one to compare with."""
        return list(Roi.Session.choices) if self.in_force else []

    @property
    def is_moving(self) -> bool:
        """Whether the page has something to wait for."""
        return bool(self.now and self.now.roi.state == Roi.State.RECEIVED) or self.is_waiting

    @property
    def is_waiting(self) -> bool:
        """Whether an outline in force is still to be measured."""
        failed = self.extraction is not None and self.extraction.state == Extraction.State.FAILED
        return self.in_force is not None and self.phase_is_measured and self.measured is None and not failed

    @property
    def first(self) -> Sequence[tuple[str, str]]:
        """The first features, as name and number."""
        return self.measured.values[:FIRST] if self.measured else []

    @property
    def provenance(self) -> list[tuple[str, str]]:
        """What decides the values, by hash."""
        if self.measured is None:
            return []
        one = self.measured
        return [
            (_("image"), one.image_sha256),
            (_("mask"), one.mask_sha256),
            (_("parameters"), one.profile_sha256),
            (_("software"), one.software_sha256),
            (_("measurement"), one.sha256),
        ]

    @property
    def software(self) -> str:
        """The programs that measured, with their versions."""
        return ", ".join(f"{name} {version}" for name, version in self.measured.software.items()) if self.measured else ""


def region_view(series: Series, user: User) -> RegionView:
    """The outlines of one series, for one person."""
    all_of_it = [roi_view(roi) for roi in series.rois.select_related("uploaded_by").order_by("-uploaded_at", "-pk")]
    in_force = next((one for one in all_of_it if one.roi.state == Roi.State.ALIGNED), None)
    now = next((one for one in all_of_it if one.roi.state in (Roi.State.RECEIVED, Roi.State.REFUSED)), None)
    if now and now.roi.state == Roi.State.REFUSED and now is not all_of_it[0]:
        now = None
    now = now or in_force
    extraction = measured = None
    if in_force:
        this = {"profile_sha256": features.profile().sha256, "revision": series.revision}
        extraction = in_force.roi.extractions.filter(**this).first()
        measured = in_force.roi.feature_sets.filter(**this).first()
    return RegionView(
        series=series,
        now=now,
        in_force=in_force,
        earlier=[one for one in all_of_it if one is not now and one is not in_force],
        phase_is_measured=series.phase in features.INPUTS,
        extraction=extraction,
        failures=[spoken(finding) for finding in extraction.findings] if extraction else [],
        measured=measured,
        may_upload=may(user, UPLOAD, series.center),
        may_export=may(user, EXPORT, series.center),
        warnings=[spoken(warning) for warning in measured.warnings] if measured else [],
    )


def roi_view(roi: Roi) -> RoiView:
    """One outline with the words for its codes."""
    icon, tone = LOOKS[roi.state]
    return RoiView(roi, icon, tone, roi.get_state_display(), [spoken(finding) for finding in roi.findings], roi.void_reason)


def spoken(finding: Mapping[str, Any]) -> str:
    """A sentence that was kept as data, in the reader's language."""
    return _(finding["message"]) % finding["params"]
