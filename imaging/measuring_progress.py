"""How far the measuring of outlines has come, for the centers that a person sees: how many of how many, which failed, and why."""

from collections import Counter
from dataclasses import dataclass

from django.db.models import F, Q, QuerySet

from accounts.models import User
from imaging.features import INPUTS, profile
from imaging.models import Extraction, Roi
from imaging.region_panels import spoken
from imaging.regions import UPLOAD, rois_for
from studies.access import centers_for

MOST = 50  # failures that a page names


@dataclass(frozen=True)
class Failure:
    """A measurement that was given up: its outline, the sentences that say why, and whether the person may have it tried again."""

    roi: Roi
    sentences: list[str]
    may_try_again: bool


@dataclass(frozen=True)
class Progress:
    """Outlines of confirmed phases: all, measured, being measured, given up; the others wait."""

    all: int
    done: int
    running: int
    failed: int
    failures: list[Failure]

    @property
    def waiting(self) -> int:
        return self.all - self.done - self.running - self.failed

    @property
    def is_moving(self) -> bool:
        """Whether the page has something to wait for."""
        return self.waiting + self.running > 0


def progress_for(user: User) -> Progress:
    """The outlines that are to be measured by the study's profile on their series as they are now."""
    wanted = Q(state__in=[Roi.State.ALIGNED, Roi.State.COMPARED], series__phase__in=INPUTS)
    rois = rois_for(user).filter(wanted)
    rows = Extraction.objects.filter(roi__in=rois, profile_sha256=profile().sha256, revision=F("roi__series__revision"))
    counts = Counter(rows.values_list("state", flat=True))
    state = Extraction.State
    return Progress(rois.count(), counts[state.DONE], counts[state.RUNNING], counts[state.FAILED], _failures(user, rows))


def _failures(user: User, rows: QuerySet[Extraction]) -> list[Failure]:
    given_up = rows.filter(state=Extraction.State.FAILED).select_related("roi__series__participant", "roi__series__center")
    mine = set(centers_for(user, UPLOAD).values_list("pk", flat=True))
    return [
        Failure(one.roi, [spoken(finding) for finding in one.findings], one.roi.series.center_id in mine)
        for one in given_up.order_by("ended_at", "pk")[:MOST]
    ]
