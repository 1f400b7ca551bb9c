"""What laboratories call a test: synonyms in Chinese, English and short forms, looked up whole and never by part of a word. Pure."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import combinations, pairwise
from pathlib import Path

import yaml

from studies.laboratory.text import line

FILE = Path(__file__).parents[1] / "dictionaries" / "names" / "laboratory.yaml"

_MARKS = "*★☆▲△●◆◇■□#↑↓✓√"
_AROUND = re.compile(r"^(血清|血浆|全血|静脉血)|((的)?(测定|检测|检查|定量|浓度|水平|含量))$")
_NEUTRAL = re.compile(
    r"血清|血浆|全血|静脉血|末梢血|血|定量|定性|测定|检测|干化学|湿化学|发光|化学发光|高敏|高灵敏|电化学发光|酶免|[\w-]*法|serum|plasma|blood|quantitative",
    re.I,
)
_OTHER_SPECIMEN = re.compile(
    r"尿|粪|大便|便常规|便潜血|腹水|胸水|胸腹水|浆膜腔|脑脊液|引流液|穿刺液|胆汁|唾液|痰|分泌物|骨髓|羊水|关节液|胃液|灌洗液|24h|24小时|"
    r"\b(?:urine|urinary|stool|faeces|feces|ascites|csf|sputum|pleural|drain(?:age)?)\b",
    re.I,
)
_BLOOD = re.compile(r"血清|血浆|全血|静脉血|血常规|血生化|\b(?:serum|plasma|blood)\b", re.I)
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.#%+-]{0,11}|[0-9]{3,10}")


@dataclass(frozen=True, slots=True)
class Names:
    """The table: name → the tests it may mean, what each test is called, units of tests that no form asks, tests of urine alone."""

    tests: Mapping[str, frozenset[str]]
    texts: Mapping[str, tuple[str, str]]
    units: Mapping[str, tuple[str, ...]]
    doubtful_units: Mapping[str, tuple[str, ...]]
    of_urine: frozenset[str]
    titles: frozenset[str]
    positive: frozenset[str]
    negative: frozenset[str]
    not_detected: frozenset[str]


@dataclass(frozen=True, slots=True)
class Named:
    """What a name may mean: `tests` by code; `doubt` says why it is not certain, `specimen` that it is of another specimen than blood."""

    tests: frozenset[str] = frozenset()
    doubt: bool = False
    specimen: bool = False


def key(text: str) -> str:
    """A name without marks, blanks, hyphens and case; `#` and `%` stay, they part counts from shares."""
    plain = line(1, text).plain.strip().lstrip(_MARKS + " ").rstrip(":*★ ")
    marked = plain.replace("...", "…")  # a word that was struck out is no part of a name
    return re.sub(r"[\s\-_.·']", "", marked).casefold().replace("β", "beta").replace("γ", "gamma").replace("α", "alpha")


def word_key(text: str) -> str:
    """A result in words, without blanks and case; its signs stay."""
    return re.sub(r"\s+", "", line(1, text).plain).casefold()


@cache
def table() -> Names:
    """The table that is shipped."""
    data = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    tests: dict[str, set[str]] = {}
    for code, test in data["tests"].items():
        for name in (test["zh"], test["en"], *test["names"]):
            tests.setdefault(key(name), set()).add(code)
    words = {kind: frozenset(map(word_key, data["results"][kind])) for kind in ("positive", "negative", "not_detected")}
    return Names(
        tests={name: frozenset(codes) for name, codes in tests.items()},
        texts={code: (test["zh"], test["en"]) for code, test in data["tests"].items()},
        units={code: tuple(test["units"]) for code, test in data["tests"].items() if "units" in test},
        doubtful_units={code: tuple(test["doubtful_units"]) for code, test in data["tests"].items() if "doubtful_units" in test},
        of_urine=frozenset(code for code, test in data["tests"].items() if test.get("panel") == "urine"),
        titles=frozenset(key(title) for title in data["titles"]),
        **words,
    )


def is_other_specimen(text: str) -> bool:
    """Whether a word or title speaks of urine, ascites or another specimen than blood."""
    return bool(_OTHER_SPECIMEN.search(line(1, text).plain))


def specimen(text: str) -> str:
    """The specimen that a heading or a line beside the results speaks of: other, blood, or nothing."""
    plain = line(1, text).plain
    return "other" if _OTHER_SPECIMEN.search(plain) else "blood" if _BLOOD.search(plain) else ""


def is_neutral(text: str) -> bool:
    """Whether a word beside a name changes nothing: the method, or that it is of blood."""
    return bool(_NEUTRAL.fullmatch(line(1, text).plain.strip("()[] ")))


def is_title(text: str) -> bool:
    """Whether a word is the heading of a group of tests."""
    return key(text.strip(":： ")) in table().titles


def meaning(words: Iterable[str]) -> Named:
    """What a run of words names: one name, or a code beside its name, which must agree.

    Every word has to be accounted for: a word that is not known makes the name doubtful, but for a laboratory's own code before
    a known Chinese name.
    """
    run = [word for word in words if word]
    parts = _partition([part for word in run for part in _split(word)])
    known = [tests for _, tests in parts if tests]
    unknown = [text for text, tests in parts if not tests and not is_neutral(text)]
    if any(is_other_specimen(text) for text in unknown):
        return Named(_either(known), specimen=True)
    if not known:
        return Named()
    agreed = frozenset.intersection(*known)
    certain = bool(agreed) and all(_is_own_code(text, parts) for text in unknown)
    return Named(agreed or _either(known), doubt=not certain)


def lookup(text: str) -> frozenset[str]:
    """The tests that a name may mean; none for a name that is not in the table."""
    names, name = table().tests, key(text)
    while name and name not in names:
        shorter = _AROUND.sub("", name)
        if shorter == name:
            return frozenset()
        name = shorter
    return names.get(name, frozenset())


def _split(word: str) -> list[str]:
    """A name and what stands in its brackets; `中性粒细胞(NEUT)%` is 中性粒细胞% and NEUT."""
    plain = line(1, word).plain
    inner = [part.strip() for part in re.findall(r"[(\[]([^()\[\]]*)[)\]]", plain)]
    outer = re.sub(r"[(\[][^()\[\]]*[)\]]", "", plain).strip()
    if lookup(plain):
        return [plain]
    suffix = outer[-1:] if outer[-1:] in ("%", "#") else ""
    with_suffix = [part if part[-1:] in ("%", "#") or not lookup(part + suffix) else part + suffix for part in inner]
    return [part for part in (outer, *with_suffix) if part]


def _partition(words: list[str]) -> list[tuple[str, frozenset[str]]]:
    """The words as known names of one or several words each, with as little as possible left over."""
    best: list[tuple[str, frozenset[str]]] = [(word, lookup(word)) for word in words]
    cuts = range(1, len(words))
    for count in range(min(len(words), 5)):
        for chosen in combinations(cuts, count):
            edges = [0, *chosen, len(words)]
            parts = [" ".join(words[start:end]) for start, end in pairwise(edges)]
            found = [(part, lookup(part)) for part in parts]
            if _left(found) < _left(best):
                best = found
    return best


def _left(parts: list[tuple[str, frozenset[str]]]) -> tuple[int, int]:
    """How many words are not accounted for, then how many parts there are."""
    return sum(len(text.split()) for text, tests in parts if not tests and not is_neutral(text)), len(parts)


def _either(known: list[frozenset[str]]) -> frozenset[str]:
    return frozenset[str]().union(*known)


def _is_own_code(text: str, parts: list[tuple[str, frozenset[str]]]) -> bool:
    """A laboratory's own code: short Latin letters or digits before a known Chinese name, and no known short form behind a letter."""
    if not _CODE.fullmatch(text) or parts[0][0] != text:
        return False
    changed = re.sub(r"^(u|ur|um|csf|af|pf|m|p|d|f|i)[-_]?", "", text, flags=re.I)
    has_chinese = any(tests and re.search(r"[\u4e00-\u9fff]", part) for part, tests in parts)
    return has_chinese and not (changed != text and lookup(changed))
