"""Bringing the result of an opening to the platform: checked against the study's own ledger, stored for good, shown from then on.

Source: `docs/blinding.md` §6, UB-03, EN-07. After this the study is in phase P4; nothing here can be taken back.
"""

import csv
import io
import json
from hashlib import sha256
from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from accounts import ledger
from accounts.models import LedgerRow, User
from analysis.archive import pack
from analysis.models import Publication, PublishedFile
from analysis.result_json import read_comparison
from studies import access, setup
from studies.access import Permission
from studies.models import Study
from studies.vocabulary import Phase

REQUIRED = ("report.json", "analysis.json", "analysis_cut.csv", "tags.csv", "predictions.csv")
OPTIONAL = ("curves.csv", "balance.csv", "replicates.csv", "analysis.R")
STEPS = (Phase.FOLLOW_UP, Phase.LOCKED, Phase.PUBLISHED)


class PublicationRefused(Exception):
    """The folder is not the result of an opening of this study; `reasons` says why, a sentence each."""

    def __init__(self, reasons: list[str]) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = reasons


@transaction.atomic
def publish(*, study: Study, folder: Path, by: User) -> Publication:
    """Publish the files of an opening. Raises PublicationRefused with every reason, and OSError for a folder that cannot be read."""
    access.require_operator(by, Permission.STUDY_SETUP, study)
    study = Study.objects.select_for_update(no_key=True).get(pk=study.pk)
    files = _read(folder)
    if found := [*_phase_faults(study), *_form_faults(files)]:
        raise PublicationRefused(found)
    analysis, report = json.loads(files["analysis.json"]), json.loads(files["report.json"])
    if found := _faults(study, files, analysis, report):
        raise PublicationRefused(found)
    publication = Publication.objects.create(
        study=study,
        request_sha256=analysis["request"],
        cut_sha256=analysis["cut"],
        analysis=analysis,
        report=report,
        published_at=study.now(),
    )
    hashes = {name: sha256(content).hexdigest() for name, content in sorted(files.items())}
    PublishedFile.objects.bulk_create(
        PublishedFile(publication=publication, name=name, sha256=hashes[name], content=files[name]) for name in hashes
    )
    for step in STEPS[STEPS.index(study.phase) + 1 if study.phase in STEPS else 0 :]:
        study = setup.advance_phase(study=study, to=step, by=by, reason="result published")
    body = {"request": analysis["request"], "cut": analysis["cut"], "files": hashes}
    ledger.append(study=study.code, kind="publish", body=body, at=study.ledger_time())
    return publication


def archive(publication: Publication) -> bytes:
    """A ZIP of every published file with `SHA256SUMS` as `sha256sum -c` reads it; the same publication gives the same bytes."""
    return pack({file.name: bytes(file.content) for file in publication.files.all()})


def _read(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in (*REQUIRED, *OPTIONAL) if (folder / name).is_file()}


def _phase_faults(study: Study) -> list[str]:
    if study.phase == Phase.PUBLISHED:
        return [_("The result of %(study)s is published already; it stays as it is.") % {"study": study.code}]
    if study.phase == Phase.DRAFT:
        return [_("%(study)s is a draft: there is nothing to publish.") % {"study": study.code}]
    return []


def _form_faults(files: dict[str, bytes]) -> list[str]:
    missing = [name for name in REQUIRED if name not in files]
    if missing:
        return [
            _("The folder lacks %(names)s. A result that is encrypted is decrypted first: manage.py custodian read.")
            % {"names": ", ".join(missing)}
        ]
    try:
        read = [json.loads(files[name]) for name in ("analysis.json", "report.json")]
        if read[0]["comparison"] is not None:
            read_comparison(read[0]["comparison"])
        read[1]["request"]["digest"]
    except (ValueError, KeyError, TypeError) as error:
        return [_("This is no result of an opening: %(error)r") % {"error": error}]
    return []


def _faults(study: Study, files: dict[str, bytes], analysis: dict[str, Any], report: dict[str, Any]) -> list[str]:
    """Whether the result belongs to this study's ledger, and its files to one another."""
    found = []
    if {analysis["study"], report["study"]} != {study.code}:
        found.append(_("The result is that of %(other)s, not of %(study)s.") % {"other": report["study"], "study": study.code})
    if report["request"]["digest"] != analysis["request"] or report["request"]["cut"] != analysis["cut"]:
        found.append(_("Report and analysis come from different openings."))
    if not _on_ledger(study, "opening", "request", analysis["request"]):
        found.append(_("The ledger of %(study)s knows no opening with this request.") % {"study": study.code})
    if not _on_ledger(study, "lock", "cut", analysis["cut"]):
        found.append(_("The ledger of %(study)s knows no lock of this cut.") % {"study": study.code})
    flow = analysis["flow"]
    leaves = (
        flow["consistent"] + flow["inconsistent"] + flow["pending"] + flow["outside_scope"] + sum(one["n"] for one in flow["not_evaluable"])
    )
    patients = len(list(csv.DictReader(io.StringIO(files["analysis_cut.csv"].decode()))))
    if not flow["enrolled"] == leaves == patients:
        found.append(_("The patients of the result do not add up."))
    return found


def _on_ledger(study: Study, kind: str, name: str, value: str) -> bool:
    bodies = LedgerRow.objects.filter(study=study.code, kind=kind).values_list("body", flat=True)
    return any(json.loads(bytes(body)).get(name) == value for body in bodies)
