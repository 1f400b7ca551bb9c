"""The pages on blindness: for sponsor and study team whether the study is still blind and provable, for a site the receipts of its seals.

Nothing here comes from a prediction: dates of batches and of treatments, heads of the ledger, how the installation is run. What a
site sees counts no other site's seals: heads there name no row.
"""

import json
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET

from accounts import anchors, chain, scope
from accounts.models import SYSTEM_USERNAME, AccessRecord, LedgerRow
from analysis.evaluability import Line, Order, Person, lines, risky_from
from predictions import outside
from prime_platform import posture
from studies import access, progress
from studies.models import Milestone, Participant, Progress, Study
from studies.paging import page_of
from studies.vocabulary import MilestoneKind, ParticipantStatus

VIEW, RECEIPTS = "blinding.view", "receipt.view"
ORDERS: dict[Order, Promise] = {
    Order.BEFORE: _("sealed before treatment was known"),
    Order.SAME_DAY: _("sealed on the day of treatment"),
    Order.LATE: _("sealed after treatment was known"),
    Order.UNSEALED: _("treated, not sealed"),
    Order.WAITS_FOR_TREATMENT: _("sealed, treatment still open"),
    Order.OPEN: _("neither sealed nor treated"),
}
KNOWING = (MilestoneKind.TREATMENT_STARTED, MilestoneKind.NO_ADJUVANT_DECLARED)
"""What makes the treatment known: the first course, or the declaration that none was given."""
SHOWN, AT_RISK = 5, 50
LATELY = 200
"""Patients from whom is read how soon treatment begins."""


@dataclass(frozen=True)
class Opening:
    """An opening as the ledger tells it."""

    asked_at: datetime
    expires_at: datetime | None
    pair: str
    seals: int
    digest: str
    published: bool


@require_GET
def blindness(request: HttpRequest) -> HttpResponse:
    """Is the study still blind, and could we prove it to somebody outside?"""
    study = next(iter(access.studies_of(request.user, VIEW)), None)
    if study is None:
        raise PermissionDenied
    with scope.over_whole_study(study.pk):  # counts by center; no participant
        rows = lines(people(Participant.objects.filter(study=study)), study.today())
    checked = AccessRecord.objects.filter(username=SYSTEM_USERNAME, kind="read", subject="verify").order_by("-at").first()
    newest = _newest(anchors.outside(study.code, synthetic=study.synthetic))
    context = {
        "study": study,
        "orders": list(ORDERS.values()),
        "lines": [_shown(line) for line in rows],
        "anchor": newest,
        "anchored_at": chain.instant(newest.at) if newest else None,
        "received": len(anchors.received(study.code)),
        "checked": checked,
        "posture": posture.violations(posture.facts(study)),
        "openings": openings(study),
    }
    return render(request, "blindness.html", context)


@require_GET
def receipts(request: HttpRequest) -> HttpResponse:
    """Of which of my patients was the prediction sealed, when, and who is at risk of being late?"""
    study = _study_of_receipts(request)
    mine = access.participants_for(request.user, RECEIPTS)
    page = page_of(mine, request.GET.get("after", ""))
    dates = _dates([each.pk for each in page.rows])
    known = anchors.outside(study.code, synthetic=study.synthetic)
    context = {
        "study": study,
        "rows": [(each, *dates.get(each.pk, (None, None)), ORDERS[_person(each, dates).order]) for each in page.rows],
        "total": page.total,
        "next_url": f"?after={page.after}" if page.after else "",
        "first_url": "" if page.is_first else "?",
        "at_risk": at_risk(progress.of(request.user, RECEIPTS), study),
        "heads": [(chain.instant(anchor.at), anchor.head.hex()) for anchor in known[: -SHOWN - 1 : -1]],
    }
    return render(request, "receipts.html", context)


@require_GET
def head(request: HttpRequest) -> HttpResponse:
    """The newest head as a file to keep: without its row, which would count other hospitals' seals."""
    study = _study_of_receipts(request)
    newest = _newest(anchors.outside(study.code, synthetic=study.synthetic))
    if newest is None:
        raise Http404
    name = f"{study.code}-{chain.instant(newest.at):%Y%m%d}.json"
    return HttpResponse(
        outside.head_json(study.code, newest, numbered=False),
        content_type="application/json",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def people(rows: QuerySet[Participant], keys: list[int] | None = None) -> list[Person]:
    """Who is enrolled of these participants, with the three dates that order rests on; `keys` are theirs where they are known."""
    found = rows.filter(status=ParticipantStatus.ENROLLED).values_list("pk", "center__code", "screening__surgery_date")
    dates = _dates(rows.values("pk") if keys is None else keys)
    return [Person(center, surgery, *dates.get(key, (None, None))) for key, center, surgery in found]


def at_risk(near: QuerySet[Progress], study: Study) -> list[tuple[Participant, int]]:
    """Who is neither sealed nor treated and near the day on which the latest were treated here, the longest after surgery first."""
    today = study.today()
    begin = today - timedelta(days=risky_from(lately_treated(near)))
    waiting = near.filter(
        person_status=ParticipantStatus.ENROLLED, surgery_date__lte=begin, has_seal=False, has_treatment=False, has_declaration=False
    )
    rows = waiting.select_related("participant__center").order_by("surgery_date", "participant")[:AT_RISK]
    return [(row.participant, (today - row.surgery_date).days) for row in rows]


def lately_treated(near: QuerySet[Progress]) -> list[Person]:
    """The latest patients whose treatment is known: how soon people are treated changes over the years of a study."""
    known = near.filter(Q(has_treatment=True) | Q(has_declaration=True)).order_by("-surgery_date", "participant")
    keys = list(known.values_list("participant", flat=True)[:LATELY])
    return people(Participant.objects.filter(pk__in=keys), keys)


def openings(study: Study) -> list[Opening]:
    """Every request for an opening on the ledger, newest first."""
    bodies = {kind: [] for kind in ("opening", "publish")}
    for row in LedgerRow.objects.filter(study=study.code, kind__in=bodies).order_by("-index"):
        bodies[row.kind].append((row.at_us, json.loads(bytes(row.body))))
    published = {body["request"] for _at, body in bodies["publish"]}
    return [
        Opening(
            chain.instant(at),
            chain.instant(body["expires_at"]) if "expires_at" in body else None,
            body.get("pair", ""),
            body.get("seals", 0),
            body["request"],
            body["request"] in published,
        )
        for at, body in bodies["opening"]
    ]


def _dates(keys: Any) -> dict[int, tuple[date | None, date | None]]:
    """Participant → (first seal, treatment known), of the milestones in force; two questions to one index instead of a join."""
    told = Milestone.objects.filter(participant__in=keys)
    cancelled = set(told.exclude(cancels=None).values_list("cancels", flat=True))
    found: dict[int, dict[bool, date]] = {}
    firm = told.filter(kind__in=(MilestoneKind.SEALED, *KNOWING), retraction=False)
    for pk, key, kind, day in firm.values_list("pk", "participant", "kind", "on"):
        if pk not in cancelled:
            seen, sealed = found.setdefault(key, {}), kind == MilestoneKind.SEALED
            seen[sealed] = min(day, seen.get(sealed, day))
    return {key: (seen.get(True), seen.get(False)) for key, seen in found.items()}


def _person(participant: Participant, dates: dict[int, tuple[date | None, date | None]]) -> Person:
    return Person(participant.center.code, participant.screening.surgery_date, *dates.get(participant.pk, (None, None)))


def _shown(line: Line) -> dict[str, Any]:
    expected = None if line.expected is None or not line.enrolled else round(100 * line.expected / line.enrolled)
    counts = [(ORDERS[order], count) for order, count in line.counts.items()]
    return {"center": line.center, "counts": counts, "enrolled": line.enrolled, "expected": expected}


def _newest(found: list[chain.Anchor]) -> chain.Anchor | None:
    return found[-1] if found else None


def _study_of_receipts(request: HttpRequest) -> Study:
    study = next(iter(access.studies_of(request.user, RECEIPTS)), None)
    if study is None:
        raise PermissionDenied
    return study
