"""From the door to the archive: what is promised to a gateway, and what is refused (NW-08, NW-09, DI-02, RL-02)."""

import hashlib
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from accounts.models import Heartbeat, User
from imaging import archive, assessment, gateways, inbox, ingest
from imaging.edge import envelope, keys
from imaging.models import ArchivedObject, Instance, InstanceConflict, KeySlice, Package, PackageReceipt, Series
from studies import enrollment
from studies.models import Milestone, Participant
from studies.vocabulary import Withdrawal
from tests.imaging.world import TODAY, World, ct_series, manifest_of, uid

pytestmark = pytest.mark.django_db


def archived(world: World, number: str, files: list[bytes], **changes: object) -> envelope.Receipt:
    sealed = world.seal(number, files, **changes)
    assert world.put(sealed).status_code == 201
    ingest.sweep()
    return world.receipt(sealed[0])


def test_package_becomes_rows_bytes_and_receipts(world: World, participant: Participant) -> None:
    """NW-08: stored at the door, archived by the worker; the ciphertext is gone, every byte is there."""
    files = ct_series(participant.study_number)
    sealed = world.seal(participant.study_number, files)
    answer = world.put(sealed)
    assert envelope.verify_receipt(
        answer.json(), package=sealed[0], stored_key=world.public["stored"], archived_key=world.public["archived"]
    ).state == "stored"  # fmt: skip
    assert inbox.locate(sealed[0]).read_bytes() == sealed[1]
    assert ingest.sweep() == 1
    receipt = world.receipt(sealed[0])
    assert (receipt.state, receipt.reason, receipt.seq) == ("archived", "", world.seq)
    assert not inbox.locate(sealed[0]).exists()
    assert {archive.read(hashlib.sha256(data).hexdigest()) for data in files} == set(files)
    series = Series.objects.get()
    assert (series.participant, series.modality, series.instances.count()) == (participant, "CT", 12)
    assert Milestone.objects.get(participant=participant, kind="series_received").ref_uuid == series.uuid
    assert list(archive.verify()) == []


def test_same_package_three_times_is_one_effect(world: World, participant: Participant) -> None:
    """RL-02, PR of formats d: however often it comes, before and after it was opened."""
    sealed = world.seal(participant.study_number, ct_series(participant.study_number))
    assert [world.put(sealed).status_code for _ in range(2)] == [201, 201]
    ingest.sweep()
    again = world.put(sealed)
    assert again.json()["receipt"]["state"] == "archived"
    assert ingest.sweep() == 0
    assert (Package.objects.count(), Series.objects.count(), Instance.objects.count(), ArchivedObject.objects.count()) == (1, 1, 12, 12)
    assert list(PackageReceipt.objects.order_by("pk").values_list("state", flat=True)) == ["stored", "archived"]
    assert Milestone.objects.filter(kind="series_received").count() == 1
    assert not list(inbox.directory().iterdir())


def test_same_objects_in_another_package_add_nothing(world: World, participant: Participant) -> None:
    """NW-08 "same SOP UID, same content, resent"."""
    files = ct_series(participant.study_number)
    archived(world, participant.study_number, files)
    assert archived(world, participant.study_number, files).state == "archived"
    assert (Instance.objects.count(), Series.objects.get().revision, InstanceConflict.objects.count()) == (12, 1, 0)


def test_other_content_under_a_known_uid_is_kept_and_flagged(world: World, participant: Participant) -> None:
    """NW-08 "same SOP UID, different content": the first version stays, the second is kept."""
    number = participant.study_number
    first = ct_series(number)
    archived(world, number, first)
    other = ct_series(number, change=lambda dataset, i: setattr(dataset, "KVP", "100") if i == 3 else None)
    assert archived(world, number, other).state == "archived"
    conflict = InstanceConflict.objects.get()
    assert conflict.instance.object.sha256 == hashlib.sha256(first[3]).hexdigest()
    assert conflict.object.sha256 == hashlib.sha256(other[3]).hexdigest()
    assert archive.read(conflict.object.sha256) == other[3]
    assert (Instance.objects.count(), Series.objects.get().revision) == (12, 1)


def test_late_slice_is_a_new_revision(world: World, participant: Participant) -> None:
    """NW-09: the gap is judged, then the late slice closes it and the series is judged again."""
    number = participant.study_number
    archived(world, number, ct_series(number, slices=20, keep=lambda i: i != 7))
    assessment.sweep()
    assert (Series.objects.get().verdict, Series.objects.get().findings["gaps"]) == ("gap", [{"after": 15.0, "missing": 1}])
    archived(world, number, ct_series(number, slices=20, keep=lambda i: i == 7))
    assessment.sweep()
    series = Series.objects.get()
    assert (series.verdict, series.revision, series.assessed_revision, series.slice_count) == ("regular", 2, 2, 20)
    assert set(KeySlice.objects.values_list("revision", flat=True)) == {1, 2}


def test_late_slice_that_lost_detail_or_came_first_is_said_of_the_series(world: World, participant: Participant) -> None:
    """NW-03: a lossy image bars its series from measurement whichever package it comes in; the earliest slice says when the scan began."""
    number = participant.study_number

    def change(dataset: Dataset, i: int) -> None:
        dataset.AcquisitionTime = "101459" if i == 0 else "101500"
        if i == 0:
            dataset.LossyImageCompression = "01"

    archived(world, number, ct_series(number, slices=20, keep=lambda i: i > 0, change=change))
    before = Series.objects.get().facts
    assert (before["LossyImageCompression"], before["AcquisitionTime"]) == ("00", "101500")
    archived(world, number, ct_series(number, slices=20, keep=lambda i: i == 0, change=change))
    assert Series.objects.get().facts == before | {"LossyImageCompression": "01", "AcquisitionTime": "101459"}
    assert Series.objects.get().revision == 2


def test_study_number_nobody_has_is_refused(world: World, participant: Participant) -> None:
    """EN-05: nobody is enrolled under it."""
    files = ct_series("01-0999-74")
    assert archived(world, "01-0999-74", files).reason == "unknown_participant"
    assert not Instance.objects.exists()
    assert not inbox.locate(Package.objects.get().digest).exists()


def test_package_of_another_study_is_refused(world: World, participant: Participant) -> None:
    """DI-08: a gateway serves its center and study only."""
    assert archived(world, participant.study_number, ct_series(participant.study_number), study="OTHER").reason == "other_center"


def test_gateway_cannot_send_for_another_center(world: World) -> None:
    """SE-04: center 02's gateway seals for center 02, but hands in at the door with the key of 01."""
    theirs = world.enrol("02")
    sealed = world.seal(theirs.study_number, ct_series(theirs.study_number), center="02")
    assert world.put(sealed, center="01").status_code == 201
    ingest.sweep()
    assert world.receipt(sealed[0]).reason == "other_gateway"


def test_withdrawn_participant_gives_no_new_data(world: World, participant: Participant) -> None:
    """EN-04 b."""
    by = world.coordinators["01"]
    enrollment.withdraw(participant=participant, how_far=Withdrawal.NO_NEW_DATA, on=TODAY, reason="asked for it", by=by)
    assert archived(world, participant.study_number, ct_series(participant.study_number)).reason == "withdrawn"


def test_images_of_another_participant_are_refused(world: World, participant: Participant) -> None:
    """EN-06: the same examination cannot belong to two study numbers; a wrong link at the hospital shows here."""
    other = world.enrol()
    archived(world, participant.study_number, ct_series(participant.study_number))

    def relabel(dataset: Dataset, i: int) -> None:
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = (
            uid(participant.study_number, "study"),
            uid(participant.study_number, "portal"),
        )
        dataset.SOPInstanceUID = uid(participant.study_number, "portal", i)

    assert archived(world, other.study_number, ct_series(other.study_number, change=relabel)).reason == "other_participant"
    assert set(Instance.objects.values_list("series__participant", flat=True)) == {participant.pk}


def private(dataset: Dataset, i: int) -> None:
    dataset.private_block(0x0011, "PRIME", create=True).add_new(0x01, "LO", "x")


def nested_name(dataset: Dataset, i: int) -> None:
    item = Dataset()
    item.add_new(0x0008009C, "PN", "Wang^Wu")
    dataset.ReferencedImageSequence = Sequence([item])


LEFT = {
    "name": lambda dataset, i: setattr(dataset, "PatientName", "Zhang^San"),
    "number": lambda dataset, i: setattr(dataset, "PatientID", "0012345"),
    "birth date": lambda dataset, i: setattr(dataset, "PatientBirthDate", "19680101"),
    "accession number": lambda dataset, i: setattr(dataset, "AccessionNumber", "CT2026001"),
    "not declared": lambda dataset, i: setattr(dataset, "PatientIdentityRemoved", "NO"),
    "original UID": lambda dataset, i: setattr(dataset, "FrameOfReferenceUID", "1.2.840.113619.2.55.3"),
    "private tag": private,
    "nested name": nested_name,
    "free text": lambda dataset, i: setattr(dataset, "SeriesDescription", "Zhang San abdomen"),
    "unlisted attribute": lambda dataset, i: setattr(dataset, "InstitutionName", "Hospital"),
    "preamble": lambda dataset, i: setattr(dataset, "preamble", b"Zhang San".ljust(128, b"\0")),
}


@pytest.mark.parametrize("what", LEFT)
def test_object_that_still_identifies_is_refused(world: World, participant: Participant, what: str) -> None:
    """DI-01, DI-02, DI-05: one object of twelve gives the package away; nothing of it is archived."""
    change = LEFT[what]
    files = ct_series(participant.study_number, change=lambda dataset, i: change(dataset, i) if i == 7 else None)
    assert archived(world, participant.study_number, files).reason == "identity_left"
    assert not ArchivedObject.objects.exists()
    assert not [path for path in archive.root().rglob("*") if path.is_file()]


def test_object_that_is_not_dicom_is_refused(world: World, participant: Participant) -> None:
    """NW-06: read by the limited process, refused by its answer."""
    files = ct_series(participant.study_number)
    listed, junk = manifest_of(files), b"not DICOM at all" * 40
    listed["objects"][0] |= {"sha256": hashlib.sha256(junk).hexdigest(), "size": len(junk)}
    assert archived(world, participant.study_number, [junk, *files[1:]], **listed).reason == "malformed"


def test_sequence_bomb_is_refused(world: World, participant: Participant) -> None:
    """NW-06: 40 levels of sequences; no image has more than a few."""

    def nest(dataset: Dataset, i: int) -> None:
        inner = Dataset()
        for _ in range(40):
            outer = Dataset()
            outer.ReferencedImageSequence = Sequence([inner])
            inner = outer
        dataset.ReferencedImageSequence = Sequence([inner])

    assert archived(world, participant.study_number, ct_series(participant.study_number, change=nest)).reason == "bomb"


def test_altered_ciphertext_is_refused(world: World, participant: Participant) -> None:
    """NW-08: one flipped bit in the middle of the package."""
    identity, sealed = world.seal(participant.study_number, ct_series(participant.study_number))
    broken = bytearray(sealed)
    broken[len(broken) // 2] ^= 1
    assert world.put((identity, bytes(broken))).status_code == 201
    ingest.sweep()
    assert world.receipt(identity).reason == "not_a_package"


def test_fault_of_this_machine_refuses_nothing(world: World, participant: Participant) -> None:
    """RL-02: the worker's key is missing for a while: the package waits, and is archived when the key is back."""
    sealed = world.seal(participant.study_number, ct_series(participant.study_number))
    world.put(sealed)
    key = inbox.directory().parent / "keys" / "worker" / "package.key"
    key.rename(key.with_suffix(".gone"))
    assert ingest.sweep() == 0
    assert (Package.objects.get().state, Package.objects.get().attempts) == ("stored", 1)
    key.with_suffix(".gone").rename(key)
    Package.objects.update(due_at=timezone.now())
    assert ingest.sweep() == 1
    assert world.receipt(sealed[0]).state == "archived"


def test_installation_that_is_not_complete_refuses_nothing(world: World, participant: Participant, settings: Any, tmp_path: Path) -> None:
    """RL-02: the parser's program is missing (half an upgrade): that is no fault of the package."""
    world.put(world.seal(participant.study_number, ct_series(participant.study_number)))
    settings.BASE_DIR = tmp_path
    assert ingest.sweep() == 0
    assert Package.objects.get().state == "stored"


def test_leftovers_of_killed_processes_are_swept(world: World, participant: Participant) -> None:
    """NW-08: a ciphertext whose package was answered, plaintext of a killed opening, an abandoned upload."""
    sealed = world.seal(participant.study_number, ct_series(participant.study_number))
    world.put(sealed)
    left = archive.root() / ".incoming" / f"{sealed[0]}-abc"
    left.mkdir(parents=True)
    (left / "plain").write_bytes(b"x")
    part = inbox.directory() / "dead.part"
    part.write_bytes(b"x")
    os.utime(part, (0, 0))
    ingest.sweep()
    inbox.locate(sealed[0]).write_bytes(sealed[1])
    ingest.sweep()
    assert not left.exists()
    assert not list(inbox.directory().iterdir())


# The door


def test_strangers_are_turned_away(world: World, participant: Participant) -> None:
    """NW-04, SE-03: unknown gateway, wrong key, stale clock, other body, revoked; nothing is kept."""
    identity, sealed = world.seal(participant.study_number, ct_series(participant.study_number))
    path = envelope.PACKAGE_PATH.format(id=identity)
    stranger = keys.new_signing_key()
    unknown = envelope.gateway_id("01", keys.signing_public(stranger))
    answers = [
        world.send("PUT", path, sealed, private_key=stranger, gateway=unknown),
        world.send("PUT", path, sealed, private_key=stranger),
        world.send("PUT", path, sealed, at=timezone.now() - timedelta(minutes=6)),
        world.send("PUT", path, sealed, body_sha256=hashlib.sha256(b"other").hexdigest()),
        world.send("PUT", path, sealed, path=path + "0"),
    ]
    gateways.revoke(gateway=world.gateways["01"], by=User.objects.system(), reason="lost")
    answers.append(world.put((identity, sealed)))
    assert [answer.status_code for answer in answers] == [401] * 6
    assert all(answer.json()["detail"][0].endswith(".") for answer in answers)
    assert not Package.objects.exists()
    assert not list(inbox.directory().iterdir())


def test_session_is_no_key_to_the_door(world: World, client: object, participant: Participant) -> None:
    """NW-04: a signed-in person without a gateway's signature is a stranger there."""
    client.force_login(world.coordinators["01"])  # type: ignore[attr-defined]
    assert client.put("/edge/v1/packages/" + "0" * 64, b"x").status_code == 401  # type: ignore[attr-defined]


def test_gateway_sees_its_own_packages_only(world: World, participant: Participant) -> None:
    """SE-04: the other center's gateway gets 404 for a receipt and for a repeat."""
    sealed = world.seal(participant.study_number, ct_series(participant.study_number))
    world.put(sealed)
    receipt = world.send("GET", envelope.RECEIPT_PATH.format(id=sealed[0]), center="02")
    repeat = world.put(sealed, center="02")
    never = world.send("GET", envelope.RECEIPT_PATH.format(id="0" * 64), center="02")
    assert (receipt.status_code, repeat.status_code, never.status_code) == (404, 404, 404)
    assert receipt.content == never.content


def test_body_that_is_no_package_is_not_kept(world: World) -> None:
    """SE-06: signed junk, and a package under another id."""
    junk = world.send("PUT", envelope.PACKAGE_PATH.format(id="0" * 64), b"junk")
    assert junk.status_code == 400
    assert not Package.objects.exists()


def test_full_disk_is_said_before_the_body_is_taken(world: World, participant: Participant, monkeypatch: pytest.MonkeyPatch) -> None:
    """NW-08: the reserve is as large as any disk: 507, the package stays at the edge."""
    monkeypatch.setattr(inbox, "RESERVE", 2**62)
    sealed = world.seal(participant.study_number, ct_series(participant.study_number))
    assert world.put(sealed).status_code == 507
    assert not Package.objects.exists()


def test_lost_ciphertext_can_be_sent_again(world: World, participant: Participant) -> None:
    """NW-08: the inbox lost a file; the gateway's repeat brings it back."""
    sealed = world.seal(participant.study_number, ct_series(participant.study_number))
    world.put(sealed)
    inbox.locate(sealed[0]).unlink()
    assert ingest.sweep() == 0
    assert world.send("GET", envelope.RECEIPT_PATH.format(id=sealed[0])).status_code == 404
    world.put(sealed)
    Package.objects.update(due_at=timezone.now())
    assert ingest.sweep() == 1


def test_heartbeat_keeps_counts_and_nothing_else(world: World) -> None:
    """SE-07: whatever else an edge says is not stored."""
    body = (
        b'{"spool": 3, "quarantine": {"no_link": 2, "Zhang San": 1}, "last_patient": "Zhang San", "Zhang San": 4,'
        b' "last_received": "2026-03-02T08:15:30Z"}'
    )
    assert world.send("POST", envelope.HEARTBEAT_PATH, body).status_code == 204
    said = Heartbeat.objects.get(name="edge:01").detail
    assert said == {
        "gateway": world.gateways["01"].code, "spool": 3, "quarantine": {"no_link": 2}, "last_received": "2026-03-02T08:15:30Z",
    }  # fmt: skip


# Bytes at rest


def test_missing_and_altered_files_are_named(world: World, participant: Participant, var: Path) -> None:
    """NW-10: one file removed, one bit flipped in another."""
    files = ct_series(participant.study_number)
    archived(world, participant.study_number, files)
    gone, altered = (archive.locate(hashlib.sha256(data).hexdigest()) for data in files[:2])
    gone.unlink()
    content = bytearray(altered.read_bytes())
    content[200] ^= 4
    altered.write_bytes(content)
    assert sorted(archive.verify()) == sorted([f"Object {gone.name} is not in the archive.", f"Object {altered.name} was altered on disk."])
    for path in (gone, altered):
        with pytest.raises(archive.ArchiveFault):
            archive.read(path.name)


def test_storing_again_makes_a_damaged_file_good(var: Path, tmp_path: Path) -> None:
    """NW-10: content addressing repairs what a disk spoiled."""
    source = tmp_path / "source"
    source.write_bytes(b"bytes")
    sha256 = hashlib.sha256(b"bytes").hexdigest()
    archive.put(source, sha256)
    archive.locate(sha256).write_bytes(b"bitten")
    archive.put(source, sha256)
    assert archive.read(sha256) == b"bytes"
    with pytest.raises(archive.ArchiveFault):
        archive.put(source, hashlib.sha256(b"other").hexdigest())
    assert [path.name for path in archive.locate(sha256).parent.iterdir()] == [sha256]


def test_stored_files_can_be_read_by_the_group_and_written_by_nobody_else(var: Path, tmp_path: Path) -> None:
    """SE-09: the worker writes, the web reads, whatever the umask."""
    source = tmp_path / "source"
    source.write_bytes(b"bytes")
    before = os.umask(0o077)
    try:
        archive.put(source, sha256 := hashlib.sha256(b"bytes").hexdigest())
    finally:
        os.umask(before)
    path = archive.locate(sha256)
    assert (path.stat().st_mode & 0o7777, path.parent.stat().st_mode & 0o7777) == (0o640, 0o2750)
