"""How many events a comparison of two groups needs, and what power so many events give (Schoenfeld 1983; AN-19, F2)."""

import math

from scipy.special import ndtr, ndtri


def events_needed(hazard_ratio: float, *, share: float, power: float = 0.8, alpha: float = 0.05) -> int:
    """Events for a two-sided test at `alpha`, `share` of the patients being in one group. Raises ValueError as `_information`."""
    return math.ceil(float(ndtri(1 - alpha / 2) + ndtri(power)) ** 2 / _information(hazard_ratio, share))


def power_of(events: float, hazard_ratio: float, *, share: float, alpha: float = 0.05) -> float:
    """The power that so many events give; with weights, events times the share of the effective size. Raises ValueError too."""
    return float(ndtr(math.sqrt(events * _information(hazard_ratio, share)) - ndtri(1 - alpha / 2)))


def _information(hazard_ratio: float, share: float) -> float:
    """What one event tells about the log hazard ratio, squared. Raises ValueError for a ratio of 1 or less than 0, and no share."""
    if not hazard_ratio > 0 or hazard_ratio == 1 or not 0 < share < 1:
        raise ValueError("needs a hazard ratio above 0 other than 1, and a share between 0 and 1")
    return share * (1 - share) * math.log(hazard_ratio) ** 2
