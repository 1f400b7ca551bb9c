"""Whether sealed recommendations reached those who treated: what a leak leaves in who was treated how (docs/blinding.md §8, F5).

Two signs, neither of which honest care can leave. Physicians choose by what they see of a patient, and that changes smoothly with the
gain that the model estimates; they do not know where the rule turns. So the share of patients treated beyond surgery is smooth in the
gain, and a jump at the rule's threshold means that the recommendation itself was known: a regression discontinuity (Hahn, Todd, van der
Klaauw 2001), local linear with a triangular kernel over the nearest 70 % (Imbens and Lemieux 2008) and HC3 standard errors (MacKinnon and
White 1985). And agreement with the recommendation, given the gain, does not rise with the calendar. Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import copysign, inf, isfinite

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

NEAREST = 0.7  # share of patients whose gain is near enough to the threshold to speak of it
JUMP_LIMIT, TREND_LIMIT = 2.05, 2.33  # one-sided 2 % and 1 %: both together mark a clean study in about 3 to 4 %
FEWEST = 60  # patients with a tag, and ten on each side of the threshold; below that nothing is said
EACH_SIDE = 10
ROUNDING = 1e-9  # a share or an error below this is what floating point makes of none


@dataclass(frozen=True, slots=True)
class Estimate:
    """An estimated share, its standard error, and their ratio; infinite where patients do not scatter at all, as with a complete leak."""

    value: float
    error: float

    @property
    def z(self) -> float:
        return self.value / self.error if self.error else copysign(inf, self.value)


@dataclass(frozen=True, slots=True)
class Contamination:
    """`jump`: share of patients treated by the recommendation at the threshold; `trend`: rise of agreement per year.

    `quarters` is (quarter, patients, of them treated as recommended). `suspected` where either sign passes its limit; None where neither
    does and one could not be looked for.
    """

    n: int
    near: int
    jump: Estimate | None
    trend: Estimate | None
    quarters: tuple[tuple[str, int, int], ...]

    @property
    def suspected(self) -> bool | None:
        signs = ((self.jump, JUMP_LIMIT), (self.trend, TREND_LIMIT))
        if any(sign is not None and sign.z > limit for sign, limit in signs):
            return True
        return None if any(sign is None for sign, _limit in signs) else False


def examine(excess: Sequence[float], beyond: Sequence[bool], agreed: Sequence[bool], day: Sequence[int]) -> Contamination:
    """Look for both signs in n patients with an answer.

    `excess`: the largest lower bound of a gain over surgery alone, minus the margin: positive where the rule leaves surgery alone.
    `beyond`: treated with more than surgery. `agreed`: treated as recommended. `day`: day of surgery as a date's ordinal.
    Raises ValueError for columns of different lengths or a gain that is no number.
    """
    running, treated, same, days = (np.asarray(each, float) for each in (excess, beyond, agreed, day))
    if not len(running) == len(treated) == len(same) == len(days) or not np.isfinite(running).all():
        raise ValueError("every patient has a gain, a treatment, an agreement and a day")
    right = running > 0
    found = _by_quarter(day, agreed)
    if len(running) < FEWEST or min(right.sum(), (~right).sum()) < EACH_SIDE:
        return Contamination(len(running), 0, None, None, found)
    width = float(np.quantile(np.abs(running), NEAREST))
    kernel = np.clip(1 - np.abs(running) / width, 0, None) if width > 0 else np.zeros_like(running)
    jump = _coefficient(_sides(running / (width or 1.0), right, degree=1), treated, kernel, 1)
    years = (days - days.mean()) / 365.25
    trend = _coefficient(np.column_stack([_sides(running / np.std(running), right, degree=2), years]), same, np.ones_like(running), -1)
    return Contamination(len(running), int((kernel > 0).sum()), jump, trend, found)


def _sides(running: Floats, right: NDArray[np.bool_], *, degree: int) -> Floats:
    """A polynomial of its own on each side of the threshold; the second column is the jump."""
    powers = [running**power for power in range(1, degree + 1)]
    return np.column_stack([np.ones_like(running), right, *powers, *(power * right for power in powers)])


def _coefficient(design: Floats, outcome: Floats, weight: Floats, place: int) -> Estimate | None:
    """One coefficient of weighted least squares with its HC3 standard error, or None where it is not determined."""
    bread = (design.T * weight) @ design
    if np.linalg.matrix_rank(bread) < len(bread):
        return None
    inverse = np.linalg.inv(bread)
    fitted = inverse @ ((design.T * weight) @ outcome)
    leverage = ((design @ inverse) * design).sum(axis=1) * weight
    residual = (outcome - design @ fitted) * weight / np.maximum(1 - leverage, 1e-6)
    variance = float((inverse @ (design.T * residual**2) @ design @ inverse)[place, place])
    return _firm(float(fitted[place]), max(variance, 0.0) ** 0.5)


def _firm(value: float, error: float) -> Estimate | None:
    """The estimate with what is mere rounding taken for nothing; None where nothing was estimated."""
    if not isfinite(value) or not isfinite(error) or max(abs(value), error) < ROUNDING:
        return None
    return Estimate(value, error if error >= ROUNDING else 0.0)


def _by_quarter(day: Sequence[int], agreed: Sequence[bool]) -> tuple[tuple[str, int, int], ...]:
    counted: dict[str, list[int]] = {}
    for ordinal, same in zip(day, agreed, strict=True):
        on = np.datetime64("0001-01-01") + np.timedelta64(int(ordinal) - 1, "D")
        year, month = str(on).split("-")[:2]
        cell = counted.setdefault(f"{year}-Q{(int(month) + 2) // 3}", [0, 0])
        cell[0] += 1
        cell[1] += bool(same)
    return tuple((quarter, n, same) for quarter, (n, same) in sorted(counted.items()))
