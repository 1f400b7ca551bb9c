"""Survival curves as inline SVG, in the classes of the one stylesheet; every word is an argument, so charts know no language.

0–100 %, steps, log-log band, ticks where somebody was censored, numbers at risk under their ticks; a curve ends where fewer than
ten are left to it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis import svg
from analysis.kaplan_meier import Curve
from analysis.survival_times import Floats
from analysis.weighted_curve import WeightedCurve

DAYS_PER_MONTH = 30.4375
_LEFT, _RIGHT, _TOP, _ROW, _FOOT = 52.0, 12.0, 12.0, 18.0, 48.0
_FEWEST, _TICK_GAP = 10, 6.0
_MONTHS_BETWEEN = (1, 2, 3, 6, 12, 24, 60)


@dataclass(frozen=True)
class Strand:
    """One curve and its looks: tone 0 is ink, 1 solid blue, 2 dashed orange."""

    label: str
    curve: Curve
    tone: int = 0


@dataclass(frozen=True)
class SurvivalWords:
    """All that a survival chart says: what it shows, its axes with units, the row of numbers, and why there is no curve."""

    title: str
    time: str
    survival: str
    at_risk: str
    empty: str
    ticks: str = ""
    """What the link of the ticks leads to, where there is one."""


@dataclass(frozen=True)
class Clock:
    """Days as the chart counts them: curves begin at `start` (the landmark), `read_at` is where figures are read, `until` the end.

    `read_at` and `until` count from the origin, as the axis does.
    """

    start: float = 0.0
    read_at: float | None = None
    until: float | None = None


@dataclass(frozen=True)
class _Frame:
    width: float
    height: float
    rows: int
    start: float
    end: float

    @property
    def bottom(self) -> float:
        return self.height - _FOOT - _ROW * self.rows

    def x(self, day: float) -> float:
        return _LEFT + (self.width - _LEFT - _RIGHT) * (day - self.start) / (self.end - self.start)

    def y(self, share: float) -> float:
        return self.bottom - (self.bottom - _TOP) * share


def survival_chart(
    strands: Sequence[Strand],
    words: SurvivalWords,
    *,
    clock: Clock | None = None,
    width: float = 560.0,
    height: float = 346.0,
    censored_url: str | None = None,
) -> str:
    """An `<svg>` of up to three strands with times in days; `censored_url` makes the ticks a link to the reasons.

    Where no strand has ten patients the chart is the sentence `words.empty`.
    """
    clock = clock or Clock()
    shown = [strand for strand in strands if strand.curve.observed.size >= _FEWEST]
    ends = [clock.start + last_shown(strand.curve) for strand in shown]
    end = max(ends, default=clock.start)
    end = end if clock.until is None else min(end, clock.until)
    if not end > clock.start:
        return svg.picture(width, 80, words.title, [svg.text(width / 2, 44, words.empty, text_anchor="middle")])
    frame = _Frame(width, height, len(shown), clock.start, end)
    parts = [*_survival_axis(frame, words), *_time_axis(frame, words)]
    if clock.read_at is not None and clock.start <= clock.read_at <= end:
        parts.append(svg.line(frame.x(clock.read_at), _TOP, frame.x(clock.read_at), frame.bottom, "cut"))
    for strand in shown:
        parts.extend(_strand(frame, strand, words, censored_url))
    parts.extend(_numbers(frame, shown, words))
    return svg.picture(width, height, words.title, parts, links=censored_url is not None)


def last_shown(curve: Curve) -> float:
    """The last day on which ten patients were still under observation; not a number where there never were ten."""
    return float(curve.observed[-_FEWEST]) if curve.observed.size >= _FEWEST else math.nan


def _survival_axis(frame: _Frame, words: SurvivalWords) -> list[str]:
    parts = []
    for percent in (0, 25, 50, 75, 100):
        y = frame.y(percent / 100)
        parts.append(svg.line(_LEFT, y, frame.width - _RIGHT, y, "gl" if percent else "ax"))
        parts.append(svg.text(_LEFT - 7, y + 4, f"{percent}%", text_anchor="end"))
    middle = (frame.bottom + _TOP) / 2
    parts.append(svg.text(9.0, middle, words.survival, text_anchor="middle", class_="sm", transform=f"rotate(-90 9 {middle:.1f})"))
    return parts


def _ticks(frame: _Frame) -> list[int]:
    """Round months within the frame, about eight, and the month of the start when it is not one of them."""
    first, last = frame.start / DAYS_PER_MONTH, frame.end / DAYS_PER_MONTH
    between = next((step for step in _MONTHS_BETWEEN if (last - first) / step <= 9), _MONTHS_BETWEEN[-1])
    begin = round(first)
    regular = [month for month in range(0, int(last + 1e-9) + 1, between) if month >= first - 0.05]
    return regular if begin in regular or begin < first - 0.05 else [begin, *regular]


def _time_axis(frame: _Frame, words: SurvivalWords) -> list[str]:
    parts = []
    for month in _ticks(frame):
        x = frame.x(max(month * DAYS_PER_MONTH, frame.start))
        parts.append(svg.line(x, frame.bottom, x, frame.bottom + 5, "ax"))
        parts.append(svg.text(x, frame.bottom + 18, str(month), text_anchor="middle"))
    parts.append(svg.text((frame.width + _LEFT - _RIGHT) / 2, frame.bottom + 34, words.time, text_anchor="middle", class_="sm"))
    return parts


def _strand(frame: _Frame, strand: Strand, words: SurvivalWords, censored_url: str | None) -> list[str]:
    curve, tone = strand.curve, strand.tone
    stop = min(last_shown(curve), frame.end - frame.start)
    inside = curve.time <= stop
    days = curve.time[inside] + frame.start
    end = stop + frame.start
    interval = curve.interval("log-log")
    lower, upper = (np.where(np.isnan(edge), curve.survival, edge)[inside] for edge in (interval.lower, interval.upper))
    parts = [
        svg.path(_steps(frame, days, upper, end) + _steps(frame, days, lower, end, back=True) + "Z", f"band a{tone}"),
        svg.path(_steps(frame, days, curve.survival[inside], end), f"km k{tone}", svg.title(strand.label)),
    ]
    marks = _censor_marks(frame, curve, stop)
    if marks:
        drawn = svg.path(marks, f"tick k{tone}")
        around = svg.path(marks, "hit")  # a tick is one pixel wide; what a finger meets is wider
        parts.append(drawn if censored_url is None else svg.element("a", drawn + around, href=censored_url, aria_label=words.ticks))
    return parts


def _steps(frame: _Frame, days: Floats, share: Floats, end: float, *, back: bool = False) -> str:
    """A staircase from 100 % at the start to `end`, or the same drawn backwards to close a band."""
    levels = np.concatenate(([1.0], share))
    x = [frame.x(float(day)) for day in days]
    if not back:
        walk = "".join(f"H{at:.1f}V{frame.y(float(level)):.1f}" for at, level in zip(x, share, strict=True))
        return f"M{frame.x(frame.start):.1f} {frame.y(1.0):.1f}{walk}H{frame.x(end):.1f}"
    walk = "".join(f"H{at:.1f}V{frame.y(float(level)):.1f}" for at, level in zip(x[::-1], levels[-2::-1], strict=True))
    return f"V{frame.y(float(levels[-1])):.1f}{walk}H{frame.x(frame.start):.1f}"


def _censor_marks(frame: _Frame, curve: Curve, stop: float) -> str:
    """Ticks on the curve, those nearer than a few units to the one before left out."""
    marks: list[str] = []
    last = -np.inf
    times = curve.censored[curve.censored <= stop]
    for time, share in zip(times, curve.at(times).survival if times.size else (), strict=True):
        x = frame.x(float(time) + frame.start)
        if x - last >= _TICK_GAP:
            marks.append(f"M{x:.1f} {frame.y(float(share)) - 3.5:.1f}v7")
            last = x
    return "".join(marks)


def _numbers(frame: _Frame, strands: Sequence[Strand], words: SurvivalWords) -> list[str]:
    """Numbers at risk (effective ones of a weighted curve) under the ticks, each row led by a sample of its line."""
    parts = [svg.text(0.0, frame.bottom + 34, words.at_risk, class_="sm")]
    for row, strand in enumerate(strands):
        y = frame.bottom + 52 + _ROW * row
        if len(strands) > 1:
            parts.append(svg.element("line", svg.title(strand.label), x1=0.0, x2=18.0, y1=y - 4, y2=y - 4, class_=f"km k{strand.tone}"))
        for month in _ticks(frame):
            day = max(month * DAYS_PER_MONTH - frame.start, 0.0)
            left = strand.curve.observed.size - int(np.searchsorted(strand.curve.observed, day, side="left"))
            if left >= _FEWEST:
                parts.append(svg.text(frame.x(day + frame.start), y, f"{_at_risk(strand.curve, day):.0f}", text_anchor="middle"))
    return parts


def _at_risk(curve: Curve, day: float) -> float:
    counted = curve.effective_at_risk(day) if isinstance(curve, WeightedCurve) else curve.number_at_risk(day)
    return float(counted[0])
