"""Enrolment against plan as inline SVG: bars by week, the sum so far, and the plan; every word is an argument."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import accumulate, pairwise

from analysis import svg

_LEFT, _RIGHT, _TOP, _FOOT = 40.0, 44.0, 10.0, 30.0
_BAR_SHARE = 0.18  # the tallest bar, of the height of the plot
_STEPS = (1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000, 2000, 5000, 10000)


@dataclass(frozen=True)
class AccrualWords:
    """What the chart shows, what the bars are (with their unit and range), the plan's label, and why there is no chart."""

    title: str
    bars: str
    plan: str
    empty: str


@dataclass(frozen=True)
class _Frame:
    width: float
    height: float
    start: date
    end: date
    top: float

    @property
    def bottom(self) -> float:
        return self.height - _FOOT

    def x(self, day: date) -> float:
        return _LEFT + (self.width - _LEFT - _RIGHT) * (day - self.start).days / (self.end - self.start).days

    def y(self, number: float) -> float:
        return self.bottom - (self.bottom - _TOP) * number / self.top


def accrual_chart(
    first_week: date,
    enrolled: Sequence[int],
    plan: Sequence[tuple[date, float]],
    words: AccrualWords,
    *,
    width: float = 560.0,
    height: float = 250.0,
) -> str:
    """An `<svg>` of `enrolled` in consecutive weeks from `first_week`, beside the planned sums at given days (piecewise linear).

    Without a week or a plan of two points the chart is the sentence `words.empty`. Raises ValueError when the plan's days do
    not increase.
    """
    if any(later[0] <= earlier[0] for earlier, later in pairwise(plan)):
        raise ValueError("the days of the plan must increase")
    if not enrolled or len(plan) < 2:
        return svg.picture(width, 80, words.title, [svg.text(width / 2, 44, words.empty, text_anchor="middle")])
    sums = list(accumulate(enrolled))
    end = max(plan[-1][0], first_week + timedelta(weeks=len(enrolled)))
    most = max(sums[-1], *(number for _, number in plan))
    step = _step(most)
    top = step * -(-most // step)
    frame = _Frame(width, height, min(plan[0][0], first_week), end, float(top))
    parts = [*_axes(frame, step), *_bars(frame, first_week, enrolled), svg.path(_polyline(frame, plan), "target")]
    weeks = [(first_week + timedelta(weeks=i + 1), float(number)) for i, number in enumerate(sums)]
    parts.append(svg.path(_polyline(frame, [(first_week, 0.0), *weeks]), "km k0"))
    parts.append(svg.text(frame.x(weeks[-1][0]) + 6, frame.y(sums[-1]) + 4, str(sums[-1]), class_="strong"))
    now = weeks[-1][0]
    parts.append(svg.text(frame.x(now) - 10, max(frame.y(_planned(plan, now)) - 4, _TOP + 14), words.plan, text_anchor="end", class_="sm"))
    parts.append(svg.text(_LEFT + 5, frame.bottom - (frame.bottom - _TOP) * (_BAR_SHARE + 0.03), words.bars, class_="sm"))
    return svg.picture(width, height, words.title, parts)


def _step(most: float) -> int:
    """A round distance between grid lines that makes at most four of them."""
    return next((step for step in _STEPS if most / step <= 4), _STEPS[-1])


def _planned(plan: Sequence[tuple[date, float]], day: date) -> float:
    """The planned sum on a day, by straight lines between the planned points."""
    for (earlier, low), (later, high) in pairwise(plan):
        if day <= later:
            return low + (high - low) * max((day - earlier).days, 0) / (later - earlier).days
    return plan[-1][1]


def _axes(frame: _Frame, step: int) -> list[str]:
    parts = []
    for number in range(0, int(frame.top) + 1, step):
        y = frame.y(number)
        parts.append(svg.line(_LEFT, y, frame.width - _RIGHT, y, "gl" if number else "ax"))
        parts.append(svg.text(_LEFT - 7, y + 4, str(number), text_anchor="end"))
    months = [date(year, month, 1) for year in range(frame.start.year, frame.end.year + 1) for month in range(1, 13)]
    inside = [day for day in months if frame.start <= day <= frame.end]
    apart = next((step for step in (1, 3, 6) if len(inside) / step <= 6), 12)
    for day in (day for day in inside if (day.month - 1) % apart == 0):
        parts.append(svg.line(frame.x(day), frame.bottom, frame.x(day), frame.bottom + 5, "ax"))
        parts.append(svg.text(frame.x(day), frame.bottom + 18, f"{day:%Y-%m}", text_anchor="middle"))
    return parts


def _bars(frame: _Frame, first_week: date, enrolled: Sequence[int]) -> list[str]:
    tallest = max(*enrolled, 1)
    parts = []
    for i, number in enumerate(enrolled):
        begin, end = (frame.x(first_week + timedelta(weeks=i + k)) for k in (0, 1))
        height = (frame.bottom - _TOP) * _BAR_SHARE * number / tallest
        width = max((end - begin) * 0.8, 0.5)
        parts.append(svg.element("rect", x=begin, y=frame.bottom - height, width=width, height=height, class_="bar2", opacity=".5"))
    return parts


def _polyline(frame: _Frame, points: Sequence[tuple[date, float]]) -> str:
    return "M" + "L".join(f"{frame.x(day):.1f} {frame.y(number):.1f}" for day, number in points)
