"""Who must sign which version of the consent form, and by when; and what period of data each signature covers. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from studies.protocol import Visit

ALL, ON_NEXT_VISIT = "all", "on_next_visit"


@dataclass(frozen=True, slots=True)
class Version:
    """An approved version of a center: its code, the first day it may be signed, and who has to sign it again."""

    code: str
    valid_from: date
    reconsent: str
    reconsent_by: date | None = None
    covers_earlier: bool = True
    valid_until: date | None = None


@dataclass(frozen=True, slots=True)
class Due:
    """The version that is to be signed, and the last day for it."""

    version: Version
    by: date


@dataclass(frozen=True, slots=True)
class Cover:
    """The days of data that a signature covers; None where it has no first or no last day."""

    code: str
    first: date | None
    last: date | None


def due(held: Version, versions: Iterable[Version], *, surgery: date, visits: Sequence[Visit], on: date) -> Due | None:
    """What a participant who last signed `held` has to sign: the newest version in force, by the earliest day that a newer one sets.

    `on_next_visit` means the end of the window of the first planned visit that has not closed when the version begins. Nothing is due
    where no newer version asks for it, or where none may be signed any more; one that replaces a retired version is signed in its place.
    """
    newer = [each for each in versions if held.valid_from < each.valid_from <= on]
    days = [_by(each, surgery, visits) for each in newer if each.reconsent in (ALL, ON_NEXT_VISIT)]
    open_still = [each for each in newer if each.valid_until is None or each.valid_until >= on]
    if not days or not open_still:
        return None
    return Due(max(open_still, key=lambda each: each.valid_from), min(days))


def covered(signatures: Sequence[tuple[Version, date]], *, ended: date | None = None) -> list[Cover]:
    """The days of data that each signature covers, in the order of signing: until the day before the next one, or the last day of all.

    `ended` is the day of a withdrawal from new data. A first signature whose form covers earlier data has no first day.
    """
    covers = []
    for place, (version, signed) in enumerate(signatures):
        first = None if place == 0 and version.covers_earlier else signed
        last = signatures[place + 1][1] - timedelta(days=1) if place + 1 < len(signatures) else ended
        covers.append(Cover(version.code, first, last))
    return covers


def _by(version: Version, surgery: date, visits: Sequence[Visit]) -> date:
    if version.reconsent == ALL and version.reconsent_by is not None:
        return version.reconsent_by
    closes = [surgery + timedelta(days=visit.last_day) for visit in visits]
    return next((day for day in closes if day >= version.valid_from), version.valid_from)
