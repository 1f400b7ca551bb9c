"""The page of the data dictionary: which version a study follows, and what another one would change before it is adopted."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from studies import access, dictionary
from studies.access import Permission
from studies.entries import versions, wording
from studies.models import Study

PARTS = {
    "section": gettext_lazy("section"), "text": gettext_lazy("wording"), "help": gettext_lazy("help"), "kind": gettext_lazy("kind"),
    "unit": gettext_lazy("unit"), "conversions": gettext_lazy("other units"), "low": gettext_lazy("lowest possible"),
    "high": gettext_lazy("highest possible"), "soft_low": gettext_lazy("lowest usual"), "soft_high": gettext_lazy("highest usual"),
    "options": gettext_lazy("answers"), "asked_if": gettext_lazy("when it is asked"), "calculation": gettext_lazy("calculation"),
    "required": gettext_lazy("required"), "missing": gettext_lazy("reasons for a blank"), "comparators": gettext_lazy("comparators"),
    "verification": gettext_lazy("verification"), "names": gettext_lazy("standard names"), "form": gettext_lazy("form"),
}  # fmt: skip
WHAT = {"added": gettext_lazy("added"), "removed": gettext_lazy("asked no more"), "changed": gettext_lazy("changed")}
PLAIN = ("unit", "low", "high", "soft_low", "soft_high")


@require_http_methods(["GET", "POST"])
def dictionary_page(request: HttpRequest) -> HttpResponse:
    """What is recorded, and what would another version change?"""
    study = access.studies_for(request.user, Permission.STUDY_SETUP).order_by("pk").first()
    if study is None:
        raise PermissionDenied
    version = request.POST.get("version") or request.GET.get("version", "")
    refused: list[str] = []
    if request.method == "POST":
        refused = _adopted(request, study, version)
        if not refused:
            messages.success(request, _("Version %(version)s of the data dictionary holds from now on.") % {"version": version})
            return redirect("dictionary")
    return render(
        request, "studies/entries/dictionary.html", _context(study, version) | {"refused": refused}, status=400 if refused else 200
    )


def _adopted(request: HttpRequest, study: Study, version: str) -> list[str]:
    """Adopt what was looked at; the sentences of a refusal."""
    given = {"digest": request.POST.get("digest", ""), "reason": request.POST.get("reason", "")}
    try:
        versions.adopt(study=study, version=version, by=request.user, **given)
    except dictionary.DictionaryError:
        raise Http404 from None
    except ValidationError as error:
        return error.messages
    return []


def _context(study: Study, version: str) -> dict[str, Any]:
    book = study.dictionary
    others = [each for each in dictionary.versions(book.id) if each.version != book.version]
    chosen = next((each for each in others if each.version == version), None)
    if version and chosen is None:
        raise Http404
    return {"study": study, "book": book, "others": others, "chosen": chosen, "rows": _rows(study, version) if chosen else []}


def _rows(study: Study, version: str) -> list[dict[str, Any]]:
    return [
        {
            "what": WHAT[touched.difference.what],
            "label": wording.label(touched.difference.after or touched.difference.before),  # type: ignore[arg-type] # one of them is there
            "code": touched.difference.code,
            "parts": [_part(touched.difference, name) for name in touched.difference.parts],
            "held": touched.held,
            "unfit": touched.unfit,
        }
        for touched in versions.preview(study, version)
    ]


def _part(difference: versions.Difference, name: str) -> str:
    """The name of what changed, with both values where they are short."""
    if name == "form":
        return f"{PARTS[name]} {difference.form_before} → {difference.form_after}"
    before, after = getattr(difference.before, name), getattr(difference.after, name)
    if name in PLAIN:
        return f"{PARTS[name]} {'–' if before in (None, '') else before} → {'–' if after in (None, '') else after}"
    if name == "options":
        was, now = ({option.code for option in options} for options in (before, after))
        return " ".join([str(PARTS[name]), *(f"−{code}" for code in sorted(was - now)), *(f"+{code}" for code in sorted(now - was))])
    return str(PARTS[name])
