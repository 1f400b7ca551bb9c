"""Until when a patient counts where a curve of detection dates is read: to the end of the window of the last planned check (F4, EP-07).

A recurrence is seen at checks, and whoever is free ends at one, too (EP-05). Read as it stands, the curve falls away within the last
window: each detection weighs one over those whose last check is still to come, and of these there are ever fewer. Where checks lie
-14 to +30 days around their day and follow-up ends with that of month 36, 500 patients of whom 0.45 are free read 0.23 at the window's
end. But nothing more is looked for before the window has closed, so who was free in it is known to stay undetected until then.
Hazard ratios and tests keep the days as they were observed. Pure.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from analysis.survival_times import Floats
from studies.protocol import Protocol


@dataclass(frozen=True, slots=True)
class LastWindow:
    """First and last day of the last planned check, counted from the same day as the times."""

    opens: float
    closes: float

    def since(self, day: float) -> "LastWindow":
        """The same window counted from another day (a landmark)."""
        return LastWindow(self.opens - day, self.closes - day)


def last_window(rules: Protocol) -> LastWindow:
    """Of a protocol, in days from surgery; its end is the day at which the protocol's horizon is read."""
    return LastWindow(float(rules.visits[-1].first_day), float(rules.visits[-1].last_day))


def until_closed(time: ArrayLike, event: ArrayLike, window: LastWindow | None) -> Floats:
    """Times (n,) in days; who is censored within the window is taken to its last day, everybody else stays."""
    days, ended = np.asarray(time, dtype=np.float64), np.asarray(event) != 0
    if window is None:
        return days
    return np.where(~ended & (days >= window.opens) & (days < window.closes), window.closes, days)
