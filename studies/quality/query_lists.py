"""The list of queries as a page: filters whose counts are the lengths of their lists, the oldest query on top."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from functools import reduce
from operator import or_
from typing import Any
from urllib.parse import urlencode

from django.db.models import Count, Q, QuerySet
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.once import once
from studies.access import centers_for, studies_of
from studies.lists import choices
from studies.models import Participant, Query, Study
from studies.paging import page_of
from studies.quality import queries, rules, sources
from studies.quality.pointer import Pointer
from studies.quality.sources import Held
from studies.vocabulary import QueryStatus

FILTERS: dict[str, Promise] = {
    "waiting": gettext_lazy("Not closed"),
    "site": gettext_lazy("The site's turn"),
    "answered": gettext_lazy("Answered, to be closed"),
    "overdue": gettext_lazy("Overdue"),
    "closed": gettext_lazy("Closed"),
    "all": gettext_lazy("All"),
}


@dataclass(frozen=True)
class Row:
    """One query of the list: whose, about what, what is asked, how old it is and whether that is too old."""

    query: Query
    number: str
    url: str
    about: str
    value: str
    place: str
    question: str
    origin: str
    age: int
    state: str


def conditions(user: User) -> dict[str, Q]:
    """The lists by their code."""
    waiting = queries.not_closed()
    late = [
        Q(center__study=study, raised_on__lt=study.today() - timedelta(days=rules.in_force(study.protocol_id).overdue_days))
        for study in studies_of(user, queries.VIEW)
    ]
    return {
        "waiting": waiting,
        "site": Q(status__in=queries.WAITING),
        "answered": Q(status=QueryStatus.ANSWERED),
        "overdue": waiting & reduce(or_, late, Q(pk=None)),
        "closed": Q(status=QueryStatus.CLOSED),
        "all": Q(),
    }


def narrowed(user: User, narrow: dict[str, str]) -> QuerySet[Query]:
    """The queries a person may see, of one center, one rule or one kind of record where the address asks for it."""
    rows = queries.queries_for(user)
    if narrow.get("center"):
        rows = rows.filter(center__code=narrow["center"])
    if narrow.get("record"):
        rows = rows.filter(record=narrow["record"])
    return rows.filter(rule=narrow["rule"]) if narrow.get("rule") else rows


def counts(user: User, narrow: dict[str, str] | None = None) -> dict[str, int]:
    """How long each list is, in one query besides that for the studies."""
    wanted = {code: Count("pk", filter=condition) for code, condition in conditions(user).items() if condition}
    return narrowed(user, narrow or {}).aggregate(all=Count("pk"), **wanted)


def listed(user: User, state: str, narrow: dict[str, str] | None = None) -> QuerySet[Query]:
    """One list, the oldest query first."""
    return narrowed(user, narrow or {}).filter(conditions(user)[state]).order_by("pk")


def waiting_count(user: User) -> int:
    """The length of the list that the navigation opens."""
    return own_counts(user)["waiting"]


@once
def own_counts(user: User) -> dict[str, int]:
    """How long each list is, of everything a person may see."""
    return counts(user)


def page(user: User, *, state: str, after: str, narrow: dict[str, str]) -> dict[str, Any]:
    """What the page of queries shows."""
    narrow = {key: value for key, value in narrow.items() if value}
    lengths = counts(user, narrow) if narrow else own_counts(user)
    state, filters = choices(FILTERS, lengths, state)
    shown = page_of(listed(user, state, narrow), after, oldest_first=True, total=lengths[state])
    kept = urlencode(narrow)
    closable = set(centers_for(user, queries.CLOSE).values_list("pk", flat=True))
    rows = describe(shown.rows)
    return {
        "rows": [(row, row.query.center_id in closable and row.query.status != QueryStatus.CLOSED) for row in rows],
        "filters": filters,
        "state": state,
        "narrow": narrow,
        "kept": f"&{kept}" if kept else "",
        "total": shown.total,
        "next_url": f"?{urlencode({'state': state, 'after': shown.after, **narrow})}" if shown.after else "",
        "first_url": "" if shown.is_first else f"?{urlencode({'state': state, **narrow})}",
        "may_close": bool(closable),
        "may_raise": centers_for(user, queries.RAISE).exists(),
        "empty": _("No query waits for anybody.") if state == "waiting" else _("No query is in this state."),
    }


def describe(found: Iterable[Query]) -> list[Row]:
    """The rows of a list; the fields that the queries point at are read together."""
    listed_queries = list(found)
    people = {each.participant_id: each.participant for each in listed_queries if each.participant}
    held = {each.pointer: each for each in sources.held(list(people.values()), {each.record for each in listed_queries})}
    return [_row(each, held) for each in listed_queries]


def marks(user: User, participant: Participant) -> list[tuple[Pointer, Row]]:
    """What stands beside the fields of a participant: the queries that are not closed, by where they point."""
    standing = queries.queries_for(user).filter(queries.not_closed(), participant=participant).order_by("pk")
    return [(pointer_of(each), _row(each, {})) for each in standing]


def question(query: Query) -> str:
    """What is asked, in the reader's language; a rule's message as it stood in the version that judged."""
    if query.text:
        return str(query.text)
    rule = rules.rule_as_judged(query.center.study.protocol_id, query.rule, query.rule_version)
    return rule.message.say(get_language()) if rule else str(query.rule)


def state_of(query: Query) -> str:
    """The word of the status vocabulary for a query today."""
    if query.status == QueryStatus.CLOSED:
        return "query_closed"
    if age(query) > rules.in_force(query.center.study.protocol_id).overdue_days:
        return "query_overdue"
    return "query_answered" if query.status == QueryStatus.ANSWERED else "query"


def age(query: Query) -> int:
    """How many days the query has been, or had been when it was closed."""
    return ((query.closed_on or query.center.study.today()) - query.raised_on).days


def pointer_of(query: Query) -> Pointer:
    """What a query points at."""
    return Pointer(query.record, query.record_uuid, query.field)


def place_of(participant: Participant) -> str:
    """The page of a participant."""
    return reverse("participant", args=[participant.uuid])


def _row(query: Query, held: dict[Pointer, Held]) -> Row:
    at = held.get(pointer_of(query))
    number = query.participant.study_number if query.participant else str(query.center)
    place = at.url if at else place_of(query.participant) if query.participant else ""
    origin = f"{query.rule} {query.rule_version}" if query.rule else str(query.raised_by)
    return Row(
        query, number, reverse("query", args=[query.uuid]), at.label if at else query.field, at.shown if at else "", place,
        question(query), origin, age(query), state_of(query),
    )  # fmt: skip


def study_of(user: User) -> Study | None:
    """The study whose queries a person works on."""
    return next(iter(studies_of(user, queries.VIEW)), None)
