"""The page of exports: what leaves, in which form? The archive is made in the request, whole, and recorded."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile

from django.core.exceptions import PermissionDenied, ValidationError
from django.http import FileResponse, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from accounts import release, step_up
from accounts.models import AccessRecord, User
from accounts.moment import at_one_moment
from prime_platform.exchange import parts_of
from studies import access
from studies.access import Permission
from studies.exchange import export
from studies.exchange.export import Wish
from studies.models import Study

KINDS: dict[str, tuple[Promise, Promise]] = {
    "csv": (_("CSV"), _("a table per form, UTF-8, opens in Excel with its Chinese intact")),
    "parquet": (_("Parquet"), _("a table per form, typed, for R and Python")),
    "odm": (_("CDISC ODM-XML 1.3.2"), _("forms, values and who entered them when and why")),
    "redcap": (_("REDCap"), _("data dictionary and records of the forms")),
}
LATEST = 50


@at_one_moment
@step_up.asked("POST")
@require_http_methods(["GET", "POST"])
def exports(request: HttpRequest) -> HttpResponseBase:
    """The forms of export, what was exported before, and on POST the archive itself."""
    study = access.studies_for(request.user, Permission.EXPORT_RUN).order_by("pk").first()
    if study is None:
        raise PermissionDenied
    errors: list[str] = []
    if request.method == "POST":
        try:
            return archive(study, request.POST.get("kind", ""), by=request.user, wanted=request.POST)
        except ValidationError as error:
            errors = error.messages
    taken = AccessRecord.objects.filter(kind=AccessRecord.Kind.EXPORT, subject=f"study {study.code}").order_by("-pk")
    context = {
        "kinds": [(code, *words) for code, words in KINDS.items()],
        "chosen": request.POST.get("kind", "csv"),
        "may_unshift": access.may(request.user, Permission.EXPORT_UNSHIFTED, study),
        "taken": list(taken[:LATEST]),
        "total": taken.count(),
        "errors": errors,
        "sent": request.POST,
    }
    return render(request, "exports.html", context, status=400 if errors else 200)


def archive(study: Study, kind: str, *, by: User, wanted: Mapping[str, str]) -> FileResponse:
    """An export of a study as one archive. Raises PermissionDenied, ValidationError."""
    wish = Wish(
        kind,
        timezone.now(),
        release.commit(),
        shifted=wanted.get("dates") != "true",
        history=wanted.get("history") == "yes",
        reason=wanted.get("reason", ""),
    )
    with TemporaryDirectory() as folder:
        out = Path(folder) / "export"
        manifest = export.make(study=study, parts=parts_of(study), wish=wish, out=out, by=by)
        packed = TemporaryFile()  # noqa: SIM115 - the response closes it
        export.pack(out, packed)
    packed.seek(0)
    mark = "SYNTHETIC-" if study.synthetic else ""
    name = f"{mark}{study.code}-{kind}-{manifest['created'][:10]}.zip"
    return FileResponse(packed, as_attachment=True, filename=name, content_type="application/zip")
