"""What holds for every request: its language, that somebody is signed in, what a refusal answers, and that no page is kept.

Refusals are mapped here and nowhere else: not visible 404, not allowed 403, not now 409, invalid 400, each with a sentence
a person can act on. A refusal is recorded after the request's own transaction has been rolled back, so that the record of
it does not vanish with the refused change.
"""

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import DatabaseError, IntegrityError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect, JsonResponse
from django.middleware.locale import LocaleMiddleware
from django.shortcuts import render
from django.urls import ResolverMatch, reverse
from django.utils import translation
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from psycopg.errors import UniqueViolation

from accounts import anchors, audit, scope, step_up
from accounts.models import AccessRecord
from accounts.transitions import NotAllowedNow
from studies.locking import guards

MACHINES = ("/api/", "/edge/")
SAFE = ("GET", "HEAD")
DOORS = ("sign-in", "sign-in-code", "key-challenge", "sign-out", "language", "look")
"""What is done at the door, whatever state the installation is in."""
WITHOUT_CODE = ("second-factor", "step-up", "key-challenge", "sign-out", "language", "look")
"""What somebody may ask for who has signed in by a password alone."""
OPEN = ("/healthz", "/readyz", "/edge/v1/")
PARTS_OF_PAGES = {"slice", "roi-state", "features-csv"}
"""Addresses of one record that are no page: pictures and pieces of a page that is recorded itself, and files, which are exports."""
LONGEST_PART = 40
"""Characters of each part of an address that a record keeps: as many as a public id has and a few, so that no other part crowds it out."""
GetResponse = Callable[[HttpRequest], HttpResponseBase]


class LanguageMiddleware(LocaleMiddleware):
    """The signed-in person's language; for a stranger the cookie, then the browser's wish."""

    def process_request(self, request: HttpRequest) -> None:
        super().process_request(request)
        if request.user.is_authenticated:
            translation.activate(request.user.language)
            request.LANGUAGE_CODE = translation.get_language()


class SignInRequiredMiddleware(LoginRequiredMiddleware):
    """Nothing is open unless it says so: strangers go to the sign-in page, programs get 401 in JSON.

    `/edge/v1/` is open here because gateways sign each request with a key of their own.
    """

    def process_view(self, request: HttpRequest, view_func: Any, view_args: Any, view_kwargs: Any) -> HttpResponseBase | None:
        if request.path.startswith(OPEN) or request.user.is_authenticated:
            return None
        if request.path.startswith("/api/"):
            from_framework = getattr(view_func, "cls", None) is not None  # then its authentication reads the token
            return None if from_framework and "Authorization" in request.headers else _unauthorized()
        return super().process_view(request, view_func, view_args, view_kwargs)

    def handle_no_permission(self, request: HttpRequest, view_func: Any) -> HttpResponseBase:
        """To the sign-in page, and from there back to the page; after a lost POST to the page that held the form.

        A view may say how what was sent is kept until then (`keep_lost_post`).
        """
        if request.method in SAFE:
            return super().handle_no_permission(request, view_func)
        keep = getattr(view_func, "keep_lost_post", None)
        if keep is not None and request.resolver_match is not None:
            keep(request, **request.resolver_match.kwargs)
        return redirect_to_login(_page_before(request))


class SecondFactorMiddleware:
    """Where everybody needs a second factor, nothing but setting it up is open to who has none yet (SE-02)."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not settings.PRIME_SECOND_FACTOR or not request.user.is_authenticated or request.session.get(step_up.VERIFIED):
            return self.get_response(request)
        if request.path in {reverse(name) for name in WITHOUT_CODE} or request.path.startswith(OPEN):
            return self.get_response(request)
        if request.path.startswith(MACHINES):
            return answer(request, Refusal(HTTPStatus.FORBIDDEN, [_("Set up your second factor first.")]))
        return HttpResponseRedirect(reverse("second-factor"))


class BehindMiddleware:
    """After a restore nothing is written until the ledger contains every head that left the house (docs/outside.md)."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.method in (*SAFE, "OPTIONS") or request.path in {reverse(name) for name in DOORS} or not anchors.any_behind():
            return self.get_response(request)
        sentence = _("This installation was restored from an older state and only shows until the operator has taken the rest back.")
        return answer(request, Refusal(HTTPStatus.CONFLICT, [sentence]))


class RefusalMiddleware:
    """Turns the four refusals into their answers and records each one (AU-01)."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if response.status_code == HTTPStatus.METHOD_NOT_ALLOWED and not request.path.startswith(MACHINES):
            return answer(
                request, Refusal(HTTPStatus.METHOD_NOT_ALLOWED, [_("This address only takes a form. Go to the page and use its button.")])
            )
        if getattr(request, "refused", False) or _framework_refused(request, response):
            _record_refusal(request, response.status_code)
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        refusal = _refusal(error)
        if refusal is None:
            return None
        request.refused = True  # type: ignore[attr-defined] # read by __call__, after the view's transaction has ended
        return answer(request, refusal)


class ReadMiddleware:
    """Records that a person read the page of one record, by the page's name and what its address names (AU-01, DI-09)."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        match = request.resolver_match
        named = match.kwargs.get("uuid") if match else None
        if named and request.method == "GET" and response.status_code == HTTPStatus.OK and match.view_name not in PARTS_OF_PAGES:
            subject = " ".join([match.view_name, *_named(match)])
            audit.record(kind=AccessRecord.Kind.READ, by=request.user, subject=subject)
        return response


class NoStoreMiddleware:
    """No browser or proxy keeps what a signed-in person saw (SE-06)."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if request.user.is_authenticated:
            response["Cache-Control"] = "no-store"
        return response


@dataclass(frozen=True)
class Refusal:
    """What is answered: an HTTP status and the sentences under its title."""

    status: HTTPStatus
    reasons: list[str]


def answer(request: HttpRequest, refusal: Refusal) -> HttpResponse:
    """The refusal as JSON for programs, as a page for people."""
    if request.path.startswith(MACHINES):
        return JsonResponse({"detail": refusal.reasons}, status=refusal.status)
    back = "" if request.method in SAFE else _page_before(request)
    context = {"title": _title(refusal.status), "reasons": refusal.reasons, "status": int(refusal.status), "back": back}
    with scope.within_reach_of(
        getattr(request, "user", AnonymousUser())
    ):  # an address that leads nowhere has no view and no transaction of its own
        return render(request, "refused.html", context, status=refusal.status)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler400: a request Django itself could not read."""
    return answer(request, Refusal(HTTPStatus.BAD_REQUEST, [_("The request could not be read. Go back, reload the page and try again.")]))


def forbidden(request: HttpRequest, exception: Exception | None = None, reason: str = "") -> HttpResponse:
    """handler403 and the answer to a missing or foreign form token."""
    sentence = _("The form was too old or came from elsewhere. Go back, reload the page and send it again.") if reason else _not_allowed()
    return answer(request, Refusal(HTTPStatus.FORBIDDEN, [sentence]))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler404: an address that leads nowhere."""
    return answer(request, Refusal(HTTPStatus.NOT_FOUND, [_not_visible()]))


def _refusal(error: Exception) -> Refusal | None:
    match error:
        case Http404():
            return Refusal(HTTPStatus.NOT_FOUND, [_not_visible()])
        case PermissionDenied():
            return Refusal(HTTPStatus.FORBIDDEN, [str(error) or _not_allowed()])
        case NotAllowedNow():
            return Refusal(HTTPStatus.CONFLICT, [str(error)])
        case ValidationError():
            return Refusal(HTTPStatus.BAD_REQUEST, error.messages)
        case DatabaseError():
            return _database_refusal(error)
    return None


def _database_refusal(error: DatabaseError) -> Refusal | None:
    """What a constraint or trigger refused and a person can act on."""
    match error:
        case IntegrityError(__cause__=UniqueViolation()):  # two people at once: the constraint let the first one through
            return Refusal(HTTPStatus.CONFLICT, [_someone_was_first()])
        case DatabaseError(__cause__=cause) if getattr(cause, "sqlstate", None) == guards.LOCKED:
            return Refusal(HTTPStatus.CONFLICT, [_locked()])
    return None


def _someone_was_first() -> str:
    return _("Somebody else entered the same thing just before you. Reload the page to see it; nothing of yours was stored.")


def _locked() -> str:
    return _("This is locked. If a correction is needed, ask for an unlock with a reason.")


def _framework_refused(request: HttpRequest, response: HttpResponseBase) -> bool:
    # The REST framework answers these two itself, before this middleware could see the exception.
    return request.path.startswith("/api/") and response.status_code in {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}


def _named(match: ResolverMatch) -> list[str]:
    """What an address names, the record's public id last: by its end the access report of a patient finds the line (DI-09)."""
    parts = sorted(match.kwargs.items(), key=lambda item: item[0] == "uuid")
    return [str(part)[:LONGEST_PART] for _name, part in parts]


def _record_refusal(request: HttpRequest, status: int) -> None:
    # Addresses and codes only: what was typed may be an identity.
    match = request.resolver_match
    subject = " ".join(_named(match)) if match else ""
    detail = {"status": status, "method": request.method, "view": match.view_name if match else ""}
    by = request.user if request.user.is_authenticated else None
    audit.record(kind=AccessRecord.Kind.REFUSAL, by=by, subject=subject, detail=detail)


def _unauthorized() -> JsonResponse:
    response = JsonResponse({"detail": [_("Sign in, or send a valid token in the Authorization header.")]}, status=HTTPStatus.UNAUTHORIZED)
    response["WWW-Authenticate"] = "Token"
    return response


def _page_before(request: HttpRequest) -> str:
    before = request.headers.get("Referer", "")
    return before if url_has_allowed_host_and_scheme(before, {request.get_host()}, require_https=request.is_secure()) else ""


def _title(status: HTTPStatus) -> str:
    return {
        HTTPStatus.BAD_REQUEST: _("Not accepted"),
        HTTPStatus.FORBIDDEN: _("Not allowed"),
        HTTPStatus.NOT_FOUND: _("Not found"),
        HTTPStatus.METHOD_NOT_ALLOWED: _("Not accepted"),
        HTTPStatus.CONFLICT: _("Not possible now"),
    }[status]


def _not_visible() -> str:
    return _("There is nothing here, or it belongs to a center that is not yours. Check the number, or ask your data manager for access.")


def _not_allowed() -> str:
    return _("Your role does not include this. Ask your data manager who may do it.")
