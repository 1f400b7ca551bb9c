"""Pages of consent: who has to sign a newer version, and what each participant has signed."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from studies import access, consent
from studies.access import Permission
from studies.governance import reconsent, reconsent_lists
from studies.governance.forms import ReconsentForm
from studies.governance.views import attempt
from studies.models import Consent, Participant


@require_GET
def waiting(request: HttpRequest) -> HttpResponse:
    """Who must sign which version, by when?"""
    if Permission.PARTICIPANT_VIEW not in access.permissions_of(request.user):
        raise PermissionDenied
    return render(request, "governance/reconsent.html", reconsent_lists.page(request.user, request.GET.get("after", "")))


@require_http_methods(["GET", "POST"])
def history(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """What has this participant signed, and which data does it cover?"""
    person = get_object_or_404(access.participants_for(request.user), uuid=uuid)
    held = Consent.objects.select_related("version", "recorded_by").get(screening=person.screening)
    versions = list(person.center.consent_versions.all())
    form = ReconsentForm(request.POST if request.method == "POST" else None, codes=[each.code for each in versions])
    if request.method == "POST" and form.is_valid():
        done = attempt(form, lambda: consent.renew(consent=held, by=request.user, **form.cleaned_data))
        if done is not None:
            messages.success(request, _("Recorded: version %(code)s, signed on %(day)s.") % {"code": done.version, "day": done.signed_on})
            return redirect("consent-history", person.uuid)
    may = held.version is not None and access.may(request.user, Permission.CONSENT_RECORD, person.center)
    context = {"participant": person, "consent": held, "form": form, "may": may, **_signed(person, held)}
    return render(request, "governance/consent_history.html", context, status=400 if form.errors else 200)


def _signed(person: Participant, held: Consent) -> dict[str, Any]:
    """Every signature with the days of data it covers."""
    if held.version is None or held.signed_on is None:
        return {"signatures": []}
    renewals = list(held.renewals.select_related("version", "recorded_by"))
    signed = [(held.version, held.signed_on, held), *((each.version, each.signed_on, each) for each in renewals)]
    covers = reconsent.covered([(reconsent_lists.as_fact(version), day) for version, day, _row in signed], ended=person.data_until)
    rows = [
        {"code": version.code, "on": day, "by": row.recorded_by, "at": row.recorded_at, "cover": cover}
        for (version, day, row), cover in zip(signed, covers, strict=True)
    ]
    return {"signatures": rows}
