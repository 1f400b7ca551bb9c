"""The calculated items of a participant: the scores of what is recorded, with the age at surgery and the center's upper limit of AST."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from studies import entry, scores
from studies.dictionary import Dictionary, Item
from studies.laboratory import ranges
from studies.models import Center, Entry, Participant, ReferenceRange
from studies.values import Value, decimal

LIMITED, LIMIT = "ast", "ast_upper_limit"


@dataclass(frozen=True, slots=True)
class Around:
    """What scores need beside the entries: the ranges of AST at some centers, read once."""

    book: Dictionary
    rows: tuple[ReferenceRange, ...]

    @classmethod
    def of(cls, book: Dictionary, centers: Iterable[Center], items: Iterable[Item]) -> "Around":
        """For these calculated items; one query where one of them needs the limit, otherwise none."""
        needed = any(LIMIT in scores.CALCULATIONS[item.calculation].inputs for item in items) and book.has(LIMITED)
        return cls(book, tuple(ranges.of_item(centers, LIMITED)) if needed else ())

    def compute(self, item: Item, participant: Participant, known: Mapping[str, Value]) -> scores.Score:
        """The score of one calculated item from the values that are asked of a participant."""
        line = participant.screening
        facts = dict(known)
        if line.age_at_surgery is not None:
            facts["age_at_surgery"] = Value(str(line.age_at_surgery))
        limits = self._limits(participant, known)
        if limits is not None and limits.high is not None:
            facts[LIMIT] = Value(decimal(limits.high))
        return scores.compute(item.calculation, facts)

    def _limits(self, participant: Participant, known: Mapping[str, Value]) -> ranges.Limits | None:
        """The limits of AST at the center on the day of its sampling, and on that of surgery where the day is not known."""
        own = [row for row in self.rows if row.center_id == participant.center_id]
        if not own:
            return None
        form = self.book.form_of(LIMITED)
        sampled = known.get(LIMITED, Value()).on or known.get(form.dated_by, Value()).value
        on = date.fromisoformat(sampled) if len(sampled) == len("2026-01-01") else participant.screening.surgery_date
        return ranges.among(own, self.book.item(LIMITED), on=on, sex=participant.screening.sex)


def of_all(book: Dictionary, participants: Iterable[Participant], items: Iterable[Item]) -> dict[int, dict[str, Value]]:
    """{participant's key: {calculated item: its value}} of everybody whose values allow it; two queries."""
    people, wanted = list(participants), list(items)
    around = Around.of(book, {each.center for each in people}, wanted)
    known: dict[int, dict[str, Value]] = {each.pk: {} for each in people}
    for row in Entry.objects.filter(participant__in=people, occurrence="").order_by("pk"):
        known[row.participant_id] |= entry.open_values(book.id, row)
    return {
        each.pk: {item.code: Value(score.value) for item in wanted if (score := around.compute(item, each, known[each.pk])).value}
        for each in people
    }
