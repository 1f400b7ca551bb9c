"""The flow of patients as a tree of boxes: every box is the sum of its children, every screened line is in one leaf (EN-07). Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Box:
    """A box of the flow: `code` names it, `children` add up to its `count` (a leaf has none)."""

    code: str
    count: int
    children: tuple["Box", ...] = ()

    def leaves(self) -> Iterator["Box"]:
        """The boxes that are not divided further."""
        if not self.children:
            yield self
        for child in self.children:
            yield from child.leaves()

    def child(self, code: str) -> "Box":
        """The child of that code."""
        return next(child for child in self.children if child.code == code)


UNDECIDED = ("open.eligible", "open.pathology", "open.unknown", "open.fails")
ENROLLED = ("enrolled.sealed", "enrolled.input_missing", "enrolled.waiting")
EXCLUDED = "excluded."


def flow(counts: Mapping[str, int], reasons: Iterable[str]) -> Box:
    """The tree over counts by leaf; `reasons` are the codes of the protocol's reasons not to enrol, in their order.

    Raises ValueError for a count of a leaf that the flow does not have: nobody may fall out of it.
    """
    ended = [EXCLUDED + reason for reason in reasons]
    if strangers := set(counts) - {*ended, *UNDECIDED, *ENROLLED}:
        raise ValueError(f"no box of the flow takes {sorted(strangers)}")
    parts = {"excluded": ended, "open": UNDECIDED, "enrolled": ENROLLED}
    return _sum("screened", [_sum(code, [Box(leaf, counts.get(leaf, 0)) for leaf in leaves]) for code, leaves in parts.items()])


def _sum(code: str, children: list[Box]) -> Box:
    return Box(code, sum(child.count for child in children), tuple(children))
