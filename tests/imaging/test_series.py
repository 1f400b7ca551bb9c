"""Series as people see them: assessed by the worker, shown within the center, their phase picked by a person (EL-04, NW-09, SE-04)."""

import io
from collections.abc import Callable

import numpy as np
import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.uid import JPEG2000Lossless, RLELossless

from accounts import audit
from accounts.models import AccessRecord, User
from accounts.transitions import NotAllowedNow
from imaging import archive, assessment, ingest, slices
from imaging.models import KeySlice, Series
from imaging.series import pick_phase, series_for
from studies import milestones
from studies.models import Participant
from studies.vocabulary import Role
from tests.imaging.world import World, ct_series, member

pytestmark = pytest.mark.django_db


def receive(world: World, participant: Participant, center: str = "01", **look: object) -> Series:
    """One series as it stands after both sweeps."""
    before = set(Series.objects.values_list("pk", flat=True))
    world.put(world.seal(participant.study_number, ct_series(participant.study_number, **look), center=center), center=center)
    ingest.sweep()
    assessment.sweep()
    return Series.objects.exclude(pk__in=before).get()


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


# Assessment


def test_series_is_judged_proposed_and_drawn(world: World, participant: Participant) -> None:
    """NW-09, EL-04: twelve slices 2.5 mm apart, described as portal venous."""
    series = receive(world, participant)
    assert (series.verdict, series.slice_count, series.spacing_mm, series.extent_mm) == ("regular", 12, 2.5, 27.5)
    assert (series.phase_proposed, series.phase_reasons, series.phase) == ("portal_venous", ["description"], "")
    assert (series.findings["first_number"], series.findings["last_number"]) == (1, 12)
    assert list(series.key_slices.order_by("window", "index").values_list("window", flat=True)) == ["liver"] * 9 + ["soft_tissue"] * 9


def test_key_slices_show_the_window_and_the_sides(world: World, participant: Participant) -> None:
    """PS3.3 C.11.2.1.2.1: 60 HU through W 400 L 40 is ((60 − 39.5)/399 + 0.5) × 255 = 140.6; air is black; the patient's right is left."""
    series = receive(world, participant)
    drawn = series.key_slices.filter(window="soft_tissue").order_by("index")
    grey = np.asarray(Image.open(io.BytesIO(archive.read(drawn[0].object.sha256))))
    assert (grey.shape, grey[20, 20], grey[31, 0]) == ((32, 32), 141, 0)
    assert (drawn[0].side_left, drawn[0].side_right) == ("R", "L")
    assert [one.place for one in drawn] == [i + 1 for i in slices.choose(12)]
    assert [one.position_mm for one in drawn] == [2.5 * i for i in slices.choose(12)]


def test_key_slices_lie_in_the_middles_of_equal_parts() -> None:
    """By hand: 90 slices in nine parts of ten, the sixth of each; three slices are all shown."""
    assert slices.choose(90) == [5, 15, 25, 35, 45, 55, 65, 75, 85]
    assert slices.choose(3) == [0, 1, 2]
    assert slices.choose(0) == []


@pytest.mark.parametrize("syntax", [JPEG2000Lossless, RLELossless])
def test_compressed_pixels_are_drawn_alike(world: World, participant: Participant, syntax: str) -> None:
    """NW-03: JPEG 2000 and RLE give the same picture as plain pixels; JPEG Lossless and JPEG-LS are tried on real files."""
    plain = receive(world, participant).key_slices.get(window="soft_tissue", index=4)

    def compress(dataset: Dataset, i: int) -> None:
        dataset.compress(syntax, generate_instance_uid=False)

    packed = receive(world, participant, name="packed", change=compress).key_slices.get(window="soft_tissue", index=4)
    assert packed.object_id == plain.object_id


def test_pixels_that_cannot_be_decoded_leave_the_series_usable(world: World, participant: Participant) -> None:
    """NW-06: too few pixel bytes: judged, not drawn, and the reason is kept."""

    def cut(dataset: Dataset, i: int) -> None:
        dataset.PixelData = dataset.PixelData[:100]

    series = receive(world, participant, change=cut)
    assert (series.verdict, series.unreadable, series.key_slices.count()) == ("regular", "pixel_data", 0)


def test_second_series_changes_the_proposal_of_the_first(world: World, participant: Participant) -> None:
    """EL-04: alone it says nothing; after the portal venous series it is the first of two."""
    first = receive(world, participant, name="a", description="abdomen", acquired="101500")
    assert (first.phase_proposed, first.phase_reasons) == ("unknown", ["no_evidence"])
    receive(world, participant, name="b", description="abdomen", acquired="101535")
    proposed = dict(Series.objects.values_list("facts__AcquisitionTime", "phase_proposed"))
    assert proposed == {"101500": "arterial", "101535": "portal_venous"}


# Picking the phase


def test_person_confirms_the_phase_and_the_history_says_so(world: World, participant: Participant) -> None:
    """EL-04, AU-01: who, when and which."""
    series, by = receive(world, participant), world.coordinators["01"]
    picked = pick_phase(series=series, phase="portal_venous", by=by)
    assert (picked.phase, picked.phase_picked_by) == ("portal_venous", by)
    assert picked.phase_picked_at is not None
    last = audit.history(series).last()
    assert (last.phase, last.pgh_context["action"], last.pgh_context["by"]) == ("portal_venous", "series.phase_picked", by.username)


def test_timeline_says_when_every_phase_of_the_protocol_is_confirmed(world: World, participant: Participant) -> None:
    """EL-04: arterial and portal venous; the milestone goes when a correction takes one away, and comes back."""
    arterial, venous = receive(world, participant, name="a"), receive(world, participant, name="b")
    by, confirmed = world.coordinators["01"], milestones.in_force().filter(kind="phase_confirmed")
    pick_phase(series=arterial, phase="arterial", by=by)
    assert not confirmed.exists()
    pick_phase(series=venous, phase="portal_venous", by=by)
    assert (confirmed.get().ref_uuid, confirmed.get().url_name) == (venous.uuid, "series")
    pick_phase(series=venous, phase="delayed", by=by, reason="the veins have washed out")
    assert not confirmed.exists()
    pick_phase(series=venous, phase="portal_venous", by=by, reason="read again")
    assert confirmed.count() == 1


def test_other_phase_later_needs_a_reason(world: World, participant: Participant) -> None:
    """AU-03: a change after the first save says why; the first choice stays in the history."""
    series, by = receive(world, participant), world.coordinators["01"]
    pick_phase(series=series, phase="arterial", by=by)
    assert pick_phase(series=series, phase="arterial", by=by).phase == "arterial"
    with pytest.raises(ValidationError):
        pick_phase(series=series, phase="portal_venous", by=by, reason="  ")
    pick_phase(series=series, phase="portal_venous", by=by, reason="the aorta is as bright as the portal vein")
    assert [event.phase for event in audit.history(series)][-2:] == ["arterial", "portal_venous"]


def test_phase_is_refused_to_strangers_too_early_and_outside_the_vocabulary(world: World, participant: Participant) -> None:
    """SE-03: another center's coordinator, a monitor; a series not yet assessed; a word of one's own."""
    series, by = receive(world, participant), world.coordinators["01"]
    for person in (world.coordinators["02"], member(world.study, "monitor", Role.MONITOR)):
        with pytest.raises(PermissionDenied):
            pick_phase(series=series, phase="arterial", by=person)
    with pytest.raises(ValidationError):
        pick_phase(series=series, phase="late", by=by)
    world.put(world.seal(participant.study_number, ct_series(participant.study_number, name="new")))
    ingest.sweep()
    with pytest.raises(NotAllowedNow):
        pick_phase(series=Series.objects.get(assessed_revision=0), phase="arterial", by=by)


@pytest.mark.parametrize("broken", [{"phase": "arterial"}, {"phase": "venous"}, {"assessed_revision": 0}])
def test_database_keeps_what_must_not_be_false(world: World, participant: Participant, broken: dict[str, object]) -> None:
    """A phase without a person, an unknown phase, a verdict without an assessment: refused whoever writes."""
    series = receive(world, participant)
    with pytest.raises(IntegrityError), transaction.atomic(), audit.act(by=User.objects.system(), action="test"):
        Series.objects.filter(pk=series.pk).update(**broken)


def test_series_is_not_written_outside_an_act(world: World, participant: Participant) -> None:
    """AU-02: the guard trigger."""
    series = receive(world, participant)
    with pytest.raises(Exception, match="outside audit.act"), transaction.atomic():
        Series.objects.filter(pk=series.pk).update(modality="MR")


# Pages


def test_pages_of_one_center_do_not_exist_for_another(world: World, participant: Participant) -> None:
    """SE-04: series page, picture, phase form and API answer 404 to the other center, 200 to one's own."""
    series = receive(world, participant)
    picture = series.key_slices.first()
    assert picture is not None
    pages = [reverse("series", args=[series.uuid]), reverse("slice", args=[picture.uuid]), f"/api/v1/series/{series.uuid}/"]
    own, other = signed_in(world.coordinators["01"]), signed_in(world.coordinators["02"])
    assert [own.get(page).status_code for page in pages] == [200, 200, 200]
    assert [other.get(page).status_code for page in pages] == [404, 404, 404]
    assert other.post(reverse("series-phase", args=[series.uuid]), {"phase": "arterial"}).status_code == 404
    assert (own.get("/api/v1/series/").json()["count"], other.get("/api/v1/series/").json()["count"]) == (1, 0)


@pytest.mark.parametrize("role", [role for role in Role if role not in (Role.COORDINATOR, Role.SITE_PI, Role.PACS_ADMIN, Role.READER)])
def test_study_roles_see_images_only_by_grant(world: World, participant: Participant, role: Role) -> None:
    """SE-03: data manager and monitor see series; nobody else of the study roles does."""
    series = receive(world, participant)
    person = member(world.study, f"person-{role}", role)
    seen = role in (Role.DATA_MANAGER, Role.MONITOR)
    assert series_for(person).filter(pk=series.pk).exists() is seen
    assert signed_in(person).get(reverse("series", args=[series.uuid])).status_code == (200 if seen else 404)


def test_picture_is_sent_as_a_picture_and_never_kept(world: World, participant: Participant) -> None:
    """SE-06: type, nosniff, no-store; the bytes are those of the archive."""
    series = receive(world, participant)
    picture = KeySlice.objects.filter(series=series).first()
    assert picture is not None
    answer = signed_in(world.coordinators["01"]).get(reverse("slice", args=[picture.uuid]))
    assert answer.content == archive.read(picture.object.sha256)
    assert (answer["Content-Type"], answer["X-Content-Type-Options"]) == ("image/png", "nosniff")
    assert "no-store" in answer["Cache-Control"]


def test_phase_is_picked_on_the_page_and_the_page_comes_back(world: World, participant: Participant) -> None:
    """SE-04: the answer leads back to the page it was given on, and nowhere else."""
    series, client = receive(world, participant), signed_in(world.coordinators["01"])
    form, page = reverse("series-phase", args=[series.uuid]), reverse("participant", args=[participant.uuid])
    answer = client.post(form, {"phase": "portal_venous", "next": page})
    assert (answer.status_code, answer["Location"]) == (302, page)
    away = client.post(form, {"phase": "portal_venous", "next": "https://elsewhere.example/"})
    assert away["Location"] == reverse("series", args=[series.uuid])
    assert client.post(form, {"phase": "arterial"}).status_code == 400
    assert Series.objects.get().phase == "portal_venous"


def test_reading_a_series_is_recorded(world: World, participant: Participant) -> None:
    """AU-01: who looked at which series."""
    series = receive(world, participant)
    signed_in(world.coordinators["01"]).get(reverse("series", args=[series.uuid]))
    record = AccessRecord.objects.get(kind="read", subject=f"series {series.uuid}")
    assert record.username == world.coordinators["01"].username


@pytest.fixture
def panel(world: World, participant: Participant) -> Callable[[], str]:
    page = reverse("participant", args=[participant.uuid])
    return lambda: str(signed_in(world.coordinators["01"]).get(page).content.decode())


def test_panel_says_what_to_do_while_there_is_nothing(world: World, participant: Participant, panel: Callable[[], str]) -> None:
    """A page without images names the next step, and says so while a package waits."""
    assert f"link the patient's PACS number to {participant.study_number}" in panel()
    world.put(world.seal(participant.study_number, ct_series(participant.study_number)))
    assert "1 package of this center has come and is being opened." in panel()


def test_panel_shows_each_series_and_asks_for_its_phase(world: World, participant: Participant, panel: Callable[[], str]) -> None:
    """EL-04: the proposal is said and never preselected; the confirmed phase replaces the question."""
    series = receive(world, participant)
    html = panel()
    assert "12 slices" in html
    assert "2.50 mm" in html
    assert "regular stack" in html
    assert "Proposed: portal venous phase" in html
    assert "checked" not in html
    assert html.count('type="radio" name="phase"') == 5
    pick_phase(series=series, phase="portal_venous", by=world.coordinators["01"])
    assert "Proposed" not in panel()


def test_panel_asks_nobody_who_may_not_answer(world: World, participant: Participant) -> None:
    """The button and the action agree: a monitor sees the series without a form."""
    receive(world, participant)
    html = signed_in(member(world.study, "monitor", Role.MONITOR)).get(reverse("participant", args=[participant.uuid])).content.decode()
    assert "12 slices" in html
    assert 'name="phase"' not in html


def test_conflict_is_shown_with_what_to_do(world: World, participant: Participant) -> None:
    """NW-08: the page says that an image came twice with other content."""
    series = receive(world, participant)
    changed = ct_series(participant.study_number, change=lambda dataset, i: setattr(dataset, "KVP", "100") if i == 3 else None)
    world.put(world.seal(participant.study_number, changed))
    ingest.sweep()
    html = signed_in(world.coordinators["01"]).get(reverse("series", args=[series.uuid])).content.decode()
    assert "1 image came a second time with other content." in html


def test_pages_ask_the_same_number_of_queries_for_many_series(world: World, participant: Participant) -> None:
    """Performance: the panel does not ask per series."""
    client, asked = signed_in(world.coordinators["01"]), []
    for names in (["s0"], ["s1", "s2", "s3"]):
        for name in names:
            receive(world, participant, name=name, slices=10)
        with CaptureQueriesContext(connection) as queries:
            assert client.get(reverse("participant", args=[participant.uuid])).status_code == 200
        asked.append(len(queries))
    assert asked[0] == asked[1]
