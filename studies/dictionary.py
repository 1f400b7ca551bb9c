"""The data dictionary as data: every form, what it asks, in which unit and within which range, loaded from `dictionaries/*.yaml`.

A file is one version; a study names the version and the digest it follows, so that an edited file is noticed, and every entry
remembers the version it was recorded under. Pure: no Django, no database.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import jsonschema  # ships no types
import yaml

from accounts.canonical import digest
from studies import expressions
from studies.protocol import Coded, Text

FOLDER = Path(__file__).parent / "dictionaries"
SCHEMA = FOLDER / "schema.json"
NUMBERS = frozenset({"number", "integer", "calculated"})
DATES = frozenset({"date", "partial_date"})
MISSING = {
    "ND": Text("未做", "not done"),
    "UNK": Text("不详", "unknown"),
    "NA": Text("不适用", "not applicable"),
    "ASKU": Text("问过，仍不知", "asked but unknown"),
}
"""Why there is no value (HL7 NullFlavor ND, UNK, NA, ASKU, as CDISC ODM exports carry them)."""


class DictionaryError(Exception):
    """A dictionary file is missing, malformed, or not the one a study follows."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """Another unit that may be typed: stored = typed × factor + offset."""

    unit: str
    factor: Decimal
    offset: Decimal = Decimal(0)

    def stored(self, typed: Decimal) -> Decimal:
        """The number in the item's own unit."""
        return typed * self.factor + self.offset


@dataclass(frozen=True, slots=True)
class Item:
    """One question of a form. `low` and `high` refuse, `soft_low` and `soft_high` ask for a tick.

    `kind`: number, integer, choice, date, partial_date, text or calculated (`calculation` names a function of `studies.scores`).
    `asked_if` reads other items of the same form; `verification`: critical, sampled or none; `names`: {"cdash", "loinc"}.
    """

    code: str
    section: str
    text: Text
    help: Text
    kind: str
    unit: str = ""
    conversions: tuple[Conversion, ...] = ()
    low: Decimal | None = None
    high: Decimal | None = None
    soft_low: Decimal | None = None
    soft_high: Decimal | None = None
    options: tuple[Coded, ...] = ()
    asked_if: expressions.Node | None = None
    calculation: str = ""
    required: bool = False
    missing: tuple[str, ...] = ()
    comparators: tuple[str, ...] = ()
    verification: str = "none"
    names: Mapping[str, str] | None = None

    @property
    def units(self) -> tuple[str, ...]:
        """The unit it is stored in, then those that are converted."""
        return (self.unit, *(other.unit for other in self.conversions))

    def conversion(self, unit: str) -> Conversion | None:
        """How a number in that unit is converted, or None where it is stored as it stands."""
        return next((other for other in self.conversions if other.unit == unit), None)

    def stored(self, number: Decimal, unit: str) -> Decimal:
        """A number of one of its units in the stored unit, by the factor alone."""
        conversion = self.conversion(unit)
        return conversion.stored(number) if conversion else number

    def is_unusual(self, number: Decimal) -> bool:
        """Whether a stored number lies outside the soft range."""
        return (self.soft_low is not None and number < self.soft_low) or (self.soft_high is not None and number > self.soft_high)

    def option(self, code: str) -> Coded | None:
        """The option of that code, or None."""
        return next((option for option in self.options if option.code == code), None)


@dataclass(frozen=True)
class Form:
    """One form: its sections and items in the order of the page. `dated_by` is the item that says when its values were taken."""

    code: str
    text: Text
    sections: tuple[Coded, ...]
    items: tuple[Item, ...]
    repeating: bool = False
    dated_by: str = ""

    @cached_property
    def by_code(self) -> Mapping[str, Item]:
        """Its items by code."""
        return {item.code: item for item in self.items}


@dataclass(frozen=True, slots=True)
class Order:
    """One date lies on or before another; `first` and `then` are items, or `surgery`."""

    first: str
    then: str


@dataclass(frozen=True)
class Dictionary:
    """One version of one dictionary."""

    id: str
    version: str
    digest: str
    source: str
    title: Text
    forms: tuple[Form, ...]
    orders: tuple[Order, ...] = ()

    @cached_property
    def _places(self) -> Mapping[str, tuple[Form, Item]]:
        return {item.code: (form, item) for form in self.forms for item in form.items}

    @property
    def items(self) -> Iterator[Item]:
        """Every item, form by form."""
        return (item for form in self.forms for item in form.items)

    def form(self, code: str) -> Form:
        """The form of that code. Raises KeyError."""
        for form in self.forms:
            if form.code == code:
                return form
        raise KeyError(code)

    def item(self, code: str) -> Item:
        """The item of that code. Raises KeyError."""
        return self._places[code][1]

    def form_of(self, code: str) -> Form:
        """The form that asks an item. Raises KeyError."""
        return self._places[code][0]

    def has(self, code: str) -> bool:
        """Whether it asks such an item."""
        return code in self._places


def load(dictionary_id: str, version: str | None = None, expected_digest: str | None = None) -> Dictionary:
    """The dictionary of that id: a version, or the highest one. Raises DictionaryError when it is not there, malformed or changed.

    `expected_digest` is what a study remembers; a file that was edited in place answers with an error, not with new ranges.
    """
    versions = {item.version: item for item in _read(FOLDER) if item.id == dictionary_id}
    if not versions:
        raise DictionaryError(f"There is no dictionary {dictionary_id!r} in studies/dictionaries.")
    wanted = version or max(versions, key=version_order)
    if wanted not in versions:
        raise DictionaryError(f"Dictionary {dictionary_id} has no version {wanted}; there are {', '.join(sorted(versions))}.")
    if expected_digest is not None and versions[wanted].digest != expected_digest:
        raise DictionaryError(
            f"Dictionary {dictionary_id} {wanted} was changed after the study adopted it. Restore the file, "
            "and put what changed into a file of its own with a new version."
        )
    return versions[wanted]


def versions(dictionary_id: str) -> list[Dictionary]:
    """Every shipped version of a dictionary, lowest first."""
    return sorted((item for item in _read(FOLDER) if item.id == dictionary_id), key=lambda item: version_order(item.version))


def from_file(path: Path) -> Dictionary:
    """The dictionary in one file. Raises DictionaryError with every place that the schema refuses."""
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    faults = schema_faults(data)
    if not faults:
        faults = [
            f"form {form['code']} repeats, and no page asks a form twice: what happens more than once is entered as an event of follow-up"
            for form in data["forms"]
            if form.get("repeating")
        ]
    if faults:
        raise DictionaryError(f"{path.name}: " + "; ".join(faults))
    return from_data(data)


def schema_faults(data: Any) -> list[str]:
    """What the JSON Schema finds wrong with the content of a dictionary file, a sentence each."""
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
    errors = sorted(validator.iter_errors(data), key=lambda error: [str(part) for part in error.absolute_path])
    return [f"{'/'.join(str(part) for part in error.absolute_path) or 'file'}: {error.message}" for error in errors]


def from_data(data: Mapping[str, Any]) -> Dictionary:
    """The dictionary from schema-checked content. Raises ValueError for a malformed condition, KeyError for an unknown option list."""
    lists = {code: _coded(options) for code, options in data.get("option_lists", {}).items()}
    return Dictionary(
        id=data["id"],
        version=data["version"],
        digest=digest(data),
        source=data["source"],
        title=_text(data["title"]),
        forms=tuple(_form(form, lists) for form in data["forms"]),
        orders=tuple(Order(item["first"], item["then"]) for item in data.get("orders", [])),
    )


def all_files() -> list[Path]:
    """Every dictionary file that is shipped."""
    return sorted(FOLDER.glob("*.yaml"))


def version_order(version: str) -> tuple[int, ...]:
    """What versions are sorted by: 1.10 comes after 1.9."""
    return tuple(int(part) for part in version.split("."))


@cache
def _read(folder: Path) -> tuple[Dictionary, ...]:
    return tuple(from_file(path) for path in sorted(folder.glob("*.yaml")))


def _text(data: Mapping[str, str]) -> Text:
    return Text(data["zh"], data["en"])


def _coded(data: list[Mapping[str, Any]]) -> tuple[Coded, ...]:
    return tuple(Coded(item["code"], _text(item["text"])) for item in data)


def _form(data: Mapping[str, Any], lists: Mapping[str, tuple[Coded, ...]]) -> Form:
    items = tuple(_item(item, section["code"], lists) for section in data["sections"] for item in section["items"])
    return Form(data["code"], _text(data["text"]), _coded(data["sections"]), items, data.get("repeating", False), data.get("dated_by", ""))


def _item(data: Mapping[str, Any], section: str, lists: Mapping[str, tuple[Coded, ...]]) -> Item:
    options = data.get("options", [])
    calculated = data["kind"] == "calculated"
    return Item(
        code=data["code"],
        section=section,
        text=_text(data["text"]),
        help=_text(data.get("help", {"zh": "", "en": ""})),
        kind=data["kind"],
        unit=data.get("unit", ""),
        conversions=tuple(_conversion(item) for item in data.get("conversions", [])),
        low=_decimal(data.get("low")),
        high=_decimal(data.get("high")),
        soft_low=_decimal(data.get("soft_low")),
        soft_high=_decimal(data.get("soft_high")),
        options=lists[options] if isinstance(options, str) else _coded(options),
        asked_if=expressions.parse(data["asked_if"]) if "asked_if" in data else None,
        calculation=data.get("calculation", ""),
        required=data.get("required", False),
        missing=() if calculated else tuple(data.get("missing", MISSING)),
        comparators=tuple(data.get("comparators", [])),
        verification=data.get("verification", "none"),
        names=data.get("names", {}),
    )


def _conversion(data: Mapping[str, str]) -> Conversion:
    return Conversion(data["unit"], Decimal(data["factor"]), Decimal(data.get("offset", "0")))


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
