"""The columns of a REDCap data dictionary and the words of its branching logic, both ways. Pure."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from studies import expressions

FIELD, FORM, SECTION, TYPE, LABEL = "Variable / Field Name", "Form Name", "Section Header", "Field Type", "Field Label"
CHOICES, NOTE = "Choices, Calculations, OR Slider Labels", "Field Note"
VALIDATION = "Text Validation Type OR Show Slider Number"
LOWEST, HIGHEST, IDENTIFIER = "Text Validation Min", "Text Validation Max", "Identifier?"
BRANCHING, REQUIRED, ANNOTATION = "Branching Logic (Show field only if...)", "Required Field?", "Field Annotation"
COLUMNS = (
    FIELD, FORM, SECTION, TYPE, LABEL, CHOICES, NOTE, VALIDATION, LOWEST, HIGHEST, IDENTIFIER, BRANCHING, REQUIRED,
    "Custom Alignment", "Question Number (surveys only)", "Matrix Group Name", "Matrix Ranking?", ANNOTATION,
)  # fmt: skip

_TOKEN = re.compile(
    r"""\s*(\(|\)|and\b|or\b|\[([a-z0-9_]+)(?:\((-?\w+)\))?\]|(<=|>=|<>|!=|=|<|>)|'([^']*)'|"([^"]*)"|(-?\d+(?:\.\d+)?))""", re.I
)


class Inexpressible(ValueError):
    """A piece of a REDCap dictionary that ours has no word for; the text is a short English name of it."""


@dataclass(frozen=True, slots=True)
class Asked:
    """`[field] = 'code'`, or `[field(option)] = '1'` of a checkbox, whose name is then `field___option`."""

    field: str
    code: str


def option_code(code: str) -> str:
    """A REDCap code in our alphabet: −9 becomes m9."""
    plain = re.sub(r"[^A-Za-z0-9_]", "_", code.strip().replace("-", "m"))
    return plain or "empty"


def branching(text: str, leaf: Callable[[Asked], dict[str, Any]]) -> dict[str, Any]:
    """The tree of our expression language for a branching logic. Raises Inexpressible where it has none."""
    tokens, position = [], 0
    while position < len(text.rstrip()):
        found = _TOKEN.match(text, position)
        if found is None:
            raise Inexpressible(f"branching “{text[position:].strip()}”")
        tokens.append(found)
        position = found.end()
    reader = _Reader(tokens, leaf, text)
    tree = reader.either()
    if reader.tokens:
        raise Inexpressible(f"branching “{text}”")
    return tree


class _Reader:
    """Recursive descent over the tokens of one logic: or, and, parentheses, comparisons of a field with a constant."""

    def __init__(self, tokens: list[re.Match[str]], leaf: Callable[[Asked], dict[str, Any]], text: str) -> None:
        self.tokens, self.leaf, self.text = tokens, leaf, text

    def either(self) -> dict[str, Any]:
        return self._joined("or", "any", self.both)

    def both(self) -> dict[str, Any]:
        return self._joined("and", "all", self.part)

    def part(self) -> dict[str, Any]:
        if self._next() == "(":
            self._take()
            tree = self.either()
            if self._take() is None:
                raise Inexpressible(f"branching “{self.text}”")
            return tree
        return self._comparison()

    def _joined(self, word: str, key: str, read: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        parts = [read()]
        while self._next() == word:
            self._take()
            parts.append(read())
        return parts[0] if len(parts) == 1 else {key: parts}

    def _comparison(self) -> dict[str, Any]:
        field, operator, constant = self._take(), self._take(), self._take()
        if field is None or operator is None or constant is None or not field[2]:
            raise Inexpressible(f"branching “{self.text}”")
        value = next((part for part in (constant[5], constant[6], constant[7]) if part is not None), None)
        if operator[4] not in ("=", "<>", "!=") or value is None:
            raise Inexpressible(f"branching by a number, “{self.text}”")
        if field[3] is not None:
            if value not in ("0", "1"):
                raise Inexpressible(f"branching “{self.text}”")
            tree = self.leaf(Asked(f"{field[2]}___{option_code(field[3])}", value))
        else:
            tree = self.leaf(Asked(field[2], value))
        return tree if operator[4] == "=" else {"not": tree}

    def _next(self) -> str:
        return self.tokens[0][1].lower() if self.tokens else ""

    def _take(self) -> re.Match[str] | None:
        return self.tokens.pop(0) if self.tokens else None


def logic(node: expressions.Node) -> str:
    """Our condition as REDCap's branching logic. Raises Inexpressible for a difference of days."""
    match node:
        case expressions.Yes(field):
            return f"[{field}] = 'yes'"
        case expressions.Among(field, codes):
            joined = " or ".join(f"[{field}] = '{code}'" for code in codes)
            return joined if len(codes) == 1 else f"({joined})"
        case expressions.Between(field, low, high):
            return f"([{field}] >= {low} and [{field}] <= {high})"
        case expressions.Both(parts):
            return "(" + " and ".join(logic(part) for part in parts) + ")"
        case expressions.Either(parts):
            return "(" + " or ".join(logic(part) for part in parts) + ")"
        case expressions.Not(expressions.Yes(field)):
            return f"[{field}] <> 'yes'"
    raise Inexpressible("a condition on days between dates or a negation")


def choices(text: str) -> Mapping[str, str]:
    """`1, Alive | 2, Dead` as code → label. Raises Inexpressible for what is no list of choices."""
    found: dict[str, str] = {}
    for part in text.split("|"):
        code, comma, label = part.strip().partition(",")
        if not comma:
            raise Inexpressible(f"choices “{text[:60]}”")
        found[code.strip()] = label.strip() or code.strip()
    return found
