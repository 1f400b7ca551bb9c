"""The page of the edit checks: which rules there are, what each has open, and a run over the whole study."""

from dataclasses import dataclass
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language
from django.views.decorators.http import require_GET, require_POST

from studies import access
from studies.models import CheckRun, Study
from studies.quality import checking, queries, rules
from studies.quality.rules import Rule
from studies.vocabulary import CheckRunStatus

RECENT = 5


@dataclass(frozen=True)
class RuleRow:
    """One rule with its sentence in the reader's language and how many of its queries are not closed."""

    rule: Rule
    message: str
    open: int


@require_GET
def checks(request: HttpRequest) -> HttpResponse:
    """Which rules judge the data, and what have they found?"""
    study = _study(request)
    of_study = rules.in_force(study.protocol_id)
    runs = list(CheckRun.objects.filter(study=study).select_related("asked_by").order_by("-pk")[:RECENT])
    context: dict[str, Any] = {
        "rules": of_study,
        "rows": _rows(request, of_study),
        "runs": runs,
        "running": next((run for run in runs if run.status != CheckRunStatus.DONE), None),
    }
    return render(request, "studies/quality/checks.html", context)


@require_POST
def checks_run(request: HttpRequest) -> HttpResponse:
    """Have every participant judged anew."""
    checking.ask_for_run(study=_study(request), by=request.user)
    return redirect("checks")


@require_GET
def checks_progress(request: HttpRequest) -> HttpResponse:
    """The part of the page that changes while a run is going on."""
    run = CheckRun.objects.filter(study=_study(request)).order_by("-pk").first()
    return render(request, "studies/quality/_check_run.html", {"run": run})


def _rows(request: HttpRequest, of_study: rules.Rules) -> list[RuleRow]:
    standing = queries.queries_for(request.user).filter(queries.not_closed()).exclude(rule="").order_by()
    found = dict(standing.values_list("rule").annotate(n=Count("pk")))
    language = get_language()
    rows = [RuleRow(rule, rule.message.say(language), found.get(rule.code, 0)) for rule in of_study.rules]
    return sorted(rows, key=lambda row: -row.open)


def _study(request: HttpRequest) -> Study:
    study = access.studies_for(request.user, checking.RUN).order_by("pk").first()
    if study is None:
        raise PermissionDenied
    return study
