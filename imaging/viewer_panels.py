"""What the viewer shows: the measured phases of a participant at one height, through one window, with readers' outlines over them."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import F
from django.utils.functional import Promise

from accounts.models import User
from imaging import overlap, viewer_volumes
from imaging.draft_panels import DraftView, draft_views
from imaging.features import INPUTS
from imaging.geometry import Verdict
from imaging.models import KeySlice, Roi, RoiOutline, Series
from imaging.models.images import PHASE_WORDS
from imaging.phase import Phase
from imaging.regions import UPLOAD
from imaging.series import series_for
from imaging.windows import CT_OFFSET, CT_PRESETS, WHOLE
from imaging.words import WINDOWS
from studies.access import may
from studies.models import Participant

LEAP = 10  # slices that a page key goes on
MOST_READERS = 4  # colours and line styles that can be told apart


@dataclass(frozen=True)
class Drawn:
    """One reader's outline on the slice that is shown; `number` is the colour and line style of its reader."""

    roi: Roi
    number: int
    outline: RoiOutline | None


@dataclass(frozen=True)
class Pair:
    """How far two readers' outlines of one series agree."""

    one: str
    other: str
    found: overlap.Overlap


@dataclass
class Pane:
    """One phase: the slice that lies nearest to the height, and the outlines on it."""

    series: Series
    phase: str | Promise
    confirmed: bool
    slices: Sequence[KeySlice]
    at: int = 0
    drawn: list[Drawn] = field(default_factory=list)
    pairs: list[Pair] = field(default_factory=list)
    drafting: DraftView | None = None
    window: str = "soft_tissue"

    @property
    def draft(self) -> dict[str, Any] | None:
        """What a machine marked on the slice that is shown, while it waits for a reader: its frame and its polygons, as SVG says them."""
        waits = self.drafting.draft if self.drafting else None
        if waits is None or waits.revision != self.series.revision:
            return None
        found = next((one for one in waits.outlines if one["place"] == self.now.place), None)
        return found and {
            "view_box": f"0 0 {found['width']:g} {found['height']:g}",
            "points": [" ".join(f"{x:g},{y:g}" for x, y in way) for way in found["polygons"]],
        }

    @property
    def now(self) -> KeySlice:
        """The slice that is shown."""
        return self.slices[self.at]

    @property
    def has_volume(self) -> bool:
        """Whether it is one regular stack, which alone may be drawn as a volume."""
        return self.series.verdict == Verdict.REGULAR and self.series.assessed_revision == self.series.revision

    @property
    def levels(self) -> str:
        """The darkest and the brightest value of the window, as the volume has values."""
        center, width = window_of(self.now, self.window)
        middle = center - CT_OFFSET if self.series.modality == "CT" else center
        return f"{middle - width / 2:g} {middle + width / 2:g}"

    @property
    def height(self) -> str:
        """How far along the stack the slice lies, from 0 to 1."""
        return f"{(self.at + 0.5) / len(self.slices):.6f}"


@dataclass(frozen=True)
class Step:
    """A way to another slice: the key that goes it, its address (empty where there is none), and the arrow or place it shows."""

    key: str
    address: str
    name: str


@dataclass(frozen=True)
class Viewer:
    """The whole page. `refused` tells that another reader's outlines are not shown to one who has still to draw his own."""

    panes: list[Pane]
    window: str
    windows: list[tuple[str, Promise, str]]
    steps: list[Step]
    compare: str
    comparing: bool
    refused: bool
    waiting: bool

    @property
    def has_volumes(self) -> bool:
        """Whether any of it can be drawn as a volume."""
        return any(pane.has_volume for pane in self.panes)


def window_of(drawn: KeySlice, asked: str) -> tuple[float, float]:
    """Centre (in stored values) and width of the window through which a kept slice is shown."""
    if drawn.series.modality != "CT":
        return drawn.window_center, drawn.window_width
    preset = CT_PRESETS.get(asked) or CT_PRESETS["soft_tissue"]
    return preset.center + CT_OFFSET, preset.width


def viewer_of(participant: Participant, user: User, asked: Mapping[str, str]) -> Viewer:
    """The viewer of a participant as `asked` (window, place of the first pane, compare) says; what is not understood is left aside."""
    panes = _panes(series_for(user).filter(participant=participant))
    window = asked.get("window", "")
    window = window if window in CT_PRESETS else "soft_tissue"
    comparing = asked.get("compare") == "1"
    refused = comparing and not _may_compare(participant, panes, user)
    if panes:
        _go_to(panes, asked.get("place", ""))
        _outline(panes, everybody=comparing and not refused)
        drafting = {} if comparing else draft_views([pane.series for pane in panes], user)
        for pane in panes:
            pane.drafting, pane.window = drafting.get(pane.series.pk), window
    state = {"window": window, **({"compare": "1"} if comparing else {})}
    place = panes[0].now.place if panes else 1
    return Viewer(
        panes=panes,
        window=window,
        windows=[(name, WINDOWS[name], _address(state | {"window": name}, place)) for name in CT_PRESETS],
        steps=list(_steps(panes[0], state)) if panes else [],
        compare=_address({"window": window, **({} if comparing else {"compare": "1"})}, place),
        comparing=comparing,
        refused=refused,
        waiting=not panes and series_for(user).filter(participant=participant, phase_proposed__in=INPUTS).exists(),
    )


def _panes(series: Iterable[Series]) -> list[Pane]:
    """A pane for each measured phase, of its newest series; a confirmed one goes before a proposed one."""
    ranked = sorted(series, key=lambda one: (bool(one.phase), one.pk), reverse=True)
    chosen: dict[str, Series] = {}
    for one in ranked:
        phase = one.phase or one.phase_proposed
        if phase in INPUTS:
            chosen.setdefault(phase, one)
    kept = KeySlice.objects.filter(series__in=list(chosen.values()), window=WHOLE, revision=F("series__assessed_revision"))
    slices: dict[int, list[KeySlice]] = {}
    known = {one.pk: one for one in chosen.values()}
    for slice_ in kept.order_by("place"):
        slice_.series = known[slice_.series_id]
        slices.setdefault(slice_.series_id, []).append(slice_)
    return [
        Pane(chosen[phase], PHASE_WORDS[Phase(phase)], bool(chosen[phase].phase), slices[chosen[phase].pk])
        for phase in INPUTS
        if phase in chosen and chosen[phase].pk in slices
    ]


def _go_to(panes: Sequence[Pane], place: str) -> None:
    """Show the asked place in the first pane, or its middle, and the nearest height in the others."""
    first = panes[0]
    wanted = int(place) - 1 if place.isdecimal() and len(place) < 6 else len(first.slices) // 2
    first.at = min(max(wanted, 0), len(first.slices) - 1)
    for pane in panes[1:]:
        pane.at = _nearest(pane.slices, first.now.position_mm)


def _nearest(slices: Sequence[KeySlice], height: float | None) -> int:
    heights = [one.position_mm or 0.0 for one in slices]
    if height is None:
        return len(slices) // 2
    after = min(bisect_left(heights, height), len(heights) - 1)
    return min((max(after - 1, 0), after), key=lambda i: abs(heights[i] - height))


def outline_shown(uuid: UUID, user: User) -> Roi | None:
    """An outline that the viewer shows to this person, with its series: the one in force, and readers' where he may compare them."""
    states = [Roi.State.ALIGNED, Roi.State.REPLACED, Roi.State.COMPARED]
    shown = Roi.objects.filter(series__in=series_for(user), state__in=states, checked_revision=F("series__revision"))
    roi = shown.exclude(session=Roi.Session.REPEAT).select_related("series__participant__center").filter(uuid=uuid).first()
    if roi is None or roi.state == Roi.State.ALIGNED:
        return roi
    person = roi.series.participant
    return roi if _may_compare(person, _panes(series_for(user).filter(participant=person)), user) else None


def _may_compare(participant: Participant, panes: Sequence[Pane], user: User) -> bool:
    """Who draws sees others' outlines after he handed in one of each phase: before that, another's would lead his hand."""
    if not may(user, UPLOAD, participant.center):
        return True
    own = set(Roi.objects.filter(series__in=[pane.series for pane in panes], uploaded_by=user).values_list("series_id", flat=True))
    return all(pane.series.pk in own for pane in panes)


def _outline(panes: Sequence[Pane], *, everybody: bool) -> None:
    """Put the outline in force over each pane, or the newest of every reader with how far they agree."""
    states = [Roi.State.ALIGNED, Roi.State.REPLACED, Roi.State.COMPARED] if everybody else [Roi.State.ALIGNED]
    rows = Roi.objects.filter(series__in=[pane.series for pane in panes], state__in=states, checked_revision=F("series__revision"))
    rows = rows.exclude(session=Roi.Session.REPEAT)  # of a reader's own outlines the one that counts
    newest: dict[tuple[int, str], Roi] = {}
    for roi in rows.prefetch_related("outlines").order_by("-uploaded_at", "-pk"):
        newest.setdefault((roi.series_id, roi.reader), roi)
    for pane in panes:
        shown = [roi for (series_id, _), roi in newest.items() if series_id == pane.series.pk][:MOST_READERS]
        current = [
            (roi, [one for one in roi.outlines.all() if one.revision == pane.series.revision])
            for roi in sorted(shown, key=lambda roi: roi.reader)
        ]
        pane.drawn = [
            Drawn(roi, number, next((one for one in outlines if one.place == pane.now.place), None))
            for number, (roi, outlines) in enumerate(current)
        ]
        if everybody and len(current) > 1:
            pane.pairs = _pairs(pane.series, current)


def _pairs(series: Series, drawn: Sequence[tuple[Roi, Sequence[RoiOutline]]]) -> list[Pair]:
    frame = series.members.first().frames[0]  # type: ignore[union-attr] # a series with an outline has instances
    spacing = (series.spacing_mm or 1.0, *frame["pixel_spacing"])
    size = (series.slice_count or 0, frame["rows"], frame["columns"])
    masks = [(roi.reader, viewer_volumes.filled(outlines, size)) for roi, outlines in drawn]
    return [Pair(a, b, overlap.compare(one, other, spacing)) for (a, one), (b, other) in combinations(masks, 2)]


def _steps(first: Pane, state: Mapping[str, str]) -> Iterable[Step]:
    last, now = len(first.slices), first.at + 1
    for key, name, place in (
        ("Home", "⇤", 1), ("PageUp", f"−{LEAP}", max(now - LEAP, 1)), ("ArrowUp", "−1", now - 1),
        ("ArrowDown", "+1", now + 1), ("PageDown", f"+{LEAP}", min(now + LEAP, last)), ("End", "⇥", last),
    ):  # fmt: skip
        yield Step(key, _address(state, place) if 1 <= place <= last and place != now else "", name)


def _address(state: Mapping[str, str], place: int) -> str:
    return f"?{urlencode({**state, 'place': place})}"
