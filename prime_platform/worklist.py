"""The worklist's page, composed of the duties of every room that has some."""

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET

from accounts.models import User
from followup import duties
from studies import access, clock, worklist
from studies.access import Permission
from studies.governance import reconsent_lists
from studies.quality import duties as quality_duties

SOURCES = (quality_duties.DUTIES, worklist.OWN, reconsent_lists.DUTIES, duties.DUTIES)
LOOKS = {
    "wait": gettext_lazy("images or phases missing"),
    "done": gettext_lazy("phases complete"),
    "seal": gettext_lazy("sealed"),
    "due": gettext_lazy("pathology pending"),
}


@require_GET
def worklist_page(request: HttpRequest) -> HttpResponse:
    """What must I do today?"""
    study = next(iter(access.studies_of(request.user, Permission.SCREENING_VIEW)), None)
    if study is None:
        raise PermissionDenied
    ruler = clock.ruler(clock.gathered(worklist.on_the_clock(request.user)))
    context = {
        "today": study.today(),
        "may_screen": access.centers_for(request.user, Permission.SCREEN).exists(),
        "ruler": ruler,
        "legend": [{"look": look, "label": label, "count": ruler.count(look)} for look, label in LOOKS.items()],
        "empty": _("Nothing waits for you today. Every resection gets a line in the screening log."),
    }
    return render(request, "studies/worklist.html", context | worklist.page(request.user, request.GET.get("task", ""), SOURCES))


def count(user: User) -> int:
    """How many rows the worklist of a person has."""
    return worklist.count(user, SOURCES)
