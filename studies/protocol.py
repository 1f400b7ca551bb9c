"""The protocol as data: what the study asks for, loaded from `protocols/*.yaml` into values that cannot change.

A file is one version of one protocol; a study names the version and the digest it follows, so that an edited file is
noticed and never re-evaluates anybody silently (EL-01). Pure: no Django, no database.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema  # ships no types
import yaml

from accounts.canonical import digest
from studies import expressions

FOLDER = Path(__file__).parent / "protocols"
SCHEMA = FOLDER / "schema.json"


class ProtocolError(Exception):
    """A protocol file is missing, malformed, or not the one a study was opened with."""


@dataclass(frozen=True, slots=True)
class Text:
    """One text in the two languages of the study."""

    zh: str
    en: str

    def say(self, language: str | None) -> str:
        """The text in a language code such as "zh-hans" or "en"."""
        return self.zh if (language or "").startswith("zh") else self.en


@dataclass(frozen=True, slots=True)
class Input:
    """A fact that eligibility may read. `kind` is answer, number or date; `dated` names a point of the protocol's timeline.

    `attested` inputs are what the coordinator answers at screening; the others come from the screening row itself.
    """

    code: str
    kind: str
    dated: str
    attested: bool
    label: Text
    help: Text


@dataclass(frozen=True, slots=True)
class Criterion:
    """One inclusion or exclusion criterion. An exclusion criterion is met by a patient for whom `expression` is false."""

    code: str
    version: int
    kind: str
    text: Text
    expression: expressions.Node
    inputs: tuple[str, ...]
    source: str


@dataclass(frozen=True, slots=True)
class Strategy:
    """A postoperative strategy: which of the components "tace" and "systemic" it contains."""

    code: str
    text: Text
    components: frozenset[str]


@dataclass(frozen=True, slots=True)
class Treatment:
    """A kind of treatment and what it counts as: "tace", "systemic", "other" (not evaluable) or "none" (recorded only)."""

    code: str
    text: Text
    component: str


@dataclass(frozen=True, slots=True)
class Visit:
    """A scheduled assessment: day after surgery, with its first and last acceptable day (EP-07)."""

    code: str
    month: int
    day: int
    first_day: int
    last_day: int


@dataclass(frozen=True, slots=True)
class ImagingRule:
    """What a preoperative scan must be to qualify (EL-04)."""

    modalities: tuple[str, ...]
    phases: tuple[str, ...]
    slice_mm_max: Decimal
    interval_days_max: int


@dataclass(frozen=True, slots=True)
class Coded:
    """A code with its text: an exclusion reason, a confounder."""

    code: str
    text: Text


@dataclass(frozen=True, slots=True)
class Decision:
    """A gap or contradiction of the study documents and what this protocol does about it; open ones block activation."""

    code: str
    question: Text
    answer: Text
    decided: bool
    source: str


@dataclass(frozen=True, slots=True)
class Protocol:
    """One version of one protocol. Days are counted from surgery (day 0); `margin` is δ of the decision rule (PR-02).

    `horizon_read_day` is the day at which a curve of detection dates is read for the horizon: the end of its visit window (F4).
    `dictionary` names the data dictionary, `baseline` those of its items that make a baseline complete.
    """

    id: str
    version: str
    digest: str
    source: str
    title: Text
    target: int
    strategies: tuple[Strategy, ...]
    intensity: tuple[str, ...]
    margin: Decimal
    adjuvant_window_days: int
    landmark_days: int
    horizon_months: int
    horizon_read_day: int
    treatments: tuple[Treatment, ...]
    timeline: tuple[str, ...]
    eligibility_at: str
    imaging: ImagingRule
    inputs: tuple[Input, ...]
    criteria: tuple[Criterion, ...]
    reason_not_eligible: str
    exclusion_reasons: tuple[Coded, ...]
    visits: tuple[Visit, ...]
    dictionary: str
    baseline: tuple[str, ...]
    confounders: tuple[Coded, ...]
    decisions: tuple[Decision, ...]

    def input(self, code: str) -> Input:
        """The input of that code. Raises KeyError."""
        for item in self.inputs:
            if item.code == code:
                return item
        raise KeyError(code)

    def exclusion_reason(self, code: str) -> Coded | None:
        """The exclusion reason of that code, or None."""
        return next((reason for reason in self.exclusion_reasons if reason.code == code), None)

    @property
    def attested(self) -> tuple[Input, ...]:
        """What the coordinator is asked at screening, in the order of the form."""
        return tuple(item for item in self.inputs if item.attested)

    @property
    def undecided(self) -> tuple[Decision, ...]:
        """What a person of the study has still to sign; a real study cannot be activated while there is one."""
        return tuple(decision for decision in self.decisions if not decision.decided)


def load(protocol_id: str, version: str | None = None, expected_digest: str | None = None) -> Protocol:
    """The protocol of that id: a version, or the highest one. Raises ProtocolError when it is not there, malformed or changed.

    `expected_digest` is what a study remembers; a file that was edited in place answers with an error, not with new rules.
    """
    versions = {item.version: item for item in _read(FOLDER) if item.id == protocol_id}
    if not versions:
        raise ProtocolError(f"There is no protocol {protocol_id!r} in studies/protocols.")
    wanted = version or max(versions, key=_version_order)
    if wanted not in versions:
        raise ProtocolError(f"Protocol {protocol_id} has no version {wanted}; there are {', '.join(sorted(versions))}.")
    if expected_digest is not None and versions[wanted].digest != expected_digest:
        raise ProtocolError(
            f"Protocol {protocol_id} {wanted} was changed after the study was opened with it. Restore the file, "
            "and put what changed into a file of its own with a new version."
        )
    return versions[wanted]


def from_file(path: Path) -> Protocol:
    """The protocol in one file. Raises ProtocolError with every place that the schema refuses."""
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    faults = schema_faults(data)
    if faults:
        raise ProtocolError(f"{path.name}: " + "; ".join(faults))
    return from_data(data)


def schema_faults(data: Any) -> list[str]:
    """What the JSON Schema finds wrong with the content of a protocol file, a sentence each."""
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
    errors = sorted(validator.iter_errors(data), key=lambda error: [str(part) for part in error.absolute_path])
    return [f"{'/'.join(str(part) for part in error.absolute_path) or 'file'}: {error.message}" for error in errors]


def from_data(data: Mapping[str, Any]) -> Protocol:
    """The protocol from schema-checked content. Raises ValueError for a malformed expression."""
    return Protocol(
        id=data["id"],
        version=data["version"],
        digest=digest(data),
        source=data["source"],
        title=_text(data["title"]),
        target=data["target"],
        strategies=tuple(Strategy(item["code"], _text(item["text"]), frozenset(item["components"])) for item in data["strategies"]),
        intensity=tuple(data["intensity"]),
        margin=Decimal(data["margin"]),
        adjuvant_window_days=data["adjuvant_window_days"],
        landmark_days=data["landmark_days"],
        horizon_months=data["horizon_months"],
        horizon_read_day=data["horizon_read_day"],
        treatments=tuple(Treatment(item["code"], _text(item["text"]), item["component"]) for item in data["treatments"]),
        timeline=tuple(data["timeline"]),
        eligibility_at=data["eligibility_at"],
        imaging=_imaging(data["imaging"]),
        inputs=tuple(_input(item) for item in data["inputs"]),
        criteria=tuple(_criterion(item) for item in data["criteria"]),
        reason_not_eligible=data["reason_not_eligible"],
        exclusion_reasons=_coded(data["exclusion_reasons"]),
        visits=tuple(_visit(item) for item in data["visits"]),
        dictionary=data.get("dictionary", data["id"]),
        baseline=tuple(item if isinstance(item, str) else item["code"] for item in data["baseline"]),
        confounders=_coded(data["confounders"]),
        decisions=tuple(_decision(item) for item in data["decisions"]),
    )


def all_files() -> list[Path]:
    """Every protocol file that is shipped."""
    return sorted(FOLDER.glob("*.yaml"))


@cache
def _read(folder: Path) -> tuple[Protocol, ...]:
    return tuple(from_file(path) for path in sorted(folder.glob("*.yaml")))


def _version_order(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _text(data: Mapping[str, str]) -> Text:
    return Text(data["zh"], data["en"])


def _coded(data: list[Mapping[str, Any]]) -> tuple[Coded, ...]:
    return tuple(Coded(item["code"], _text(item["text"])) for item in data)


def _input(data: Mapping[str, Any]) -> Input:
    return Input(data["code"], data["kind"], data["dated"], data["attested"], _text(data["label"]), _text(data["help"]))


def _criterion(data: Mapping[str, Any]) -> Criterion:
    expression = expressions.parse(data["expression"])
    return Criterion(data["code"], data["version"], data["kind"], _text(data["text"]), expression, tuple(data["inputs"]), data["source"])


def _visit(data: Mapping[str, Any]) -> Visit:
    early, late = data["window"]
    return Visit(data["code"], data["month"], data["day"], data["day"] + early, data["day"] + late)


def _imaging(data: Mapping[str, Any]) -> ImagingRule:
    return ImagingRule(tuple(data["modalities"]), tuple(data["phases"]), Decimal(data["slice_mm_max"]), data["interval_days_max"])


def _decision(data: Mapping[str, Any]) -> Decision:
    return Decision(data["code"], _text(data["question"]), _text(data["answer"]), data["decided"], data["source"])
