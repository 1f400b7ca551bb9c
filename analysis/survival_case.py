"""What a survival report is about: the sample, its arms in order, what was asked for, and the warnings found on the way."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from analysis.kaplan_meier import Curve, kaplan_meier
from analysis.survival_table import Labels, Sample
from analysis.survival_times import Bools, Floats, Ints
from analysis.weighted_curve import weighted_kaplan_meier

Report = dict[str, Any]
Result = TypeVar("Result")


@dataclass(frozen=True)
class Plan:
    """What to report: `at` are the times of curves (all event times when empty), `horizon` of the restricted means."""

    arm_name: str = "arm"
    reference: str | None = None
    landmark: float | None = None
    horizon: float | None = None
    at: tuple[float, ...] = ()


@dataclass(frozen=True)
class Case:
    """A sample with its arms in order, the reference first, and the warnings found so far."""

    sample: Sample
    plan: Plan
    arms: tuple[str, ...]
    warnings: list[str]

    @property
    def arm_codes(self) -> Ints:
        """0 for the reference, 1, 2, … for the other arms, (n,)."""
        codes = np.zeros(self.sample.time.size, dtype=np.int64)
        for i, arm in enumerate(self.arms):
            codes[self.member(arm)] = i
        return codes

    @property
    def weighted(self) -> bool:
        return self.sample.weights is not None

    def member(self, arm: str) -> Bools:
        return np.ones(self.sample.time.size, dtype=bool) if self.sample.arm is None else np.asarray(self.sample.arm == arm)

    def curve(self, member: Bools) -> Curve:
        if self.sample.weights is None:
            return kaplan_meier(self.sample.time[member], self.sample.event[member])
        return weighted_kaplan_meier(self.sample.time[member], self.sample.event[member], self.sample.weights[member])

    def indicators(self) -> tuple[Floats, list[str]]:
        """A 0/1 column for each arm but the reference."""
        others = self.arms[1:]
        columns = np.column_stack([self.member(arm) for arm in others]).astype(np.float64)
        return columns, [f"{self.plan.arm_name}={arm}" for arm in others]

    def try_to(self, what: str, action: Callable[[], Result]) -> Result | None:
        """The result, or None and a warning with the reason."""
        try:
            return action()
        except (ValueError, np.linalg.LinAlgError) as refusal:
            self.warnings.append(f"{what} is not estimated: {refusal}")
            return None


def ordered_arms(arm: Labels | None, reference: str | None) -> tuple[str, ...]:
    """Arms in numeric or else alphabetic order, the reference moved to the front."""
    if arm is None:
        return ("all",)
    labels = [str(label) for label in np.unique(arm)]
    try:
        labels.sort(key=float)
    except ValueError:
        labels.sort()
    if reference is not None:
        if reference not in labels:
            raise ValueError(f"the reference {reference!r} is not one of the arms {', '.join(labels)}")
        labels.sort(key=lambda label: label != reference)
    return tuple(labels)


def number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def pair(lower: float, upper: float) -> list[float | None]:
    return [number(lower), number(upper)]


def count(value: float) -> float | int:
    return int(value) if float(value).is_integer() else float(value)
