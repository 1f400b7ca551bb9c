"""What the pages show of series: one view of each, assembled from its row, its slices and the words for its codes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Count, F, Prefetch, QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.safestring import SafeString, mark_safe

from accounts import audit
from imaging import arrival, features, figures
from imaging.geometry import Verdict
from imaging.models import KeySlice, Package, Roi, Series
from imaging.models.images import PHASE_WORDS
from imaging.phase import Phase, Reason
from imaging.regions import UPLOAD
from imaging.series import CONFIRM, VIEW, series_for
from imaging.windows import WHOLE
from imaging.words import LACKS, REASONS, VERDICTS, Judgement
from studies.access import may
from studies.models import Participant


@dataclass(frozen=True)
class Choice:
    """One phase that can be picked; `proposed` marks the platform's proposal, which is never preselected."""

    value: str
    word: Promise
    proposed: bool
    picked: bool


@dataclass(frozen=True)
class SeriesView:
    """One series as a page shows it."""

    series: Series
    settling: bool
    judgement: Judgement | None
    phase: Promise | None
    proposal: Promise | None
    reasons: list[Promise] = field(default_factory=list)
    choices: list[Choice] = field(default_factory=list)
    slices: list[KeySlice] = field(default_factory=list)
    conflicts: int = 0
    roi: Roi | None = None

    @property
    def is_arriving(self) -> bool:
        """Whether slices may still come: some came a short while ago."""
        return arrival.of_series(self.series, now=timezone.now()) is arrival.Arrival.SETTLING

    @property
    def details(self) -> list[str]:
        """What the verdict rests on, with numbers."""
        return figures.sentences(self.series)

    @property
    def parts(self) -> list[figures.PartView]:
        """How the series could be taken apart where it holds several passes."""
        return figures.parts(self.series)

    @property
    def is_measured(self) -> bool:
        """Whether this phase is one that the models take features from."""
        return self.series.phase in features.INPUTS

    @property
    def middle(self) -> Any:
        """The slice that stands for the series on the participant's page: where the outline is largest, or the middle one."""
        outlined = [one for one in self.slices if one.outline]  # type: ignore[attr-defined] # set by `_view`
        if outlined:
            return max(outlined, key=lambda one: one.outline.pixels)  # type: ignore[attr-defined]
        return self.slices[len(self.slices) // 2] if self.slices else None


def series_panel(request: HttpRequest, participant: Participant) -> SafeString:
    """The panel of a participant's series for his page; empty for who may not see images."""
    if not may(request.user, VIEW, participant.center):
        return mark_safe("")
    shown = views_of(series_for(request.user).filter(participant=participant).order_by("imaging_study__study_date", "pk"))
    phases = participant.study.protocol.imaging.phases
    completeness = arrival.of_all([view.series for view in shown], phases=phases, now=timezone.now())
    context = {
        "participant": participant,
        "views": shown,
        "may_confirm": may(request.user, CONFIRM, participant.center),
        "outlines": {(view.roi.reader, view.roi.treatment_known): view.roi for view in shown if view.roi}.values(),
        "may_upload": may(request.user, UPLOAD, participant.center),
        "completeness": completeness,
        "lacks": [(PHASE_WORDS[phase], LACKS[lack]) for phase, lack in completeness.lacks],
        "waiting": Package.objects.filter(gateway__center=participant.center, state=Package.State.STORED).count(),
    }
    return mark_safe(render_to_string("imaging/_series_panel.html", context, request))  # noqa: S308 - a template's output, escaped there


def views_of(series: QuerySet[Series], window: str = "") -> list[SeriesView]:
    """The views of series in a few queries for all; `window` picks the key slices drawn through it, the first window otherwise."""
    drawn = KeySlice.objects.filter(revision=F("series__assessed_revision")).exclude(window=WHOLE).order_by("place", "pk")
    in_force = Roi.objects.filter(state=Roi.State.ALIGNED).prefetch_related("outlines")
    rows = series.annotate(conflicts=Count("instances__conflicts")).prefetch_related(
        Prefetch("key_slices", queryset=drawn, to_attr="drawn"), Prefetch("rois", queryset=in_force, to_attr="in_force")
    )
    return [_view(one, window) for one in rows]


def windows_of(series: Series) -> list[str]:
    """The windows that the present key slices of a series were drawn through, the default one first."""
    slices = series.key_slices.filter(revision=series.assessed_revision, index=0).exclude(window=WHOLE)
    return list(slices.order_by("pk").values_list("window", flat=True))


def picks_of(series: Series) -> list[dict[str, Any]]:
    """Every phase that was picked for a series, newest first: when, by whom, which, and the reason of a change."""
    events = [event for event in audit.history(series) if event.pgh_context.get("action") == "series.phase_picked"]
    return [
        {
            "at": event.pgh_created_at,
            "by": event.pgh_context.get("by", ""),
            "phase": PHASE_WORDS[Phase(event.phase)],
            "reason": event.pgh_context.get("reason", ""),
        }
        for event in reversed(events)
    ]


def _view(series: Any, window: str) -> SeriesView:
    slices: Sequence[KeySlice] = series.drawn
    windows = list(dict.fromkeys(one.window for one in slices))
    chosen = window if window in windows else next(iter(windows), "")
    roi = next(iter(series.in_force), None)
    outlines = {one.place: one for one in roi.outlines.all() if one.revision == series.assessed_revision} if roi else {}
    for one in slices:
        one.outline = outlines.get(one.place)  # type: ignore[attr-defined]
    proposed = Phase(series.phase_proposed) if series.phase_proposed else None
    return SeriesView(
        series=series,
        settling=series.assessed_revision != series.revision,
        judgement=VERDICTS[Verdict(series.verdict)] if series.verdict else None,
        phase=PHASE_WORDS[Phase(series.phase)] if series.phase else None,
        proposal=PHASE_WORDS[proposed] if proposed and proposed is not Phase.UNKNOWN else None,
        reasons=[REASONS[Reason(reason)] for reason in series.phase_reasons],
        choices=list(_choices(series)),
        slices=[one for one in slices if one.window == chosen],
        conflicts=series.conflicts,
        roi=roi,
    )


def _choices(series: Series) -> Iterable[Choice]:
    for phase, word in PHASE_WORDS.items():
        if phase is Phase.HEPATOBILIARY and series.modality != "MR":
            continue
        proposed = phase == series.phase_proposed and phase is not Phase.UNKNOWN
        yield Choice(phase.value, word, proposed, phase == series.phase)
