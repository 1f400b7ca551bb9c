"""Asking for the second factor once more before something leaves the platform or is put in force (SE-02)."""

import time
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts import second_factor
from accounts.models import User

V = TypeVar("V", bound=Callable[..., HttpResponseBase])
FRESH = 600  # seconds for which one code serves
STEPPED_UP, VERIFIED = "stepped_up_at", "second_factor"
HEADER = "X-Prime-Code"


def note(request: HttpRequest) -> None:
    """A code was right just now."""
    request.session[STEPPED_UP] = int(time.time())


def is_fresh(request: HttpRequest) -> bool:
    """Whether this person needs no code now: none is set up and none is asked for, or one was right within ten minutes."""
    if not second_factor.has(request.user):
        return not second_factor.is_missing(request.user)
    return time.time() - float(request.session.get(STEPPED_UP, 0)) < FRESH


def asked(*methods: str) -> Callable[[V], V]:
    """Mark a view of pages: these methods ask for a code first; whoever has to type one comes back to the page and presses again."""

    def decorate(view: V) -> V:
        @wraps(view)
        def stepped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if request.method in methods and request.user.is_authenticated and not is_fresh(request):
                return HttpResponseRedirect(f"{reverse('step-up')}?{urlencode({'next': _page(request)})}")
            return view(request, *args, **kwargs)

        return stepped  # type: ignore[return-value]

    return decorate


def require_code(user: User, typed: str) -> None:
    """For programs: a code with the request itself (`X-Prime-Code`). Raises PermissionDenied."""
    if not second_factor.has(user) and not second_factor.is_missing(user):
        return
    if sentence := second_factor.check(user, typed):
        raise PermissionDenied(_("This needs a code of your second factor in the header %(header)s. ") % {"header": HEADER} + sentence)


def _page(request: HttpRequest) -> str:
    """Where to come back to: the page itself, or for a form that has no page of its own the one that held it."""
    if request.method == "GET":
        return request.get_full_path()
    before = request.headers.get("Referer", "")
    return before if before.startswith(request.build_absolute_uri("/")) else request.path
