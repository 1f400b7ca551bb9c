"""A box on the page, a machine's draft in it, and the reader without whom it counts nowhere."""

import re
from pathlib import Path
from typing import Any

import pydicom
import pytest
import SimpleITK as sitk
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from django.utils.translation import override

from accounts import audit
from accounts.transitions import NotAllowedNow
from imaging import archive, assessment, draft_work, drafts, ingest, region_checks, regions
from imaging.models import Draft, Roi, Series
from studies.models import Participant
from studies.vocabulary import Role
from tests.imaging.masks import ball, written
from tests.imaging.world import World, ct_series, member

pytestmark = pytest.mark.django_db
BOX = [2, 6, 4, 7, 18, 16]  # slices 3–8, rows 7–19, columns 5–17


@pytest.fixture
def series(world: World, participant: Participant, settings: Any) -> Series:
    settings.PRIME_SEGMENTER = "tests.imaging.own_segmenter:OwnSegmenter"
    world.put(world.seal(participant.study_number, ct_series(participant.study_number)))
    ingest.sweep()
    assessment.sweep()
    return Series.objects.get()


def drafted(series: Series, world: World) -> Draft:
    draft = drafts.ask(series=series, box=BOX, by=world.coordinators["01"])
    assert draft_work.sweep() == 1
    return Draft.objects.get(pk=draft.pk)


def test_box_is_drafted_by_the_named_segmenter_and_counts_nowhere(series: Series, world: World) -> None:
    """6 slices × 13 rows × 6 even columns of 4…16: 7 columns; nothing outside the box, no outline in force."""
    draft = drafted(series, world)
    assert (draft.state, draft.segmenter, draft.voxels, draft.findings) == ("drafted", "own 2", 6 * 13 * 7, [])
    assert [one["place"] for one in sorted(draft.outlines, key=lambda one: one["place"])] == [3, 4, 5, 6, 7, 8]
    assert not Roi.objects.exists()
    assert draft_work.sweep() == 0


def test_draft_taken_as_it_is_says_so_wherever_it_goes(series: Series, world: World) -> None:
    draft = drafted(series, world)
    roi = drafts.accept(draft=draft, by=world.coordinators["01"], reader="R1", treatment_known=False)
    assert region_checks.sweep() == 1
    roi = Roi.objects.get(pk=roi.pk)
    assert (roi.state, roi.origin, roi.reader, roi.voxels) == ("aligned", "draft", "R1", 6 * 13 * 7)
    assert Draft.objects.get().state == "taken"
    assert roi.dicom is not None
    segment = pydicom.dcmread(archive.locate(roi.dicom.sha256)).SegmentSequence[0]
    assert (segment.SegmentAlgorithmType, segment.SegmentAlgorithmName) == ("SEMIAUTOMATIC", "own 2")
    with override("en"), pytest.raises(NotAllowedNow, match="handed in meanwhile"):
        drafts.accept(draft=draft, by=world.coordinators["01"], reader="R1", treatment_known=False, reason="again")


def test_draft_that_a_reader_corrected_is_told_from_one_drawn_by_hand(series: Series, world: World) -> None:
    draft, by = drafted(series, world), world.coordinators["01"]
    mask = ball([path.read_bytes() for path in region_checks.images(series)], (10, 12, 5), 6.0)
    drafts.correct(draft=draft, file=written(mask), by=by, reader="R1", treatment_known=True)
    assert region_checks.sweep() == 1
    assert list(Roi.objects.values_list("state", "origin")) == [("aligned", "changed")]
    regions.upload(series=series, file=written(mask), by=by, reader="R1", treatment_known=True, reason="by hand")
    assert region_checks.sweep() == 1
    assert list(Roi.objects.order_by("pk").values_list("state", "origin")) == [("replaced", "changed"), ("aligned", "hand")]


def test_draft_needs_an_answer_about_the_treatment(series: Series, world: World) -> None:
    draft = drafted(series, world)
    with override("en"), pytest.raises(ValidationError, match="knew the treatment"):
        drafts.accept(draft=draft, by=world.coordinators["01"], reader="R1", treatment_known=None)
    assert Draft.objects.get().state == "drafted"


def test_outline_for_comparison_never_comes_from_a_draft(series: Series, world: World) -> None:
    """Two readers who start from one draft agree with the machine: the database refuses it, too."""
    draft, by = drafted(series, world), world.coordinators["01"]
    drafts.accept(draft=draft, by=by, reader="R1", treatment_known=False)
    assert region_checks.sweep() == 1
    roi = Roi.objects.get()
    with pytest.raises(IntegrityError, match="roi_compared_is_by_hand"), transaction.atomic(), audit.act(by=by, action="test"):
        Roi.objects.filter(pk=roi.pk).update(session="second", state="compared")


@pytest.mark.parametrize(("box", "sentence"), [
    ([2, 6, 4, 12, 18, 16], "reaches from slice 3 to 13; the series has 1 to 12"),
    ([2, 6, 16, 7, 18, 4], "reaches from column 17 to 5"),
    ([2, None, 4, 7, 18, 16], "type all six numbers"),
])  # fmt: skip
def test_box_that_does_not_lie_in_the_series_is_refused(series: Series, world: World, box: list[int | None], sentence: str) -> None:
    with override("en"), pytest.raises(ValidationError, match=sentence):
        drafts.ask(series=series, box=box, by=world.coordinators["01"])


def test_what_cannot_be_drafted_says_why_and_another_box_takes_its_place(series: Series, world: World, settings: Any) -> None:
    """A segmenter that is not installed, then one that is."""
    for name, state, codes in (("nowhere.at:all", "failed", ["segmenter"]), ("classical", "drafted", [])):
        settings.PRIME_SEGMENTER = name
        draft = drafted(series, world)
        assert (draft.state, [finding["code"] for finding in draft.findings]) == (state, codes)
    assert list(Draft.objects.order_by("pk").values_list("state", flat=True)) == ["dropped", "drafted"]


def test_only_who_may_hand_in_outlines_may_have_one_drafted(series: Series, world: World) -> None:
    with pytest.raises(PermissionDenied):
        drafts.ask(series=series, box=BOX, by=member(world.study, "pacs", Role.PACS_ADMIN, series.center))


def test_page_asks_shows_and_hands_in(series: Series, world: World) -> None:
    """From the typed box to the outline that says on the page how it was made; the numbers of the form count from 1."""
    client = Client()
    client.force_login(world.coordinators["01"])
    typed = {"first": "3", "top": "7", "left": "5", "last": "8", "bottom": "19", "right": "17"}
    asked = client.post(reverse("draft-ask", args=[series.uuid]), typed, follow=True, headers={"Accept-Language": "en"})
    assert "A program is marking the tumour" in asked.content.decode()
    draft = Draft.objects.get()
    assert draft.box == BOX
    assert draft_work.sweep() == 1
    page = client.get(reverse("series", args=[series.uuid]), headers={"Accept-Language": "en"}).content.decode()
    assert "Machine draft by own 2, 546 voxels. It counts nowhere until a reader takes it" in page
    assert reverse("draft-take", args=[draft.uuid]) in page
    file = client.get(reverse("draft-mask", args=[draft.uuid]))
    path = Path(file["Content-Disposition"].split('"')[1])
    assert path.name == f"{series.participant.study_number}-draft.nii.gz"
    taken = client.post(reverse("draft-take", args=[draft.uuid]), {"treatment_known": "no", "reader": "R1"}, follow=True)
    assert taken.status_code == 200
    assert region_checks.sweep() == 1
    page = client.get(reverse("series", args=[series.uuid]), headers={"Accept-Language": "en"}).content.decode()
    assert "machine draft, taken as it is" in re.sub(r"\s+", " ", page)


def test_mask_of_a_draft_lies_on_the_series_and_has_no_text(series: Series, world: World, tmp_path: Path) -> None:
    draft = drafted(series, world)
    assert draft.object is not None
    (tmp_path / "draft.nii.gz").write_bytes(archive.read(draft.object.sha256))
    mask = sitk.ReadImage(str(tmp_path / "draft.nii.gz"))
    voxels = sitk.GetArrayFromImage(mask)
    assert int(voxels[2:8, 6:19, 4:17:2].sum()) == int(voxels.sum()) == draft.voxels
