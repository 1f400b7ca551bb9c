"""Whether a patient meets the protocol's criteria: PASS, FAIL or UNKNOWN, and why (EL-01…EL-04). Pure.

It reads what the coordinator attested at screening and the screening row, nothing that happened later: images, treatment
and follow-up can raise a query, they cannot change who was eligible.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from studies import expressions
from studies.expressions import Fact, Truth
from studies.protocol import Criterion, Protocol


class Verdict(StrEnum):
    PASS = "pass"  # noqa: S105 - a verdict, not a password
    FAIL = "fail"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class CriterionVerdict:
    """The verdict of one criterion, the inputs that made it fail, and the inputs that are not known."""

    code: str
    version: int
    verdict: Verdict
    failed: tuple[str, ...]
    unknown: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Eligibility:
    """The verdict over all criteria, with the protocol version that it was made by.

    `awaits` are the points of the protocol's timeline from which something is still unknown while no criterion fails.
    """

    protocol_id: str
    protocol_version: str
    protocol_digest: str
    verdict: Verdict
    criteria: tuple[CriterionVerdict, ...]
    awaits: tuple[str, ...] = ()

    @property
    def failed(self) -> tuple[str, ...]:
        """The codes of the criteria that are not met."""
        return tuple(item.code for item in self.criteria if item.verdict is Verdict.FAIL)

    @property
    def unknown(self) -> tuple[str, ...]:
        """The codes of the criteria that cannot be judged yet."""
        return tuple(item.code for item in self.criteria if item.verdict is Verdict.UNKNOWN)

    def as_json(self) -> dict[str, Any]:
        """The snapshot as it is stored with the record."""
        return {
            "protocol": {"id": self.protocol_id, "version": self.protocol_version, "digest": self.protocol_digest},
            "verdict": self.verdict.value,
            "awaits": list(self.awaits),
            "criteria": [
                {
                    "code": item.code,
                    "version": item.version,
                    "verdict": item.verdict.value,
                    "failed": list(item.failed),
                    "unknown": list(item.unknown),
                }
                for item in self.criteria
            ],
        }


def evaluate(protocol: Protocol, answers: Mapping[str, Fact], facts: Mapping[str, Fact]) -> Eligibility:
    """Judge a patient by every criterion of a protocol.

    `answers` are the attested inputs, `facts` the others (surgery_date, age_at_surgery, sex); only declared inputs are read.
    FAIL when a criterion fails, else UNKNOWN when one is unknown, else PASS. Raises TypeError for a fact of the wrong kind.
    """
    known = {item.code: (answers if item.attested else facts).get(item.code) for item in protocol.inputs}
    verdicts = tuple(_judge(criterion, known) for criterion in protocol.criteria)
    overall = {item.verdict for item in verdicts}
    verdict = next((worst for worst in (Verdict.FAIL, Verdict.UNKNOWN) if worst in overall), Verdict.PASS)
    awaits = _awaits(protocol, verdicts) if verdict is Verdict.UNKNOWN else ()
    return Eligibility(protocol.id, protocol.version, protocol.digest, verdict, verdicts, awaits)


def completed_years(birth: date, on: date) -> int:
    """Age in completed years on a day; who was born on 29 February grows older on 1 March in common years.

    Raises ValueError when the day lies before birth.
    """
    if on < birth:
        raise ValueError("the birth date lies after the day of surgery")
    return on.year - birth.year - ((on.month, on.day) < (birth.month, birth.day))


def _awaits(protocol: Protocol, verdicts: tuple[CriterionVerdict, ...]) -> tuple[str, ...]:
    dated = {protocol.input(code).dated for item in verdicts for code in item.unknown}
    return tuple(point for point in protocol.timeline if point in dated)


def _judge(criterion: Criterion, facts: Mapping[str, Fact]) -> CriterionVerdict:
    truth = expressions.truth(criterion.expression, facts)
    met: Truth = truth if criterion.kind == "inclusion" or truth is None else not truth
    verdict = {True: Verdict.PASS, False: Verdict.FAIL, None: Verdict.UNKNOWN}[met]
    causes = expressions.causes(criterion.expression, facts)
    return CriterionVerdict(
        criterion.code,
        criterion.version,
        verdict,
        failed=causes if verdict is Verdict.FAIL else (),
        unknown=tuple(code for code in causes if facts.get(code) in (None, "unknown")) if verdict is Verdict.UNKNOWN else (),
    )
