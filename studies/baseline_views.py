"""The page of the baseline variables: all that the protocol asks for, what is missing, and what a saved change changes."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts import audit
from accounts.models import AccessRecord
from studies import access, baseline
from studies.baseline_forms import PREFIX, BaselineForm, Change, say
from studies.models import Baseline, Participant


@dataclass(frozen=True)
class Step:
    """One change in the history of the values: when, by whom, why, and each value before and after."""

    at: Any
    by: str
    reason: str
    changes: list[Change]


@require_http_methods(["GET", "POST"])
def baseline_page(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Are these values right, and which are missing?"""
    person = get_object_or_404(access.participants_for(request.user), uuid=uuid)
    row = Baseline.objects.filter(participant=person).select_related("recorded_by").first()
    form = BaselineForm(
        request.POST if request.method == "POST" else None,
        protocol=person.study.protocol,
        stored=row.values if row else {},
        recorded_by=str(row.recorded_by) if row else "",
    )
    if request.method == "POST" and form.is_valid() and _saved(form, person, request):
        return redirect("baseline", person.uuid)
    if request.method == "GET":
        audit.record(kind=AccessRecord.Kind.READ, by=request.user, subject=f"baseline {person.uuid}")
    context = {
        "participant": person,
        "form": form,
        "row": row,
        "may_enter": access.may(request.user, baseline.ENTER, person.center),
        "missing": _("; ").join(variable.text.say(get_language()) for variable in form.missing),
        "held": len(form.protocol.baseline) - len(form.missing),
        "asked": len(form.protocol.baseline),
        "history": _history(row, form) if row else [],
    }
    return render(request, "studies/baseline.html", context, status=400 if form.errors else 200)


def _saved(form: BaselineForm, person: Participant, request: HttpRequest) -> bool:
    """Write what was typed; what `baseline.record` refuses stands at its field."""
    if not form.typed:
        messages.info(request, _("Nothing was changed."))
        return True
    reason = form.cleaned_data["reason"]
    try:
        baseline.record(participant=person, values=form.typed, by=request.user, reason=reason)
    except ValidationError as error:
        for code, sentences in error.message_dict.items():
            form.refuse(code if code == "reason" else PREFIX + code, sentences)
        if form.changes and not reason and not form["reason"].errors:
            form.refuse("reason", [_("Say why: a change after the first entry needs a reason.")])
        return False
    left = baseline.missing(person)
    asked = len(form.protocol.baseline)
    messages.success(request, _("Saved: %(held)s of %(asked)s values are recorded.") % {"held": asked - len(left), "asked": asked})
    return True


def _history(row: Baseline, form: BaselineForm) -> list[Step]:
    """Every save, newest first; the first one says what was entered."""
    steps, before = [], dict[str, str]()
    for event in audit.history(row):
        codes = [item for item in form.protocol.baseline if before.get(item.code, "") != event.values.get(item.code, "")]
        changes = [Change(item.text.say(get_language()), say(item, before), say(item, event.values)) for item in codes]
        context = event.pgh_context or {}
        steps.append(Step(event.pgh_created_at, context.get("by", ""), context.get("reason", ""), changes))
        before = event.values
    return [step for step in reversed(steps) if step.changes]
