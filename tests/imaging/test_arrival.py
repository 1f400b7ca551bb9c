"""When images are complete, and what a late slice does to what was measured and sealed (NW-09)."""

from datetime import datetime, timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import audit
from accounts.canonical import canonical
from accounts.models import User
from analysis import cut_inputs
from imaging import assessment, ingest
from imaging.arrival import QUIET, Arrival, Lack, of_all, of_series
from imaging.models import FeatureSet, Series
from imaging.phase import Phase
from imaging.series import pick_phase
from predictions import features as snapshots
from predictions.models import Tier
from studies import entry
from studies.models import Participant
from tests.gates.test_addresses import measured_on
from tests.imaging.world import World, ct_series
from tests.predictions.sealed_world import VALUES

pytestmark = pytest.mark.django_db
PHASES = ("arterial", "portal_venous")
NOW = datetime.fromisoformat("2026-03-02T10:00:00+08:00")


def row(**changes: object) -> Series:
    """A regular, confirmed arterial series that came an hour ago; `changes` replace its columns."""
    columns = {
        "revision": 1, "assessed_revision": 1, "verdict": "regular", "changed_at": NOW - timedelta(hours=1), "phase": "arterial", **changes
    }  # fmt: skip
    return Series(**columns)


@pytest.mark.parametrize(
    ("changes", "arrival"),
    [
        ({}, Arrival.COMPLETE),
        ({"changed_at": NOW - QUIET + timedelta(seconds=1)}, Arrival.SETTLING),
        ({"changed_at": NOW - QUIET}, Arrival.COMPLETE),
        ({"revision": 2}, Arrival.SETTLING),
        ({"verdict": "gap"}, Arrival.INCOMPLETE),
    ],
)
def test_series_settles_until_it_is_quiet_and_judged(changes: dict[str, object], arrival: Arrival) -> None:
    assert of_series(row(**changes), now=NOW) is arrival


@pytest.mark.parametrize(
    ("second", "arrival", "lacks"),
    [
        ({"phase": "portal_venous"}, Arrival.COMPLETE, ()),
        ({"phase": "delayed"}, Arrival.INCOMPLETE, ((Phase.PORTAL_VENOUS, Lack.ABSENT),)),
        ({"phase": "", "phase_proposed": "portal_venous"}, Arrival.INCOMPLETE, ((Phase.PORTAL_VENOUS, Lack.UNCONFIRMED),)),
        ({"phase": "portal_venous", "verdict": "gap"}, Arrival.INCOMPLETE, ((Phase.PORTAL_VENOUS, Lack.FAULTY),)),
        ({"phase": "portal_venous", "changed_at": NOW}, Arrival.SETTLING, ()),
        ({"phase": "", "changed_at": NOW}, Arrival.SETTLING, ((Phase.PORTAL_VENOUS, Lack.ABSENT),)),
    ],
)
def test_quiet_alone_is_never_complete(second: dict[str, object], arrival: Arrival, lacks: object) -> None:
    """Peers B1: complete needs every phase of the protocol, confirmed, each one regular stack."""
    found = of_all([row(), row(**second)], phases=PHASES, now=NOW)
    assert (found.arrival, found.lacks) == (arrival, lacks)


def test_no_series_is_none() -> None:
    assert of_all([], phases=PHASES, now=NOW).arrival is Arrival.NONE


def receive(world: World, participant: Participant, **look: object) -> None:
    world.put(world.seal(participant.study_number, ct_series(participant.study_number, **look)))
    ingest.sweep()
    assessment.sweep()


@pytest.fixture
def measured(world: World, participant: Participant) -> Participant:
    """A participant whose clinical values are submitted and both of whose phases are confirmed and measured."""
    by = world.coordinators["01"]
    entry.record_texts(participant=participant, texts=VALUES, submit=True, by=by)
    for name, phase in (("art", "arterial"), ("pv", "portal_venous")):
        receive(world, participant, name=name, slices=20)
        series = Series.objects.order_by("-pk")[0]
        pick_phase(series=series, phase=phase, by=by)
        measured_on(series, series.key_slices.first().object)
    return participant


def test_late_slice_makes_a_new_snapshot_and_leaves_the_sealed_one(world: World, measured: Participant) -> None:
    """The sealed bytes stay; nothing more is sealed until the new revision is measured, and then it is another snapshot."""
    sealed = snapshots.take(measured, Tier.CLINICAL_CT)
    assert sealed is not None
    assert list(cut_inputs._measured(measured.study, "arterial")[1]) == [measured.pk]
    before = FeatureSet.objects.order_by("pk").values()
    kept = list(before)
    receive(world, measured, name="art", slices=21, keep=lambda i: i == 20)
    late = Series.objects.get(phase="arterial")
    assert (late.revision, late.slice_count) == (2, 21)
    assert snapshots.take(measured, Tier.CLINICAL_CT) is None
    assert cut_inputs._measured(measured.study, "arterial")[1] == {}
    assert list(before.all()) == kept
    again = {"id": None, "uuid": late.uuid, "revision": 2, "image_sha256": "1" * 64, "computed_at": timezone.now()}
    FeatureSet.objects.create(**kept[0] | again)
    renewed = snapshots.take(measured, Tier.CLINICAL_CT)
    assert renewed is not None
    assert renewed.sha256 != sealed.sha256
    assert canonical({"image": "1" * 64})[1:-1] in renewed.content
    assert canonical({"image": "1" * 64})[1:-1] not in sealed.content


def test_page_of_the_participant_says_what_is_missing(world: World, measured: Participant) -> None:
    client = Client()
    client.force_login(world.coordinators["01"])
    address = reverse("participant", args=[measured.uuid])
    assert "Images are still coming" in client.get(address).content.decode()
    with audit.act(by=User.objects.system(), action="test"):
        Series.objects.update(changed_at=timezone.now() - timedelta(hours=1))
    assert "Complete: every phase of the protocol is confirmed" in client.get(address).content.decode()
    late = Series.objects.get(phase="arterial")
    pick_phase(series=late, phase="delayed", by=world.coordinators["01"], reason="seen again")
    assert "Not complete. arterial phase: not there." in " ".join(client.get(address).content.decode().split())
