"""Pages of the blinded committee: what a reader has to read, one case, its pictures; for the data manager, where the committee stands."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts import audit
from accounts.models import User
from followup import committee, refusals
from followup.case_package import Package, package_of
from followup.models import AdjudicationCase
from followup.response_words import day_of
from followup.vocabulary import Conclusion
from imaging import archive
from imaging.models import KeySlice
from studies import access
from studies.forms import PageForm
from studies.models import Study

STATES = {
    "first": gettext_lazy("waits for two readers"),
    "second": gettext_lazy("waits for the second reader"),
    "third": gettext_lazy("readers differ: waits for a third"),
    "concluded": gettext_lazy("concluded"),
}


class ReadingForm(PageForm):
    """A reader's conclusion; a recurrence names the examination that showed it first."""

    conclusion = forms.ChoiceField(choices=Conclusion.choices, widget=forms.RadioSelect, label=gettext_lazy("Conclusion"))
    first_seen_day = forms.TypedChoiceField(
        coerce=int,
        empty_value=None,
        required=False,
        label=gettext_lazy("First seen"),
        help_text=gettext_lazy("for a recurrence: the first examination that shows it, also where a later one was needed to be sure"),
    )
    note = forms.CharField(
        max_length=300, required=False, label=gettext_lazy("Note"), widget=forms.TextInput(attrs={"class": "wide", "autocomplete": "off"})
    )

    def __init__(self, *args: Any, package: Package, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        days = [(look.day, f"{day_of(look.day)}{_(', ')}{look.label}") for look in package.looks if look.day > 0]
        self.fields["first_seen_day"].choices = [("", gettext_lazy("none")), *dict(days).items()]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        recurs, day = data.get("conclusion") == Conclusion.RECURRENCE, data.get("first_seen_day")
        if recurs and day is None and "first_seen_day" not in self.errors:
            self.add_error("first_seen_day", _("Choose the examination that shows the recurrence first."))
        if not recurs and day is not None:
            self.add_error("first_seen_day", _("Only a recurrence has an examination that showed it first."))
        return data


@require_GET
def cases(request: HttpRequest) -> HttpResponse:
    """Which cases wait for me?"""
    if committee.READ not in access.permissions_of(request.user):
        raise PermissionDenied
    return render(request, "followup/cases.html", {"rows": (rows := committee.to_read(request.user)), "total": len(rows)})


@require_http_methods(["GET", "POST"])
def case(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Has the tumour come back, and which examination shows it first?"""
    shown = _case(request.user, uuid)
    package = package_of(shown)
    form = ReadingForm(request.POST if request.method == "POST" else None, package=package)
    if request.method == "POST" and form.is_valid() and _entered(form, shown, request.user):
        messages.success(request, _("Recorded: case %(code)s. It is not shown to you again.") % {"code": shown.code})
        return redirect("cases")
    audit.record(kind="read", by=request.user, subject=f"case {shown.code}")
    context = {
        "package": package,
        "form": form,
        "looks": [(day_of(look.day), look) for look in package.looks],
        "uuid": shown.uuid,
        "pictures": "case-picture",
    }
    return render(request, "followup/case.html", context, status=400 if form.errors else 200)


@require_GET
def case_picture(request: HttpRequest, uuid: UUID, picture: UUID) -> HttpResponse:
    """One picture of a case, as the worker drew it."""
    return picture_of(package_of(_case(request.user, uuid)), picture)


def picture_of(package: Package, picture: UUID) -> HttpResponse:
    """A picture of a package, kept by no cache. Raises Http404 for one that does not belong to it."""
    if not package.picture(picture):
        raise Http404
    drawn = get_object_or_404(KeySlice.objects.select_related("object"), uuid=picture)
    response = HttpResponse(archive.read(drawn.object.sha256), content_type="image/png")
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, no-store"
    return response


@require_GET
def adjudication(request: HttpRequest) -> HttpResponse:
    """How far is the committee, and do its readers and the sites agree?"""
    study = study_of(request.user)
    now = committee.agreement_of(study)
    context = {
        "study": study,
        "states": [(word, now.states.get(code, 0)) for code, word in STATES.items()],
        "all": sum(now.states.values()),
        "now": now,
        "kappas": [(_("first and second reader"), now.readers), (_("committee and sites"), now.sites)],
        "differing": [_differing(each) for each in now.differing],
        "readers": committee.readers_of(study),
    }
    return render(request, "followup/adjudication.html", context)


@require_POST
def cases_open(request: HttpRequest) -> HttpResponse:
    """Open what is due, and as many others by chance."""
    n = len(committee.open_cases(study=study_of(request.user), by=request.user))
    messages.success(request, ngettext("%(n)s case opened.", "%(n)s cases opened.", n) % {"n": n})
    return redirect("adjudication")


def _differing(each: committee.Compared) -> tuple[committee.Compared, str, str]:
    return each, _said(each.site, each.site_day), _said(each.central.conclusion, each.central.first_seen_day)


def _said(conclusion: str, day: int | None) -> str:
    words = str(Conclusion(conclusion).label)
    return words if day is None else f"{words}{_(', ')}{day_of(day)}"


def _case(user: User, uuid: UUID) -> AdjudicationCase:
    found = get_object_or_404(committee.cases_for(user).prefetch_related("readings__reader"), uuid=uuid)
    if not committee.waits(found):
        raise Http404
    return found


def study_of(user: User) -> Study:
    """The study whose cases a person opens. Raises PermissionDenied where there is none."""
    study = access.studies_for(user, committee.OPEN).order_by("pk").first()
    if study is None:
        raise PermissionDenied
    return study


def _entered(form: ReadingForm, shown: AdjudicationCase, by: User) -> bool:
    try:
        committee.read_case(case=shown, by=by, **form.cleaned_data)
    except ValidationError as error:
        for field, sentences in refusals.by_field(error).items():
            form.refuse(field, sentences)
        return False
    return True
