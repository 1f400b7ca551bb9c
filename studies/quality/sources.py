"""What the rooms tell about their rows: fields with their words and values for queries and verification, facts for edit checks.

This room's own source stands in `studies.quality.own`; rooms above are joined by `prime_platform.quality` when the platform starts.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from studies.models import Participant, Study
from studies.quality.expression import Value
from studies.quality.pointer import Pointer


@dataclass(frozen=True, slots=True)
class Held:
    """One recorded field of a participant: where it stands, its words, its value as stored and as read, and the page that shows it.

    `verification` is critical, sampled or none; `form` names the group in which a person verifies it.
    """

    participant: int
    pointer: Pointer
    form: str
    form_text: str
    label: str
    stored: str
    shown: str
    url: str
    verification: str = "none"


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact that edit checks read, and the field that a query about it points at (none: its participant)."""

    value: Value
    pointer: Pointer | None = None
    said: str = ""


Facts = dict[str, Fact]
Wanted = Callable[[str], bool]
"""Whether rows of a model, by its label, are asked for: a source reads no table that nobody wants."""


@dataclass(frozen=True)
class Source:
    """What one room brings; each function takes a fixed number of queries whatever the number of participants.

    `kinds` declares every code of `facts` with its kind (number, choice or date), so that a rule with a misspelt code is found.
    """

    name: str
    held: Callable[[Sequence[Participant], Wanted], Iterable[Held]]
    facts: Callable[[Sequence[Participant]], Mapping[int, Facts]]
    kinds: Callable[[Study], Mapping[str, str]]


SOURCES: dict[str, Source] = {}
"""Every room's source by its name."""


def register(source: Source) -> None:
    """Join a room's source; the same name again takes its place."""
    SOURCES[source.name] = source


def held(participants: Sequence[Participant], records: Collection[str] | None = None) -> list[Held]:
    """Every recorded field of these participants, or of the rows of some models only, in the order of the rooms."""

    def wanted(label: str) -> bool:
        return records is None or label in records

    return [each for source in SOURCES.values() for each in source.held(participants, wanted) if wanted(each.pointer.record)]


def facts(participants: Sequence[Participant]) -> dict[int, Facts]:
    """The facts of these participants by primary key; a code that is not known is absent."""
    joined: dict[int, Facts] = {each.pk: {} for each in participants}
    for source in SOURCES.values():
        for key, known in source.facts(participants).items():
            joined[key] |= known
    return joined


def kinds(study: Study) -> dict[str, str]:
    """Every code that a rule of this study may read, with its kind."""
    return {code: kind for source in SOURCES.values() for code, kind in source.kinds(study).items()}
