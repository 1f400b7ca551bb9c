"""Where the boxes of the flow stand on the page: geometry only. Pure.

Who is not enrolled or not decided stands to the right of the way from screened to enrolled; below it, what became of the enrolled.
"""

from dataclasses import dataclass

from studies.consecutive.flow import Box

WIDTH = 900.0
MAIN_X, MAIN_WIDTH, SIDE_X, SIDE_WIDTH = 20.0, 300.0, 420.0, 460.0
HEAD, ROW, PAD, GAP = 40.0, 20.0, 8.0, 24.0
LEAF_WIDTH = 276.0


@dataclass(frozen=True)
class Row:
    """One line of text in a box, with the baseline it stands on."""

    box: Box
    y: float


@dataclass(frozen=True)
class Frame:
    """A drawn box: its heading and the rows of its children, if they stand inside it."""

    box: Box
    x: float
    y: float
    width: float
    height: float
    rows: tuple[Row, ...] = ()

    @property
    def text_x(self) -> float:
        return self.x + 12

    @property
    def count_x(self) -> float:
        return self.x + self.width - 12

    @property
    def head_y(self) -> float:
        return self.y + 25


@dataclass(frozen=True)
class Arrow:
    """A line with a head at its end."""

    x1: float
    y1: float
    x2: float
    y2: float


@dataclass(frozen=True)
class Chart:
    """Everything a drawing needs, in user units."""

    frames: tuple[Frame, ...]
    arrows: tuple[Arrow, ...]
    height: float
    width: float = WIDTH


def place(root: Box) -> Chart:
    """Lay out the flow of `studies.consecutive.flow`."""
    screened = Frame(root, MAIN_X, 8, MAIN_WIDTH, HEAD)
    excluded = _list(root.child("excluded"), screened.y + HEAD + GAP)
    undecided = _list(root.child("open"), excluded.y + excluded.height + GAP / 2)
    enrolled = Frame(root.child("enrolled"), MAIN_X, undecided.y + undecided.height + GAP, MAIN_WIDTH, HEAD)
    under = enrolled.y + HEAD + 2 * GAP
    step = (WIDTH - 2 * MAIN_X - LEAF_WIDTH) / 2
    leaves = [Frame(leaf, MAIN_X + step * place, under, LEAF_WIDTH, HEAD) for place, leaf in enumerate(enrolled.box.children)]
    spine = MAIN_X + MAIN_WIDTH / 2
    arrows = [Arrow(spine, screened.y + HEAD, spine, enrolled.y)]
    arrows += [Arrow(spine, side.y + HEAD / 2, SIDE_X, side.y + HEAD / 2) for side in (excluded, undecided)]
    arrows += [Arrow(leaf.x + LEAF_WIDTH / 2, under - GAP, leaf.x + LEAF_WIDTH / 2, under) for leaf in leaves]
    rail = Arrow(leaves[0].x + LEAF_WIDTH / 2, under - GAP, leaves[-1].x + LEAF_WIDTH / 2, under - GAP)
    drop = Arrow(spine, enrolled.y + HEAD, spine, under - GAP)
    return Chart((screened, excluded, undecided, enrolled, *leaves), (*arrows, drop, rail), under + HEAD + 8)


def _list(box: Box, y: float) -> Frame:
    rows = tuple(Row(child, y + HEAD + ROW * number + 12) for number, child in enumerate(box.children))
    return Frame(box, SIDE_X, y, SIDE_WIDTH, HEAD + ROW * len(rows) + PAD, rows)
