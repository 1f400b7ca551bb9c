"""From a package in the inbox to rows and bytes in the archive, once, however often it is tried.

A package is opened under the lock of its row; a killed worker lets go of the lock and the next sweep begins again. Nothing that was
done before the commit shows: bytes under their hash belong to nobody until a row names them. The ciphertext goes after the commit.
"""

import logging
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from accounts import audit
from accounts.models import User
from accounts.transitions import advance
from imaging import archive, gateways, inbox, parsing, receipts, registering
from imaging.edge import keys
from imaging.edge.package import OpenedPackage, PackageRefused, open_package
from imaging.models import Package
from imaging.parsing import Header
from imaging.refusals import Refused
from studies.models import Participant

log = logging.getLogger(__name__)

FIRST_WAIT, LONGEST_WAIT = 5, 600  # seconds before a package whose opening was broken off is tried again
FORGOTTEN = 14 * 86_400  # seconds after which a package that stopped coming must begin anew
ABANDONED = 3600  # seconds after which a half-sent body is removed


@dataclass(frozen=True)
class Examined:
    """A package that may be archived: whose it is, and for each object its file and its header."""

    opened: OpenedPackage
    participant: Participant
    headers: dict[str, Header]


def sweep() -> int:
    """Open every package that is due, one after the other, and tidy the inbox; returns how many were answered."""
    answered = 0
    while (package_id := _claim()) is not None:
        answered += _attempt(package_id)
    _tidy()
    return answered


@transaction.atomic
def _claim() -> int | None:
    """The next due package that nobody works on; it is not due again for a while, so that a deadly one cannot block the rest."""
    now = timezone.now()
    waiting = Package.objects.filter(state=Package.State.STORED, due_at__lte=now).order_by("due_at", "pk")
    package = waiting.select_for_update(skip_locked=True).first()
    if package is None:
        return None
    wait = min(FIRST_WAIT * 2 ** min(package.attempts, 10), LONGEST_WAIT)
    package.attempts, package.due_at = package.attempts + 1, now + timedelta(seconds=wait)
    package.save(update_fields=["attempts", "due_at"])
    return package.pk


def _attempt(package_id: int) -> bool:
    """Whether the package was answered; a fault of this machine leaves it stored and is logged."""
    try:
        return open_once(package_id=package_id)
    except (OSError, archive.ArchiveFault, parsing.ParserStopped, keys.KeyFault, OperationalError) as fault:
        log.error("package %s stays in the inbox: %s", package_id, fault)
        return False


def open_once(*, package_id: int) -> bool:
    """Archive or refuse one stored package; False when another worker has it or it was answered before."""
    with transaction.atomic():
        stored = Package.objects.filter(pk=package_id, state=Package.State.STORED)
        package = stored.select_for_update(skip_locked=True).first()
        if package is None:
            return False
        _settle(package)
    inbox.remove(package.digest)
    return True


def _settle(package: Package) -> None:
    try:
        with archive.workplace(package.digest) as directory:  # the row's lock is ours
            examined = _examine(package, directory)
            for sha256, path in examined.opened.objects.items():
                archive.put(path, sha256)
            _file(package, examined)
    except (Refused, PackageRefused, parsing.Unparseable) as refusal:
        _refuse(package, Refused.of(refusal))


def _examine(package: Package, directory: Path) -> Examined:
    """Open and verify a package without writing a row. Raises Refused, PackageRefused, parsing.Unparseable."""
    opened = open_package(
        inbox.locate(package.digest),
        keys.read_key(Path(settings.VAR) / "keys" / "worker" / "package.key"),
        gateways.public_key,
        directory / "o",
    )
    if opened.manifest["gateway"] != package.gateway.code:
        raise Refused("other_gateway")
    participant = _participant(package, opened)
    read = parsing.headers(list(opened.objects.values()), participant.study_number)
    headers = dict(zip(opened.objects, read, strict=True))
    _check_objects(opened, headers)
    registering.check_owner(participant, list(headers.values()))
    return Examined(opened, participant, headers)


def _participant(package: Package, opened: OpenedPackage) -> Participant:
    """The participant a package is about, of the gateway's own center and study, and still willing."""
    manifest, center = opened.manifest, package.gateway.center
    if manifest["center"] != center.code or manifest["study"] != center.study.code:
        raise Refused("other_center")
    participant = Participant.objects.filter(center=center, study_number=manifest["study_number"]).first()
    if participant is None:
        raise Refused("unknown_participant")
    if participant.data_until is not None:
        raise Refused("withdrawn")
    return participant


def _check_objects(opened: OpenedPackage, headers: dict[str, Header]) -> None:
    """Each object is what the manifest says and says nothing of a person."""
    modality = {series["uid"]: series["modality"] for series in opened.manifest["series"]}
    examination: dict[str, str] = {}
    for entry in opened.manifest["objects"]:
        header = headers[entry["sha256"]]
        if header.identity:
            log.warning("package %s still identifies: %s", opened.id, ", ".join(header.identity))
            raise Refused("identity_left")
        said = (header.sop_class, header.sop_instance_uid, header.series_instance_uid, header.modality)
        if said != (entry["sop_class"], entry["sop_uid"], entry["series_uid"], modality[entry["series_uid"]]):
            raise Refused("not_as_listed")
        if examination.setdefault(header.series_instance_uid, header.study_instance_uid) != header.study_instance_uid:
            raise Refused("other_examination")


def _file(package: Package, examined: Examined) -> None:
    """Write every row of a package and its receipt."""
    manifest, system = examined.opened.manifest, User.objects.system()
    _one_at_a_time(package.gateway.center_id)
    with transaction.atomic(), audit.act(by=system, action="package.archived"):
        registering.register(package=package, participant=examined.participant, manifest=manifest, headers=examined.headers, by=system)
    archived = advance(package, Package.State.ARCHIVED, field="state")
    archived.seq, archived.participant, archived.settled_at = manifest["seq"], examined.participant, timezone.now()
    archived.save(update_fields=["state", "seq", "participant", "settled_at"])
    receipts.issue(archived)


def _refuse(package: Package, refusal: Refused) -> None:
    refused = advance(package, Package.State.REFUSED, field="state")
    refused.refusal, refused.settled_at = refusal.code, timezone.now()
    refused.save(update_fields=["state", "refusal", "settled_at"])
    receipts.issue(refused)
    log.warning("package %s of gateway %s was refused: %s", package.digest, package.gateway.code, refusal.code)


def _one_at_a_time(center_id: int) -> None:
    """Rows of one center are registered one package at a time: two packages of one series can then not block each other."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('imaging.register', %s))", [center_id])


def _tidy() -> None:
    """Remove what a worker or a sender that was killed left behind."""
    answered = Package.objects.filter(state__in=[Package.State.ARCHIVED, Package.State.REFUSED])
    for digest in answered.filter(digest__in=list(inbox.digests())).values_list("digest", flat=True):
        inbox.remove(digest)
    for kind, seconds in (("part", ABANDONED), ("coming", FORGOTTEN)):
        for part in inbox.parts_older_than(seconds, time.time(), kind):
            part.unlink(missing_ok=True)
