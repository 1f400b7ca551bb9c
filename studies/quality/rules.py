"""Edit checks as versioned data: one YAML file is one version of the rules of one protocol, checked by a schema. Pure.

A file that was used is never edited: what changes goes into a file with a higher version, and a query names the version that judged.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema  # ships no types
import yaml

from accounts.canonical import digest
from studies.protocol import Text
from studies.quality import expression
from studies.quality.expression import Condition, Facts

FOLDER = Path(__file__).parent / "checks"
SCHEMA = FOLDER / "schema.json"


class RulesError(Exception):
    """A file of edit checks is missing or malformed; the sentence names the place."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One edit check: it fires where `when` holds. `at` is the code of the field that the query points at.

    `severity` is impossible (cannot be true) or implausible (can be, but look again).
    """

    code: str
    severity: str
    at: str
    message: Text
    when: Condition


@dataclass(frozen=True, slots=True)
class Rules:
    """One version of the edit checks of a protocol, and the numbers that go with them.

    `sampled_percent` of the participants have their sampled fields verified; a query is overdue after `overdue_days`; indicators of
    fewer than `least` participants are not shown.
    """

    id: str
    version: str
    digest: str
    sampled_percent: int
    overdue_days: int
    least: int
    rules: tuple[Rule, ...]

    def rule(self, code: str) -> Rule | None:
        """The rule of that code, or None."""
        return next((each for each in self.rules if each.code == code), None)

    def firing(self, facts: Facts) -> list[Rule]:
        """The rules that hold for these facts; what is not known fires nothing."""
        return [each for each in self.rules if each.when.truth(facts) is True]


def in_force(protocol_id: str) -> Rules:
    """The highest version of the rules of a protocol. Raises RulesError when there is none."""
    return versions(protocol_id)[-1]


@cache
def versions(protocol_id: str) -> tuple[Rules, ...]:
    """Every version of the rules of a protocol, the oldest first. Raises RulesError."""
    found = sorted((from_file(path) for path in FOLDER.glob(f"{protocol_id}-*.yaml")), key=lambda each: _order(each.version))
    if not found:
        raise RulesError(f"There are no edit checks for {protocol_id!r} in studies/quality/checks.")
    return tuple(found)


def rule_as_judged(protocol_id: str, code: str, version: str) -> Rule | None:
    """The rule as it stood in a version, or as it stands in the newest that has it."""
    known = versions(protocol_id)
    same = [each for each in known if each.version == version]
    return next((rule for each in [*same, *reversed(known)] if (rule := each.rule(code))), None)


def from_file(path: Path) -> Rules:
    """The rules in one file. Raises RulesError with every place that is wrong."""
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
    faults = [f"{'/'.join(str(part) for part in each.absolute_path) or 'file'}: {each.message}" for each in validator.iter_errors(data)]
    if faults:
        raise RulesError(f"{path.name}: " + "; ".join(sorted(faults)))
    if path.stem != f"{data['id']}-{data['version']}":
        raise RulesError(f"{path.name} holds {data['id']} {data['version']}: a file is named for what it holds.")
    return from_data(data)


def from_data(data: Mapping[str, Any]) -> Rules:
    """The rules of schema-checked content. Raises RulesError for a malformed condition or a code given twice."""
    try:
        rules = tuple(_rule(each) for each in data["rules"])
    except expression.Malformed as fault:
        raise RulesError(f"{data['id']} {data['version']}: {fault}") from None
    codes = [each.code for each in rules]
    if twice := sorted({code for code in codes if codes.count(code) > 1}):
        raise RulesError(f"{data['id']} {data['version']}: given twice: {', '.join(twice)}")
    numbers = (data["sampled_percent"], data["overdue_days"], data["least"])
    return Rules(data["id"], data["version"], digest(data), *numbers, rules)


def _rule(data: Mapping[str, Any]) -> Rule:
    message = Text(data["message"]["zh"], data["message"]["en"])
    return Rule(data["code"], data["severity"], data["at"], message, expression.parse(data["when"]))


def _order(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
