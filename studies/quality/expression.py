"""The language of edit checks: one condition over codes, with decimals, dates that may be partial, and three truth values. Pure.

`tumour_number == 1 and tumour_diameter_cm <= 5`, `days(imaging_date, surgery_date) > 42`, `mvi in ("M1", "M2")`, `missing(afp)`.
It is read with Python's own grammar and nothing of it is ever run as Python. A fact that is not known makes a comparison unknown
(None); `and`, `or`, `not` follow Kleene. A value of another kind than the comparison needs is unknown too: checks never stop an entry.
"""

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation

Truth = bool | None


@dataclass(frozen=True, slots=True)
class Day:
    """A date as far as it is known: some day from `first` to `last`, both included."""

    first: date
    last: date

    @classmethod
    def on(cls, day: date) -> "Day":
        """A date known to the day."""
        return cls(day, day)

    @classmethod
    def parse(cls, text: str) -> "Day":
        """The date of ISO 8601 text that may stop at the month or year. Raises ValueError."""
        year, month, day = (*(int(part) for part in text.split("-")), None, None)[:3]
        if year is None or len(text) not in (4, 7, 10):
            raise ValueError(f"{text!r} is no date")
        first = date(year, month or 1, day or 1)
        if day:
            return cls(first, first)
        following = date(year + 1, 1, 1) if not month or month == 12 else date(year, month + 1, 1)
        return cls(first, following - timedelta(days=1))


@dataclass(frozen=True, slots=True)
class Span:
    """A number known to lie from `low` to `high`, such as the days between two dates of which one is partial."""

    low: Decimal
    high: Decimal


Value = Decimal | Span | Day | str | None
Facts = Mapping[str, Value]

FUNCTIONS = ("days", "missing", "known")
_COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=", ast.In: "in", ast.NotIn: "not in",
}  # fmt: skip
_ARITHMETIC: dict[type[ast.operator], Callable[[Decimal, Decimal], Decimal]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
}  # fmt: skip


class Malformed(ValueError):
    """A condition is not of this language; the sentence says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition that was read and found well formed."""

    text: str
    tree: ast.expr
    names: tuple[str, ...]

    def truth(self, facts: Facts) -> Truth:
        """Whether it holds for these facts; None when they do not tell."""
        return _truth(self.tree, facts)


def parse(text: str) -> Condition:
    """The condition that a text says. Raises Malformed."""
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        raise Malformed(f"{text!r}: {error.msg}") from None
    _check_truth(tree)
    names = [node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id not in FUNCTIONS]
    return Condition(text.strip(), tree, tuple(dict.fromkeys(names)))


def _check_truth(node: ast.expr) -> None:
    """Whether a node says something true or false, and its parts are what they must be."""
    match node:
        case ast.BoolOp(values=parts):
            for part in parts:
                _check_truth(part)
        case ast.UnaryOp(op=ast.Not(), operand=part):
            _check_truth(part)
        case ast.Compare(left=left, ops=ops, comparators=rights):
            _check_comparison(left, ops, rights)
        case ast.Call(func=ast.Name(id="missing" | "known"), args=[ast.Name()], keywords=[]):
            pass
        case _:
            raise Malformed(f"{ast.unparse(node)!r} is neither true nor false")


def _check_comparison(left: ast.expr, ops: list[ast.cmpop], rights: list[ast.expr]) -> None:
    _check_value(left)
    for op, right in zip(ops, rights, strict=True):
        if type(op) not in _COMPARISONS:
            raise Malformed(f"{ast.unparse(right)!r}: compare with < <= > >= == != in")
        if not isinstance(op, ast.In | ast.NotIn):
            _check_value(right)
        elif not isinstance(right, ast.Tuple) or not all(isinstance(each, ast.Constant) for each in right.elts):
            raise Malformed(f"{ast.unparse(right)!r}: after `in` stands a list of constants in parentheses")


def _check_value(node: ast.expr) -> None:
    match node:
        case ast.Name(id=name) if name not in FUNCTIONS:
            pass
        case ast.Constant(value=value) if isinstance(value, str | int | float) and not isinstance(value, bool):
            pass
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
            _check_value(left)
            _check_value(right)
        case ast.UnaryOp(op=ast.USub(), operand=part):
            _check_value(part)
        case ast.Call(func=ast.Name(id="days"), args=[start, end], keywords=[]):
            _check_value(start)
            _check_value(end)
        case _:
            raise Malformed(f"{ast.unparse(node)!r} is no value")


def _truth(node: ast.expr, facts: Facts) -> Truth:
    match node:
        case ast.BoolOp(op=ast.And(), values=parts):
            return _all([_truth(part, facts) for part in parts])
        case ast.BoolOp(values=parts):
            return _not(_all([_not(_truth(part, facts)) for part in parts]))
        case ast.UnaryOp(operand=part):
            return _not(_truth(part, facts))
        case ast.Call(func=ast.Name(id=function), args=[ast.Name(id=name)]):
            return (facts.get(name) is None) == (function == "missing")
        case ast.Compare(left=left, ops=ops, comparators=rights):
            sides = [left, *rights]
            return _all([_compare(sides[place], op, sides[place + 1], facts) for place, op in enumerate(ops)])
    raise Malformed(ast.unparse(node))


def _compare(left: ast.expr, op: ast.cmpop, right: ast.expr, facts: Facts) -> Truth:
    sign = _COMPARISONS[type(op)]
    if isinstance(right, ast.Tuple):
        found = _not(_all([_not(_holds(_value(left, facts), "==", _value(each, facts))) for each in right.elts]))
        return found if sign == "in" else _not(found)
    return _holds(_value(left, facts), sign, _value(right, facts))


def _holds(one: Value, sign: str, other: Value) -> Truth:
    if isinstance(one, str) and isinstance(other, str):
        return {"==": one == other, "!=": one != other}.get(sign)
    if isinstance(one, Day) and isinstance(other, str):
        other = _day(other)
    if isinstance(one, str) and isinstance(other, Day):
        one = _day(one)
    if isinstance(one, Day) and isinstance(other, Day):
        return _ordered(one.first, one.last, sign, other.first, other.last)
    first, second = _span(one), _span(other)
    return None if first is None or second is None else _ordered(first.low, first.high, sign, second.low, second.high)


def _ordered(low: date | Decimal, high: date | Decimal, sign: str, other_low: date | Decimal, other_high: date | Decimal) -> Truth:
    """A comparison of two intervals: decided only where every choice within them decides alike."""
    if sign in (">", ">="):
        return _ordered(other_low, other_high, "<" if sign == ">" else "<=", low, high)
    if sign == "<":
        return True if high < other_low else False if low >= other_high else None  # type: ignore[operator] # both of one kind
    if sign == "<=":
        return True if high <= other_low else False if low > other_high else None  # type: ignore[operator]
    apart = high < other_low or other_high < low  # type: ignore[operator]
    equal = False if apart else True if low == high == other_low == other_high else None
    return equal if sign == "==" else _not(equal)


def _value(node: ast.expr, facts: Facts) -> Value:
    match node:
        case ast.Name(id=name):
            return facts.get(name)
        case ast.Constant(value=str(text)):
            return text
        case ast.Constant(value=number):
            return Decimal(repr(number))
        case ast.UnaryOp(operand=part):
            return _sum(Span(Decimal(0), Decimal(0)), ast.Sub(), _span(_value(part, facts)))
        case ast.BinOp(left=left, op=op, right=right):
            return _sum(_span(_value(left, facts)), op, _span(_value(right, facts)))
        case ast.Call(args=[start, end]):
            return _days(_value(start, facts), _value(end, facts))
    raise Malformed(ast.unparse(node))


def _sum(one: Span | None, op: ast.operator, other: Span | None) -> Span | None:
    """Arithmetic on intervals: the ends are among the four combinations of the ends, unless a divisor may be zero."""
    if one is None or other is None or (isinstance(op, ast.Div) and other.low <= 0 <= other.high):
        return None
    ends = [_ARITHMETIC[type(op)](left, right) for left in (one.low, one.high) for right in (other.low, other.high)]
    return Span(min(ends), max(ends))


def _days(start: Value, end: Value) -> Span | None:
    first, last = (_day(each) if isinstance(each, str) else each for each in (start, end))
    if not isinstance(first, Day) or not isinstance(last, Day):
        return None
    return Span(Decimal((last.first - first.last).days), Decimal((last.last - first.first).days))


def _span(value: Value) -> Span | None:
    if isinstance(value, str):
        try:
            value = Decimal(value)
        except InvalidOperation:
            return None
    if isinstance(value, Decimal):
        return Span(value, value) if value.is_finite() else None
    return value if isinstance(value, Span) else None


def _day(text: str) -> Day | None:
    try:
        return Day.parse(text)
    except ValueError:
        return None


def _all(truths: list[Truth]) -> Truth:
    if False in truths:
        return False
    return None if None in truths else True


def _not(value: Truth) -> Truth:
    return None if value is None else not value
