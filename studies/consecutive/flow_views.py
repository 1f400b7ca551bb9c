"""The flow of patients as a page: a drawing, the same as a table, and links to the lists that the counts are the lengths of."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from accounts import scope
from studies import access
from studies.access import Permission
from studies.consecutive import flow, flow_chart, leaves
from studies.consecutive.flow import Box
from studies.lists import Narrowing
from studies.models import Center, Progress, Study
from studies.protocol import Protocol

NAMES: dict[str, Promise] = {
    "screened": gettext_lazy("Screened: every resection"),
    "excluded": gettext_lazy("Not enrolled"),
    "open": gettext_lazy("Not decided yet"),
    "enrolled": gettext_lazy("Enrolled"),
    "open.eligible": gettext_lazy("eligible"),
    "open.pathology": gettext_lazy("consented, pathology pending"),
    "open.unknown": gettext_lazy("eligibility unknown"),
    "open.fails": gettext_lazy("a criterion fails, to be closed"),
    "enrolled.sealed": gettext_lazy("Prediction sealed"),
    "enrolled.input_missing": gettext_lazy("Input missing"),
    "enrolled.waiting": gettext_lazy("Not sealed yet"),
}


@dataclass(frozen=True)
class Shown:
    """One box with its words and, where the reader may see the list, its link."""

    box: Box
    label: str
    url: str
    depth: int


@require_GET
def flow_page(request: HttpRequest) -> HttpResponse:
    """Who was screened, who was not enrolled and why, and what became of the enrolled."""
    study = access.studies_for(request.user, Permission.STUDY_VIEW).order_by("pk").first()
    if study is None:
        raise PermissionDenied
    with scope.over_whole_study(study.pk):  # pooled counts: the page's permission is for all centers together
        centers = list(study.centers.all())
        chosen = _chosen(request, centers)
        tree = leaves.tree(study, Progress.objects.filter(center__in=[chosen] if chosen else centers))
    chart = flow_chart.place(tree)
    seen = set(access.centers_for(request.user, Permission.SCREENING_VIEW).values_list("pk", flat=True))
    linked = {chosen.pk} <= seen if chosen else {center.pk for center in centers} <= seen
    words = Words(study.protocol, chosen, linked)
    return render(
        request,
        "consecutive/flow.html",
        {
            "study": study,
            "centers": centers,
            "chosen": chosen,
            "chart": chart,
            "frames": [(frame, words.of(frame.box), [(row, words.of(row.box)) for row in frame.rows]) for frame in chart.frames],
            "rows": [words.of(box, depth) for box, depth in _walk(tree)],
            "tree": tree,
        },
    )


@dataclass(frozen=True)
class Words:
    """How the boxes of one page are called, and whether they lead somewhere."""

    protocol: Protocol
    center: Center | None
    linked: bool

    def of(self, box: Box, depth: int = 0) -> Shown:
        """A box in words."""
        address = f"{reverse('screening-log')}?state=all{Narrowing(box.code, self.center).query}" if self.linked else ""
        return Shown(box, box_label(self.protocol, box.code), address, depth)


def box_label(protocol: Protocol, code: str) -> str:
    """The words of a box; a reason not to enrol is the protocol's, or its code when an earlier version had it."""
    if code.startswith(flow.EXCLUDED):
        reason = protocol.exclusion_reason(code.removeprefix(flow.EXCLUDED))
        return reason.text.say(get_language()) if reason else code.removeprefix(flow.EXCLUDED)
    return str(NAMES[code])


def narrowed(request: HttpRequest) -> Narrowing | None:
    """The box and the center that the screening log is asked for; 404 for what is none of theirs."""
    leaf, center = request.GET.get("leaf", "")[:60], request.GET.get("center", "")
    if not leaf and not center:
        return None
    if leaf and leaves.condition(leaf) is None:
        raise Http404
    centers = access.centers_for(request.user, Permission.SCREENING_VIEW).select_related("study")
    return Narrowing(leaf, _center(centers, center) if center else None)


def narrowing_label(narrowing: Narrowing) -> str:
    """What the log is narrowed to, in words."""
    study = narrowing.center.study if narrowing.center else Study.objects.order_by("pk").first()
    where = _("center %(center)s") % {"center": narrowing.center} if narrowing.center else ""
    what = box_label(study.protocol, narrowing.leaf) if narrowing.leaf and study else ""
    return _(", ").join(part for part in (what, where) if part)


def _chosen(request: HttpRequest, centers: list[Center]) -> Center | None:
    wished = request.GET.get("center", "")
    found = next((center for center in centers if str(center.uuid) == wished), None)
    if wished and found is None:
        raise Http404
    return found


def _center(centers: Any, text: str) -> Center:
    try:
        found = centers.filter(uuid=UUID(text)).first()
    except ValueError:
        found = None
    if found is None:
        raise Http404
    return found


def _walk(box: Box, depth: int = 0) -> list[tuple[Box, int]]:
    return [(box, depth), *(pair for child in box.children for pair in _walk(child, depth + 1))]
