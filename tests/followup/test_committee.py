"""The blinded committee: who reads what, what a package holds and hides, who decides, and how far it agrees (EP-12, BL-06)."""

import hashlib
import re
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import DatabaseError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone, translation
from PIL import Image

from accounts import audit
from accounts.models import User
from accounts.transitions import NotAllowedNow
from followup import case_package, committee, events, treatment
from followup.models import AdjudicationCase, CaseReading
from imaging import archive
from imaging.models import ArchivedObject, ImagingStudy, KeySlice, Series
from studies import setup
from studies.models import Participant
from studies.vocabulary import Role
from tests import replay, world
from tests.followup.test_pages import browser_of
from tests.world import World

pytestmark = pytest.mark.django_db
READERS = ("adjudicator", "adjudicator2", "adjudicator3")
HIDDEN = ("TACE", "intrahepatic", "suspicious", "recurrence seen", "no tumour seen", "Hospital 01")
"""What a package must never say: treatment, the site's findings and verdict, the center."""


@dataclass
class Scene:
    """Two hospitals, three adjudicators, and the cases of somebody who recurs and of somebody who does not."""

    world: World
    cases: dict[bool, AdjudicationCase]


def _built() -> Scene:
    site = world.build()
    for name in READERS[1:]:
        world.join(site, name, Role.ADJUDICATOR, None)
    people = {recurs: seen(site, recurs=recurs).pk for recurs in (True, False)}
    made = {case.participant_id: case for case in committee.open_cases(study=site.study, by=site.people["data_manager"])}
    return Scene(site, {recurs: made[key] for recurs, key in people.items()})


@pytest.fixture
def scene() -> Scene:
    return replay.once("committee", _built)


@pytest.fixture
def site(scene: Scene) -> World:
    return scene.world


@pytest.fixture
def opened(scene: Scene) -> dict[bool, AdjudicationCase]:
    """By whether he recurs."""
    return scene.cases


def seen(site: World, *, recurs: bool, center: str = "01") -> Participant:
    """Operated on 150 days ago; TACE, an angiogram, CT at day 34 and 95; the second is the first sight of a recurrence, or free."""
    by, surgery = site.people[f"coordinator{center}"], timezone.localdate() - timedelta(days=150)
    person = world.enrolled(site, center, surgery=surgery)
    day = lambda number: surgery + timedelta(days=number)  # noqa: E731 - days of this participant
    treatment.record_course(participant=person, kind="TACE", intent="adjuvant", start=day(20).isoformat(), source="operation record", by=by)
    look = {"participant": person, "adequate": True, "by": by}
    events.record_assessment(on=day(20), modality="XA", finding="free", **look)
    events.record_assessment(on=day(34), modality="CT", finding="free", visit="M1", **look)
    events.record_assessment(on=day(95), modality="MR", finding="suspected" if recurs else "free", visit="M3", **look)
    if recurs:
        events.record_recurrence(
            participant=person, first_seen_on=day(95), confirmed_on=day(120), site="intrahepatic", modality="MR", by=by
        )
    return person


def drawn(person: Participant, folder: Path, day: int) -> KeySlice:
    """A CT of that day with one drawn slice, as ingest and worker would have left it."""
    on = person.screening.surgery_date + timedelta(days=day)
    whose = {"center": person.center, "participant": person}
    study = ImagingStudy.objects.create(**whose, study_instance_uid=f"2.25.{person.pk}{day}", study_date=on)
    with audit.act(by=User.objects.system(), action="test"):
        series = Series.objects.create(
            **whose, imaging_study=study, series_instance_uid=f"2.25.{person.pk}{day}1", modality="CT", revision=1, assessed_revision=1,
            verdict="ok", slice_count=3,
        )  # fmt: skip
    file = folder / f"{person.pk}-{day}.png"
    Image.new("L", (8, 8), day).save(file)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    size = file.stat().st_size
    archive.put(file, digest)
    kept = ArchivedObject.objects.create(sha256=digest, size=size, media_type="image/png")
    where = {"revision": 1, "index": 0, "place": 2, "window": "soft_tissue", "window_width": 400, "window_center": 40}
    return KeySlice.objects.create(series=series, object=kept, **where)


def read(site: World, case: AdjudicationCase, reader: str, conclusion: str, day: int | None = None) -> CaseReading:
    return committee.read_case(case=case, conclusion=conclusion, first_seen_day=day, by=site.people[reader])


def test_a_case_for_everybody_with_an_event_and_as_many_without(site: World, opened: dict[bool, AdjudicationCase]) -> None:
    """So that no reader learns the site's verdict from there being a case; asked again, nothing is opened twice."""
    recurs, free = seen(site, recurs=True, center="02").pk, {seen(site, recurs=False).pk for _n in range(2)}
    made = {case.participant_id for case in committee.open_cases(study=site.study, by=site.people["data_manager"])}
    assert recurs in made and len(made) == 2 and made - {recurs} < free
    assert committee.open_cases(study=site.study, by=site.people["data_manager"]) == []


def test_control_who_recurs_later_is_read_again(site: World, opened: dict[bool, AdjudicationCase]) -> None:
    person = opened[False].participant
    setup.advance_clock(study=site.study, days=60, by=User.objects.system())
    person = Participant.objects.get(pk=person.pk)
    by = site.people["coordinator01"]
    events.record_recurrence(participant=person, first_seen_on=person.study.today(), site="both", modality="CT", by=by)
    [again] = committee.open_cases(study=person.study, by=site.people["data_manager"])
    assert (again.participant_id, again.cutoff) == (person.pk, person.study.today())


def test_nobody_else_opens_or_reads(site: World, opened: dict[bool, AdjudicationCase]) -> None:
    for name in ("coordinator01", "site_pi01", "investigator", "monitor", "blinded_statistician", "adjudicator"):
        with pytest.raises(PermissionDenied):
            committee.open_cases(study=site.study, by=site.people[name])
    for name in ("coordinator01", "site_pi01", "reader01", "data_manager", "investigator"):
        with pytest.raises(PermissionDenied):
            read(site, opened[True], name, "free")
        assert Client().get(reverse("case", args=[opened[True].uuid])).status_code == 302
        assert browser_of(site, name).get(reverse("case", args=[opened[True].uuid])).status_code == 404


def test_reader_of_a_center_never_reads_its_participants(site: World, opened: dict[bool, AdjudicationCase]) -> None:
    """Nor who belonged to it once."""
    reader = site.people["adjudicator"]
    assert len(committee.to_read(reader)) == 2
    setup.add_member(
        study=site.study, user=reader, role=Role.READER, center=site.centers["01"], by=User.objects.system(), since=date(2020, 1, 1),
        until=date(2020, 12, 31),
    )  # fmt: skip
    assert committee.to_read(reader) == []
    with pytest.raises(NotAllowedNow):
        read(site, opened[True], "adjudicator", "free")


def test_page_of_a_case_tells_nothing_of_person_center_treatment_and_verdict(site: World, opened: dict[bool, AdjudicationCase]) -> None:
    """What remains of a recurrence and of a control differs in the code alone: examinations and days are the same."""
    client, pages = browser_of(site, "adjudicator"), {}
    for recurs, case in opened.items():
        shown = client.get(reverse("case", args=[case.uuid]))
        text = shown.content.decode()
        numbers = [case.participant.study_number, case.participant.screening.surgery_date.isoformat(), str(case.participant.uuid)]
        assert not [word for word in (*HIDDEN, *numbers) if word in text.replace("first examination that shows it", "")]
        masked = text.replace(case.code, "CODE").replace(str(case.uuid), "UUID")
        pages[recurs] = re.sub(r'(csrfmiddlewaretoken" value=")\w{64}|\d\d:\d\d', "", masked)
    assert pages[True] == pages[False]
    package = case_package.package_of(opened[True])
    assert [(look.day, look.modality) for look in package.looks] == [(34, "CT"), (95, "MR")]  # the angiogram tells the TACE


def test_pictures_come_through_the_case_alone(site: World, opened: dict[bool, AdjudicationCase], tmp_path: Path, settings) -> None:
    settings.VAR = tmp_path
    case = opened[True]
    mine, late = (drawn(case.participant, tmp_path, day) for day in (34, 900))
    theirs = drawn(opened[False].participant, tmp_path, 95)
    client = browser_of(site, "adjudicator")
    assert client.get(reverse("slice", args=[mine.uuid])).status_code == 404
    assert reverse("case-picture", args=[case.uuid, mine.uuid]) in client.get(reverse("case", args=[case.uuid])).content.decode()
    shown = client.get(reverse("case-picture", args=[case.uuid, mine.uuid]))
    assert (shown.status_code, shown["Content-Type"], hashlib.sha256(shown.content).hexdigest()) == (200, "image/png", mine.object.sha256)
    for foreign in (theirs, late):
        assert client.get(reverse("case-picture", args=[case.uuid, foreign.uuid])).status_code == 404
    for name in ("coordinator01", "data_manager"):
        assert browser_of(site, name).get(reverse("case-picture", args=[case.uuid, mine.uuid])).status_code == 404


def test_two_agree_and_the_case_is_closed(site: World, opened: dict[bool, AdjudicationCase]) -> None:
    case = opened[True]
    for reader in READERS[:2]:
        read(site, case, reader, "recurrence", 95)
    assert committee.verdict_of(case).reading.first_seen_day == 95
    assert case.code not in {each.code for each in committee.to_read(site.people["adjudicator3"])}
    with pytest.raises(NotAllowedNow):
        read(site, case, "adjudicator3", "free")


def test_third_reader_decides_and_is_not_told_that_he_is_third(site: World, opened: dict[bool, AdjudicationCase]) -> None:
    case, client = opened[True], browser_of(site, "adjudicator3")
    address = reverse("case", args=[case.uuid])
    plain = [re.sub(r'value="\w{64}"', "", client.get(address).content.decode())]
    read(site, case, "adjudicator", "free")
    read(site, case, "adjudicator2", "recurrence", 95)
    plain.append(re.sub(r'value="\w{64}"', "", client.get(address).content.decode()))
    assert plain[0] == plain[1]
    assert client.post(address, {"conclusion": "recurrence", "first_seen_day": "34"}).status_code == 302
    assert committee.verdict_of(AdjudicationCase.objects.get(pk=case.pk)).reading.first_seen_day == 34
    assert client.get(address).status_code == 404


def test_reading_is_once_and_for_good(site: World, opened: dict[bool, AdjudicationCase]) -> None:
    row = read(site, opened[True], "adjudicator", "free")
    with pytest.raises(NotAllowedNow):
        read(site, opened[True], "adjudicator", "recurrence", 95)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        CaseReading.objects.filter(pk=row.pk).update(conclusion="not_evaluable")


@pytest.mark.parametrize(
    ("conclusion", "day"), [("recurrence", None), ("free", 95), ("recurrence", 33), ("recurrence", 20), ("maybe", None)]
)
def test_impossible_reading_is_refused_on_the_page_and_below(site: World, opened: dict[bool, AdjudicationCase], conclusion, day) -> None:
    """Day 20 is the angiogram, which the package does not hold."""
    with pytest.raises(ValidationError):
        read(site, opened[True], "adjudicator", conclusion, day)
    sent = {"conclusion": conclusion, "first_seen_day": "" if day is None else str(day)}
    answer = browser_of(site, "adjudicator").post(reverse("case", args=[opened[True].uuid]), sent)
    assert (answer.status_code, CaseReading.objects.count()) == (400, 0)


def test_locked_study_takes_no_reading(site: World, opened: dict[bool, AdjudicationCase]) -> None:
    for phase in ("follow_up", "locked"):
        setup.advance_phase(study=site.study, to=phase, by=User.objects.system())
    with translation.override("en"), pytest.raises(NotAllowedNow, match="locked"):
        read(site, opened[True], "adjudicator", "free")


def test_data_manager_sees_kappa_and_where_committee_and_site_differ(site: World, opened: dict[bool, AdjudicationCase]) -> None:
    """By hand: the first reader says free, free, the second free, recurrence: 1 of 2 agree, and 1/2 by chance, so kappa is 0. The
    committee finds no recurrence where the site reported one.
    """
    for reader in READERS[:2]:
        read(site, opened[False], reader, "free")
    read(site, opened[True], "adjudicator", "free")
    read(site, opened[True], "adjudicator2", "recurrence", 95)
    assert committee.agreement_of(site.study).states == {"concluded": 1, "third": 1}
    read(site, opened[True], "adjudicator3", "free")
    now = committee.agreement_of(site.study)
    assert (now.readers.n, now.readers.agreement, now.readers.value) == (2, 0.5, 0.0)
    assert (now.sites.n, now.sites.agreement, now.same_day) == (2, 0.5, 1)
    [differs] = now.differing
    assert (differs.participant.pk, differs.site_day, differs.central.conclusion) == (opened[True].participant_id, 95, "free")
    shown = browser_of(site, "data_manager").get(reverse("adjudication")).content.decode()
    assert opened[True].participant.study_number in shown and "day 95" in shown
    for name in ("coordinator01", "adjudicator", "investigator"):
        assert browser_of(site, name).get(reverse("adjudication")).status_code == 403
