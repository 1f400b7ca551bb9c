"""Pages of the screening log, eligibility and the list of participants. They read and hand over; no rule stands here."""

import re
import unicodedata
from collections.abc import Callable
from typing import Any, TypeVar
from uuid import UUID

from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.crypto import get_random_string
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from studies import access, consent, enrollment, lists, screening, study_number, wording
from studies.access import Permission
from studies.consecutive import flow_views, log_keys
from studies.eligibility import Verdict
from studies.forms import AmendForm, ConsentForm, ExcludeForm, PageForm, ReasonForm, ScreeningForm, read_date, say_date
from studies.governance import ethics
from studies.models import Screening, Study
from studies.vocabulary import ScreeningStatus

T = TypeVar("T")
FIELDS = {
    "age_at_surgery": "age",
    "screened_on": "surgery_date",
    "signed_on": "dated_on",
    "waived_on": "dated_on",
    "form_version": "reference",
}


@require_GET
def home(request: HttpRequest) -> HttpResponse:
    """Where a person's day begins: the worklist, for who has none the overview, for who has neither a word about it."""
    held = access.permissions_of(request.user)
    for permission, page in ((Permission.SCREENING_VIEW, "worklist"), (Permission.STUDY_VIEW, "overview")):
        if permission in held:
            return redirect(page)
    return render(request, "studies/home.html", {"roles": _(", ").join(str(role.label) for role in sorted(access.roles_of(request.user)))})


@require_GET
def screening_log(request: HttpRequest) -> HttpResponse:
    """Was everybody screened? Every line, newest first."""
    narrowed = flow_views.narrowed(request)
    context = lists.screening_log(request.user, state=request.GET.get("state", ""), after=request.GET.get("after", ""), narrowed=narrowed)
    return render(request, "studies/screening_log.html", context | log_keys.context(request, narrowed))


@sensitive_post_parameters("birth_date")
@require_http_methods(["GET", "POST"])
def screening_new(request: HttpRequest) -> HttpResponse:
    """Screen a patient: one form, one line of the log."""
    centers = list(access.require_somewhere(request.user, Permission.SCREEN).select_related("study"))
    form = ScreeningForm(request.POST or None, protocol=centers[0].study.protocol, centers=centers)
    if request.method == "POST" and form.is_valid() and (made := _attempt(form, lambda: _screen(form, request))):
        return redirect("screening", made.uuid)
    token = request.POST.get("row_token") or f"page-{get_random_string(32)}"
    return render(request, "studies/screening_new.html", {"form": form, "row_token": token}, status=400 if form.errors else 200)


@require_GET
def screening_page(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """What fails, what is unknown, and what is left to do before enrolment."""
    return _screening_page(request, _line(request, uuid))


@sensitive_post_parameters("birth_date")
@require_POST
def screening_answers(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Change answers of a line, with the reason."""
    line = _line(request, uuid)
    form = AmendForm(request.POST, protocol=line.center.study.protocol)
    return _act(
        request,
        line,
        "answers_form",
        form,
        lambda: screening.amend(screening=line, reason=form.cleaned_data["reason"], by=request.user, **form.facts),
    )


@require_POST
def screening_consent(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Record the signed form or the waiver."""
    line, form = _line(request, uuid), ConsentForm(request.POST)
    return _act(request, line, "consent_form", form, lambda: consent.record(screening=line, by=request.user, **form.as_recorded))


@require_POST
def screening_exclude(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Do not enrol, with a reason of the protocol."""
    line = _line(request, uuid)
    form = ExcludeForm(request.POST, protocol=line.center.study.protocol)
    return _act(request, line, "exclude_form", form, lambda: screening.exclude(screening=line, by=request.user, **form.cleaned_data))


@require_POST
def screening_reinstate(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Take back an exclusion made in error."""
    line, form = _line(request, uuid), ReasonForm(request.POST)
    return _act(request, line, "reinstate_form", form, lambda: screening.reinstate(screening=line, by=request.user, **form.cleaned_data))


@require_POST
def screening_enroll(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Enrol: the participant's page shows the study number."""
    participant = enrollment.enroll(screening=_line(request, uuid), by=request.user)
    return redirect("participant", participant.uuid)


@require_GET
def participant_list(request: HttpRequest) -> HttpResponse:
    """Who is in the study here, and what each still lacks."""
    context = lists.participants(request.user, state=request.GET.get("state", ""), after=request.GET.get("after", ""))
    return render(request, "studies/participant_list.html", context)


@require_GET
def understand_date(request: HttpRequest) -> JsonResponse:
    """What the server understands of a typed date, as a sentence."""
    text = request.GET.get("text", "")[:40]
    if not text.strip():
        return JsonResponse({"understood": True, "sentence": ""})
    try:
        return JsonResponse({"understood": True, "sentence": say_date(read_date(text))})
    except ValidationError as error:
        return JsonResponse({"understood": False, "sentence": error.messages[0]})


@require_GET
def search(request: HttpRequest) -> HttpResponse:
    """Straight to the participant or the line of the log; a number that cannot be one is named."""
    text = request.GET.get("q", "").strip()
    line = _by_screening_number(request, text)
    if line:
        return redirect("screening", line.uuid)
    try:
        number = study_number.check(text)
    except ValueError:
        return _not_found(
            request, _("“%(text)s” is no number of this study: compare every digit, the check digits at the end too.") % {"text": text}
        )
    if participant := access.participants_for(request.user).filter(study_number=number).first():
        return redirect("participant", participant.uuid)
    return _not_found(request, _("%(number)s is written correctly, but nobody at your center has it.") % {"number": number})


def _not_found(request: HttpRequest, sentence: str) -> HttpResponse:
    return render(request, "studies/search.html", {"sentence": sentence})


def _by_screening_number(request: HttpRequest, text: str) -> Screening | None:
    found = re.fullmatch(r"(\d{2})-?[Ss](\d{1,6})", "".join(unicodedata.normalize("NFKC", text).split()), re.ASCII)
    if not found:
        return None
    return access.screenings_for(request.user).filter(center__code=found[1], number=int(found[2])).first()


def _study(request: HttpRequest, permission: str) -> Study:
    study = access.studies_for(request.user, permission).order_by("pk").first()
    if study is None:
        raise PermissionDenied
    return study


def _line(request: HttpRequest, uuid: UUID) -> Screening:
    return get_object_or_404(access.screenings_for(request.user).select_related("consent", "participant", "screened_by"), uuid=uuid)


def _screen(form: ScreeningForm, request: HttpRequest) -> Screening:
    token = request.POST.get("row_token", "")[:64]
    return screening.screen(center=form.chosen_center, row_token=token or None, by=request.user, **form.facts)


def _attempt(form: PageForm, write: Callable[[], T]) -> T | None:
    """Do the write; what it finds invalid stands at the field it names, or on top of the form."""
    try:
        return write()
    except ValidationError as error:
        for name, messages in getattr(error, "message_dict", {"": error.messages}).items():
            field = FIELDS.get(name, name)
            form.add_error(field if field in form.fields else None, messages)
    return None


def _act(request: HttpRequest, line: Screening, name: str, form: PageForm, write: Callable[[], Any]) -> HttpResponse:
    """Write what a form of the eligibility page says and show the page again, with the form's errors if it has any."""
    if form.is_valid() and _attempt(form, write) is not None:
        return redirect("screening", line.uuid)
    return _screening_page(request, line, {name: form})


def _screening_page(request: HttpRequest, line: Screening, sent: dict[str, PageForm] | None = None) -> HttpResponse:
    protocol = line.center.study.protocol
    forms = _forms(request, line) | (sent or {})
    criteria = wording.criteria(line, protocol)
    context = {
        "screening": line,
        "protocol": protocol,
        "consent": getattr(line, "consent", None),
        "participant": getattr(line, "participant", None),
        "state": wording.state(line),
        "person": wording.person(line),
        "day": wording.days_after_surgery(line),
        "open_criteria": [row for row in criteria if row.verdict != Verdict.PASS],
        "met_criteria": [row for row in criteria if row.verdict == Verdict.PASS],
        "summary": wording.summary(line),
        "exclusion_reason": wording.exclusion_reason(line),
        "obstacles": enrollment.obstacles(line) if "exclude_form" in forms else [],
        "sent": list((sent or {}).values()),
        **forms,
    }
    return render(request, "studies/screening.html", context, status=400 if sent else 200)


def _forms(request: HttpRequest, line: Screening) -> dict[str, PageForm]:
    """The forms that this person may use on this line now."""
    protocol, forms = line.center.study.protocol, dict[str, PageForm]()
    may_screen = access.may(request.user, Permission.SCREEN, line.center)
    if line.status == ScreeningStatus.SCREENED and may_screen:
        forms["answers_form"] = AmendForm.of(line)
        forms["exclude_form"] = ExcludeForm(protocol=protocol)
    if line.status == ScreeningStatus.EXCLUDED and may_screen:
        forms["reinstate_form"] = ReasonForm()
    undecided = line.status == ScreeningStatus.SCREENED and not hasattr(line, "consent")
    if undecided and access.may(request.user, Permission.CONSENT_RECORD, line.center):
        forms["consent_form"] = ConsentForm()
        forms["consent_form"].name_versions([version.code for version in ethics.versions_on(line.center, line.center.study.today())])
    return forms
