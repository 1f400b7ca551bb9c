"""The response at a scan, read by the committee: who asks and reads, what a page hides, who decides, what leaves (PM-06)."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import DatabaseError, IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone, translation

from accounts import audit
from accounts.models import User
from accounts.transitions import NotAllowedNow
from followup import committee, entry, events, response_cases, treatment
from followup.models import ResponseCase, ResponseReading, ResponseTarget
from followup.targets import Target
from prime_platform.exchange import parts_of
from studies import setup
from studies.exchange import export
from studies.models import Participant
from studies.vocabulary import Role, StudyKind
from tests import replay, world
from tests.followup.test_committee import drawn
from tests.followup.test_pages import browser_of
from tests.world import World

pytestmark = pytest.mark.django_db
READERS = ("adjudicator", "adjudicator2", "adjudicator3")
HIDDEN = ("TACE", "intrahepatic", "suspicious", "recurrence seen", "Hospital 01")


@dataclass
class Scene:
    """Two hospitals, three adjudicators, and the case of somebody treated after a recurrence that the committee concluded."""

    world: World
    case: ResponseCase


def recurred(site: World, *, concluded: bool = True, center: str = "01") -> Participant:
    """Recurred on day 60, treated by TACE; MRI on day 60, CT on days 95 and 140; the committee agrees unless told not to."""
    by, surgery = site.people[f"coordinator{center}"], timezone.localdate() - timedelta(days=150)
    person = world.enrolled(site, center, surgery=surgery)
    day = lambda number: surgery + timedelta(days=number)  # noqa: E731 - days of this participant
    look = {"participant": person, "adequate": True, "by": by}
    events.record_assessment(on=day(60), modality="MR", finding="suspected", **look)
    events.record_recurrence(participant=person, first_seen_on=day(60), confirmed_on=day(61), site="intrahepatic", modality="MR", by=by)
    treatment.record_course(participant=person, kind="TACE", intent="salvage", start=day(70).isoformat(), source="record", by=by)
    events.record_assessment(on=day(70), modality="XA", finding="recurrence", **look)
    events.record_assessment(on=day(95), modality="CT", finding="recurrence", visit="M3", **look)
    events.record_assessment(on=day(140), modality="CT", finding="recurrence", **look)
    cases = [case for case in committee.open_cases(study=site.study, by=site.people["data_manager"]) if case.participant_id == person.pk]
    for reader in READERS[:2] if concluded else ():
        committee.read_case(case=cases[0], conclusion="recurrence", first_seen_day=60, by=site.people[reader])
    return person


def _built() -> Scene:
    site = world.build()
    for name in READERS[1:]:
        world.join(site, name, Role.ADJUDICATOR, None)
    return Scene(site, asked(site, recurred(site)))


def asked(site: World, person: Participant, baseline: int = 60, scan: int = 140, by: str = "data_manager") -> ResponseCase:
    return response_cases.ask(participant=person, baseline_day=baseline, scan_day=scan, by=site.people[by])


@pytest.fixture
def scene() -> Scene:
    return replay.once("response", _built)


@pytest.fixture
def site(scene: Scene) -> World:
    return scene.world


@pytest.fixture
def case(scene: Scene) -> ResponseCase:
    return scene.case


def target(*diameters: str | None, organ: str = "liver") -> Target:
    return Target(organ, tuple(None if each is None else Decimal(each) for each in diameters))


def read(site: World, case: ResponseCase, reader: str, *targets: Target, **more) -> ResponseReading:
    given = {"new_lesion": False, "non_target": "none"} | more
    return response_cases.read(case=case, targets=targets, by=site.people[reader], **given)


def category(case: ResponseCase) -> str | None:
    """What stands of a case."""
    return response_cases.decided(ResponseCase.objects.filter(pk=case.pk)).get(case.pk)


def test_scans_between_are_part_of_the_case(case: ResponseCase) -> None:
    surgery = case.participant.screening.surgery_date
    assert [(on - surgery).days for on in (case.baseline_on, *case.between, case.scan_on)] == [60, 95, 140]  # not the angiogram


def test_nothing_is_asked_that_would_tell_a_reader_who_recurred(site: World, case: ResponseCase) -> None:
    """Before the committee has concluded, without a recurrence, and from a scan before it: not now."""
    open_still = recurred(site, concluded=False, center="02")
    with pytest.raises(NotAllowedNow, match="not concluded"), translation.override("en"):
        asked(site, open_still)
    free = world.enrolled(site, "02", surgery=timezone.localdate() - timedelta(days=150))
    for number in (40, 90):
        on = free.screening.surgery_date + timedelta(days=number)
        events.record_assessment(participant=free, on=on, modality="CT", adequate=True, finding="free", by=site.people["coordinator02"])
    with pytest.raises(NotAllowedNow, match="after a recurrence"), translation.override("en"):
        asked(site, free, 40, 90)
    free.study.kind = StudyKind.RETROSPECTIVE  # of a cohort that was followed before, everything is known already
    assert asked(site, free, 40, 90).participant == free


def test_case_is_asked_once_from_known_scans_in_their_order(site: World, case: ResponseCase) -> None:
    person = case.participant
    for baseline, scan in ((60, 140), (140, 60), (60, 70), (60, 141), (95, 95)):
        with pytest.raises(ValidationError):
            asked(site, person, baseline, scan)
    assert asked(site, person, 95, 140).between == []


def test_nobody_else_asks_or_reads(site: World, case: ResponseCase) -> None:
    for name in ("coordinator01", "site_pi01", "investigator", "monitor", "blinded_statistician", "adjudicator"):
        with pytest.raises(PermissionDenied):
            asked(site, case.participant, 95, 140, by=name)
        assert browser_of(site, name).get(reverse("response-void", args=[case.uuid])).status_code == 404
        assert browser_of(site, name).get(reverse("response-agreement")).status_code == 403
    for name in ("coordinator01", "site_pi01", "reader01", "data_manager", "investigator"):
        with pytest.raises(PermissionDenied):
            read(site, case, name, target("50", "40", "30"))
        assert browser_of(site, name).get(reverse("response", args=[case.uuid])).status_code == 404
        assert browser_of(site, name).get(reverse("responses")).status_code == 403


def test_reader_of_a_center_never_reads_its_participants(site: World, case: ResponseCase) -> None:
    reader, system = site.people["adjudicator"], User.objects.system()
    assert response_cases.to_read(reader) == [case]
    setup.add_member(
        study=site.study, user=reader, role=Role.READER, center=site.centers["01"], by=system, since=timezone.localdate()
    )  # fmt: skip
    assert response_cases.to_read(reader) == []
    with pytest.raises(NotAllowedNow):
        read(site, case, "adjudicator", target("50", "40", "30"))


def test_page_tells_nothing_of_person_center_treatment_and_of_other_readers(site: World, case: ResponseCase) -> None:
    """The third reader's page is the first reader's page: he is not told that two differ, nor what they found."""
    client, pages = browser_of(site, "adjudicator3"), []
    for reader, last in ((None, ""), ("adjudicator", "31.7"), ("adjudicator2", "77.7")):
        if reader:
            read(site, case, reader, target("51.3", "40", last), new_lesion=reader == "adjudicator2", note="seg VI")
        text = client.get(reverse("response", args=[case.uuid])).content.decode()
        pages.append(re.sub(r'value="\w{64}"|\d\d:\d\d', "", text))
    person = case.participant
    secret = [person.study_number, str(person.uuid), *(on.isoformat() for on in (person.screening.surgery_date, case.scan_on)), "seg VI"]
    assert pages[0] == pages[1] == pages[2]
    assert [word for word in (*HIDDEN, *secret, "31.7", "77.7") if word in pages[0]] == []


def test_pictures_are_those_of_the_days_of_the_case(site: World, case: ResponseCase, tmp_path: Path, settings) -> None:
    settings.VAR = tmp_path
    before, baseline, between, after = (drawn(case.participant, tmp_path, day) for day in (34, 60, 95, 145))
    client, address = browser_of(site, "adjudicator"), lambda picture: reverse("response-picture", args=[case.uuid, picture.uuid])
    assert [client.get(address(each)).status_code for each in (baseline, between)] == [200, 200]
    assert [client.get(address(each)).status_code for each in (before, after)] == [404, 404]
    for name in ("coordinator01", "data_manager"):
        assert browser_of(site, name).get(address(baseline)).status_code == 404


def test_two_who_agree_close_a_case(site: World, case: ResponseCase) -> None:
    """50 → 35 is −30.0 % for one, 40 → 20 −50 % for the other: both PR, by different targets."""
    read(site, case, "adjudicator", target("50", "45", "35"))
    assert category(case) is None
    read(site, case, "adjudicator2", target("40", "30", "20", organ="lung"))
    assert category(case) == "PR"
    assert response_cases.to_read(site.people["adjudicator3"]) == []
    with pytest.raises(NotAllowedNow):
        read(site, case, "adjudicator3", target("40", "30", "20"))


def test_third_decides_where_two_differ(site: World, case: ResponseCase) -> None:
    read(site, case, "adjudicator", target("50", "20", "24"))
    read(site, case, "adjudicator2", target("50", "20", "23.9"))
    assert category(case) is None
    read(site, case, "adjudicator3", not_assessable="quality")
    assert category(case) == "NE"


def test_reading_is_once_and_for_good(site: World, case: ResponseCase) -> None:
    row = read(site, case, "adjudicator", target("50", None, "24"))
    with pytest.raises(NotAllowedNow):
        read(site, case, "adjudicator", target("50", "20", "24"))
    for table, key in ((ResponseReading, row.pk), (ResponseTarget, row.targets.get().pk)):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            table.objects.filter(pk=key).update(place=2)
    with pytest.raises(DatabaseError), transaction.atomic():
        ResponseCase.objects.filter(pk=case.pk).delete()


@pytest.mark.parametrize(
    ("targets", "why"),
    [
        ([], ""),
        ([("50", "40", "30")], "quality"),
        ([("50", "30")], ""),
        ([("9.9", "5", "5")], ""),
        ([("50", "40", "30")] * 3, ""),
        ([("50", "40", "30"), ("20", None, "30")], ""),
    ],
)
def test_impossible_reading_is_refused(site: World, case: ResponseCase, targets, why) -> None:
    with pytest.raises(ValidationError):
        read(site, case, "adjudicator", *(target(*each) for each in targets), not_assessable=why)
    assert ResponseReading.objects.count() == 0


@pytest.mark.parametrize(
    ("wrong", "constraint"),
    [
        ({"place": 6}, "responsetarget_at_most_five"),
        ({"of_organ": 3}, "responsetarget_two_of_an_organ"),
        ({"of_organ": 1}, "responsetarget_organ_place_once"),
        ({"place": 1}, "responsetarget_place_once"),
        ({"organ": "node"}, "responsetarget_two_of_an_organ"),
        ({"baseline_mm": "9.9"}, "responsetarget_measurable"),
        ({"scan_mm": "-0.1"}, "responsetarget_size"),
    ],
)
def test_database_refuses_what_no_reading_holds(site: World, case: ResponseCase, wrong, constraint) -> None:
    row = read(site, case, "adjudicator", target("50", "40", "30"))
    given = {"reading": row, "place": 2, "organ": "liver", "of_organ": 2, "baseline_mm": "20", "scan_mm": "10"} | wrong
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        ResponseTarget.objects.create(**given)


@pytest.mark.parametrize(
    ("changed", "constraint"),
    [
        ({"scan_on": -1, "between": []}, "scan_after_baseline"),
        ({"between": [0]}, "between_after_baseline"),
        ({"between": [20, 80]}, "between_before_scan"),
    ],
)
def test_database_refuses_scans_out_of_order(site: World, case: ResponseCase, changed, constraint) -> None:
    """Days after baseline; the scan is on the eightieth."""
    on = lambda day: [on(each) for each in day] if isinstance(day, list) else case.baseline_on + timedelta(days=day)  # noqa: E731 - days
    dates = {column: on(days) for column, days in changed.items()}
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic(), audit.act(by=User.objects.system(), action="test"):
        ResponseCase.objects.filter(pk=case.pk).update(**dates)


def test_locked_study_takes_no_reading_and_no_question(site: World, case: ResponseCase) -> None:
    for phase in ("follow_up", "locked"):
        setup.advance_phase(study=site.study, to=phase, by=User.objects.system())
    with pytest.raises(NotAllowedNow):
        read(site, case, "adjudicator", target("50", "40", "30"))
    with pytest.raises(NotAllowedNow):
        asked(site, case.participant, 95, 140)


def test_reader_is_shown_the_sums_before_he_enters_them(site: World, case: ResponseCase) -> None:
    """40 + 20, 30 + 10, 24 + 24: +20.0 % of the lowest is progression; other numbers than those shown are shown first."""
    client, address = browser_of(site, "adjudicator"), reverse("response", args=[case.uuid])
    sent = {"organ_0": "liver", "mm_0_0": "40", "mm_0_1": "30", "mm_0_2": "24", "organ_1": "lung", "mm_1_0": "20", "mm_1_1": "10"}
    sent |= {"mm_1_2": "24", "new_lesion": "no", "non_target": "persists", "not_assessable": "", "note": ""}
    answer = client.post(address, sent | {"act": "enter"})
    text = answer.content.decode()
    assert (answer.status_code, ResponseReading.objects.count()) == (200, 0)
    for shown in (
        "PD, progressive disease",
        "60.0",
        "40.0",
        "48.0",
        "−20.0%",
        "+20.0%",
        "rose from 40.0 mm, the lowest so far, by 20% or more",
    ):
        assert shown in text, shown
    [token] = re.findall(r'name="shown" value="([^"]*)"', text)
    assert client.post(address, sent | {"act": "enter", "shown": token, "mm_1_2": "23.9"}).status_code == 200
    assert ResponseReading.objects.count() == 0
    assert client.post(address, sent | {"act": "enter", "shown": token}).status_code == 302
    assert ResponseTarget.objects.count() == 2
    assert client.get(address).status_code == 404


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"organ_0": ""}, "organ_0"),
        ({"mm_0_0": "9"}, "mm_0_0"),
        ({"mm_0_0": "abc"}, "mm_0_0"),
        ({"mm_0_2": "501"}, "mm_0_2"),
        ({"organ_2": "liver", "mm_2_0": "20", "mm_2_2": "1"}, "mm_2_1"),
        ({"not_assessable": "quality"}, "not_assessable"),
        ({"non_target": ""}, "non_target"),
    ],
)
def test_page_says_at_which_field_a_reading_is_wrong(site: World, case: ResponseCase, wrong, field) -> None:
    sent = {"organ_0": "liver", "mm_0_0": "40", "mm_0_1": "30", "mm_0_2": "24", "new_lesion": "no", "non_target": "none"}
    answer = browser_of(site, "adjudicator").post(reverse("response", args=[case.uuid]), sent | wrong)
    assert answer.status_code == 400
    assert f'id="id_{field}_error"' in answer.content.decode()


def test_participants_page_shows_what_the_readers_decided_and_nothing_before(site: World, case: ResponseCase) -> None:
    address = reverse("participant", args=[case.participant.uuid])
    read(site, case, "adjudicator", target("50", "45", "0"))
    before = browser_of(site, "coordinator01").get(address).content.decode()
    assert "not decided yet" in before and "complete response" not in before and case.code not in before
    read(site, case, "adjudicator2", target("50", "45", "0"))
    assert "CR, complete response" in browser_of(site, "coordinator01").get(address).content.decode()
    history = browser_of(site, "coordinator01").get(reverse("history", args=[case.uuid]))
    assert (history.status_code, case.code in history.content.decode()) == (200, False)
    assert browser_of(site, "coordinator02").get(reverse("history", args=[case.uuid])).status_code == 404


def test_case_asked_in_error_is_voided_with_its_readings_and_may_be_asked_again(site: World, case: ResponseCase) -> None:
    read(site, case, "adjudicator", target("50", "45", "0"))
    client, address = browser_of(site, "data_manager"), reverse("response-void", args=[case.uuid])
    assert client.post(address, {"reason": ""}).status_code == 400
    assert client.post(address, {"reason": "wrong baseline"}).status_code == 302
    assert response_cases.to_read(site.people["adjudicator2"]) == []
    assert response_cases.of_participant(case.participant) == []
    shown = browser_of(site, "coordinator01").get(reverse("participant", args=[case.participant.uuid])).content.decode()
    assert "reason: wrong baseline" in shown and "complete response" not in shown
    with pytest.raises(NotAllowedNow):
        entry.void(row=case, reason="again", by=site.people["data_manager"], permission=response_cases.ASK)
    assert asked(site, case.participant).pk != case.pk


def test_data_manager_asks_on_a_page_and_sees_how_far_readers_agree(site: World, case: ResponseCase) -> None:
    """Two cases, readers CR/CR and CR/SD: observed 1/2, chance 1/2, kappa 0; of the open one no category is told."""
    client = browser_of(site, "data_manager")
    address = reverse("response-ask", args=[case.participant.uuid])
    assert client.post(address, {"baseline_day": "95", "scan_day": "60"}).status_code == 400
    assert client.post(address, {"baseline_day": "95", "scan_day": "140"}).status_code == 302
    second = ResponseCase.objects.exclude(pk=case.pk).get()
    for reader, last in (("adjudicator", "0"), ("adjudicator2", "50")):
        read(site, case, reader, target("50", "45", "0"))
        read(site, second, reader, target("50", last))
    now = response_cases.agreement_of(site.study)
    assert now.states == {"concluded": 1, "third": 1}
    assert (now.readers.n, now.readers.agreement, now.readers.value) == (2, 0.5, 0.0)
    text = client.get(reverse("response-agreement")).content.decode()
    assert "CR, complete response" in text and "SD, stable disease" not in text


def test_decided_response_leaves_with_the_export_and_an_open_one_does_not(site: World, case: ResponseCase) -> None:
    [part] = [each for each in parts_of(site.study) if each.form.code == "response"]
    said = lambda: part.records([case.participant])[case.participant_id][0].values  # noqa: E731 - asked before and after
    read(site, case, "adjudicator", target("50", "45", "60"))
    assert {"response", "readers"} & said().keys() == set()
    read(site, case, "adjudicator2", target("50", "45", "60"))
    assert {code: said()[code].value for code in ("response", "readers", "voided")} == {"response": "PD", "readers": "2", "voided": "no"}


@pytest.mark.parametrize(("kind", "file"), [("csv", "response.csv"), ("odm", "*.xml")])
def test_export_with_its_history_holds_the_response(scene: Scene, kind, file, tmp_path: Path, settings) -> None:
    site, case, settings.VAR = scene.world, scene.case, tmp_path / "var"
    for reader in READERS[:2]:
        read(site, case, reader, target("50", "45", "60"))
    wish = export.Wish(kind, datetime(2026, 11, 28, 10, tzinfo=UTC), "abc", "FILE.1", history=True)
    export.make(study=site.study, parts=parts_of(site.study), wish=wish, out=tmp_path / "out", by=site.people["data_manager"])
    [told] = (tmp_path / "out").glob(file)
    text = told.read_text(encoding="utf-8-sig")
    assert "PD" in text and case.code not in text
