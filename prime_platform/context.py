"""What the frame of every page needs: band, study, center, navigation, and how this reader wants it to look."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext as _

from accounts import once
from prime_platform import navigation
from studies import access
from studies.models import Membership
from studies.vocabulary import Role


def shell(request: HttpRequest) -> dict[str, Any]:
    """The template variable `shell`; asked from the database only when a page draws its frame."""
    return {"shell": SimpleLazyObject(lambda: _look(request) | _drawn(request))}


def _look(request: HttpRequest) -> dict[str, Any]:
    return {
        "theme": "dark" if request.COOKIES.get("theme") == "dark" else "light",
        "keys": "off" if request.COOKIES.get("keys") == "off" else "on",
        "query": request.GET.get("q", "")[:40],
    }


def _drawn(request: HttpRequest) -> dict[str, Any]:
    with once.remembering():  # the frame of a refusal has no view around it
        return _place(request)


def _place(request: HttpRequest) -> dict[str, Any]:
    held = list(access.held_by(request.user)) if hasattr(request, "user") else []
    if not held:
        return {"synthetic": settings.PRIME_DEMO, "study": None, "nav": []}
    return {
        "synthetic": any(membership.study.synthetic for membership in held),
        "study": held[0].study,
        "now": timezone.now(),
        "center_name": _center_name(held),
        "roles": sorted({str(Role(membership.role).label) for membership in held}),
        "nav": navigation.menu_for(request.user, request.path),
    }


def _center_name(held: list[Membership]) -> str:
    centers = {membership.center for membership in held}
    if len(centers) > 1 or None in centers:
        return _("All centers") if None in centers else _("%(count)s centers") % {"count": len(centers)}
    (center,) = centers
    return f"{center.code} {center.name}"
