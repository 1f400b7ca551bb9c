"""When a participant counts as lost to follow-up, and how complete follow-up is: rules of protocol and paper, no records.

Source: EP-11; Clark, Altman and De Stavola 2002 for C, observed follow-up as a share of possible follow-up.
"""

from collections.abc import Iterable, Sequence
from datetime import date

from followup.schedule import Window

MISSED, ATTEMPTS = 3, 3
"""More than two planned intervals without an assessment, and three documented attempts since then."""


def missed_since(planned: Iterable[Window], last_seen: date, *, on: date) -> tuple[Window, ...]:
    """The planned visits that opened after the last assessment (or surgery) and had closed by the day `on`."""
    return tuple(window for window in planned if window.opens > last_seen and window.closes < on)


def attempts_since(attempts: Iterable[date], last_seen: date) -> int:
    """The attempts to reach a participant since the last assessment."""
    return sum(day > last_seen for day in attempts)


def lost(planned: Sequence[Window], attempts: Iterable[date], last_seen: date, *, on: date) -> bool:
    """Whether a participant counts as lost on a day: both conditions; an assessment later ends it by itself."""
    return len(missed_since(planned, last_seen, on=on)) >= MISSED and attempts_since(attempts, last_seen) >= ATTEMPTS


def completeness(observed: Iterable[int], possible: Iterable[int]) -> float:
    """Clark's C of a group from days observed and days that could have been; NaN for nobody."""
    seen, could = sum(observed), sum(possible)
    return seen / could if could else float("nan")
