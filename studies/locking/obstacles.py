"""What stands against a lock: a small register to which every part adds what it knows (open queries, missing signatures).

An obstacle is a sentence with the list that proves it; a lock needs that there is none.
"""

from collections.abc import Callable
from dataclasses import dataclass

from django.db.models import QuerySet

from studies.models import Center, Participant, Study


@dataclass(frozen=True)
class Target:
    """What is to be locked: a record of a participant, a participant, a center, or the whole study."""

    study: Study
    center: Center | None = None
    participant: Participant | None = None
    record: str = ""
    record_uuid: str = ""

    @property
    def participants(self) -> QuerySet[Participant]:
        """The participants it covers."""
        rows = Participant.objects.filter(study=self.study)
        if self.participant is not None:
            return rows.filter(pk=self.participant.pk)
        return rows.filter(center=self.center) if self.center is not None else rows

    def __str__(self) -> str:
        return str(self.participant or self.center or self.study)


@dataclass(frozen=True)
class Obstacle:
    """Why it cannot be locked yet, and where the list behind the sentence is."""

    sentence: str
    url: str = ""


Source = Callable[[Target], list[Obstacle]]
SOURCES: list[Source] = []


def register(source: Source) -> None:
    """Have every lock ask this too."""
    if source not in SOURCES:
        SOURCES.append(source)


def against(target: Target) -> list[Obstacle]:
    """Everything that stands against locking it."""
    return [obstacle for source in SOURCES for obstacle in source(target)]
