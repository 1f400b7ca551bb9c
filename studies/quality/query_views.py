"""Pages of queries: what is wrong, who answers? They read and hand over; the rules stand in `studies.quality.queries`."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from studies import access
from studies.models import Participant, Query
from studies.quality import own, queries, query_lists, sources
from studies.quality.pointer import Pointer
from studies.quality.query_forms import AnswerForm, AskForm, AskManyForm, TextForm
from studies.vocabulary import QueryStatus

NARROW = ("center", "rule", "record")
MOVES: dict[str, tuple[type[TextForm], str]] = {
    "answer": (AnswerForm, queries.ANSWER),
    "close": (TextForm, queries.CLOSE),
    "reopen": (TextForm, queries.CLOSE),
}
"""The moves that a person may make, with their form and permission."""


@require_GET
def query_list(request: HttpRequest) -> HttpResponse:
    """Which values are asked about, the oldest question first?"""
    _seen_by(request)
    narrow = {key: request.GET.get(key, "")[:40] for key in NARROW}
    context = query_lists.page(request.user, state=request.GET.get("state", ""), after=request.GET.get("after", ""), narrow=narrow)
    return render(request, "studies/quality/queries.html", context)


@require_GET
def query_page(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """What is wrong, who answers?"""
    return _query_page(request, _query(request, uuid))


@require_POST
def query_move(request: HttpRequest, uuid: UUID, move: str) -> HttpResponse:
    """Answer, close or ask again."""
    query = _query(request, uuid)
    form_class, permission = MOVES[move]
    access.require(request.user, permission, query.center)
    form = form_class(request.POST, auto_id=f"id_{move}_%s")
    if form.is_valid() and _attempt(form, lambda: _write(move, query, form, request)) is not None:
        messages.success(request, {"answer": _("Answered."), "close": _("Closed."), "reopen": _("Asked again.")}[move])
        return redirect("query", query.uuid)
    return _query_page(request, query, {move: form})


@require_POST
def queries_close(request: HttpRequest) -> HttpResponse:
    """Close the marked queries with one reason."""
    chosen = list(queries.queries_for(request.user).filter(uuid__in=_uuids(request.POST.getlist("query"))))
    if not chosen:
        raise ValidationError(_("Mark the queries that are to be closed."))
    reason, confirmed = request.POST.get("reason", ""), request.POST.get("confirmed") == "on"
    queries.close_many(queries=chosen, reason=reason, by=request.user, confirmed=confirmed)
    sentence = ngettext("%(n)s query closed.", "%(n)s queries closed.", len(chosen)) % {"n": len(chosen)}
    messages.success(request, sentence)
    return redirect("queries")


@require_http_methods(["GET", "POST"])
def query_new(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """What is to be asked about this participant?"""
    person = get_object_or_404(access.participants_for(request.user), uuid=uuid)
    access.require(request.user, queries.RAISE, person.center)
    sent = request.POST if request.method == "POST" else None
    form = AskForm(sent, held=sources.held([person]), initial={"at": request.GET.get("at", "")})
    if sent is not None and form.is_valid():
        given = form.cleaned_data
        query = _attempt(
            form,
            lambda: queries.ask(pointer=given["at"], participant=person, text=given["text"], confirmed=given["confirmed"], by=request.user),
        )
        if query is not None:
            messages.success(request, _("Asked: the query stands on the site's list."))
            return redirect("query", query.uuid)
    return render(request, "studies/quality/query_new.html", {"participant": person, "form": form}, status=400 if form.errors else 200)


@require_http_methods(["GET", "POST"])
def queries_raise(request: HttpRequest) -> HttpResponse:
    """What is to be asked about several participants at once?"""
    study = access.studies_for(request.user, queries.RAISE).order_by("pk").first()
    if study is None:
        raise PermissionDenied
    form = AskManyForm(request.POST if request.method == "POST" else None, fields=own.fields(study, get_language()))
    if request.method == "POST" and form.is_valid() and (made := _attempt(form, lambda: _ask_many(form, request))):
        messages.success(request, ngettext("%(n)s query raised.", "%(n)s queries raised.", len(made)) % {"n": len(made)})
        return redirect("queries")
    return render(request, "studies/quality/queries_raise.html", {"form": form}, status=400 if form.errors else 200)


def _ask_many(form: AskManyForm, request: HttpRequest) -> list[Query]:
    given = form.cleaned_data
    people = {each.study_number: each for each in access.participants_for(request.user).filter(study_number__in=given["numbers"])}
    if unknown := [number for number in given["numbers"] if number not in people]:
        raise ValidationError({"numbers": _("Nobody here has the number %(numbers)s.") % {"numbers": ", ".join(unknown)}})
    at = {each.participant: each.pointer for each in sources.held(list(people.values())) if each.pointer.field == given["field"]}
    pointers = {each: at.get(each.pk, Pointer(own.PARTICIPANT, each.uuid, given["field"])) for each in people.values()}
    return queries.ask_many(pointers=pointers, text=given["text"], confirmed=given["confirmed"], by=request.user)


def _query_page(request: HttpRequest, query: Query, sent: dict[str, TextForm] | None = None) -> HttpResponse:
    [row] = query_lists.describe([query])
    labels = _labels(query)
    context = {
        "query": query,
        "row": row,
        "thread": query.messages.select_related("said_by").order_by("pk"),
        "seen": [(labels.get(code, code), value) for code, value in query.seen.items()],
        "forms": {move: (sent or {}).get(move) or form(auto_id=f"id_{move}_%s") for move, form in _open_to(request, query).items()},
        "sent": list((sent or {}).values()),
    }
    return render(request, "studies/quality/query.html", context, status=400 if sent else 200)


def _open_to(request: HttpRequest, query: Query) -> dict[str, type[TextForm]]:
    """The moves that this person may make now."""
    reachable = {
        "answer": QueryStatus.ANSWERED in Query.TRANSITIONS[query.status],
        "close": QueryStatus.CLOSED in Query.TRANSITIONS[query.status],
        "reopen": QueryStatus.REOPENED in Query.TRANSITIONS[query.status] and not (query.rule and query.status == QueryStatus.CLOSED),
    }
    return {
        move: form for move, (form, permission) in MOVES.items() if reachable[move] and access.may(request.user, permission, query.center)
    }


def _labels(query: Query) -> dict[str, str]:
    people: list[Participant] = [query.participant] if query.participant else []
    return {each.pointer.field: each.label for each in sources.held(people)} if query.seen else {}


def _write(move: str, query: Query, form: TextForm, request: HttpRequest) -> Query:
    text, confirmed = form.cleaned_data["text"], form.cleaned_data["confirmed"]
    if move == "answer":
        corrected = {"yes": True, "no": False}.get(form.cleaned_data["corrected"])
        return queries.answer(query=query, text=text, corrected=corrected, confirmed=confirmed, by=request.user)
    write = queries.close if move == "close" else queries.reopen
    return write(query=query, reason=text, confirmed=confirmed, by=request.user)


def _attempt(form: TextForm, write: Callable[[], Any]) -> Any:
    """Do the write; what it refuses stands at its field, and a number that may be an identity has its confirmation asked."""
    try:
        return write()
    except ValidationError as error:
        for field, faults in getattr(error, "error_dict", {"": [error]}).items():
            form.refuse({"reason": "text"}.get(field, field), [sentence for fault in faults for sentence in fault.messages])
            if any(fault.code == "identity" for fault in faults):
                form.ask_to_confirm()
    return None


def _query(request: HttpRequest, uuid: UUID) -> Query:
    return get_object_or_404(queries.queries_for(request.user), uuid=uuid)


def _uuids(texts: list[str]) -> list[UUID]:
    try:
        return [UUID(text) for text in texts]
    except ValueError:
        raise ValidationError(_("Mark the queries that are to be closed.")) from None


def _seen_by(request: HttpRequest) -> None:
    if queries.VIEW not in access.permissions_of(request.user):
        raise PermissionDenied
