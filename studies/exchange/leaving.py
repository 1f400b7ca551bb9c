"""Participants as they leave: batch by batch, their records with every date shifted by the participant's own offset (DI-04).

Nobody's true date leaves unless an unshifted export was asked for with a reason by who may.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from studies.dictionary import DATES
from studies.exchange import date_shift, row_tokens
from studies.exchange.parts import Part, Record
from studies.models import Participant, Study
from studies.values import Value

BATCH = 200


@dataclass(frozen=True)
class Leaver:
    """One participant with the records of every part, dates already as they leave; `days` is what they were shifted by."""

    participant: Participant
    records: dict[str, list[Record]]
    days: int

    def moved(self, at: datetime) -> datetime:
        """An instant of the trail, shifted like the dates."""
        return at + timedelta(days=self.days)


def leavers(study: Study, parts: list[Part], *, shifted: bool) -> Iterator[list[Leaver]]:
    """Everybody of a study in the order of study numbers, in batches; the number of queries is one per part and batch."""
    people = Participant.objects.filter(study=study).select_related("center", "screening").order_by("study_number")
    batch: list[Participant] = []
    for participant in people.iterator(BATCH):
        batch.append(participant)
        if len(batch) == BATCH:
            yield _batch(batch, parts, shifted)
            batch = []
    if batch:
        yield _batch(batch, parts, shifted)


def _batch(people: list[Participant], parts: list[Part], shifted: bool) -> list[Leaver]:
    records = {part.form.code: part.records(people) for part in parts}
    found = []
    for participant in people:
        days = row_tokens.offset(participant.study_number) if shifted else 0
        own = {part.form.code: [_moved(part, each, days) for each in records[part.form.code].get(participant.pk, [])] for part in parts}
        found.append(Leaver(participant, own, days))
    return found


def _moved(part: Part, record: Record, days: int) -> Record:
    return replace(record, values={code: moved_value(part, code, value, days) for code, value in record.values.items()}) if days else record


def moved_value(part: Part, code: str, value: Value, days: int) -> Value:
    """A value with its dates shifted; what was typed of a date stays behind."""
    if not days:
        return value
    item = part.form.by_code.get(code)
    if item is not None and item.kind in DATES and value.value:
        value = replace(value, value=date_shift.shift(value.value, days), typed="")
    return replace(value, on=date_shift.shift(value.on, days)) if value.on else value
