"""Asking about a value, answering, closing, asking again (AU-06): the one way a query moves.

The site answers, with or without having corrected the value; only who holds `query.close` (data manager, monitor) closes. A query
of an edit check closes by itself once the data no longer make it fire. No text may carry an identity: `check_text` refuses a citizen
number and has everything that looks like one confirmed.
"""

from collections.abc import Iterable, Mapping
from datetime import date

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import audit
from accounts.models import User
from accounts.saving import save_checked
from accounts.transitions import NotAllowedNow, advance
from studies.access import centers_for, require
from studies.models import Center, Participant, Query, QueryMessage
from studies.quality.identity import Likeness, likenesses
from studies.quality.pointer import Pointer
from studies.vocabulary import QueryMove, QueryStatus

VIEW, RAISE, ANSWER, CLOSE = "query.view", "query.raise", "query.answer", "query.close"
WAITING = (QueryStatus.OPEN, QueryStatus.REOPENED)
"""The site's turn."""
LONGEST = 2000


def queries_for(user: User, permission: str = VIEW) -> QuerySet[Query]:
    """The queries of the centers at which a person holds `permission`, with what a row shows joined."""
    joined = ("center__study", "participant__study", "participant__screening", "participant__center", "raised_by", "closed_by")
    return Query.objects.filter(center__in=centers_for(user, permission)).select_related(*joined)


def not_closed() -> Q:
    """The condition on queries that still wait for somebody."""
    return ~Q(status=QueryStatus.CLOSED)


@transaction.atomic
def ask(*, pointer: Pointer, participant: Participant, text: str, by: User, confirmed: bool = False) -> Query:
    """Raise a query about one field of a participant. Raises ValidationError for a text that is empty or looks like an identity."""
    require(by, RAISE, participant.center)
    text = check_text(text, confirmed=confirmed)
    query = _new(pointer, participant.center, participant, participant.study.today(), by)
    query.text = text
    with audit.act(by=by, action="query.raised"):
        return _open(query, text, by)


@transaction.atomic
def ask_many(*, pointers: Mapping[Participant, Pointer], text: str, by: User, confirmed: bool = False) -> list[Query]:
    """Raise the same question for several participants; all or none."""
    return [ask(pointer=pointer, participant=whom, text=text, by=by, confirmed=confirmed) for whom, pointer in pointers.items()]


@transaction.atomic
def raise_by_rule(
    *,
    pointer: Pointer,
    center: Center,
    rule: str,
    rule_version: str,
    seen: Mapping[str, str],
    participant: Participant | None = None,
    text: str = "",
) -> Query:
    """Raise a query for a rule that fires; `text` only for rules without a message of their own. The caller holds a lock on its subject."""
    by = User.objects.system()
    query = _new(pointer, center, participant, center.study.today(), by)
    query.rule, query.rule_version, query.seen, query.text = rule, rule_version, dict(seen), text
    with audit.act(by=by, action="query.raised_by_rule"):
        return _open(query, "", by)


@transaction.atomic
def see_again(*, query: Query, pointer: Pointer, rule_version: str, seen: Mapping[str, str]) -> Query:
    """Note what makes a rule fire now, where it points, and by which version it was judged."""
    now = (pointer.record, pointer.uuid, pointer.field, rule_version, dict(seen))
    if now == (query.record, query.record_uuid, query.field, query.rule_version, query.seen):
        return query
    query.record, query.record_uuid, query.field, query.rule_version, query.seen = now
    with audit.act(by=User.objects.system(), action="query.seen_again"):
        query.save(update_fields=["record", "record_uuid", "field", "rule_version", "seen"])
    return query


@transaction.atomic
def answer(*, query: Query, text: str, corrected: bool | None, by: User, confirmed: bool = False) -> Query:
    """Answer for the site, saying whether the value was corrected. Raises NotAllowedNow unless it is the site's turn."""
    require(by, ANSWER, query.center)
    if corrected is None:
        raise ValidationError({"corrected": _("Say whether the value was corrected.")})
    text = check_text(text, confirmed=confirmed)
    return _move(query, QueryStatus.ANSWERED, QueryMove.ANSWERED, text, by, corrected=corrected)


@transaction.atomic
def close(*, query: Query, reason: str, by: User, confirmed: bool = False) -> Query:
    """Close a query, saying why. A rule that still fires on the same facts is thereby accepted and stays quiet about them."""
    require(by, CLOSE, query.center)
    return _move(query, QueryStatus.CLOSED, QueryMove.CLOSED, check_text(reason, "reason", confirmed=confirmed), by)


@transaction.atomic
def close_many(*, queries: Iterable[Query], reason: str, by: User, confirmed: bool = False) -> list[Query]:
    """Close several with one reason; all or none."""
    return [close(query=query, reason=reason, by=by, confirmed=confirmed) for query in sorted(queries, key=lambda each: each.pk)]


@transaction.atomic
def close_by_rule(*, query: Query) -> Query:
    """Close a rule's query because the data no longer make it fire."""
    return _move(query, QueryStatus.CLOSED, QueryMove.CLOSED, "", User.objects.system())


@transaction.atomic
def reopen(*, query: Query, reason: str, by: User, confirmed: bool = False) -> Query:
    """Ask again: the answer does not do. Raises NotAllowedNow for a rule's closed query, whose rule asks again by itself."""
    require(by, CLOSE, query.center)
    if query.rule and query.status == QueryStatus.CLOSED:
        raise NotAllowedNow(_("A closed query of an edit check is not reopened: the rule asks again when the data call for it."))
    return _move(query, QueryStatus.REOPENED, QueryMove.REOPENED, check_text(reason, "reason", confirmed=confirmed), by)


def check_text(text: str, field: str = "text", *, confirmed: bool = False) -> str:
    """The text without blanks around it. Raises ValidationError when it is empty, too long, or looks like somebody's identity."""
    text = text.strip()
    if not text:
        raise ValidationError({field: _("Write a sentence: it is what the other side reads.")})
    if len(text) > LONGEST:
        raise ValidationError({field: _("Keep it under %(most)d characters.") % {"most": LONGEST}})
    found = likenesses(text)
    if Likeness.CITIZEN in found:
        raise ValidationError({field: _("This text contains a citizen identity number. Identities stay at the hospital: take it out.")})
    if found and not confirmed:
        sentence = _("This text contains a number that looks like a telephone or identity number. Take it out, or confirm that it is none.")
        raise ValidationError({field: ValidationError(sentence, code="identity")})
    return text


def _new(pointer: Pointer, center: Center, participant: Participant | None, on: date, by: User) -> Query:
    return Query(
        center=center, participant=participant, record=pointer.record, record_uuid=pointer.uuid, field=pointer.field,
        raised_on=on, turned_on=on, raised_at=timezone.now(), raised_by=by,
    )  # fmt: skip


def _open(query: Query, text: str, by: User) -> Query:
    save_checked(query)
    _say(query, QueryMove.RAISED, text, by)
    return query


def _move(query: Query, to: str, move: str, text: str, by: User, *, corrected: bool | None = None) -> Query:
    with audit.act(by=by, action=f"query.{move}", reason=text):
        query = advance(query, to)
        query.turned_on = max(query.center.study.today(), query.raised_on)
        closed = to == QueryStatus.CLOSED
        query.closed_on = query.turned_on if closed else None
        query.closed_at, query.closed_by = (timezone.now(), by) if closed else (None, None)
        save_checked(query)
        _say(query, move, text, by, corrected=corrected)
    return query


def _say(query: Query, move: str, text: str, by: User, *, corrected: bool | None = None) -> None:
    message = QueryMessage(query=query, move=move, text=text, corrected=corrected, said_at=timezone.now(), said_by=by)
    save_checked(message)
