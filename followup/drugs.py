"""The drugs against liver cancer by any of their names: generic, Chinese generic, trade name (`drugs.yaml`). Pure."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

FILE = Path(__file__).parent / "drugs.yaml"


@dataclass(frozen=True, slots=True)
class Drug:
    """A drug: its international generic name (what is stored), the Chinese one, its trade names, its class (TX-01)."""

    name: str
    zh: str
    drug_class: str
    brands: tuple[str, ...]

    def say(self, language: str) -> str:
        """Its generic name in a language."""
        return self.zh if language.startswith("zh") else self.name


@cache
def drugs() -> tuple[Drug, ...]:
    """Every drug of the list, in its order. Raises ValueError where one name means two drugs."""
    read = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    found = tuple(Drug(one["name"], one["zh"], one["class"], tuple(one["brands"])) for one in read)
    names = [_plain(name) for drug in found for name in (drug.name, drug.zh, *drug.brands)]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"named twice in {FILE.name}: {', '.join(twice)}")
    return found


def find(text: str) -> Drug | None:
    """The drug that a person means, whatever the case, width and spaces; None for a name that is not on the list."""
    return _by_name().get(_plain(text))


@cache
def _by_name() -> Mapping[str, Drug]:
    return {_plain(name): drug for drug in drugs() for name in (drug.name, drug.zh, *drug.brands)}


def _plain(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())
