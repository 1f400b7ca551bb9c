"""Where dated facts lie on a participant's clock, and where everybody stands on the worklist's: geometry only. Pure.

One lane per kind of fact, so that "sealed before treated" is seen and not asserted. Labels that would touch are set one row
lower (or to the left of their mark at the right edge); what lies outside the axis stands at its end with its day in words.
"""

import unicodedata
from dataclasses import dataclass
from itertools import accumulate

FIRST_DAY, LANDMARK, LAST_DAY = -14, 90, 112
LEFT, RIGHT, TOP = 104.0, 1134.0, 30.0
ROW = 22.0
WIDE, NARROW = 11.5, 6.2  # average advance of a full-width and a half-width character at 11 px


@dataclass(frozen=True)
class Fact:
    """One dated fact to place: its lane, day after surgery, how its mark looks (done, seal, treat) and its words."""

    lane: str
    day: int
    look: str
    label: str


@dataclass(frozen=True)
class Mark:
    """A placed fact; `anchor` says on which side of `label_x` its words stand, `baseline` how high."""

    x: float
    y: float
    baseline: float
    look: str
    label: str
    label_x: float
    anchor: str


@dataclass(frozen=True)
class Lane:
    """One line of the clock: the baseline of its name and the rule beneath."""

    name: str
    y: float
    rule: float
    marks: list[Mark]


@dataclass(frozen=True)
class Clock:
    """Everything a drawing needs, in user units of a 1150 wide box."""

    lanes: list[Lane]
    ticks: list[tuple[int, float]]
    top: float
    bottom: float
    depth: float
    height: float
    surgery: float
    landmark: float
    span: float
    today: float | None


def place(facts: list[Fact], lanes: list[str], today: int) -> Clock:
    """Lay the facts on their lanes (all lanes stand, empty ones too); `today` is the day after surgery."""
    rows = {lane: _rows(sorted((fact for fact in facts if fact.lane == lane), key=lambda fact: fact.day)) for lane in lanes}
    heights = [ROW * max(len(rows[lane]), 1) + 4 for lane in lanes]
    bottoms = list(accumulate(heights, initial=TOP))
    drawn = [_lane(lane, rows[lane], top, rule) for lane, top, rule in zip(lanes, bottoms, bottoms[1:], strict=False)]
    now = x_of(today) if FIRST_DAY <= today <= LAST_DAY else None
    ticks = [(day, x_of(day)) for day in (30, 60)]
    bottom, surgery, landmark = bottoms[-1], x_of(0), x_of(LANDMARK)
    return Clock(drawn, ticks, TOP - 4, bottom, bottom - TOP + 4, bottom + 22, surgery, landmark, round(landmark - surgery, 1), now)


@dataclass(frozen=True)
class Standing:
    """Where one participant stands today, or several who stand alike; `label` is short, `title` whole, `url` empty for several."""

    label: str
    title: str
    day: int
    look: str
    url: str
    people: int = 1


@dataclass(frozen=True)
class RulerMark:
    """A placed participant; `y` is the baseline of the label, or None where three rows of labels are full."""

    standing: Standing
    x: float
    y: float | None


@dataclass(frozen=True)
class Ruler:
    """The worklist's clock: everybody on one axis, labels above in up to three rows."""

    marks: list[RulerMark]
    ticks: list[tuple[int, float]]
    bar: float
    height: float
    soon: float

    def count(self, look: str) -> int:
        """How many people look so."""
        return sum(mark.standing.people for mark in self.marks if mark.standing.look == look)

    @property
    def people(self) -> int:
        """How many people stand on it."""
        return sum(mark.standing.people for mark in self.marks)


MOST_MARKS = 40
RULER_LEFT, RULER_RIGHT = 20.0, 1096.0
LABEL_ROWS, LABEL_WIDTH, LABEL_HEIGHT = 3, 40.0, 14.0


def gathered(people: list[Standing], most: int = MOST_MARKS) -> list[Standing]:
    """Everybody, one by one; where they are more than `most`, those of one day and look are one mark with their number."""
    if len(people) <= most:
        return people
    alike: dict[tuple[int, str], list[Standing]] = {}
    for each in people:
        alike.setdefault((each.day, each.look), []).append(each)
    return [
        group[0] if len(group) == 1 else Standing(f"×{len(group)}", f"×{len(group)}", day, look, "", len(group))
        for (day, look), group in alike.items()
    ]


def ruler(people: list[Standing]) -> Ruler:
    """Place everybody; labels nearer than 40 px to one of their row go to the next row."""
    last: list[float] = []
    placed: list[tuple[Standing, float, int | None]] = []
    for standing in sorted(people, key=lambda one: one.day):
        x = _ruler_x(standing.day)
        row = next((number for number, taken in enumerate(last) if x - taken >= LABEL_WIDTH), len(last))
        if row == len(last) and row < LABEL_ROWS:
            last.append(x)
        elif row < LABEL_ROWS:
            last[row] = x
        placed.append((standing, x, row if row < LABEL_ROWS else None))
    bar = LABEL_HEIGHT * max(len(last), 1) + 4
    marks = [RulerMark(standing, x, None if row is None else bar - 6 - LABEL_HEIGHT * row) for standing, x, row in placed]
    return Ruler(marks, [(day, _ruler_x(day)) for day in range(0, LANDMARK + 1, 15)], bar, bar + 44, _ruler_x(75))


def _ruler_x(day: int) -> float:
    return round(RULER_LEFT + day / LANDMARK * (RULER_RIGHT - RULER_LEFT), 1)


def x_of(day: int) -> float:
    """The place of a day on the axis; days beyond either end stand at that end."""
    inside = min(max(day, FIRST_DAY), LAST_DAY)
    return round(LEFT + (inside - FIRST_DAY) / (LAST_DAY - FIRST_DAY) * (RIGHT - LEFT), 1)


def width_of(text: str) -> float:
    """How wide words are at 11 px, near enough to keep them apart."""
    return sum(WIDE if unicodedata.east_asian_width(char) in "WF" else NARROW for char in text)


def _rows(facts: list[Fact]) -> list[list[tuple[Fact, str]]]:
    """Each fact in the first row where its mark and words touch nothing, with the side its words stand on."""
    rows: list[list[tuple[Fact, str]]] = []
    taken: list[list[tuple[float, float]]] = []
    for fact in facts:
        spans = {side: _span(fact, side) for side in _sides(fact)}
        for row, used in zip(rows, taken, strict=True):
            free = [side for side, span in spans.items() if all(span[1] < start or end < span[0] for start, end in used)]
            if free:
                row.append((fact, free[0]))
                used.append(spans[free[0]])
                break
        else:
            side = next(iter(spans))
            rows.append([(fact, side)])
            taken.append([spans[side]])
    return rows


def _sides(fact: Fact) -> list[str]:
    """Right of the mark where the box allows it, otherwise left; both where both fit."""
    x, width = x_of(fact.day), width_of(fact.label) + 14
    sides = [side for side, fits in (("start", x + width <= RIGHT + 12), ("end", x - width >= LEFT)) if fits]
    return sides or ["start"]


def _span(fact: Fact, side: str) -> tuple[float, float]:
    x, width = x_of(fact.day), width_of(fact.label) + 14
    return (x - 8, x + width) if side == "start" else (x - width, x + 8)


def _lane(name: str, rows: list[list[tuple[Fact, str]]], top: float, rule: float) -> Lane:
    marks = []
    for number, row in enumerate(rows):
        y = top + ROW * number + ROW / 2 + 2
        for fact, side in row:
            x = x_of(fact.day)
            marks.append(Mark(x, y, y + 4, fact.look, fact.label, x + (10 if side == "start" else -10), side))
    return Lane(name, top + ROW / 2 + 6, rule, marks)
