"""Which records people may ask about: every clinical model by its label, how it leads to a participant, what guards it.

One line here serves the history, the state at a time, the content of a signature and the triggers of a lock. Rooms above bring
their own kinds; `prime_platform.records` puts all of them together. Nothing of a prediction is ever in this table.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from typing import Any, Literal
from uuid import UUID

from django.db import models
from django.db.models import Q, QuerySet
from django.utils.functional import Promise

from accounts.models import User
from studies import access
from studies.models import Participant, Study

Leads = Literal["participant", "screening", "center", "study"]
BOOKKEEPING = frozenset({"id", "uuid", "recorded_at", "recorded_by_id", "participant_id", "screening_id", "center_id", "study_id"})
"""Columns that say whose a record is and who typed it when: they are not what a signature is given for."""


@dataclass(frozen=True)
class Guard:
    """When a lock refuses: the operations, and a condition on the row (SQL over OLD and NEW) where not every write counts."""

    on: str = "INSERT OR UPDATE OR DELETE"
    when: str = ""


ALWAYS = Guard()


@dataclass(frozen=True)
class Kind:
    """One model: its word, the way from it to what it belongs to, who may read it, and how locks and signatures treat it.

    `way` is a lookup from the model that ends at what `leads` names; it is empty when the model is that itself.
    `unguarded` says why no lock holds it, where `guard` is None; `study_ways` are the lookups of its study, where the way may be empty.
    """

    model: type[models.Model]
    word: Promise
    permission: str
    way: str = "participant"
    leads: Leads = "participant"
    guard: Guard | None = ALWAYS
    unguarded: str = ""
    signed: bool = False
    signed_columns: frozenset[str] = frozenset()
    words: Mapping[str, Promise] = field(default_factory=dict)
    hidden: frozenset[str] = frozenset()
    item: Callable[[Any, str], str] | None = None
    """(row, code) → the words of one answer inside the row."""
    answer: Callable[[Any, str, str, Any], str | None] | None = None
    """(row, column, code of an answer inside it, value) → the value in words; None to say it like any other."""
    study_ways: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        return self.model._meta.label

    @property
    def events(self) -> type[models.Model]:
        """The table of its history."""
        return self.model._meta.get_field("events").related_model  # type: ignore[return-value]

    @property
    def has_uuid(self) -> bool:
        return any(one.name == "uuid" for one in self.model._meta.concrete_fields)

    @property
    def columns(self) -> list[str]:
        """The columns whose history is kept and may be shown."""
        kept = {one.attname for one in self.events._meta.concrete_fields}
        return [one.attname for one in self.model._meta.concrete_fields if one.attname in kept and one.attname not in self.hidden]

    @property
    def aside(self) -> list[str]:
        """The columns that a signature leaves out."""
        columns = [one.column for one in self.model._meta.concrete_fields]
        return [name for name in columns if (name not in self.signed_columns if self.signed_columns else name in BOOKKEEPING)]

    def of(self, participant: Participant) -> dict[str, Any]:
        """The lookup that finds this participant's rows, among the rows and among their events."""
        target = participant.screening_id if self.leads == "screening" else participant.pk
        return {self.way or "id": target}

    def in_study(self, study: Study) -> Q:
        """The condition that finds the rows, or events, of one study."""
        own = {"participant": "study", "screening": "center__study", "center": "study"}.get(self.leads, "")
        ways = self.study_ways or ("__".join(filter(None, [self.way, own])) or "id",)
        return reduce(or_, (Q(**{way: study.pk}) for way in ways))

    def rows_for(self, user: User) -> QuerySet[Any]:
        """The rows a person may read."""
        scope: QuerySet[Any]
        match self.leads:
            case "participant":
                scope = access.participants_for(user, self.permission)
            case "screening":
                scope = access.screenings_for(user, self.permission)
            case "center":
                scope = access.centers_for(user, self.permission)
            case "study":
                scope = access.studies_for(user, self.permission)
        return self.model._default_manager.filter(Q(**{f"{self.way or 'pk'}__in": scope.values("pk")}))


KINDS: dict[str, Kind] = {}
"""By model label; filled once, when the platform starts."""
BESIDE: list[Callable[[Participant], Iterable[UUID]]] = []
"""Further public ids under which a participant is read or exported, though they are no records with a history (measured features)."""


def register(kinds: Iterable[Kind]) -> None:
    """Make kinds known."""
    KINDS.update({kind.label: kind for kind in kinds})


def subjects(participant: Participant) -> set[UUID]:
    """Every public id under which something of the participant can be asked for."""
    found = {uuid for also in BESIDE for uuid in also(participant)}
    for kind in of_participants():
        if kind.has_uuid:
            found |= set(kind.model._default_manager.filter(**kind.of(participant)).values_list("uuid", flat=True))
    return found


def of_participants() -> list[Kind]:
    """The kinds whose rows belong to a participant, in the order of registration."""
    return [kind for kind in KINDS.values() if kind.leads in ("participant", "screening")]


def signed() -> list[Kind]:
    """The kinds that a signature over a participant covers."""
    return [kind for kind in KINDS.values() if kind.signed]


def find(user: User, uuid: UUID) -> tuple[Kind, Any] | None:
    """The record of that public id among all kinds, if the person may read it."""
    for kind in KINDS.values():
        if kind.has_uuid and (row := kind.rows_for(user).filter(uuid=uuid).first()):
            return kind, row
    return None
