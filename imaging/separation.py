"""Which passes over the body lie in one series? Told from header values alone; a person or the PACS then takes them apart (NW-09). Pure.

Dynamic examinations often come as one series with every phase in it. What tells the passes apart is asked in the order of `By`: a number
that the scanner gave each pass, else the time of the slices.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

OVERLAP = 0.5  # of the shorter one: what two passes over the same organ share at least; stations that follow each other share less
ROUNDED = 0.5  # a pass that is told by time is named by its first moment as a whole number
SAME_PLACE = 0.01  # mm; as `imaging.geometry`


class By(StrEnum):
    """What tells the passes of a series apart, the surest first."""

    TEMPORAL = "temporal"
    ACQUISITION = "acquisition"
    TRIGGER = "trigger"
    TIME = "time"


@dataclass(frozen=True)
class Place:
    """Where and when one slice was taken: mm along the normal, the scanner's numbers, ms after the trigger, seconds after midnight."""

    level: float
    temporal: str = ""
    acquisition: str = ""
    trigger: float | None = None
    acquired: float | None = None


@dataclass(frozen=True)
class Part:
    """One pass: what tells it (`by`, `value`), how many slices, from where to where (mm along the normal), when the first was taken."""

    by: By
    value: str
    count: int
    start: float
    end: float
    acquired: float | None = None


def separate(places: Sequence[Place]) -> tuple[Part, ...]:
    """The passes over the same part of the body, in the order of time; none when the series covers everything once or nothing tells."""
    for by in (By.TEMPORAL, By.ACQUISITION):
        groups = _by_number(places, [getattr(one, by.value) for one in places])
        if _overlap(groups):
            return _parts(by, groups)
    for by, moments in ((By.TRIGGER, [one.trigger for one in places]), (By.TIME, [one.acquired for one in places])):
        if groups := _by_moment(places, moments):
            return _parts(by, groups)
    return ()


def belongs(parts: Sequence[Part], places: Sequence[Place]) -> list[int]:
    """For each slice the index of the pass of `separate` that it belongs to. `level` is not asked. Raises KeyError for a foreign number."""
    by = parts[0].by
    if by in (By.TEMPORAL, By.ACQUISITION):
        index = {part.value: n for n, part in enumerate(parts)}
        return [index[getattr(place, by.value)] for place in places]
    begun = sorted((float(part.value) - ROUNDED, n) for n, part in enumerate(parts))
    moments = [place.trigger if by is By.TRIGGER else place.acquired for place in places]
    return [max((start, n) for start, n in begun if start <= (moment or 0.0))[1] for moment in moments]


def _by_number(places: Sequence[Place], numbers: Sequence[str]) -> dict[str, list[Place]]:
    groups: dict[str, list[Place]] = {}
    for place, number in zip(places, numbers, strict=True):
        groups.setdefault(number, []).append(place)
    return groups if len(groups) < len(places) else {}  # each slice a number of its own: an axial (sequential) scan


def _overlap(groups: Mapping[str, Sequence[Place]]) -> bool:
    spans = sorted(_span(group) for group in groups.values() if len(group) > 1)
    return any(_share(a, b) > OVERLAP for a, b in pairwise(spans))


def _by_moment(places: Sequence[Place], moments: Sequence[float | None]) -> dict[str, list[Place]]:
    """Groups cut at the longest pauses, as many as some place has slices; none unless every group then has each place once."""
    wanted = max(Counter(round(one.level / SAME_PLACE) for one in places).values(), default=1)
    known = [(moment, place) for moment, place in zip(moments, places, strict=True) if moment is not None]
    if wanted < 2 or len(known) < len(places):
        return {}
    ordered = sorted(known, key=lambda pair: pair[0])
    pauses = sorted(range(1, len(ordered)), key=lambda i: ordered[i][0] - ordered[i - 1][0])[-(wanted - 1) :]
    cuts = [0, *sorted(pauses), len(ordered)]
    groups = [ordered[start:end] for start, end in pairwise(cuts)]
    if any(not _once(group) for group in groups):
        return {}
    return {f"{group[0][0]:.0f}": [place for _, place in group] for group in groups}


def _once(group: Sequence[tuple[float, Place]]) -> bool:
    levels = [round(place.level / SAME_PLACE) for _, place in group]
    return len(levels) > 1 and len(set(levels)) == len(levels)


def _parts(by: By, groups: Mapping[str, Sequence[Place]]) -> tuple[Part, ...]:
    found = []
    for value, group in groups.items():
        times = [one.acquired for one in group if one.acquired is not None]
        found.append(Part(by, value, len(group), *_span(group), min(times, default=None)))
    return tuple(sorted(found, key=lambda part: (part.acquired is None, part.acquired or 0.0, _natural(part.value))))


def _natural(value: str) -> tuple[float, str]:
    try:
        return float(value), ""
    except ValueError:
        return float("inf"), value


def _span(group: Sequence[Place]) -> tuple[float, float]:
    levels = [one.level for one in group]
    return min(levels), max(levels)


def _share(a: tuple[float, float], b: tuple[float, float]) -> float:
    common = min(a[1], b[1]) - max(a[0], b[0])
    return common / max(min(a[1] - a[0], b[1] - b[0]), SAME_PLACE)
