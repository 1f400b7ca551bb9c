"""Is everything there? A series settles until it was quiet for a while; a participant's images are complete by phases and geometry (NW-09).

A PACS sends no list of what it is going to send. Quiet alone therefore never means complete: complete is a person's confirmed series of
every phase that the protocol asks for, each one regular stack. A late slice begins a new revision of its series; what was sealed before
keeps naming the revision that it saw.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from imaging.geometry import Verdict
from imaging.models import Series
from imaging.phase import Phase

QUIET = timedelta(minutes=2)
"""As long as a PACS may pause between two slices of one series; its retries of a failed send begin after 30 to 60 s."""


class Arrival(StrEnum):
    """How far a series, or all images of a participant, have come."""

    NONE = "none"
    SETTLING = "settling"
    INCOMPLETE = "incomplete"
    COMPLETE = "complete"


class Lack(StrEnum):
    """Why a phase does not count yet."""

    ABSENT = "absent"
    UNCONFIRMED = "unconfirmed"
    FAULTY = "faulty"


@dataclass(frozen=True)
class Completeness:
    """All images of one participant: `lacks` says why each phase of the protocol that does not count yet does not."""

    arrival: Arrival
    lacks: tuple[tuple[Phase, Lack], ...] = ()


def of_series(series: Series, *, now: datetime) -> Arrival:
    """SETTLING while slices come or were not judged yet, COMPLETE as one regular stack, else INCOMPLETE."""
    if series.assessed_revision != series.revision or now - series.changed_at < QUIET:
        return Arrival.SETTLING
    return Arrival.COMPLETE if series.verdict == Verdict.REGULAR else Arrival.INCOMPLETE


def of_all(series: Iterable[Series], *, phases: Sequence[str], now: datetime) -> Completeness:
    """Whether the series of one participant hold every phase of the protocol (`phases`, their codes)."""
    known = [(one, of_series(one, now=now)) for one in series]
    if not known:
        return Completeness(Arrival.NONE, tuple((Phase(phase), Lack.ABSENT) for phase in phases))
    lacks = tuple((Phase(phase), lack) for phase in phases if (lack := _lack(phase, known)))
    if any(arrival is Arrival.SETTLING for _, arrival in known):
        return Completeness(Arrival.SETTLING, lacks)
    return Completeness(Arrival.INCOMPLETE if lacks else Arrival.COMPLETE, lacks)


def _lack(phase: str, known: Sequence[tuple[Series, Arrival]]) -> Lack | None:
    confirmed = [arrival for one, arrival in known if one.phase == phase]
    if any(arrival is not Arrival.INCOMPLETE for arrival in confirmed):
        return None
    if confirmed:
        return Lack.FAULTY
    return Lack.UNCONFIRMED if any(one.phase_proposed == phase and not one.phase for one, _ in known) else Lack.ABSENT
