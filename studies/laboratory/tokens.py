"""The words of a pasted line and what each can be: number, range, unit, mark, result in words, method, or part of a name. Pure."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from studies.laboratory import names, units
from studies.laboratory.text import Line

_DIGITS = r"\d+(?:\.\d+)?|\.\d+"
_POWER = r"(?:[eE][+-]?\d{1,2}|[ ]?[×xX*][ ]?10(?:\^|\*\*|[eE])?[+-]?\d{1,2}(?![\d.]|\^|[ ]?/))"
_COMPARATOR = r"[<>]=?|[≤≥]|小于等于|大于等于|不高于|不低于|小于|大于|低于|高于"
NUMBER = re.compile(rf"(?P<comparator>{_COMPARATOR})?\s*(?P<number>(?:{_DIGITS})(?:{_POWER})?)")
_DOUBTFUL_NUMBER = re.compile(r"[<>≤≥]?\s*\d{1,3}(?:,\d{1,3})+(?:\.\d+)?|\d+[oOlI]\d*|\d+\.\.\d+|\d+\.|\d+\?+")
_RANGE = re.compile(
    rf"(?:[男女成人童性儿]{{1,4}}:?\s*)?(?:(?:{_DIGITS})\s*(?:-{{1,3}}|~|至|到)\s*(?:{_DIGITS})|(?:{_DIGITS})\s*-)(?:\s*\(?[男女]性?\)?)?"
)
_FLAG = re.compile(r"\(?\[?(?:↑+|↓+|HH?|LL?|hh?|ll?|N|\*{1,2}|!|高|低|正常|偏高|偏低|异常|增高|降低|升高|危急)\]?\)?")
_GLUED_FLAG = re.compile(r"(?:[↑↓]+|\((?:HH?|LL?|↑+|↓+|高|低)\)|(?<=\d)(?:HH?|LL?)|\*+)$")
_LEADING_FLAG = re.compile(r"^(?:[↑↓]+|\*+(?=[\d<>]))")
COMPARATORS = {
    "小于": "<",
    "大于": ">",
    "低于": "<",
    "高于": ">",
    "小于等于": "<=",
    "大于等于": ">=",
    "不高于": "<=",
    "不低于": ">=",
    "≤": "<=",
    "≥": ">=",
}


_IN_NAMES = re.compile(r"\d{2,3}|\d{2}-\d")
_BORDERLINE = re.compile(
    r"弱阳性?(?:\(.*\))?|可疑|灰区|临界|\(?[±]\)?|\+-|\(\+-\)|\(?[1-4]?\+{1,4}\)?|[1-4]\+|trace|微量"
    r"|阳性\([1-4±]?\+{2,4}\)|阳性\(-\)|阴性\([+±]\)"
)


@dataclass(frozen=True, slots=True)
class Token:
    """A word of a line: its place in the plain signs, its text there, and its kind."""

    start: int
    end: int
    text: str
    kind: str

    @property
    def censored(self) -> bool:
        """Whether it is a number that may be a limit: of detection, or of the reference range."""
        return self.kind == "number" and bool(re.match(_COMPARATOR, self.text))


def tokens(line: Line, start: int = 0, end: int | None = None, *, whole: bool = False) -> list[Token]:
    """The tokens of a part of a line. `whole`: a cell of a table, in which blanks part nothing that belongs together."""
    words = list(_words(line.plain, start, len(line.plain) if end is None else end))
    found = list[Token]()
    while words:
        count = _name_length(line.plain, words)
        first, last = words[0][0], words[count - 1][1]
        found += [Token(first, last, line.plain[first:last], "text")] if count > 1 else _read(line.plain, *words[0])
        words = words[count:]
    return _name_joined(line.plain, found) if whole else found


def _name_length(plain: str, words: list[tuple[int, int]]) -> int:
    """How many words make a name in which one is written like a number: `CA 19-9`, `CA 125`. One for any other."""
    for count in (3, 2):
        texts = [plain[start:end] for start, end in words[:count]]
        if len(texts) == count and _IN_NAMES.fullmatch(texts[-1]) and names.lookup(" ".join(texts)):
            return count
    return 1


def _words(plain: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Words between blanks; signs that stand apart from their number (`< 20`, `40 - 55`, `1.2 × 10^3`) are joined with it."""
    joined = re.compile(
        rf"(?:{_COMPARATOR})[ ]+(?:{_DIGITS})\S*"
        rf"|(?:{_DIGITS})[ ]*(?:-{{1,3}}|~)[ ]*(?:{_DIGITS})(?![\w.%/^-])"
        rf"|(?:{_DIGITS})[ ]?[×xX*][ ]?10(?:\^|\*\*|[eE])?[+-]?\d{{1,2}}(?![\d.^])(?![ ]?/)"
        rf"|[×xX*][ ]10[\^*]\S+"
        rf"|\S+"
    )
    for match in joined.finditer(plain, start, end):
        yield match.start(), match.end()


def _read(plain: str, start: int, end: int) -> list[Token]:
    """One word as one token, or as several where a number is glued to its unit, range or mark."""
    text = plain[start:end].rstrip(":=")
    end = start + len(text)
    if not text:
        return []
    if kind := kind_of(text):
        return [Token(start, end, text, kind)]
    return _unglued(plain, start, end) or _labelled(plain, start, end) or [Token(start, end, text, "text")]


def kind_of(text: str) -> str:
    """What a word can be on its own; "" when it is none of these."""
    return result_word(text) or next((kind for kind, holds in _KINDS if holds(text)), "")


def _bare(text: str) -> str:
    return text.strip("()[]") if text[:1] in "([" and text[-1:] in ")]" else text


def _limit_in_brackets(text: str) -> bool:
    bare = _bare(text)
    return bare != text and bool(NUMBER.fullmatch(bare)) and bool(re.match(_COMPARATOR, bare))


_KINDS: tuple[tuple[str, Callable[[str], object]], ...] = (
    ("number", NUMBER.fullmatch),
    ("range", lambda text: _RANGE.fullmatch(_bare(text))),
    ("doubtful", _DOUBTFUL_NUMBER.fullmatch),
    ("flag", _FLAG.fullmatch),
    ("text", names.lookup),
    ("unit", units.is_unit),
    ("range", _limit_in_brackets),
    ("title", names.is_title),
    ("neutral", names.is_neutral),
    ("dash", re.compile(r"(?!.*\.{3})[-~/.,·_—=]+|[()\[\]]+").fullmatch),  # three dots: a word that was struck out, and is not known
)
"""The kinds of words in the order in which they are tried."""


def result_word(text: str) -> str:
    """Whether a word is a result: positive, negative or not_detected; weak and borderline ones are `borderline`."""
    word, table = names.word_key(text), names.table()
    for kind in ("positive", "negative", "not_detected"):
        if word in getattr(table, kind):
            return kind
    return "borderline" if _BORDERLINE.fullmatch(word) else ""


def _unglued(plain: str, start: int, end: int) -> list[Token]:
    """`38.2g/L`, `52↑`, `↑52`, `12.9秒`, `3.42×10^9/L`, `38.2(40-55)`: the number first, then what hangs on it."""
    text = plain[start:end]
    if leading := _LEADING_FLAG.match(text):
        rest = _read(plain, start + leading.end(), end)
        return [Token(start, start + leading.end(), leading[0], "flag"), *rest] if rest and rest[0].kind == "number" else []
    if (glued := _GLUED_FLAG.search(text)) and glued.start() and _is_value(text[: glued.start()]):
        before = _read(plain, start, start + glued.start())
        return [*before, Token(start + glued.start(), end, glued[0], "flag")]
    number = re.match(rf"(?:{_COMPARATOR})?\s*(?:{_DIGITS})(?:[eE][+-]?\d{{1,2}}(?!\d))?", text)
    if not number or number.end() == len(text):
        return []
    middle = start + number.end()
    hung = _hung(plain, middle, end)
    return [Token(start, middle, number[0], "number"), *hung] if hung else []


def _hung(plain: str, start: int, end: int) -> list[Token]:
    """What hangs on a number: a unit, a range or mark in brackets, arrows and then a unit; none when it is something else."""
    found = re.fullmatch(r"([↑↓]*)([^()\[\]]*)([(\[][^()\[\]]+[)\]])?", plain[start:end])
    if not found:
        return []
    arrows, unit, bracket = found[1], found[2], found[3] or ""
    if (unit and not units.is_unit(unit)) or (bracket and kind_of(bracket) not in ("range", "flag")):
        return []
    edges = [start, start + len(arrows), start + len(arrows) + len(unit), end]
    kinds = ["flag", "unit", kind_of(bracket)]
    return [Token(low, high, plain[low:high], kind) for low, high, kind in zip(edges, edges[1:], kinds, strict=False) if low < high]


def _is_value(text: str) -> bool:
    return bool(NUMBER.fullmatch(text) or _RANGE.fullmatch(text) or re.fullmatch(rf"(?:{_COMPARATOR})?(?:{_DIGITS})\S+", text))


def _labelled(plain: str, start: int, end: int) -> list[Token]:
    """`白蛋白:38.2`, `ALT=52U/L`, `总胆红素(TBIL):17.1`: a name and its result in one word; `参考值:40-55`: a label and a range."""
    text = plain[start:end]
    for separator in re.finditer(r"[:=]", text):
        cut = start + separator.start()
        after = _read(plain, cut + 1, end)
        if after and after[0].kind in ("number", "range", "positive", "negative", "not_detected", "borderline", "flag"):
            return [*_read(plain, start, cut), *after]
        if names.is_title(text[: separator.start()]) or names.lookup(text[: separator.start()]):
            return [*_read(plain, start, cut), *after]
    return []


def _name_joined(plain: str, found: list[Token]) -> list[Token]:
    """The words of a name in one cell as one token, when that is a name."""
    if len(found) > 1 and names.lookup(plain[found[0].start : found[-1].end]):
        return [Token(found[0].start, found[-1].end, plain[found[0].start : found[-1].end], "text")]
    return found
