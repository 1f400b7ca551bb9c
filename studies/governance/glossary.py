"""The words of the study in both languages, as data: what pages and documents call a thing, and the check that they do. Pure."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from studies.protocol import Text

FILE = Path(__file__).parent / "glossary.yaml"


@dataclass(frozen=True, slots=True)
class Term:
    """One term. Where `says` is found as a word of an English text, its Chinese text holds `must`; terms without are for reading only."""

    en: str
    zh: str
    says: re.Pattern[str] | None
    must: str


@dataclass(frozen=True, slots=True)
class Group:
    """Terms that belong together."""

    text: Text
    terms: tuple[Term, ...]


@cache
def groups() -> tuple[Group, ...]:
    """The glossary in the order in which it is read."""
    data = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return tuple(
        Group(Text(group["text"]["zh"], group["text"]["en"]), tuple(_term(term) for term in group["terms"])) for group in data["groups"]
    )


def terms() -> Iterator[Term]:
    """Every term."""
    for group in groups():
        yield from group.terms


def disagreements(pairs: Iterable[tuple[str, str]]) -> list[str]:
    """What pairs of an English and a Chinese text call otherwise than the glossary, a sentence each."""
    return [
        f"“{english}” is “{chinese}”, without “{term.must}” for {term.en}"
        for english, chinese in pairs
        for term in terms()
        if term.says and term.says.search(english) and term.must not in chinese
    ]


def document() -> str:
    """docs/glossary.md."""
    lines = [
        "# Glossary",
        "",
        "Written by `manage.py glossary` from `studies/governance/glossary.yaml`; `make check` refuses a stale copy, and a test holds the",
        "texts of the platform against it. De-identified is never called anonymous: 去标识化, not 匿名化.",
    ]
    for group in groups():
        lines += ["", f"## {group.text.en} · {group.text.zh}", "", "| English | 中文 |", "|---|---|"]
        lines += [f"| {term.en} | {term.zh} |" for term in group.terms]
    return "\n".join(lines) + "\n"


def _term(data: dict[str, str]) -> Term:
    says = re.compile(rf"(?<![\w-])(?:{data['says']})(?![\w-])", re.IGNORECASE) if "says" in data else None
    return Term(data["en"], data["zh"], says, data.get("must", ""))
