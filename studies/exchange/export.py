"""Making an export: its files in a directory, the manifest that names each by its hash, the record of who took it, and its check.

No prediction, tag or anything computed from one is in any part (BL-01). Dates are shifted unless true ones were asked for with a
reason by who may (DI-04). The manifest is authenticated with the installation's export key, so that it can be told from a forged one.
"""

import hashlib
import hmac
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from accounts import audit, moment
from accounts.models import AccessRecord, User
from studies import access
from studies.access import Permission
from studies.exchange import odm_export, odm_write, redcap_records, row_tokens, tables
from studies.exchange.parts import Part
from studies.models import Participant, Study

KINDS = ("csv", "parquet", "odm", "redcap")
MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for. `created` and `file_oid` make the file's identity: given the same, the same study gives the same bytes."""

    kind: str
    created: datetime
    software: str
    file_oid: str = ""
    shifted: bool = True
    history: bool = False
    reason: str = ""


def make(*, study: Study, parts: list[Part], wish: Wish, out: Path, by: User) -> dict[str, Any]:
    """Write an export into a new directory and record that it was taken; its manifest.

    Raises PermissionDenied, ValidationError for an unknown kind or true dates without a reason, FileExistsError.
    """
    access.require_operator(by, Permission.EXPORT_RUN, study)
    if wish.kind not in KINDS:
        raise ValidationError(_("Choose csv, parquet, odm or redcap."))
    if not wish.shifted:
        access.require_operator(by, Permission.EXPORT_UNSHIFTED, study)
        if not wish.reason.strip():
            raise ValidationError({"reason": _("Say why true dates leave; the reason is recorded.")})
    out.mkdir(mode=0o700, parents=True)
    with moment.one_moment():
        rows = _WRITERS[wish.kind](study, parts, wish, out)
        participants = Participant.objects.filter(study=study).count()
    facts = _facts(study, wish, participants)
    content = tables.manifest(out, rows, facts)
    (out / MANIFEST).write_bytes(content)
    (out / SIGNATURE).write_text(_signature(content) + "\n", encoding="ascii")
    detail = {
        "study": study.code,
        "kind": wish.kind,
        "participants": participants,
        "shifted": wish.shifted,
        "manifest_sha256": tables.digest(content),
    }
    audit.record(
        kind=AccessRecord.Kind.EXPORT,
        by=by,
        subject=f"study {study.code}",
        detail=detail | ({"reason": wish.reason[:500]} if wish.reason else {}),
    )
    return dict(json.loads(content))


def pack(folder: Path, file: IO[bytes]) -> None:
    """The files of an export in one archive, with fixed times: the same files give the same bytes."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.iterdir()):
            info = zipfile.ZipInfo(path.name, date_time=(1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o600 << 16
            with archive.open(info, "w") as target, path.open("rb") as source:
                while chunk := source.read(2**20):
                    target.write(chunk)


def verify(folder: Path) -> list[str]:
    """What in a directory is not as the export wrote it: files by name, the manifest itself when it is not this installation's."""
    content = (folder / MANIFEST).read_bytes()
    said = (folder / SIGNATURE).read_text(encoding="ascii").strip() if (folder / SIGNATURE).exists() else ""
    own = hmac.compare_digest(said, _signature(content))
    return [*([] if own else [MANIFEST]), *tables.differing(folder)]


def _signature(content: bytes) -> str:
    return hmac.new(row_tokens.export_key(), b"prime/manifest/1\0" + content, hashlib.sha256).hexdigest()


def _facts(study: Study, wish: Wish, participants: int) -> dict[str, Any]:
    book, protocol = study.dictionary, study.protocol
    return {
        "study": study.code,
        "synthetic": study.synthetic,
        "kind": wish.kind,
        "created": odm_export.stamp(wish.created),
        "dates": "shifted by one offset per participant" if wish.shifted else "true",
        "participants": participants,
        "dictionary": {"id": book.id, "version": book.version, "digest": book.digest},
        "protocol": {"id": protocol.id, "version": protocol.version, "digest": protocol.digest},
        "software": wish.software,
    }


def _csv(study: Study, parts: list[Part], wish: Wish, out: Path) -> dict[str, int]:
    return tables.write_csv(study, parts, out, shifted=wish.shifted)


def _parquet(study: Study, parts: list[Part], wish: Wish, out: Path) -> dict[str, int]:
    return tables.write_parquet(study, parts, out, shifted=wish.shifted)


def _redcap(study: Study, parts: list[Part], wish: Wish, out: Path) -> dict[str, int]:
    return redcap_records.write(study, parts, out, shifted=wish.shifted)


def _odm(study: Study, parts: list[Part], wish: Wish, out: Path) -> dict[str, int]:
    created = odm_export.stamp(wish.created)
    file_oid = wish.file_oid or f"{study.code}.{created}"
    options = odm_export.Options(file_oid, created, wish.software, wish.shifted, wish.history)
    name = f"{'SYNTHETIC-' if study.synthetic else ''}{study.code}.odm.xml"
    with (out / name).open("wb") as file:
        file.writelines(odm_write.write(odm_export.build(study, parts, options)))
    return {name: Participant.objects.filter(study=study).count()}


_WRITERS: dict[str, Callable[[Study, list[Part], Wish, Path], dict[str, int]]] = {
    "csv": _csv,
    "parquet": _parquet,
    "odm": _odm,
    "redcap": _redcap,
}
