"""The card's figures as SVG: points, lines and bars with axes, readable in print and without colour alone. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from html import escape

WIDTH, HEIGHT = 420, 300
LEFT, RIGHT, TOP, BOTTOM = 52, 20, 12, 44
COLOURS = ("#0b5fa5", "#b3470f", "#4a4a4a", "#2f7d32")
MOST_TICKS, NEARLY, SIZES = 6, 1e-9, ("1", "2", "2.5", "5", "10", "20", "25", "50")
LONGEST = 34  # letters of a name beside a bar: as many as fit
DASHES = ("", "6 4", "2 3", "8 3 2 3")

Point = tuple[float, float]


@dataclass(frozen=True)
class Series:
    """A named line through points; `marks` puts a dot on each, `steps` draws it as a step function."""

    name: str
    points: Sequence[Point]
    marks: bool = False
    steps: bool = False


@dataclass(frozen=True)
class Axes:
    """Names and ends of both axes."""

    x: str
    y: str
    x_range: Point
    y_range: Point


def lines(axes: Axes, series: Sequence[Series], *, title: str) -> str:
    """A chart of lines with a legend below; points outside the axes are cut off."""
    body = [_frame(axes)]
    for place, each in enumerate(series):
        colour, dash = COLOURS[place % len(COLOURS)], DASHES[place % len(DASHES)]
        inside = [point for point in each.points if _within(point, axes)]
        line = f'fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"'
        if len(inside) > 1:
            body.append(f'<polyline {line} points="{_path(inside, axes, each.steps)}"/>')
        if each.marks:
            body += [f'<circle cx="{_x(x, axes):.1f}" cy="{_y(y, axes):.1f}" r="4" fill="{colour}"/>' for x, y in inside]
        at = HEIGHT + 16 + 18 * place
        body.append(f'<path {line} d="M{LEFT} {at - 4}h28"/>')
        body.append(f'<text x="{LEFT + 36}" y="{at}">{escape(each.name)}</text>')
    return _svg(body, HEIGHT + 24 + 18 * len(series), title)


def bars(values: Sequence[tuple[str, float]], *, title: str) -> str:
    """Horizontal bars, one a name, the value beside it."""
    most = max((abs(value) for _, value in values), default=0.0) or 1.0
    body = []
    for place, (name, value) in enumerate(values):
        at, long = 6 + 22 * place, 150 * abs(value) / most
        body.append(f'<text x="226" y="{at + 13}" text-anchor="end" font-size="10">{escape(_short(name))}</text>')
        body.append(f'<rect x="232" y="{at}" width="{long:.1f}" height="16" fill="{COLOURS[0]}"/>')
        body.append(f'<text x="{236 + long:.1f}" y="{at + 13}" font-size="10">{value:.3g}</text>')
    return _svg(body, 12 + 22 * len(values), title)


def _frame(axes: Axes) -> str:
    parts = [f'<path d="M{LEFT} {TOP}V{HEIGHT - BOTTOM}H{WIDTH - RIGHT}" fill="none" stroke="#333"/>']
    for x, said in ticks(axes.x_range):
        parts.append(f'<path d="M{_x(x, axes):.1f} {HEIGHT - BOTTOM}v4" stroke="#333"/>')
        parts.append(f'<text x="{_x(x, axes):.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{said}</text>')
    for y, said in ticks(axes.y_range):
        parts.append(f'<path d="M{LEFT} {_y(y, axes):.1f}h-4" stroke="#333"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{_y(y, axes) + 4:.1f}" text-anchor="end">{said}</text>')
    if axes.y_range[0] < 0 < axes.y_range[1]:
        parts.append(f'<path d="M{LEFT} {_y(0, axes):.1f}H{WIDTH - RIGHT}" stroke="#999" stroke-width="0.75"/>')
    middle = (HEIGHT - BOTTOM + TOP) / 2
    parts.append(f'<text x="{(WIDTH + LEFT) / 2}" y="{HEIGHT - 8}" text-anchor="middle">{escape(axes.x)}</text>')
    parts.append(f'<text transform="translate(12 {middle}) rotate(-90)" text-anchor="middle">{escape(axes.y)}</text>')
    return "".join(parts)


def ticks(ends: Point) -> list[tuple[float, str]]:
    """At most `MOST_TICKS` round values within an axis, multiples of 1, 2, 2.5 or 5 times a power of ten, and the text of each, exact."""
    span = ends[1] - ends[0]
    steps = (Decimal(size).scaleb(math.floor(math.log10(span)) - 1) for size in SIZES)
    step = next(each for each in steps if span / float(each) <= MOST_TICKS - 1)
    first, last = math.ceil(ends[0] / float(step) - NEARLY), math.floor(ends[1] / float(step) + NEARLY)
    digits = max(0, -int(step.normalize().as_tuple().exponent))
    return [(float(place * step), f"{place * step:.{digits}f}") for place in range(first, last + 1)]


def _path(points: Sequence[Point], axes: Axes, steps: bool) -> str:
    found: list[str] = []
    before: float | None = None
    for x, y in points:
        if steps and before is not None:
            found.append(f"{_x(x, axes):.1f},{before:.1f}")
        before = _y(y, axes)
        found.append(f"{_x(x, axes):.1f},{before:.1f}")
    return " ".join(found)


def _within(point: Point, axes: Axes) -> bool:
    return axes.x_range[0] <= point[0] <= axes.x_range[1] and axes.y_range[0] <= point[1] <= axes.y_range[1]


def _x(value: float, axes: Axes) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * (value - axes.x_range[0]) / (axes.x_range[1] - axes.x_range[0])


def _y(value: float, axes: Axes) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * (value - axes.y_range[0]) / (axes.y_range[1] - axes.y_range[0])


def _short(name: str) -> str:
    return name if len(name) <= LONGEST else "…" + name[1 - LONGEST :]


def _svg(body: Sequence[str], height: int, title: str) -> str:
    head = f'<svg role="img" viewBox="0 0 {WIDTH} {height}" xmlns="http://www.w3.org/2000/svg" font-family="sans-serif" font-size="12">'
    return f"{head}<title>{escape(title)}</title>{''.join(body)}</svg>"
