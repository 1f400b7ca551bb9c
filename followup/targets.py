"""The response at one scan from targets measured since baseline, by mRECIST (PM-06; Lencioni and Llovet 2010). Pure.

Diameters are millimetres as exact decimals, of what still enhances in the arterial phase; outside the liver the longest diameter. The sum
is compared with that of baseline for a fall, with the lowest before (the nadir, baseline included) for a rise; a rise counts before a fall.
RECIST 1.1 also asks for 5 mm more before it calls a rise progression; mRECIST and this rule do not.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from followup.response import Response

MOST_TARGETS, MOST_PER_ORGAN = 5, 2
SMALLEST_MM, LARGEST_MM = Decimal(10), Decimal(500)
"""A target measures at least the first at baseline; more than the second is a slip of the pen."""
_PARTIAL, _PROGRESSION = Decimal("0.7"), Decimal("1.2")


class NonTarget(StrEnum):
    """All lesions that are not measured, taken together."""

    NONE = "none"
    GONE = "gone"
    PERSISTS = "persists"
    PROGRESSES = "progresses"
    NOT_ASSESSED = "not_assessed"


class Because(StrEnum):
    """Why it is this category and no other."""

    NEW_LESION = "new_lesion"
    NON_TARGET_PROGRESSES = "non_target_progresses"
    ROSE = "rose"
    CAME_BACK = "came_back"
    NOT_ASSESSABLE = "not_assessable"
    NOT_ALL_MEASURED = "not_all_measured"
    ALL_GONE = "all_gone"
    NON_TARGET_REMAINS = "non_target_remains"
    FELL = "fell"
    BETWEEN = "between"


class Fault(StrEnum):
    """What makes a set of targets impossible."""

    TOO_MANY = "too_many"
    TOO_MANY_IN_ORGAN = "too_many_in_organ"
    TOO_SMALL = "too_small"
    OUT_OF_RANGE = "out_of_range"
    SCAN_HALF_MEASURED = "scan_half_measured"


@dataclass(frozen=True, slots=True)
class Target:
    """One lesion in mm at baseline, at each scan between, at the scan that is judged; None where it was not measured."""

    organ: str
    diameters: tuple[Decimal | None, ...]


@dataclass(frozen=True, slots=True)
class Seen:
    """What a reader found at one scan; `assessable` is False where the scan cannot be judged at all."""

    targets: tuple[Target, ...]
    new_lesion: bool = False
    non_target: NonTarget = NonTarget.NONE
    assessable: bool = True


@dataclass(frozen=True, slots=True)
class Assessed:
    """The category with its reason; sums in mm, None where they are not complete."""

    response: Response
    because: Because
    baseline: Decimal | None = None
    nadir: Decimal | None = None
    now: Decimal | None = None

    @property
    def change(self) -> Decimal | None:
        """The share gained (or lost: negative) against baseline."""
        return _share(self.now, self.baseline)

    @property
    def rise(self) -> Decimal | None:
        """The share gained against the nadir; None where there was nothing left."""
        return _share(self.now, self.nadir)


def faults(targets: Sequence[Target]) -> list[tuple[Fault, int]]:
    """What is wrong with a set of targets, each with the place of the target (from 0).

    A scan between may be left out, but not measured by half. Raises ValueError for unequal numbers of scans, or fewer than two.
    """
    if any(len(each.diameters) < 2 or len(each.diameters) != len(targets[0].diameters) for each in targets):
        raise ValueError("every target has a diameter, or none, for baseline and each scan")
    found: list[tuple[Fault, int]] = [(Fault.TOO_MANY, place) for place in range(MOST_TARGETS, len(targets))]
    met: Counter[str] = Counter()
    for place, each in enumerate(targets):
        met[each.organ] += 1
        if met[each.organ] > MOST_PER_ORGAN:
            found.append((Fault.TOO_MANY_IN_ORGAN, place))
        if each.diameters[0] is None or each.diameters[0] < SMALLEST_MM:
            found.append((Fault.TOO_SMALL, place))
        if any(mm is not None and not 0 <= mm <= LARGEST_MM for mm in each.diameters):
            found.append((Fault.OUT_OF_RANGE, place))
        if any(mm is None and _measured(targets, scan) for scan, mm in enumerate(each.diameters) if 0 < scan < len(each.diameters) - 1):
            found.append((Fault.SCAN_HALF_MEASURED, place))
    return found


def assess(seen: Seen) -> Assessed:
    """The category of one reader. Raises ValueError for impossible targets (`faults`).

    A target that was not measured makes the scan not assessable, unless the others alone are progression.
    """
    if wrong := faults(seen.targets):
        raise ValueError(f"impossible targets: {wrong}")
    if not seen.targets or not seen.assessable:
        return Assessed(*(_beside_targets(seen) or (Response.NOT_EVALUABLE, Because.NOT_ASSESSABLE)))
    *before, now = (_sum(seen.targets, scan) for scan in range(len(seen.targets[0].diameters)))
    baseline, nadir = before[0], min(each for each in before if each is not None)
    return Assessed(*(_beside_targets(seen) or _of_targets(seen, baseline, nadir)), baseline, nadir, now)


def _beside_targets(seen: Seen) -> tuple[Response, Because] | None:
    """Progression that no diameter can undo."""
    if seen.new_lesion:
        return Response.PROGRESSION, Because.NEW_LESION
    if seen.non_target == NonTarget.PROGRESSES:
        return Response.PROGRESSION, Because.NON_TARGET_PROGRESSES
    return None


def _of_targets(seen: Seen, baseline: Decimal | None, nadir: Decimal) -> tuple[Response, Because]:
    last = [each.diameters[-1] for each in seen.targets]
    measured = sum((mm for mm in last if mm is not None), Decimal(0))
    if measured > 0 and measured >= _PROGRESSION * nadir:
        return Response.PROGRESSION, Because.ROSE if nadir else Because.CAME_BACK
    if None in last or baseline is None:
        return Response.NOT_EVALUABLE, Because.NOT_ALL_MEASURED
    if measured == 0:
        gone = seen.non_target in (NonTarget.NONE, NonTarget.GONE)
        return (Response.COMPLETE, Because.ALL_GONE) if gone else (Response.PARTIAL, Because.NON_TARGET_REMAINS)
    return (Response.PARTIAL, Because.FELL) if measured <= _PARTIAL * baseline else (Response.STABLE, Because.BETWEEN)


def _sum(targets: Sequence[Target], scan: int) -> Decimal | None:
    """The sum at a scan; None where a target was not measured."""
    measured = [mm for each in targets if (mm := each.diameters[scan]) is not None]
    return sum(measured, Decimal(0)) if len(measured) == len(targets) else None


def _measured(targets: Sequence[Target], scan: int) -> bool:
    return any(each.diameters[scan] is not None for each in targets)


def _share(now: Decimal | None, then: Decimal | None) -> Decimal | None:
    return None if now is None or not then else now / then - 1
