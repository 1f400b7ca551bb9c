"""The whole trail of a study as one file: every event of every kind of record, who signed in, read, exported or was refused.

Values are as stored (codes), not as words; times are UTC. The file says what it holds (`bundle`);
`manage.py trail verify` checks it.
"""

import json
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import IO, Any
from uuid import UUID

from django.db.models import F, Q
from django.utils import timezone

from accounts import audit
from accounts.models import AccessRecord, User
from studies.access import require
from studies.models import Membership, Study
from studies.trail import bundle
from studies.trail.history import changed, state_of
from studies.trail.kinds import KINDS, Kind

EXPORT = "audit.export"
IN_MEMORY = 2**22
AT_ONCE = 2000
COLUMNS = ("at_utc", "by", "login", "action", "reason", "record", "participant", "uuid", "field", "old", "new")


@dataclass(frozen=True)
class Exported:
    """A written export: its bytes, the hash that stands for it, and how many events it holds."""

    file: IO[bytes]
    manifest_sha256: str
    events: int


def export(*, study: Study, by: User) -> Exported:
    """Write the trail of a study into a temporary file and record that it was exported, with its hash. Raises PermissionDenied."""
    require(by, EXPORT, study)
    with ExitStack() as on_failure:
        file = on_failure.enter_context(tempfile.SpooledTemporaryFile(IN_MEMORY))
        digest, events = write(study=study, file=file, by=by.username, at=timezone.now())  # type: ignore[arg-type]
        detail = {"study": study.code, "events": events, "manifest_sha256": digest}
        audit.record(kind=AccessRecord.Kind.EXPORT, by=by, subject="trail", detail=detail)
        file.seek(0)
        on_failure.pop_all()  # whoever sends it closes it
    return Exported(file, digest, events)  # type: ignore[arg-type]


def write(*, study: Study, file: IO[bytes], by: str, at: datetime) -> tuple[str, int]:
    """Write the bundle; returns the manifest's SHA-256 and the number of events."""
    writer = bundle.Writer(file)
    for kind in KINDS.values():
        writer.json_lines(f"events/{kind.label}.jsonl", (_event(kind, event) for event in _events(kind, study)))
    events = sum(one.rows for one in writer.listed)
    people = Membership.objects.filter(study=study).values("user")
    writer.json_lines("people.jsonl", (_person(user) for user in User.objects.filter(pk__in=people).order_by("pk")))
    names = User.objects.filter(pk__in=people).values("username")
    access = AccessRecord.objects.filter(of_study(study), username__in=names).order_by("pk").iterator(AT_ONCE)
    writer.json_lines("access.jsonl", (_access(record) for record in access))
    writer.table("changes.csv", COLUMNS, (row for kind in KINDS.values() for row in _changes(kind, study)))
    about = {
        "format": "prime/trail/1",
        "study": study.code,
        "synthetic": study.synthetic,
        "made_at": at.astimezone(UTC).isoformat(),
        "by": by,
    }
    return writer.close(about), events


def of_study(study: Study) -> Q:
    """What was done in a study, and what names no study: sign-ins, readings and refusals of its people, wherever they were."""
    return Q(detail__study=study.code) | ~Q(detail__has_key="study")


def _events(kind: Kind, study: Study, *order: str) -> Iterator[Any]:
    rows = kind.events.objects.filter(kind.in_study(study))  # type: ignore[attr-defined]
    return rows.order_by(*(order or ("pgh_id",))).iterator(AT_ONCE)


def _event(kind: Kind, event: Any) -> dict[str, Any]:
    return {
        "event": event.pgh_id,
        "what": event.pgh_label,
        "at": event.pgh_created_at.astimezone(UTC).isoformat(),
        "context": event.pgh_context or {},
        "row": {column: plain(value) for column, value in state_of(kind, event).items()},
    }


def _changes(kind: Kind, study: Study) -> Iterator[list[str]]:
    """One line for each changed value; events come record by record, so that only one state is held."""
    record, before = None, dict[str, Any]()
    person = {"participant": "__".join(filter(None, [kind.way, "study_number"]))}.get(kind.leads)
    rows = kind.events.objects.filter(kind.in_study(study))  # type: ignore[attr-defined]
    if person and kind.way:
        rows = rows.annotate(whose=F(person))
    for event in rows.order_by("pgh_obj_id", "pgh_id").iterator(AT_ONCE):
        if event.pgh_obj_id != record:
            record, before = event.pgh_obj_id, {}
        after = state_of(kind, event) if event.pgh_label != "delete" else {}
        context = event.pgh_context or {}
        whose = getattr(event, "whose", getattr(event, "study_number", "")) or ""
        head = [
            event.pgh_created_at.astimezone(UTC).isoformat(),
            *(str(context.get(key, "")) for key in ("by", "login", "action", "reason")),
        ]
        for column, old, new in changed(before, after):
            yield [*head, kind.label, str(whose), str(getattr(event, "uuid", "")), column, _text(old), _text(new)]
        before = after


def _person(user: User) -> dict[str, Any]:
    return {"uuid": str(user.uuid), "username": user.username, "name": user.display_name, "active": user.is_active}


def _access(record: AccessRecord) -> dict[str, Any]:
    at = record.at.astimezone(UTC).isoformat()
    return {"at": at, "kind": record.kind, "by": record.username, "subject": record.subject, "detail": record.detail}


def plain(value: Any) -> Any:
    """A column's value as JSON takes it; a number with a fraction as its shortest text."""
    match value:
        case datetime():
            return value.astimezone(UTC).isoformat()
        case date():
            return value.isoformat()
        case UUID():
            return str(value)
        case float():
            return repr(value)
        case Decimal():
            return f"{value.normalize():f}"
    return value


def _text(value: Any) -> str:
    known = plain(value)
    if known is None:
        return ""
    return known if isinstance(known, str) else json.dumps(known, ensure_ascii=False, sort_keys=True)
