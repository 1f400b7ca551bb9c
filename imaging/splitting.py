"""A series that holds several passes over the body, taken apart by a person into one series for each pass, with a trail.

The platform proposes how (`imaging.separation`); nothing is split by itself. The images stay where they came; a pass names its own. Each
pass is then judged, drawn and confirmed like any series, and the whole one counts as no phase any more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from accounts import audit
from accounts.models import User
from accounts.transitions import NotAllowedNow
from imaging import separation
from imaging.geometry import Verdict
from imaging.models import Instance, PassMember, Series
from imaging.phase import Phase
from imaging.separation import By, Part, Place
from imaging.series import CONFIRM
from studies.access import require
from studies.models import Participant

UNCONFIRMED = ("", Phase.UNKNOWN)


@dataclass(frozen=True)
class Passes:
    """What became of a series that was taken apart: its passes, and how many images came after that and are in none."""

    series: list[Series]
    left_out: int


@transaction.atomic
def split(*, series: Series, by: User) -> list[Series]:
    """Make each proposed pass a series of its own. Raises NotAllowedNow when there is nothing to take apart, or it was done before."""
    require(by, CONFIRM, series.center)
    Participant.objects.select_for_update(no_key=True).get(pk=series.participant_id)
    series = Series.objects.select_for_update(of=("self",)).get(pk=series.pk)
    instances = list(series.members.order_by("pk"))
    parts = [Part(**{**part, "by": By(part["by"])}) for part in series.findings.get("parts", [])]
    _may_be_split(series, instances, parts)
    places = separation.belongs(parts, [_place(one.frames[0]) for one in instances])
    with audit.act(by=by, action="series.split"):
        return [
            _pass(series, n, part, [one for one, place in zip(instances, places, strict=True) if place == n])
            for n, part in enumerate(parts)
        ]


def passes_of(series: Series) -> Passes:
    """The passes that a series was taken apart into."""
    made = list(series.parts.order_by("part"))
    return Passes(made, series.members.filter(passes=None).count() if made else 0)


def _may_be_split(series: Series, instances: Sequence[Instance], parts: Sequence[Part]) -> None:
    if series.verdict != Verdict.SEVERAL_ACQUISITIONS or not parts or series.assessed_revision != series.revision:
        raise NotAllowedNow(_("This series holds no passes that could be told apart, or it is still being assessed."))
    if series.parts.exists():
        raise NotAllowedNow(_("This series was taken apart before; its passes are listed on its page."))
    if series.phase not in UNCONFIRMED:
        raise NotAllowedNow(_("A phase was picked for the whole series. Pick that it is no usable phase first, with the reason."))
    if any(len(one.frames) > 1 for one in instances):
        raise NotAllowedNow(_("The passes lie within one image object. Have the PACS send each pass as a series of its own."))


def _place(frame: dict[str, Any]) -> Place:
    return Place(0.0, frame["temporal"], frame["acquisition"], frame["trigger"], frame["acquired"])


def _pass(series: Series, n: int, part: Part, instances: Sequence[Instance]) -> Series:
    number = n + 1
    moment = {} if part.acquired is None else {"AcquisitionTime": _time(part.acquired)}
    made = Series.objects.create(
        center_id=series.center_id, participant_id=series.participant_id, imaging_study_id=series.imaging_study_id,
        series_instance_uid=f"{series.series_instance_uid}.{number}", modality=series.modality, facts=series.facts | moment,
        part_of=series, part=number, revision=1,
    )  # fmt: skip
    PassMember.objects.bulk_create(PassMember(series=made, instance=one) for one in instances)
    return made


def _time(seconds: float) -> str:
    """Seconds after midnight as a DICOM TM value, to the second."""
    whole = int(seconds)
    return f"{whole // 3600:02d}{whole // 60 % 60:02d}{whole % 60:02d}"
