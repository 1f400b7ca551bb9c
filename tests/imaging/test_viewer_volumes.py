"""What WebGL draws, read by ITK: the same voxels in the same place as the series' own images and masks; who sees which outline."""

import gzip
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from django.test import Client
from django.urls import reverse
from pydicom.dataset import Dataset

from accounts.models import User
from imaging import assessment, ingest, region_checks, regions, viewer_volumes, viewing
from imaging.models import Roi, Series
from imaging.series import pick_phase
from imaging.volumes import read_series
from studies.models import Participant
from studies.vocabulary import Role
from tests.imaging.masks import ball, written
from tests.imaging.world import World, ct_series, member


def shrunk(dataset: Dataset, i: int) -> None:
    """600 × 600 pixels of 0.5 mm in steps of 4, which the kept slices have as 512 × 512."""
    values = np.repeat(np.repeat(np.arange(150, dtype=np.int16)[:, None] + i, 150, axis=1), 4, axis=0).repeat(4, axis=1)
    dataset.Rows = dataset.Columns = 600
    dataset.PixelSpacing, dataset.PixelData = [0.5, 0.5], values.tobytes()


def oblique(dataset: Dataset, i: int) -> None:
    """Turned by 30° about the long axis of the body, the first column towards the back right."""
    c, s = np.cos(np.pi / 6), np.sin(np.pi / 6)
    dataset.ImageOrientationPatient = [round(float(one), 6) for one in (c, s, 0, -s, c, 0)]
    dataset.ImagePositionPatient = [-20, 7, -30 + 2.5 * i]


def downward(dataset: Dataset, i: int) -> None:
    """Coronal slices: rows to the left, columns to the feet; along the normal they go to the front."""
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]
    dataset.ImagePositionPatient = [-16, 30 - 2.5 * i, 16]


@pytest.fixture
def receive(world: World, participant: Participant) -> Callable[..., tuple[Series, list[bytes]]]:
    def receive(**look: Any) -> tuple[Series, list[bytes]]:
        files = ct_series(participant.study_number, description="arterial axial", **look)
        world.put(world.seal(participant.study_number, files))
        ingest.sweep()
        assessment.sweep()
        series = pick_phase(series=Series.objects.order_by("-pk")[0], phase="arterial", by=world.coordinators["01"])
        viewing.sweep()
        return series, files

    return receive


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def fetched(user: User, name: str, uuid: object, folder: Path) -> sitk.Image:
    response = client_of(user).get(reverse(name, args=[uuid]))
    assert response.status_code == 200
    data = response.getvalue()
    assert len(data) == int(response["Content-Length"])
    assert "no-store" in response["Cache-Control"]
    path = folder / f"{name}.nii"
    path.write_bytes(data)
    return sitk.ReadImage(str(path))


def same_grid(one: sitk.Image, other: sitk.Image) -> None:
    """The corners lie at the same places of the patient."""
    assert one.GetSize() == other.GetSize()
    for corner in ((0, 0, 0), tuple(n - 1 for n in one.GetSize()), (one.GetWidth() - 1, 0, 0), (0, one.GetHeight() - 1, 0)):
        places = [image.TransformIndexToPhysicalPoint(corner) for image in (one, other)]
        assert places[0] == pytest.approx(places[1], abs=1e-4)


@pytest.mark.parametrize("change", [None, oblique, downward])
def test_volume_is_the_series_voxel_by_voxel(
    receive: Callable[..., Any], world: World, tmp_path: Path, change: Callable[[Dataset, int], None] | None
) -> None:
    series, files = receive(**({"change": change} if change else {}))
    assert series.verdict == "regular"
    found, wanted = fetched(world.coordinators["01"], "series-volume", series.uuid, tmp_path), read_series(files).image
    same_grid(found, wanted)
    assert np.array_equal(sitk.GetArrayFromImage(found), sitk.GetArrayFromImage(wanted))


def test_larger_pixels_of_a_kept_slice_cover_the_same_area(receive: Callable[..., Any], world: World, tmp_path: Path) -> None:
    """512 pixels over 300 mm: 0.5859375 mm; the outer edge stays where the edge of the first of 600 pixels is."""
    series, files = receive(change=shrunk)
    found, wanted = fetched(world.coordinators["01"], "series-volume", series.uuid, tmp_path), read_series(files).image
    assert found.GetSize() == (512, 512, 12)
    assert found.GetSpacing() == pytest.approx((300 / 512, 300 / 512, 2.5))
    edges = [image.TransformContinuousIndexToPhysicalPoint((-0.5, -0.5, 0.0)) for image in (found, wanted)]
    assert edges[0] == pytest.approx(edges[1], abs=1e-4)
    same = sitk.GetArrayFromImage(sitk.Resample(wanted, found, sitk.Transform(), sitk.sitkNearestNeighbor, 0.0, sitk.sitkFloat64))
    assert np.abs(sitk.GetArrayFromImage(found)[:, 2:-2] - same[:, 2:-2]).max() <= 1


def test_outline_is_the_mask_that_was_handed_in(receive: Callable[..., Any], world: World, tmp_path: Path) -> None:
    series, files = receive()
    mask, by = ball(files, (10, 12, 5), 6.0), world.coordinators["01"]
    roi = regions.upload(series=series, file=written(mask), treatment_known=False, by=by, reader="R1")
    region_checks.sweep()
    found = fetched(by, "roi-volume", roi.uuid, tmp_path)
    same_grid(found, mask)
    assert np.array_equal(sitk.GetArrayFromImage(found), sitk.GetArrayFromImage(mask))


def test_nothing_in_it_names_a_person_or_a_day(receive: Callable[..., Any], world: World) -> None:
    """Every text field of the header is empty, and nothing of the study number, a UID or the day of the examination stands anywhere."""
    series, files = receive()
    data = client_of(world.coordinators["01"]).get(reverse("series-volume", args=[series.uuid])).getvalue()
    head = data[:352]
    assert not any(head[place] for field in (range(4, 40), range(148, 252), range(328, 344), range(348, 352)) for place in field)
    dataset = pydicom.dcmread(io.BytesIO(files[0]))
    for word in (dataset.PatientID, dataset.StudyDate, str(dataset.SeriesInstanceUID), dataset.Manufacturer):
        assert word.encode() not in data
    assert gzip.compress(data)  # it is bytes, not a page


def test_volume_is_the_centers_own_and_only_of_a_regular_stack(receive: Callable[..., Any], world: World) -> None:
    """SE-04; a stack with a gap would be drawn where it does not lie; a late slice takes the volume away until it is kept anew."""
    series, _ = receive()
    address = reverse("series-volume", args=[series.uuid])
    assert client_of(world.coordinators["02"]).get(address).status_code == 404
    assert Client().get(address).status_code in (302, 404)
    gap, _ = receive(name="gap", keep=lambda i: i != 6)
    assert gap.verdict == "gap"
    assert client_of(world.coordinators["01"]).get(reverse("series-volume", args=[gap.uuid])).status_code == 404
    late = Series.objects.get(pk=series.pk)
    late.revision += 1
    assert viewer_volumes.stack_of(late) is None


def test_other_readers_outline_is_shown_after_the_own_one(receive: Callable[..., Any], world: World) -> None:
    """As in the viewer: what was replaced is another reader's opinion, and would lead the hand of who has still to draw."""
    series, files = receive()
    coordinator = world.coordinators["01"]
    reader = member(world.study, "reader-v", Role.READER, world.centers["01"])
    made = []
    for name, by in (("R1", coordinator), ("R2", coordinator), ("reader-v", reader)):
        made.append(
            regions.upload(
                series=Series.objects.get(pk=series.pk), file=written(ball(files, (10, 12, 5), 6.0)), treatment_known=False, by=by,
                reader=name, reason="second reading" if made else "",
            )
        )  # fmt: skip
        region_checks.sweep()
        seen = [client_of(reader).get(reverse("roi-volume", args=[one.uuid])).status_code for one in made]
        states = list(Roi.objects.order_by("pk").values_list("state", flat=True))
        if name == "R2":
            assert states == ["replaced", "aligned"]
            assert seen == [404, 200]
    assert seen == [200, 200, 200]
