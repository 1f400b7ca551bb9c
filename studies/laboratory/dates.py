"""When a sample was taken, as a pasted block says it: only a date named as that, or standing alone, counts. Pure."""

import re
from dataclasses import dataclass
from datetime import date

from studies.laboratory.text import Line

_DAY = (
    r"(?P<y>(?:19|20)\d{2})(?:-(?P<m1>\d{1,2})-(?P<d1>\d{1,2})|/(?P<m2>\d{1,2})/(?P<d2>\d{1,2})|\.(?P<m3>\d{1,2})\.(?P<d3>\d{1,2})"
    r"|年(?P<m4>\d{1,2})月(?P<d4>\d{1,2})[日号]?|(?P<m5>\d{2})(?P<d5>\d{2})(?!\d))"
)
_TIME = r"(?:[ \tT]*\d{1,2}(?::|时|点)\d{1,2}(?:(?::|分)(?:\d{1,2}秒?)?)?)?"
_LABEL = (
    r"(?:(?P<label>[\u4e00-\u9fff]{1,12}|[A-Za-z]{2,12}(?: [A-Za-z]{2,12})?)"
    r"(?:[ \t]*[:=]|(?<=时间)|(?<=日期)|(?<=[Tt]ime)|(?<=[Dd]ate))[ \t]*)?"
)
_FOUND = re.compile(rf"(?<![\d.])(?:{_LABEL})(?P<day>{_DAY}){_TIME}(?![\d])")

_TAKEN = re.compile(r"采样|采集|采血|抽血|取样|留取|标本时间|标本日期|样本时间|collect|sampl|drawn", re.I)
_SAYS_ONLY_THAT = re.compile(
    r"(?:标本|样本|样品)?(?:采样|采集|采血|抽血|取样|留取)(?:时间|日期|时刻)?$"
    r"|(?:collected|collection|sampled|sampling|drawn)(?: (?:time|date|on|at))?$",
    re.I,
)
_ALONE = re.compile(r"^(日期|时间|date)$", re.I)


@dataclass(frozen=True, slots=True)
class Dated:
    """A date in a line: the ISO day, whether it is the day of sampling, and whether a word says what it is.

    Its place begins with the word for sampling, never with what stands before that: a name may.
    """

    start: int
    end: int
    on: str
    taken: bool
    labelled: bool


def find(line: Line) -> list[Dated]:
    """The dates of a line, from left to right; a day that never was is none."""
    found = [_dated(line, match) for match in _FOUND.finditer(line.plain)]
    return [each for each in found if each is not None]


def says_taken(text: str) -> bool:
    """Whether a label or the heading of a column means the time of sampling."""
    return bool(_TAKEN.search(text))


def read(text: str) -> str:
    """The ISO day of a cell that holds one date and perhaps a time, or nothing."""
    match = re.fullmatch(rf"\s*(?P<day>{_DAY}){_TIME}\s*", text)
    return _day(match) if match else ""


def _dated(line: Line, match: re.Match[str]) -> Dated | None:
    on = _day(match)
    if not on:
        return None
    label = (match["label"] or "").strip()
    compact = match["m5"] is not None
    if compact and not says_taken(label):
        return None  # eight digits without a word before them may be any number
    unnamed = not label or bool(_ALONE.match(label))
    said = _ALONE.match(label) or _SAYS_ONLY_THAT.search(label)
    start = match.start("label") + said.start() if said else match.start("day")
    return Dated(start, match.end(), on, says_taken(label), not unnamed)


def _day(match: re.Match[str]) -> str:
    month, day = next((match[f"m{form}"], match[f"d{form}"]) for form in range(1, 6) if match[f"m{form}"])
    try:
        return date(int(match["y"]), int(month), int(day)).isoformat()
    except ValueError:
        return ""
