"""The rows of an archived package: study, series, instances; idempotent by pseudonymous UID and content hash.

The same instance with the same bytes changes nothing. Other bytes under a known UID are kept beside the first as a conflict and flagged;
the first is never touched.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from django.db.models import F
from django.utils import timezone

from accounts.models import User
from imaging import proposals
from imaging.edge.manifest import Manifest
from imaging.edge.rules import OUTLINE_CLASSES
from imaging.models import ArchivedObject, ImagingStudy, Instance, InstanceConflict, Package, Series
from imaging.parsing import Header
from imaging.refusals import Refused
from studies import milestones
from studies.models import Participant
from studies.vocabulary import MilestoneKind

SERIES_PAGE = "series"


def check_owner(participant: Participant, headers: Sequence[Header]) -> None:
    """Raise Refused when a UID of these objects is already that of another participant or of another examination of his."""
    mine = {"center": participant.center_id}
    studies = dict(ImagingStudy.objects.filter(
        **mine, study_instance_uid__in={header.study_instance_uid for header in headers}
    ).values_list("study_instance_uid", "participant_id"))  # fmt: skip
    if any(owner != participant.pk for owner in studies.values()):
        raise Refused("other_participant")
    place = {header.series_instance_uid: header.study_instance_uid for header in headers}
    series = Series.objects.filter(**mine, series_instance_uid__in=place)
    for uid, study_uid in series.values_list("series_instance_uid", "imaging_study__study_instance_uid"):
        if place[uid] != study_uid:
            raise Refused("other_examination")
    proposals.check_owner(participant, headers)
    instances = Instance.objects.filter(**mine, sop_instance_uid__in=[header.sop_instance_uid for header in headers])
    if instances.exclude(series__participant=participant).exists():
        raise Refused("other_participant")


def register(*, package: Package, participant: Participant, manifest: Manifest, headers: dict[str, Header], by: User) -> None:
    """Write what is new of a package (`headers` by SHA-256); must stand within `audit.act`. Raises Refused as `check_owner` does."""
    check_owner(participant, list(headers.values()))
    objects = _objects(manifest, headers)
    outlines = {sha256: header for sha256, header in headers.items() if header.sop_class in OUTLINE_CLASSES}
    proposals.register(package=package, participant=participant, headers=outlines, objects=objects)
    for announced in manifest["series"]:
        images = headers.keys() - outlines.keys()
        members = {sha256: headers[sha256] for sha256 in images if headers[sha256].series_instance_uid == announced["uid"]}
        if not members:
            continue
        series = _series(participant, list(members.values()), by)
        _instances(series, package, members, objects)


def _objects(manifest: Manifest, headers: dict[str, Header]) -> dict[str, int]:
    """The keys of the archived objects by SHA-256, new ones made."""
    rows = [
        ArchivedObject(
            sha256=entry["sha256"], size=entry["size"], media_type=ArchivedObject.MediaType.DICOM, sop_class=entry["sop_class"],
            transfer_syntax=headers[entry["sha256"]].transfer_syntax,
        )
        for entry in sorted(manifest["objects"], key=lambda entry: entry["sha256"])
    ]  # fmt: skip
    ArchivedObject.objects.bulk_create(rows, ignore_conflicts=True)
    return dict(ArchivedObject.objects.filter(sha256__in=headers).values_list("sha256", "pk"))


def _series(participant: Participant, headers: Sequence[Header], by: User) -> Series:
    first = min(headers, key=lambda header: (header.acquired or "~", header.sop_instance_uid))
    study, _ = ImagingStudy.objects.get_or_create(
        center=participant.center,
        study_instance_uid=first.study_instance_uid,
        defaults={"participant": participant, "study_date": _date(first.study_date)},
    )
    series, is_new = Series.objects.get_or_create(
        center=participant.center,
        series_instance_uid=first.series_instance_uid,
        defaults={"participant": participant, "imaging_study": study, "modality": first.modality, "facts": _facts(headers, first)},
    )
    if is_new:
        on = study.study_date or timezone.localdate()
        milestones.record(participant=participant, kind=MilestoneKind.SERIES_RECEIVED, on=on, by=by, ref=series.uuid, url_name=SERIES_PAGE)
    return series


def _facts(headers: Sequence[Header], first: Header) -> dict[str, Any]:
    """What the headers say of a series as a whole, under DICOM keywords."""
    return {
        **first.facts,
        "AcquisitionTime": first.acquired,
        "LossyImageCompression": "01" if any(header.lossy for header in headers) else "00",
    }


def _instances(series: Series, package: Package, members: dict[str, Header], objects: dict[str, int]) -> None:
    uids = [header.sop_instance_uid for header in members.values()]
    known = {one.sop_instance_uid: one for one in Instance.objects.filter(center=series.center_id, sop_instance_uid__in=uids)}
    new = [
        Instance(
            center_id=series.center_id, series=series, sop_instance_uid=header.sop_instance_uid, object_id=objects[sha256],
            package=package, instance_number=header.instance_number, frames=header.frames,
        )
        for sha256, header in members.items() if header.sop_instance_uid not in known
    ]  # fmt: skip
    Instance.objects.bulk_create(new)
    conflicts = [
        InstanceConflict(instance=known[header.sop_instance_uid], object_id=objects[sha256], package=package)
        for sha256, header in members.items()
        if header.sop_instance_uid in known and known[header.sop_instance_uid].object_id != objects[sha256]
    ]
    InstanceConflict.objects.bulk_create(conflicts, ignore_conflicts=True)
    if new:
        _grow(series, [header for header in members.values() if header.sop_instance_uid not in known])


def _grow(series: Series, headers: Sequence[Header]) -> None:
    """One revision more. Of what is said of the whole series a late image may change two facts: when it began, and that detail was lost."""
    facts = Series.objects.select_for_update(of=("self",), no_key=True).get(pk=series.pk).facts
    times = [time for time in (facts.get("AcquisitionTime"), *(header.acquired for header in headers)) if time]
    facts |= {"AcquisitionTime": min(times, default="")}
    if any(header.lossy for header in headers):
        facts |= {"LossyImageCompression": "01"}
    Series.objects.filter(pk=series.pk).update(revision=F("revision") + 1, changed_at=timezone.now(), facts=facts)


def _date(text: str) -> date | None:
    """A DICOM DA value as a date; None where it is empty or no day."""
    try:
        return datetime.strptime(text, "%Y%m%d").date()  # noqa: DTZ007 - a calendar date has no zone
    except ValueError:
        return None
