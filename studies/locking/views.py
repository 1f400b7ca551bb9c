"""Pages of signing, locking and unlocking. They read and hand over; the rules stand in `signing` and `locks`."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods

from studies import access
from studies.access import Permission
from studies.forms import PageForm
from studies.locking import content, lists, locks, obstacles, signing
from studies.locking import standing as standing_of
from studies.locking.forms import DecideForm, SignForm, UnlockForm, WhyForm
from studies.locking.obstacles import Target
from studies.locking.words import difference_rows, record_rows
from studies.models import Center, Lock, Participant, Study
from studies.trail import kinds


@require_GET
def sign_list(request: HttpRequest) -> HttpResponse:
    """What do I sign?"""
    if Permission.PARTICIPANT_VIEW not in access.permissions_of(request.user):
        raise PermissionDenied
    context = lists.sign_list(request.user, state=request.GET.get("state", ""), after=request.GET.get("after", ""))
    context["casebooks"] = list(access.centers_for(request.user, signing.SIGN).order_by("code"))
    return render(request, "studies/locking/sign_list.html", context)


@sensitive_post_parameters("password", "code")
@require_http_methods(["GET", "POST"])
def sign_center(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Sign the casebook of a center: everybody whose approval is missing or void."""
    center = get_object_or_404(access.centers_for(request.user, Permission.PARTICIPANT_VIEW), uuid=uuid)
    form = SignForm(request.POST or None, by=request.user)
    if request.method == "POST" and form.is_valid():
        made = _attempt(
            form, lambda: signing.sign_center(center=center, meaning=form.cleaned_data["meaning"], proof=form.proof, by=request.user)
        )
        if made:
            messages.success(request, _("Signed: %(n)s participants.") % {"n": len(made)})
            return redirect("sign-list")
    people = list(center.participants.order_by("pk").values_list("pk", flat=True))
    missing = signing.unsigned(people, request.POST.get("meaning", "approved"))
    context = {
        "center": center,
        "form": form if access.may(request.user, signing.SIGN, center) else None,
        "people": Participant.objects.filter(pk__in=missing[: signing.AT_ONCE]).order_by("sequence"),
        "missing": len(missing),
        "at_once": signing.AT_ONCE,
    }
    return render(request, "studies/locking/sign_center.html", context, status=400 if form.errors else 200)


@sensitive_post_parameters("password", "code")
@require_http_methods(["GET", "POST"])
def sign(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """What would I sign here: all records of a participant, or one of them, and what changed since the last signature."""
    participant, label, key = _subject(request, uuid)
    present = content.of_participants([participant.pk])[participant.pk]
    shown = content.of_record(present, label, key) if label else present
    form = SignForm(request.POST or None, by=request.user)
    if request.method == "POST" and form.is_valid():
        write = {"meaning": form.cleaned_data["meaning"], "proof": form.proof, "seen": request.POST.get("seen", ""), "by": request.user}
        if _attempt(form, lambda: signing.sign(participant=participant, record=label, key=key, **write)):
            messages.success(request, _("Signed."))
            return redirect("sign", uuid)
    standing = signing.standings([participant.pk], record=label, key=key)[participant.pk]
    context = {
        "participant": participant,
        "subject": uuid,
        "whole": not label,
        "form": form if access.may(request.user, signing.SIGN, participant.center) else None,
        "seen": content.digest(shown),
        "records": record_rows(shown, participant),
        "standing": standing,
        "changed": difference_rows(standing.changed, participant) if standing else [],
        "given": signing.given(participant, record=label, key=key),
    }
    return render(request, "studies/locking/sign.html", context, status=400 if form.errors else 200)


@require_GET
def lock_list(request: HttpRequest) -> HttpResponse:
    """What is locked, what is open for a while, who asks?"""
    if locks.VIEW not in access.permissions_of(request.user):
        raise PermissionDenied
    context = lists.lock_list(request.user, state=request.GET.get("state", ""), after=request.GET.get("after", ""))
    context["centers"] = access.centers_for(request.user, Permission.PARTICIPANT_VIEW).order_by("code")
    context["study"] = access.studies_for(request.user, locks.LOCK).order_by("pk").first()
    return render(request, "studies/locking/lock_list.html", context)


@require_http_methods(["GET", "POST"])
def lock_subject(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """What stands against locking a participant, or one record of his?"""
    participant, label, key = _subject(request, uuid)
    target = Target(participant.study, participant.center, participant, label, key)
    return _lock_page(request, target, str(participant), back=("participant", participant.uuid))


@require_http_methods(["GET", "POST"])
def lock_center(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """What stands against locking a center?"""
    center = get_object_or_404(access.centers_for(request.user, Permission.PARTICIPANT_VIEW).select_related("study"), uuid=uuid)
    return _lock_page(request, Target(center.study, center), f"{center.code} {center.name}", back=("locks", None))


@require_http_methods(["GET", "POST"])
def lock_study(request: HttpRequest) -> HttpResponse:
    """What stands against locking the study?"""
    study = access.studies_for(request.user, locks.LOCK).order_by("pk").first()
    if study is None:
        raise PermissionDenied
    return _lock_page(request, Target(study), study.code, back=("locks", None))


@require_http_methods(["GET", "POST"])
def unlock(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Who asks for what, and why; the second person answers."""
    asked = get_object_or_404(locks.requests_for(request.user), uuid=uuid)
    form = DecideForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        approve = request.POST.get("decision") == "approve"
        decided = _attempt(
            form, lambda: locks.decide_unlock(request=asked, approve=approve, answer=form.cleaned_data["answer"], by=request.user)
        )
        if decided:
            return redirect("unlock", uuid)
    context = {"asked": asked, "form": form if locks.may_decide(asked, request.user) else None, "lock_state": lists.state_of(asked.lock)}
    return render(request, "studies/locking/unlock.html", context, status=400 if form.errors else 200)


def _subject(request: HttpRequest, uuid: UUID) -> tuple[Participant, str, str]:
    """The participant that a public id names, or the participant of the record that it names, with the record's label."""
    found = kinds.find(request.user, uuid)
    if found is None:
        raise Http404
    kind, row = found
    if kind.model is Participant:
        return access.participants_for(request.user).get(pk=row.pk), "", ""
    if not kind.signed:
        raise Http404
    lookup = {"screening": row.pk} if kind.leads == "screening" else {"pk": row.participant_id}
    return get_object_or_404(access.participants_for(request.user), **lookup), kind.label, str(uuid)


def _lock_page(request: HttpRequest, target: Target, what: str, *, back: tuple[str, Any]) -> HttpResponse:
    where: Center | Study = target.center or target.study
    form, ask = WhyForm(request.POST if request.POST.get("do") != "ask" else None), UnlockForm(request.POST or None)
    standing = Lock.objects.filter(
        study=target.study, center=target.center, participant=target.participant, record=target.record,
        record_uuid=target.record_uuid or None, released_at=None,
    ).select_related("locked_by", "study", "center", "participant").first()  # fmt: skip
    if request.method == "POST" and (response := _lock_act(request, target, standing, form, ask)):
        return response
    may_lock = access.may(request.user, locks.LOCK, where)
    context = {
        "what": what,
        "target": target,
        "back": back,
        "standing": standing,
        "state": lists.state_of(standing) if standing else "",
        "above": [(row, lists.state_of(row)) for row in _above(target, standing)],
        "obstacles": obstacles.against(target) if standing is None or standing.strength == "freeze" else [],
        "people": target.participants.count(),
        "may_lock": may_lock,
        "form": form if may_lock else None,
        "ask": ask if standing and lists.state_of(standing) == "locked" and access.may(request.user, locks.ASK, where) else None,
        "asked": standing.requests.select_related("requested_by", "decided_by").order_by("-pk") if standing else [],
    }
    sent = ask if request.POST.get("do") == "ask" else form
    return render(request, "studies/locking/lock.html", context, status=400 if request.method == "POST" and sent.errors else 200)


def _lock_act(request: HttpRequest, target: Target, standing: Lock | None, form: PageForm, ask: PageForm) -> HttpResponse | None:
    """Do what the pressed button says; None when a form has to be shown again."""
    do, by = request.POST.get("do", ""), request.user
    sent = ask if do == "ask" else form
    if not sent.is_valid():
        return None
    reason = sent.cleaned_data["reason"]
    writes: dict[str, Callable[[], Any]] = {
        "lock": lambda: locks.lock(target=target, reason=reason, by=by),
        "freeze": lambda: locks.freeze(target=target, reason=reason, by=by),
    }
    if standing is not None:
        writes |= {
            "unfreeze": lambda: locks.unfreeze(lock=standing, reason=reason, by=by),
            "relock": lambda: locks.relock(lock=standing, by=by),
            "ask": lambda: locks.request_unlock(lock=standing, days=sent.cleaned_data["days"], reason=reason, by=by),
        }
    if do not in writes:
        raise ValidationError(_("The state of this page has changed. Reload it."))
    return redirect(request.path) if _attempt(sent, writes[do]) else None


def _above(target: Target, standing: Lock | None) -> list[Lock]:
    if target.participant is not None:
        return [row for row in standing_of.covering(target.participant) if standing is None or row.pk != standing.pk]
    if target.center is not None:
        return list(Lock.objects.filter(study=target.study, center=None, released_at=None).select_related("locked_by", "study"))
    return []


def _attempt(form: PageForm, write: Callable[[], Any]) -> Any:
    """Do the write; what it finds invalid stands at the field it names, or on top of the form."""
    try:
        return write()
    except ValidationError as error:
        for field, sentences in getattr(error, "message_dict", {"": error.messages}).items():
            form.refuse(field, sentences)
    return None
