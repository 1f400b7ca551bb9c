"""The rules of conduct of a protocol as data: what opens a center, which training a task asks for, what counts as a deviation.

A file `conduct/ID-VERSION.yaml` is one version for one protocol; the highest version holds. What was decided by it (a document filed, a
deviation raised) keeps the version it was decided by. Pure: no Django, no database.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema  # ships no types
import yaml

from accounts.canonical import digest
from studies import expressions
from studies.protocol import Coded, Decision, Text

FOLDER = Path(__file__).parent / "conduct"
SCHEMA = FOLDER / "schema.json"


class ConductError(Exception):
    """A file of rules of conduct is missing or malformed."""


@dataclass(frozen=True, slots=True)
class GateItem:
    """Something that must be there before a center opens. `kind` is document (filed) or fact (known to the platform itself)."""

    code: str
    kind: str
    text: Text
    help: Text
    expires: bool


@dataclass(frozen=True, slots=True)
class Training:
    """A training that must be on record before a person works on any of `tasks`."""

    code: str
    text: Text
    tasks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DeviationRule:
    """A deviation that the platform raises by itself: for every case of the kind `about` for which `when` is true."""

    code: str
    version: int
    about: str
    category: str
    text: Text
    when: expressions.Node
    occurred: str


@dataclass(frozen=True, slots=True)
class Conduct:
    """One version of the rules of conduct of one protocol."""

    protocol: str
    version: str
    digest: str
    gate: tuple[GateItem, ...]
    trainings: tuple[Training, ...]
    deviations: tuple[DeviationRule, ...]
    deviation_kinds: tuple[Coded, ...]
    decisions: tuple[Decision, ...]

    def gate_item(self, code: str) -> GateItem | None:
        """The gate item of that code, or None."""
        return next((item for item in self.gate if item.code == code), None)

    def training(self, code: str) -> Training | None:
        """The training of that code, or None."""
        return next((item for item in self.trainings if item.code == code), None)

    def trainings_for(self, task: str) -> tuple[Training, ...]:
        """What must be on record before a person works on a task."""
        return tuple(item for item in self.trainings if task in item.tasks)

    def deviation_text(self, code: str) -> Text | None:
        """What a rule, or a kind that people choose from, is called."""
        known = {rule.code: rule.text for rule in self.deviations} | {kind.code: kind.text for kind in self.deviation_kinds}
        return known.get(code)

    @property
    def undecided(self) -> tuple[Decision, ...]:
        """What a person of the study has still to sign; it blocks the activation of a real study."""
        return tuple(decision for decision in self.decisions if not decision.decided)


def load(protocol_id: str) -> Conduct:
    """The rules that hold for a protocol: the highest version. Raises ConductError when there is none."""
    versions = [item for item in _read(FOLDER) if item.protocol == protocol_id]
    if not versions:
        raise ConductError(f"There are no rules of conduct for protocol {protocol_id!r} in studies/governance/conduct.")
    return max(versions, key=lambda item: tuple(int(part) for part in item.version.split(".")))


def in_force() -> tuple[Conduct, ...]:
    """For each protocol that has rules of conduct, the version that holds."""
    return tuple(load(protocol_id) for protocol_id in sorted({item.protocol for item in _read(FOLDER)}))


def from_file(path: Path) -> Conduct:
    """The rules in one file. Raises ConductError with every place that the schema refuses."""
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
    errors = sorted(validator.iter_errors(data), key=lambda error: [str(part) for part in error.absolute_path])
    if errors:
        places = ("/".join(str(part) for part in error.absolute_path) or "file" for error in errors)
        raise ConductError(f"{path.name}: " + "; ".join(f"{place}: {error.message}" for place, error in zip(places, errors, strict=True)))
    return from_data(data)


def from_data(data: Mapping[str, Any]) -> Conduct:
    """The rules from schema-checked content. Raises ValueError for a malformed expression."""
    return Conduct(
        protocol=data["protocol"],
        version=data["version"],
        digest=digest(data),
        gate=tuple(
            GateItem(item["code"], item["kind"], _text(item["text"]), _text(item["help"]), item["expires"]) for item in data["gate"]
        ),
        trainings=tuple(Training(item["code"], _text(item["text"]), tuple(item["tasks"])) for item in data["trainings"]),
        deviations=tuple(_rule(item) for item in data["deviations"]),
        deviation_kinds=tuple(Coded(item["code"], _text(item["text"])) for item in data["deviation_kinds"]),
        decisions=tuple(
            Decision(item["code"], _text(item["question"]), _text(item["answer"]), item["decided"], item["source"])
            for item in data["decisions"]
        ),
    )


def faults(conduct: Conduct, *, tasks: frozenset[str], facts: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Every fault beyond the schema, a sentence each: unknown tasks, cases and facts, codes given twice.

    `facts` names, for each kind of case, the facts that rules may read and the kind of each: date, number or answer.
    """
    return [*_repeated(conduct), *_unknown_tasks(conduct, tasks), *_unknown_facts(conduct, facts)]


def all_files() -> list[Path]:
    """Every file that is shipped."""
    return sorted(FOLDER.glob("*.yaml"))


def _repeated(conduct: Conduct) -> Iterator[str]:
    lists = {
        "gate item": [item.code for item in conduct.gate],
        "training": [item.code for item in conduct.trainings],
        "deviation": [rule.code for rule in conduct.deviations] + [kind.code for kind in conduct.deviation_kinds],
        "decision": [item.code for item in conduct.decisions],
    }
    for what, codes in lists.items():
        yield from (f"{what} {code} is there {count} times" for code, count in Counter(codes).items() if count > 1)


def _unknown_tasks(conduct: Conduct, tasks: frozenset[str]) -> Iterator[str]:
    for item in conduct.trainings:
        yield from (f"training {item.code} names the task {task}, which there is not" for task in item.tasks if task not in tasks)


KINDS = {expressions.Yes: "answer", expressions.Between: "number", expressions.DaysBetween: "date"}


def _unknown_facts(conduct: Conduct, facts: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    for rule in conduct.deviations:
        if rule.about not in facts:
            yield f"deviation {rule.code} is about {rule.about}, of which there are no facts"
            continue
        known = facts[rule.about]
        if known.get(rule.occurred) != "date":
            yield f"deviation {rule.code} occurred on {rule.occurred}, which is no date of a {rule.about}"
        for leaf in expressions.leaves(rule.when):
            for code in expressions.inputs(leaf):
                if known.get(code) != KINDS[type(leaf)]:
                    yield f"deviation {rule.code} reads {code} as {KINDS[type(leaf)]}, which is {known.get(code, 'no fact')}"


@cache
def _read(folder: Path) -> tuple[Conduct, ...]:
    return tuple(from_file(path) for path in sorted(folder.glob("*.yaml")))


def _rule(data: Mapping[str, Any]) -> DeviationRule:
    when = expressions.parse(data["when"])
    return DeviationRule(data["code"], data["version"], data["about"], data["category"], _text(data["text"]), when, data["occurred"])


def _text(data: Mapping[str, str]) -> Text:
    return Text(data["zh"], data["en"])
