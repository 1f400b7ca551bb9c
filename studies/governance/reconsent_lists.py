"""The re-consent list: participants who signed a version that a newer one replaces, taken by the database, with the day by which."""

from dataclasses import dataclass
from datetime import date
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accounts.once import once
from studies import pages, worklist
from studies.access import Permission, studies_of
from studies.governance import reconsent
from studies.models import ConsentVersion, Participant, Reconsent
from studies.paging import page_of
from studies.vocabulary import Resigning

CODE = "reconsent"


@dataclass(frozen=True)
class Row:
    """One participant who has to sign: which version is held, which is due, and by when."""

    participant: Participant
    held: str
    due: str
    by: date
    late: bool


def waiting(user: User) -> QuerySet[Participant]:
    """Who has to sign again: enrolled, alive, with a signed form older than one that asks for it. Who withdrew is asked for nothing."""
    last = Reconsent.objects.filter(consent__screening=OuterRef("screening")).order_by("-version__valid_from", "-pk")
    signed = Reconsent.objects.filter(consent__screening=OuterRef(OuterRef("screening")), version__valid_from__gte=OuterRef("valid_from"))
    begun, still, asks = _on_the_calendar(user)
    first = OuterRef("screening__consent__version__valid_from")
    newer = ConsentVersion.objects.filter(begun, center=OuterRef("center"), valid_from__gt=first).exclude(Exists(signed))
    rows = pages.participants(user, "running").filter(center__in=_asking(user)).exclude(screening__consent__version=None)
    return rows.filter(Exists(newer.filter(asks)), Exists(newer.filter(still))).annotate(
        held_code=Coalesce(Subquery(last.values("version__code")[:1]), F("screening__consent__version__code"))
    )


@once
def _asking(user: User) -> frozenset[int]:
    """The centers with a version that asks to be signed again. Few have any: nobody else's consents are read, and mostly none."""
    begun, _still, asks = _on_the_calendar(user)
    return frozenset(ConsentVersion.objects.filter(begun, asks).values_list("center", flat=True))


@once
def count(user: User) -> int:
    """The length of the list."""
    return waiting(user).count()


def page(user: User, after: str) -> dict[str, Any]:
    """What the page of the list shows, fifty at a time."""
    shown = page_of(waiting(user), after, total=count(user))
    return {
        "lines": rows_of(shown.rows),
        "rows": shown.rows,
        "total": shown.total,
        "next_url": f"?after={shown.after}" if shown.after else "",
        "first_url": "" if shown.is_first else "?",
    }


def rows_of(found: list[Participant]) -> list[Row]:
    """The lines of participants of `waiting`; one query for all their centers' versions."""
    versions: dict[int, list[reconsent.Version]] = {}
    for each in ConsentVersion.objects.filter(center__in={person.center_id for person in found}):
        versions.setdefault(each.center_id, []).append(as_fact(each))
    return [_row(person, versions[person.center_id]) for person in found]


def as_fact(version: ConsentVersion) -> reconsent.Version:
    """A version as the pure rules read it."""
    said = (version.reconsent, version.reconsent_by, version.covers_earlier)
    return reconsent.Version(version.code, version.valid_from, *said, version.valid_until)


def _row(person: Any, versions: list[reconsent.Version]) -> Row:
    held = next(each for each in versions if each.code == person.held_code)
    today, surgery = person.study.today(), person.screening.surgery_date
    due = reconsent.due(held, versions, surgery=surgery, visits=person.study.protocol.visits, on=today)
    if due is None:
        raise ValueError(f"{person} waits for no version")
    return Row(person, held.code, due.version.code, due.by, due.by < today)


def _on_the_calendar(user: User) -> tuple[Q, Q, Q]:
    """The versions that have begun today, that may still be signed today, by each study's calendar, and that ask to be signed again."""
    days = [(Q(center__study=study), study.today()) for study in studies_of(user, Permission.PARTICIPANT_VIEW)]
    begun = reduce(or_, (study & Q(valid_from__lte=day) for study, day in days), Q(pk=None))
    still = reduce(or_, (study & (Q(valid_until=None) | Q(valid_until__gte=day)) for study, day in days), Q(pk=None))
    return begun, still, Q(reconsent__in=[Resigning.ALL, Resigning.ON_NEXT_VISIT])


def _counts(user: User) -> dict[str, int]:
    return {CODE: count(user)}


def _work(user: User, code: str, limit: int) -> list[worklist.Row]:
    return [
        worklist.Row(
            row.participant.study_number,
            reverse("consent-history", args=[row.participant.uuid]),
            row.participant.screening.surgery_date,
            (row.participant.study.today() - row.participant.screening.surgery_date).days,
            _("Have the newer version of the consent form signed"),
            f"{row.held} → {row.due}, {row.by.isoformat()}",
            "overdue" if row.late else "reconsent_due",
            _("Record"),
            row.late,
        )
        for row in rows_of(list(waiting(user).order_by("screening__surgery_date", "pk")[:limit]))
    ]


DUTIES = worklist.Source({CODE: _("Newer consent form to be signed")}, _counts, _work)
"""The duty that this list brings to the worklist."""
