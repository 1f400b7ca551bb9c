"""Which cases deviate, by the rules of conduct: a pure evaluator over facts that the rooms bring. Pure.

A case is one thing that a rule may be about: a participant, a visit, a course. Its facts are dates, numbers and answers that the pages show
anyway; the vocabulary below is closed, and nothing of a prediction or a seal is in it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from studies.expressions import Fact, truth
from studies.governance.conduct import Conduct, DeviationRule

FACTS: dict[str, dict[str, str]] = {
    "participant": {
        "surgery_date": "date",
        "screened_on": "date",
        "consent_on": "date",
        "enrolled_on": "date",
        "imaging_date": "date",
        "ethics_on_enrolment": "answer",
        "reconsent_by": "date",
        "age_at_surgery": "number",
        "today": "date",
    },
    "visit": {"visit_on": "date", "window_opens": "date", "window_closes": "date", "today": "date"},
    "course": {"start": "date", "adjuvant": "answer", "outside_strategies": "answer", "today": "date"},
}
"""What a rule may read of each kind of case, and the kind of each fact."""


@dataclass(frozen=True, slots=True)
class Case:
    """One thing of which rules ask whether it deviates. `key` tells it from every other case of its center."""

    about: str
    key: str
    center: int
    participant: int | None
    facts: Mapping[str, Fact]
    record: str = ""
    record_uuid: UUID | None = None
    field: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """A case that a rule finds to deviate, and the day on which it did."""

    rule: DeviationRule
    case: Case
    occurred_on: date
    key: str = field(default="")


def findings(rules: Conduct, cases: Iterable[Case]) -> Iterator[Finding]:
    """What deviates among cases: every rule whose condition is true. What is not known deviates from nothing."""
    by_kind: dict[str, list[DeviationRule]] = {}
    for rule in rules.deviations:
        by_kind.setdefault(rule.about, []).append(rule)
    for case in cases:
        for rule in by_kind.get(case.about, []):
            occurred = case.facts.get(rule.occurred)
            if truth(rule.when, case.facts) is True and isinstance(occurred, date):
                yield Finding(rule, case, occurred, f"{rule.code}/{case.key}")
