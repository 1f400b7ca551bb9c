"""The small language of the protocol's criteria: data, never code (EL-01), with Kleene's three truth values.

`True`, `False` and `None` (unknown). A fact that is not known makes a condition unknown, unless the other parts decide.
Pure.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

Truth = bool | None
Fact = str | int | date | None
"""A fact by its code: "yes", "no", "unknown", a whole number or a date; None and absent are the same as "unknown"."""


@dataclass(frozen=True, slots=True)
class Yes:
    """The answer to a yes/no/unknown question is yes."""

    input: str


@dataclass(frozen=True, slots=True)
class Between:
    """A whole number lies between two bounds, both included."""

    input: str
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class DaysBetween:
    """From one date to another there are at least `low` and at most `high` days."""

    start: str
    end: str
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Among:
    """The option chosen for a question is one of these codes."""

    input: str
    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Both:
    """All parts hold."""

    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Either:
    """At least one part holds."""

    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: "Node"


Leaf = Yes | Among | Between | DaysBetween
Node = Leaf | Both | Either | Not


def parse(tree: Mapping[str, Any]) -> Node:  # noqa: PLR0911 - one return for each kind of node
    """The expression of a tree as it stands in a protocol file. Raises ValueError for an unknown operator."""
    match dict(tree):
        case several if len(several) != 1:
            pass
        case {"yes": str(code)}:
            return Yes(code)
        case {"between": {"input": str(code), "low": int(low), "high": int(high)}}:
            return Between(code, low, high)
        case {"days": {"from": str(start), "to": str(end), "low": int(low), "high": int(high)}}:
            return DaysBetween(start, end, low, high)
        case {"among": {"input": str(code), "codes": list(codes)}}:
            return Among(code, tuple(str(one) for one in codes))
        case {"all": list(parts)}:
            return Both(tuple(parse(part) for part in parts))
        case {"any": list(parts)}:
            return Either(tuple(parse(part) for part in parts))
        case {"not": dict(part)}:
            return Not(parse(part))
    raise ValueError(f"{dict(tree)!r} is no expression: use yes, among, between, days, all, any or not")


def truth(node: Node, facts: Mapping[str, Fact]) -> Truth:  # noqa: PLR0911 - one return for each kind of node
    """The truth of an expression for these facts. Raises TypeError for a fact of the wrong kind."""
    match node:
        case Yes(code):
            return _answer(code, facts.get(code))
        case Between(code, low, high):
            number = facts.get(code)
            return None if number in (None, "unknown") else low <= _whole(code, number) <= high
        case Among(code, codes):
            chosen = facts.get(code)
            return None if chosen in (None, "unknown") else chosen in codes
        case DaysBetween(start, end, low, high):
            first, last = _day(start, facts.get(start)), _day(end, facts.get(end))
            return None if first is None or last is None else low <= (last - first).days <= high
        case Both(parts):
            return _all([truth(part, facts) for part in parts])
        case Either(parts):
            return _negate(_all([_negate(truth(part, facts)) for part in parts]))
        case Not(part):
            return _negate(truth(part, facts))


def leaves(node: Node) -> Iterator[Leaf]:
    """The conditions of an expression, in the order they are written."""
    match node:
        case Both(parts) | Either(parts):
            for part in parts:
                yield from leaves(part)
        case Not(part):
            yield from leaves(part)
        case _:
            yield node


def inputs(node: Node) -> tuple[str, ...]:
    """The codes that an expression reads, each once, in the order they are written."""
    return tuple(dict.fromkeys(code for leaf in leaves(node) for code in _read(leaf)))


def causes(node: Node, facts: Mapping[str, Fact]) -> tuple[str, ...]:
    """The inputs of those conditions that make the expression what it is: the false ones of a false `all`, and so on."""
    return tuple(dict.fromkeys(_causes(node, facts)))


def _read(leaf: Leaf) -> tuple[str, ...]:
    return (leaf.start, leaf.end) if isinstance(leaf, DaysBetween) else (leaf.input,)


def _causes(node: Node, facts: Mapping[str, Fact]) -> Iterator[str]:
    match node:
        case Both(parts) | Either(parts):
            decided = truth(node, facts)
            alike = [part for part in parts if truth(part, facts) is decided]
            for part in alike:
                yield from _causes(part, facts)
        case Not(part):
            yield from _causes(part, facts)
        case _:
            yield from _read(node)


def _all(truths: list[Truth]) -> Truth:
    if False in truths:
        return False
    return None if None in truths else True


def _negate(value: Truth) -> Truth:
    return None if value is None else not value


def _answer(code: str, fact: Fact) -> Truth:
    match fact:
        case "yes":
            return True
        case "no":
            return False
        case None | "unknown":
            return None
    raise TypeError(f"{code} is answered yes, no or unknown, not {fact!r}")


def _whole(code: str, fact: Fact) -> int:
    if isinstance(fact, bool) or not isinstance(fact, int):
        raise TypeError(f"{code} is a whole number, not {fact!r}")
    return fact


def _day(code: str, fact: Fact) -> date | None:
    if fact is None or fact == "unknown":
        return None
    if not isinstance(fact, date):
        raise TypeError(f"{code} is a date, not {fact!r}")
    return fact
