"""Security keys: added and removed on the page of the second factor, and asked wherever a code is."""

from http import HTTPStatus
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from accounts import security_keys, step_up, views
from accounts.models import SecurityKey


@login_not_required
@require_POST
def challenge(request: HttpRequest) -> JsonResponse:
    """What the keys of whoever is signed in, or gave his password at the door, are to answer; JSON for the browser's own dialogue."""
    user = request.user if request.user.is_authenticated else views.waiting(request)
    if user is None:
        return _no(_("Sign in first."), HTTPStatus.FORBIDDEN)
    try:
        return JsonResponse(security_keys.begin(user))
    except ValidationError as error:
        return _no(" ".join(error.messages), HTTPStatus.CONFLICT)


@require_POST
def begin(request: HttpRequest) -> JsonResponse:
    """What a new key is to be asked; after a code of a moment ago."""
    if not step_up.is_fresh(request):
        return _no(_("Type a code first: the page was open for too long."), HTTPStatus.FORBIDDEN)
    try:
        return JsonResponse(security_keys.begin_adding(request.user))
    except ValidationError as error:
        return _no(" ".join(error.messages), HTTPStatus.CONFLICT)


@require_POST
@step_up.asked("POST")
@sensitive_post_parameters("answer")
def add(request: HttpRequest) -> HttpResponse:
    """Keep the key that answered."""
    try:
        row = security_keys.add(request.user, name=request.POST.get("name", ""), answer=request.POST.get("answer", ""))
        messages.success(request, _("Added: %(name)s. It serves wherever a code is asked for.") % {"name": row.name})
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    return redirect("second-factor")


@require_POST
@step_up.asked("POST")
def remove(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Let a key serve no more."""
    try:
        security_keys.remove(request.user, uuid)
    except SecurityKey.DoesNotExist as error:
        raise Http404 from error
    messages.success(request, _("Removed: the key serves no more."))
    return redirect("second-factor")


def _no(sentence: str, status: HTTPStatus) -> JsonResponse:
    return JsonResponse({"detail": sentence}, status=status)
