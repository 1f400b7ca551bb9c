"""Readers' outlines: handed in by who may, held against their series by the worker, replaced, taken back and shown (MD-08, SE-03)."""

import gzip
import io
import itertools
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import override

from accounts import audit
from accounts.models import AccessRecord, User
from accounts.transitions import NotAllowedNow
from imaging import archive, assessment, inbox, ingest, nifti, region_checks, regions
from imaging.models import ArchivedObject, KeySlice, Roi, Series
from studies import enrollment
from studies.exchange import date_shift, row_tokens
from studies.models import Milestone, Participant
from studies.vocabulary import Role
from tests.imaging.masks import ball, moved, other_phase, written
from tests.imaging.outlines import segmentation, sent, square, structure_set, uids
from tests.imaging.world import World, ct_series, member

pytestmark = pytest.mark.django_db
CENTER, RADIUS = (10, 12, 5), 6.0


class Case:
    """One participant with one assessed series and its files."""

    def __init__(self, world: World, participant: Participant) -> None:
        self.world, self.participant = world, participant
        self.files = ct_series(participant.study_number)
        self.series = self.receive(self.files)
        self.by = world.coordinators["01"]
        self.mask = ball(self.files, CENTER, RADIUS)

    def receive(self, files: list[bytes]) -> Series:
        before = set(Series.objects.values_list("pk", flat=True))
        self.world.put(self.world.seal(self.participant.study_number, files))
        ingest.sweep()
        assessment.sweep()
        return Series.objects.exclude(pk__in=before).get()

    def upload(self, **changes: Any) -> Roi:
        given = {"series": self.series, "file": written(self.mask), "treatment_known": False, "by": self.by, **changes}
        with override("en"):
            return regions.upload(**given)

    def checked(self, **changes: Any) -> Roi:
        """An uploaded outline after the worker's sweep."""
        roi = self.upload(**changes)
        assert region_checks.sweep() == 1
        return Roi.objects.get(pk=roi.pk)


@pytest.fixture
def case(world: World, participant: Participant) -> Case:
    return Case(world, participant)


# Handing in

VOXELS = {"z": slice(3, 6), "y": slice(10, 15), "x": slice(8, 12)}


def cube() -> np.ndarray:
    """3 × 5 × 4 = 60 voxels of the series' 12 × 32 × 32."""
    grid = np.zeros((12, 32, 32), dtype=np.uint8)
    grid[VOXELS["z"], VOXELS["y"], VOXELS["x"]] = 1
    return grid


def test_segmentation_comes_into_force_and_leaves_no_name(case: Case) -> None:
    """MD-08: what is kept is the mask of the chosen segment, as NIfTI; of the reader's file nothing else is."""
    data = segmentation({1: 1 - cube(), 2: cube()}, sources=uids(case.files))
    roi = case.checked(file=sent(data), segment=2)
    assert (roi.state, roi.findings, roi.voxels, roi.file_format, roi.segment) == ("aligned", [], 60, "dicom", 2)
    assert roi.object is not None
    kept = archive.read(roi.object.sha256)
    assert nifti.is_nifti(kept)
    for stored in ArchivedObject.objects.exclude(media_type="image/png"):
        assert b"ZHANG" not in archive.read(stored.sha256)


def test_structure_set_comes_into_force(case: Case) -> None:
    """10 × 8 voxels on two slices."""
    roi = case.checked(file=sent(structure_set({1: [square(-10.5, -8.5, -0.5, -0.5, z) for z in (5.0, 7.5)]})))
    assert (roi.state, roi.voxels, roi.file_format) == ("aligned", 160, "dicom")
    assert sorted(roi.outlines.values_list("place", "pixels")) == [(3, 80), (4, 80)]


def test_file_of_several_regions_is_refused_until_one_is_named(case: Case) -> None:
    roi = case.checked(file=sent(segmentation({1: 1 - cube(), 2: cube()})))
    assert (roi.state, roi.object, [finding["code"] for finding in roi.findings]) == ("refused", None, ["several_regions"])
    assert "The file holds 2 regions" in _page(case)


def test_outline_drawn_on_the_other_phase_is_refused(case: Case) -> None:
    """Both phases lie on the same voxels: only the file's references tell that it belongs to the other series."""
    other = other_phase(case.files)
    case.receive(other)
    roi = case.checked(file=sent(segmentation({1: cube()}, sources=uids(other))))
    assert (roi.state, [finding["code"] for finding in roi.findings]) == ("refused", ["elsewhere"])
    assert case.checked(file=sent(segmentation({1: cube()}, sources=uids(case.files)))).state == "aligned"


def test_outline_leaves_as_dicom_with_shifted_days(case: Case) -> None:
    """DI-04: who may export gets it, it is recorded, its days are those of the participant's other exports, its voxels the reader's."""
    roi = case.checked(file=sent(segmentation({1: cube()}, sources=uids(case.files))), reader="R2")
    address = reverse("roi-dicom", args=[roi.uuid])
    assert _signed_in(case.by).get(address).status_code == 403
    response = _signed_in(member(case.world.study, "manager", Role.DATA_MANAGER)).get(address)
    assert (response.status_code, response["Content-Type"]) == (200, "application/dicom")
    record = AccessRecord.objects.filter(kind=AccessRecord.Kind.EXPORT).latest("pk")
    assert record.subject == f"outline {roi.uuid}"
    out = pydicom.dcmread(io.BytesIO(response.content))
    days = date_shift.offset(row_tokens.export_key(), case.participant.study_number)
    scanned = case.series.imaging_study.study_date
    assert (out.StudyDate, out.PatientID) == (f"{scanned + timedelta(days=days):%Y%m%d}", case.participant.study_number)
    assert out.ContentDate == f"{timezone.localdate(roi.uploaded_at) + timedelta(days=days):%Y%m%d}"
    assert f"{scanned:%Y%m%d}".encode() not in response.content
    assert np.array_equal(out.pixel_array, cube()[3:6])
    frame = out.PerFrameFunctionalGroupsSequence[0]
    assert frame.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID == uids(case.files)[3]
    assert [float(number) for number in frame.PlanePositionSequence[0].ImagePositionPatient] == [-16, -16, 7.5]


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy (Debian package dicom3tools) is not installed")
def test_exported_segmentation_satisfies_dciodvfy(case: Case, tmp_path: Path) -> None:
    """PS3.3 A.51, judged by another's program."""
    roi = case.checked(file=sent(segmentation({1: cube()})))
    assert roi.dicom is not None
    done = subprocess.run(["dciodvfy", archive.locate(roi.dicom.sha256)], capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    assert "Segmentation" in said
    assert [line for line in said.splitlines() if line.startswith("Error")] == []


def test_number_of_a_region_is_a_number(case: Case) -> None:
    """The form says what can be mended."""
    form = {"mask": sent(segmentation({1: cube()})), "treatment_known": "no", "reader": "R1", "segment": "two"}
    response = _signed_in(case.by).post(reverse("roi-upload", args=[case.series.uuid]), form)
    assert response.status_code == 400
    assert not Roi.objects.exists()


def test_outline_that_lies_on_its_series_is_in_force(case: Case) -> None:
    """MD-08: checked against the revision that is there, archived by hash, on the timeline, traced to who handed it in."""
    roi = case.checked(reader="R2", treatment_known=True)
    assert (roi.state, roi.findings, roi.checked_revision, roi.treatment_known, roi.reader) == ("aligned", [], 1, True, "R2")
    assert roi.apart_mm == pytest.approx(0, abs=1e-6)
    assert roi.object is not None
    assert roi.object.media_type == ArchivedObject.MediaType.NIFTI
    assert archive.read(roi.object.sha256) == nifti.blanked(written(case.mask).read())
    milestone = Milestone.objects.get(kind="roi_ready")
    assert (milestone.ref_uuid, milestone.url_name) == (case.series.uuid, "series")
    uploaded, checked = [(event.pgh_context["action"], event.pgh_context["by"]) for event in audit.history(roi)]
    assert (uploaded, checked[0]) == (("roi.uploaded", case.by.username), "roi.checked")
    assert list(inbox.directory().iterdir()) == []
    assert list(archive.verify()) == []


def test_mask_of_another_series_is_refused_by_how_many_millimetres(case: Case) -> None:
    """MD-08: never resampled; the file is kept with its sentence and nothing changes for the series."""
    roi = case.checked(file=written(moved(case.mask, 12.5)))
    assert (roi.state, roi.apart_mm) == ("refused", pytest.approx(12.5))
    [finding, *_] = roi.findings
    assert finding["code"] == "origin"
    assert finding["message"] % finding["params"] == (
        "The mask lies 12.5 mm away from the image's place (left +0.0, back +0.0, head +12.5 mm)."
    )
    assert roi.object is not None
    assert not Milestone.objects.filter(kind="roi_ready").exists()
    assert case.series.instances.count() == 12
    assert "12.5 mm away" in _page(case)


@pytest.mark.parametrize(
    ("label", "code"),
    [(0, "empty"), (2, "label")],
)
def test_mask_without_label_one_is_refused(case: Case, label: int, code: str) -> None:
    """MD-08: label 1 is the tumour."""
    roi = case.checked(file=written(case.mask * label))
    assert (roi.state, [finding["code"] for finding in roi.findings]) == ("refused", [code])


@pytest.mark.parametrize("packed", [False, True])
def test_file_cut_short_is_refused_and_not_kept(case: Case, packed: bool) -> None:
    """NW-06: the header is right, the last slices are missing: ITK would read them as empty."""
    data = written(case.mask).read()
    data = data[: len(data) * 2 // 3] if packed else gzip.decompress(data)[:9000]
    roi = case.checked(file=SimpleUploadedFile("mask.nii", data))
    assert (roi.state, [finding["code"] for finding in roi.findings], roi.object) == ("refused", ["not_nifti"], None)


@pytest.mark.parametrize("name", ["mask.nii", "mask.nii.gz"])
def test_text_in_the_header_does_not_reach_the_archive(case: Case, name: str) -> None:
    """De-identification: programs leave names in db_name, descrip and aux_file; grid and voxels stay."""
    raw = bytearray(gzip.decompress(written(case.mask).read()))
    raw[14:32], raw[148:228], raw[228:252] = b"ZHANG^SAN".ljust(18, b"\0"), b"1234567".ljust(80, b"\0"), b"Zhang".ljust(24, b"\0")
    data = gzip.compress(bytes(raw), mtime=0) if name.endswith("gz") else bytes(raw)
    roi = case.checked(file=SimpleUploadedFile(name, data))
    assert roi.state == "aligned"
    assert roi.object is not None
    kept = gzip.decompress(archive.read(roi.object.sha256))
    assert b"ZHANG" not in kept.upper()
    assert b"1234567" not in kept
    assert kept[352:] == bytes(raw[352:])
    assert kept[40:148] == bytes(raw[40:148])


@pytest.mark.parametrize("data", [b"", b"not an image", b"\x1f\x8bdamaged", gzip.compress(b"x" * 600, mtime=0)])
def test_file_that_is_no_nifti_is_refused_at_the_door(case: Case, data: bytes) -> None:
    with pytest.raises(ValidationError):
        case.upload(file=SimpleUploadedFile("mask.nii.gz", data))
    assert (Roi.objects.count(), list(inbox.directory().iterdir())) == (0, [])


def test_treatment_known_must_be_answered(case: Case) -> None:
    """docs/blinding.md §4: nobody answers it by leaving it out."""
    with pytest.raises(ValidationError, match="knew the treatment"):
        case.upload(treatment_known=None)


def test_outline_is_taken_from_who_may_and_while_it_can_be_checked(case: Case) -> None:
    """SE-03: another center, a monitor; a second one while the first is being checked; a withdrawn participant."""
    for person in (case.world.coordinators["02"], member(case.world.study, "monitor", Role.MONITOR)):
        with pytest.raises(PermissionDenied):
            case.upload(by=person)
    reader = member(case.world.study, "reader", Role.READER, case.world.centers["01"])
    assert case.upload(by=reader).reader == "reader"
    with pytest.raises(NotAllowedNow, match="being checked"):
        case.upload()


def test_withdrawn_participant_gets_no_outline(case: Case) -> None:
    on = case.participant.study.today()
    enrollment.withdraw(participant=case.participant, how_far="no_new_data", on=on, reason="asked to stop", by=case.by)
    with pytest.raises(NotAllowedNow, match="withdrawn"):
        case.upload()


def test_outline_waits_until_its_series_is_assessed(case: Case) -> None:
    new = other_phase(case.files)
    case.world.put(case.world.seal(case.participant.study_number, new))
    ingest.sweep()
    with pytest.raises(NotAllowedNow, match="still being received"):
        case.upload(series=Series.objects.get(verdict=""))


# One in force


def test_new_outline_takes_the_place_only_once_it_lies_on_the_images(case: Case) -> None:
    """AU-03: with a reason; a refused one changes nothing."""
    first = case.checked()
    with pytest.raises(ValidationError, match="takes the place"):
        case.upload()
    refused = case.checked(file=written(moved(case.mask, 3)), reason="second reading")
    assert refused.state == "refused"
    first.refresh_from_db()
    assert first.state == "aligned"
    second = case.checked(file=written(ball(case.files, (12, 12, 5), 7)), reason="second reading")
    first.refresh_from_db()
    assert (first.state, first.replaced_by, second.state) == ("replaced", second, "aligned")
    assert Milestone.objects.filter(kind="roi_ready").count() == 1


def test_outline_taken_back_counts_no_more(case: Case) -> None:
    """AU-03: with a reason; the timeline retracts what is no longer so."""
    roi = case.checked()
    with pytest.raises(ValidationError):
        regions.void(roi=roi, reason=" ", by=case.by)
    with pytest.raises(PermissionDenied):
        regions.void(roi=roi, reason="wrong lesion", by=case.world.coordinators["02"])
    voided = regions.void(roi=roi, reason="wrong lesion", by=case.by)
    assert (voided.state, voided.void_reason) == ("voided", "wrong lesion")
    assert not Milestone.objects.filter(kind="roi_ready", cancelled_by=None, retraction=False).exists()
    with pytest.raises(NotAllowedNow):
        regions.void(roi=roi, reason="again", by=case.by)


def test_series_that_grows_has_its_outline_checked_again(case: Case) -> None:
    """NW-09: two more slices: the mask no longer covers the series, is refused with the sizes and leaves the timeline."""
    roi = case.checked()
    grown = ct_series(case.participant.study_number, slices=14)
    case.world.put(case.world.seal(case.participant.study_number, grown))
    ingest.sweep()
    assert region_checks.sweep() == 0, "not before the series is assessed"
    assessment.sweep()
    assert region_checks.sweep() == 1
    roi.refresh_from_db()
    assert (roi.state, roi.findings[0]["code"]) == ("refused", "size")
    assert not Milestone.objects.filter(kind="roi_ready", cancelled_by=None, retraction=False).exists()


def test_database_keeps_what_must_not_be_false(case: Case) -> None:
    """Two in force, refused without a word, in force without bytes, taken back without a reason."""
    roi = case.checked()
    second = case.upload(reason="again")
    wrong = [
        (second, {"state": "aligned", "object": roi.object, "voxels": 1, "checked_revision": 1}), (second, {"state": "refused"}),
        (second, {"state": "aligned"}), (roi, {"state": "voided"}), (roi, {"state": "replaced"}),
    ]  # fmt: skip
    for record, broken in wrong:
        with pytest.raises(IntegrityError), transaction.atomic(), audit.act(by=User.objects.system(), action="test"):
            Roi.objects.filter(pk=record.pk).update(**broken)


def test_lost_upload_says_so_and_files_without_rows_go(case: Case, settings: Any) -> None:
    roi = case.upload()
    inbox.locate_mask(roi.uuid).unlink()
    assert region_checks.sweep() == 1
    roi.refresh_from_db()
    assert (roi.state, roi.findings[0]["code"]) == ("refused", "lost")


# What is seen


def test_outline_is_drawn_on_the_slices_through_the_region(case: Case) -> None:
    """By hand: a ball of 6 mm on slices 2.5 mm apart marks 5 slices; the largest is at its center, an area of about π·36 pixels."""
    roi = case.checked()
    shown = list(roi.outlines.order_by("-pixels", "place"))
    assert shown[0].place == CENTER[2] + 1
    assert shown[0].pixels == pytest.approx(np.pi * RADIUS**2, rel=0.05)
    assert {one.place for one in shown} <= set(range(4, 9))
    drawn = set(KeySlice.objects.filter(series=case.series, window="soft_tissue").values_list("place", flat=True))
    assert {one.place for one in shown} <= drawn
    assert (shown[0].width, shown[0].height) == (32, 32)
    assert sum(_area(polygon) for polygon in shown[0].polygons) == shown[0].pixels


def _area(polygon: list[list[float]]) -> float:
    """The shoelace formula, positive for clockwise polygons with y down."""
    return sum(a[0] * b[1] - b[0] * a[1] for a, b in itertools.pairwise([*polygon, polygon[0]])) / 2


def _signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def _page(case: Case, user: User | None = None) -> str:
    client = Client()
    client.force_login(user or case.by)
    answer = client.get(reverse("series", args=[case.series.uuid]))
    assert answer.status_code == 200
    return answer.content.decode()
