"""The viewer: both phases at one height, windows of stored slices, readers over each other and how far they agree (done 9)."""

import io
import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import SimpleITK as sitk
from django.test import Client
from django.urls import reverse
from PIL import Image

from accounts.models import User
from imaging import assessment, ingest, overlap, region_checks, regions, viewer_volumes, viewing, windows
from imaging.models import KeySlice, Roi, Series
from imaging.series import pick_phase
from studies.models import Participant
from studies.vocabulary import Role
from tests.imaging.masks import ball, other_phase, written
from tests.imaging.world import World, ct_series, member
from tests.questions import asked

ROWS, COLUMNS = 14, 12


# Agreement, without a database


def masks(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two random, overlapping blobs."""
    rng = np.random.default_rng(seed)
    one, other = (rng.random((9, ROWS, COLUMNS)) < 0.15 for _ in range(2))
    one[2:6, 3:9, 3:8] = other[3:7, 5:11, 4:10] = True
    return one, other


@pytest.mark.parametrize("seed", range(4))
def test_dice_and_hausdorff_are_those_of_itk(seed: int) -> None:
    """A second implementation, on voxels of 2.5 × 0.7 × 0.9 mm."""
    one, other = masks(seed)
    images = []
    for mask in (one, other):
        images.append(sitk.GetImageFromArray(mask.astype(np.uint8)))
        images[-1].SetSpacing((0.9, 0.7, 2.5))
    measures, distance = sitk.LabelOverlapMeasuresImageFilter(), sitk.HausdorffDistanceImageFilter()
    measures.Execute(*images)
    distance.Execute(*images)
    found = overlap.compare(one, other, (2.5, 0.7, 0.9))
    assert found.dice == pytest.approx(measures.GetDiceCoefficient(), abs=1e-12)
    assert found.hausdorff == pytest.approx(distance.GetHausdorffDistance(), abs=1e-5)


def test_agreement_by_hand() -> None:
    """4 × 4 pixels, moved by 2 columns of 0.9 mm: 8 common of 16 and 16; the farthest column lies 1.8 mm off."""
    one, other = np.zeros((1, 10, 10), dtype=bool), np.zeros((1, 10, 10), dtype=bool)
    one[0, 2:6, 2:6] = other[0, 2:6, 4:8] = True
    assert overlap.compare(one, other, (2.5, 0.7, 0.9)) == overlap.Overlap(0.5, pytest.approx(1.8))
    assert overlap.compare(one, one, (1, 1, 1)) == overlap.Overlap(1.0, 0.0)
    assert overlap.compare(one, np.zeros_like(one), (1, 1, 1)) == overlap.Overlap(0.0, None)


# The page


@dataclass
class Case:
    """One participant with both phases kept for the viewer."""

    world: World
    participant: Participant
    files: list[bytes]
    series: dict[str, Series]

    @property
    def address(self) -> str:
        return reverse("viewer", args=[self.participant.uuid])

    def upload(self, phase: str, by: User, reader: str, center: tuple[int, int, int] = (10, 12, 5)) -> Roi:
        series = Series.objects.get(pk=self.series[phase].pk)
        reason = "second reader" if series.rois.exists() else ""
        file = written(ball(self.files, center, 6.0))
        roi = regions.upload(series=series, file=file, treatment_known=False, by=by, reader=reader, reason=reason)
        assert region_checks.sweep() == 1
        return roi


@pytest.fixture
def case(world: World, participant: Participant) -> Case:
    files = ct_series(participant.study_number, name="art", description="arterial axial")
    series = {}
    for phase, sent in (("arterial", files), ("portal_venous", other_phase(files, description="portal_venous axial"))):
        world.put(world.seal(participant.study_number, sent))
        ingest.sweep()
        assessment.sweep()
        series[phase] = pick_phase(series=Series.objects.order_by("-pk")[0], phase=phase, by=world.coordinators["01"])
    assert viewing.sweep() == 2
    assert viewing.sweep() == 0
    return Case(world, participant, files, series)


@pytest.fixture
def client_of(db: None) -> Callable[[User], Client]:
    def client_of(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return client_of


def test_both_phases_are_shown_at_one_height(case: Case, client_of: Callable[[User], Client]) -> None:
    """12 slices, the middle first; links lead to the others, with nothing where there is no slice; few questions to the database."""
    client = client_of(case.world.coordinators["01"])
    with asked() as statements:
        page = client.get(case.address).content.decode()
    assert len(statements) <= 20
    assert page.count("7/12</text>") == 2
    assert re.findall(r'data-arrow="(\w+)"', page) == ["Home", "PageUp", "ArrowUp", "ArrowDown", "PageDown", "End"]
    top = client.get(f"{case.address}?place=12&window=lung").content.decode()
    assert re.findall(r'data-arrow="(\w+)"', top) == ["Home", "PageUp", "ArrowUp"]
    assert "window=lung&amp;place=11" in top
    assert top.count("12/12</text>") == 2


@pytest.mark.parametrize("place", ["0", "-3", "999", "99999999", "x", ""])
def test_impossible_place_shows_a_slice_all_the_same(case: Case, client_of: Callable[[User], Client], place: str) -> None:
    response = client_of(case.world.coordinators["01"]).get(case.address, {"place": place, "window": "none"})
    assert response.status_code == 200


@pytest.mark.parametrize(
    ("window", "grey"),
    [("soft_tissue", 141), ("liver", 77), ("lung", 240), ("bone", 79), ("", 141), ("other", 141)],
)
def test_stored_slice_is_seen_through_the_window_that_is_asked_for(
    case: Case, client_of: Callable[[User], Client], window: str, grey: int
) -> None:
    """PS3.3 C.11.2.1.2.1 for 60 HU: ((60 − (L − 0.5)) / (W − 1) + 0.5) × 255, by hand: 140.6, 77.3, 239.8, 79.4."""
    drawn = case.series["arterial"].key_slices.filter(window=windows.WHOLE, place=7).get()
    response = client_of(case.world.coordinators["01"]).get(reverse("slice", args=[drawn.uuid]), {"window": window})
    picture = np.asarray(Image.open(io.BytesIO(response.content)))
    assert (picture.dtype, picture.shape, picture[20, 20]) == (np.uint8, (32, 32), grey)
    assert "no-store" in response["Cache-Control"]


def test_viewer_and_its_slices_are_the_centers_own(case: Case, client_of: Callable[[User], Client]) -> None:
    """SE-04: another hospital learns of neither."""
    client = client_of(case.world.coordinators["02"])
    assert client.get(case.address).status_code == 404
    drawn = KeySlice.objects.filter(window=windows.WHOLE).first()
    assert drawn is not None
    assert client.get(reverse("slice", args=[drawn.uuid])).status_code == 404


def test_kept_slices_are_not_shown_as_key_slices(case: Case, client_of: Callable[[User], Client]) -> None:
    """The series page goes on showing nine slices and its two windows."""
    page = client_of(case.world.coordinators["01"]).get(reverse("series", args=[case.series["arterial"].uuid])).content.decode()
    assert page.count("/12</text>") == 9
    assert "window=whole" not in page


def test_late_slice_has_the_stack_kept_anew(case: Case) -> None:
    """NW-09: what is shown always belongs to the present revision."""
    number = case.participant.study_number
    late = ct_series(number, name="art", description="arterial axial", slices=13, keep=lambda i: i == 12)
    case.world.put(case.world.seal(number, late))
    ingest.sweep()
    assessment.sweep()
    assert viewing.sweep() == 1
    kept = case.series["arterial"].key_slices.filter(window=windows.WHOLE)
    assert {revision: kept.filter(revision=revision).count() for revision in (1, 2)} == {1: 12, 2: 13}


def test_only_measured_phases_are_kept(case: Case) -> None:
    """A delayed series is not paged through; its key slices are there."""
    number = case.participant.study_number
    case.world.put(case.world.seal(number, ct_series(number, name="delayed", description="delayed axial")))
    ingest.sweep()
    assessment.sweep()
    assert viewing.sweep() == 0


def test_outline_lies_on_every_slice_that_it_marks(case: Case, client_of: Callable[[User], Client]) -> None:
    """A ball of 6 mm around slice 6 at 2.5 mm: places 4 to 8, of which the page draws the one it shows."""
    by = case.world.coordinators["01"]
    roi = case.upload("arterial", by, "R1")
    assert list(roi.outlines.order_by("place").values_list("place", flat=True)) == [4, 5, 6, 7, 8]
    client = client_of(by)
    assert client.get(f"{case.address}?place=8").content.decode().count("<polygon") == 1
    beyond = client.get(f"{case.address}?place=9").content.decode()
    assert "<polygon" not in beyond
    assert "not on this slice" in beyond


def test_readers_are_laid_over_each_other_with_their_agreement(case: Case, client_of: Callable[[User], Client]) -> None:
    """The second ball lies 2 pixels of 1 mm to the left: Dice and Hausdorff are those of the masks that were uploaded, by ITK."""
    by = case.world.coordinators["01"]
    case.upload("arterial", by, "R1")
    case.upload("arterial", by, "R2", center=(12, 12, 5))
    case.upload("portal_venous", by, "R1")
    client = client_of(by)
    alone = client.get(f"{case.address}?place=6").content.decode()
    assert (alone.count("<polygon"), "Dice" in alone) == (2, False)
    with asked() as statements:
        page = client.get(f"{case.address}?place=6&compare=1").content.decode()
    assert len(statements) <= 20
    assert page.count("<polygon") == 3
    one, other = ball(case.files, (10, 12, 5), 6.0), ball(case.files, (12, 12, 5), 6.0)
    measures, distance = sitk.LabelOverlapMeasuresImageFilter(), sitk.HausdorffDistanceImageFilter()
    measures.Execute(one, other)
    distance.Execute(one, other)
    assert f"{measures.GetDiceCoefficient():.3f}</td>" in page
    assert f"{distance.GetHausdorffDistance():.1f} mm</td>" in page
    assert "There is no second reader" in page  # of the portal venous phase


def test_reader_who_has_not_drawn_yet_sees_no_other_reader(case: Case, client_of: Callable[[User], Client]) -> None:
    """Independent readings: until he has handed in both phases, comparing shows what the series page shows, and says why."""
    by = case.world.coordinators["01"]
    case.upload("arterial", by, "R1")
    case.upload("arterial", by, "R2", center=(12, 12, 5))
    case.upload("portal_venous", by, "R1")
    reader = member(case.world.study, "reader-1", Role.READER, case.world.centers["01"])
    page = client_of(reader).get(f"{case.address}?place=6&compare=1").content.decode()
    assert "once you have handed in your own" in page
    assert "Dice" not in page
    for phase in ("arterial", "portal_venous"):
        case.upload(phase, reader, "R3")
    assert "Dice" in client_of(reader).get(f"{case.address}?place=6&compare=1").content.decode()


def test_masks_come_back_from_outlines_voxel_by_voxel(case: Case) -> None:
    """What is compared is what was uploaded."""
    roi = case.upload("arterial", case.world.coordinators["01"], "R1")
    marked = viewer_volumes.filled(roi.outlines.all(), (12, 32, 32))
    assert np.array_equal(marked, sitk.GetArrayFromImage(ball(case.files, (10, 12, 5), 6.0)) == 1)


def test_page_says_that_slices_are_being_drawn(world: World, participant: Participant, client_of: Callable[[User], Client]) -> None:
    client = client_of(world.coordinators["01"])
    address = reverse("viewer", args=[participant.uuid])
    assert "There is no arterial or portal venous series" in client.get(address).content.decode()
    world.put(world.seal(participant.study_number, ct_series(participant.study_number)))
    ingest.sweep()
    assessment.sweep()
    assert "being drawn" in client.get(address).content.decode()
