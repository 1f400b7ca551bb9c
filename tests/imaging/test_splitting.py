"""A series that holds two passes, taken apart by a person into two that are confirmed and outlined by themselves (NW-09, AU-01)."""

from typing import Any

import numpy as np
import pytest
from django.core.exceptions import PermissionDenied
from django.test import Client
from django.urls import reverse
from django.utils.translation import override
from pydicom.dataset import Dataset

from accounts import audit
from accounts.transitions import NotAllowedNow
from imaging import arrival, assessment, extraction, ingest, region_checks, regions, separation, splitting
from imaging.models import Series
from imaging.separation import Place
from imaging.series import pick_phase
from studies.models import Milestone, Participant
from studies.vocabulary import Role
from tests.imaging.masks import ball, written
from tests.imaging.world import World, ct_series, member

SLICES = 12


def two_passes(dataset: Dataset, i: int) -> None:
    """Each twelve slices lie where the first ones lie, 35 s later, brighter by 40 HU; the injection began at 10:14:40."""
    later, k = divmod(i, SLICES)
    dataset.ImagePositionPatient = [-16, -16, k * 2.5]
    dataset.AcquisitionNumber, dataset.AcquisitionTime = 1 + later, ("101500", "101535", "101610")[later]
    dataset.ContrastBolusStartTime = "101440"
    pixels = np.frombuffer(dataset.PixelData, dtype=np.int16) + np.int16(40 * later)
    dataset.PixelData = pixels.tobytes()


def mixed(number: str, **look: Any) -> list[bytes]:
    return ct_series(number, slices=2 * SLICES, description="dynamic axial", change=two_passes, **look)


@pytest.fixture
def series(world: World, participant: Participant) -> Series:
    """The mixed series as it stands after both sweeps."""
    world.put(world.seal(participant.study_number, mixed(participant.study_number)))
    ingest.sweep()
    assessment.sweep()
    return Series.objects.get()


@pytest.mark.django_db
def test_each_pass_becomes_a_series_that_is_confirmed_outlined_and_measured(world: World, participant: Participant, series: Series) -> None:
    by = world.coordinators["01"]
    assert series.verdict == "several_acquisitions"
    made = splitting.split(series=series, by=by)
    assessment.sweep()
    made = list(Series.objects.filter(part_of=series).order_by("part"))
    assert [(one.verdict, one.slice_count, one.members.count(), one.phase_proposed) for one in made] == [
        ("regular", SLICES, SLICES, "arterial"),
        ("regular", SLICES, SLICES, "portal_venous"),
    ]
    assert series.instances.count() == 2 * SLICES, "the images stay where they came"
    for one, phase in zip(made, ("arterial", "portal_venous"), strict=True):
        pick_phase(series=one, phase=phase, by=by)
    assert Milestone.objects.filter(kind="phase_confirmed").count() == 1
    phases = participant.study.protocol.imaging.phases
    whole = arrival.of_all(list(Series.objects.all()), phases=phases, now=series.changed_at + 2 * arrival.QUIET)
    assert not whole.lacks
    measured = []
    for one, files in zip(made, (mixed(participant.study_number)[:SLICES], mixed(participant.study_number)[SLICES:]), strict=True):
        roi = regions.upload(series=one, file=written(ball(files, (16, 16, 5), 6.0)), treatment_known=False, by=by)
        region_checks.sweep()
        roi.refresh_from_db()
        assert (roi.findings, roi.state) == ([], "aligned")
        assert extraction.sweep() == 1
        [kept] = roi.feature_sets.all()
        measured.append(kept)
    assert measured[0].image_sha256 != measured[1].image_sha256
    assert len({dict(kept.values)["original_shape_MeshVolume"] for kept in measured}) == 1
    assert [{frame["acquisition"] for image in one.members for frame in image.frames} for one in made] == [{"1"}, {"2"}]
    history = [(event.pgh_context["action"], event.pgh_context["by"]) for event in audit.history(made[0])]
    assert history[0] == ("series.split", by.username)


@pytest.mark.django_db
def test_only_a_series_of_several_passes_is_taken_apart_once_and_by_who_may(world: World, series: Series, client: Client) -> None:
    by = world.coordinators["01"]
    with pytest.raises(PermissionDenied):
        splitting.split(series=series, by=member(world.study, "monitor", Role.MONITOR))
    pick_phase(series=series, phase="arterial", by=by)
    with override("en"), pytest.raises(NotAllowedNow, match="A phase was picked for the whole series"):
        splitting.split(series=series, by=by)
    pick_phase(series=series, phase="unknown", by=by, reason="two phases in one")
    client.force_login(by)
    page = reverse("series", args=[series.uuid])
    assert "Take apart into 2 series" in client.get(page).content.decode()
    assert client.post(reverse("series-split", args=[series.uuid])).status_code == 302
    shown = client.get(page).content.decode()
    assert "Take apart into" not in shown
    assert all(reverse("series", args=[one.uuid]) in shown for one in series.parts.all())
    assert client.post(reverse("series-split", args=[series.uuid])).status_code == 409
    [first, _] = series.parts.order_by("part")
    with override("en"), pytest.raises(NotAllowedNow, match="holds no passes"):
        splitting.split(series=first, by=by)
    client.force_login(world.coordinators["02"])
    assert client.post(reverse("series-split", args=[series.uuid])).status_code == 404


@pytest.mark.django_db
def test_image_that_comes_later_is_in_no_pass_and_the_page_says_so(world: World, participant: Participant, series: Series) -> None:
    splitting.split(series=series, by=world.coordinators["01"])
    [extra] = ct_series(participant.study_number, slices=25, description="dynamic axial", change=two_passes, keep=lambda i: i == 24)
    world.put(world.seal(participant.study_number, [extra]))
    ingest.sweep()
    found = splitting.passes_of(series)
    assert ([one.members.count() for one in found.series], found.left_out) == ([SLICES, SLICES], 1)


@pytest.mark.parametrize("first", [
    [Place(0, temporal="1"), Place(1, temporal="1"), Place(0, temporal="2"), Place(1, temporal="2")],
    [Place(0, acquisition="4"), Place(1, acquisition="4"), Place(0, acquisition="9"), Place(1, acquisition="9")],
    [Place(0, trigger=0.4), Place(1, trigger=90.0), Place(0, trigger=900.6), Place(1, trigger=990.0)],
    [Place(0, acquired=36000.4), Place(1, acquired=36001.0), Place(0, acquired=36050.6), Place(1, acquired=36051.0)],
])  # fmt: skip
def test_every_slice_belongs_to_the_pass_that_told_it(first: list[Place]) -> None:
    parts = separation.separate(first)
    assert separation.belongs(parts, first) == [0, 0, 1, 1]
    assert separation.belongs(parts, first[::-1]) == [1, 1, 0, 0]
