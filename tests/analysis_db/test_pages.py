"""What the pages of this room show in each phase, and to whom (BL-01, F5, AN-21, UI principle 2: figures add up)."""

import re

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse

from accounts import audit, people
from accounts.models import AccessRecord
from analysis import overview
from followup.models import TreatmentCourse
from studies import setup
from studies.models import Participant
from studies.vocabulary import Role
from tests import world
from tests.analysis_db import study as scenes
from tests.questions import asked

pytestmark = pytest.mark.django_db
RESULTS = ("result", "result-patients", "result-curves", "result-balance", "result-archive", "result-report")
MOST_QUERIES = 20


def client_of(person, language: str = "en") -> Client:
    people.choose_language(user=person, language=language)
    client = Client()
    client.force_login(person)
    return client


def text(response) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


@pytest.fixture
def site(settings, tmp_path) -> scenes.Site:
    settings.VAR = tmp_path
    return scenes.Site(world.build())


def followed(site: scenes.Site, n: int, *, events: int) -> None:
    """Everybody observed to day 500; `events` of them recur one after the other from day 100 on."""
    site.enroll(n)
    site.wait(1300)
    numbers = [patient.study_number for patient in site.people]
    ended = {number: (100 + place, "recurrence") if place < events else (500, "free") for place, number in enumerate(numbers)}
    site.follow({number: ("TACE", "SURG")[place % 2] for place, number in enumerate(numbers)}, ended)


def test_empty_study_has_a_page_in_both_languages(site):
    """Nothing enrolled: sentences, no curve, no division by zero."""
    for language, said in (("en", "Nobody is enrolled yet."), ("zh-hans", "尚无入组参与者")):
        shown = client_of(site.world.people["investigator"], language).get(reverse("overview"))
        assert shown.status_code == 200
        assert said in text(shown)
        assert "km k0" not in shown.content.decode()


@pytest.mark.parametrize(("n", "events", "drawn"), [(9, 9, False), (40, 4, False), (40, 5, True)])
def test_curve_begins_with_ten_patients_and_five_events(site, n, events, drawn):
    """Fewer would show single patients."""
    followed(site, n, events=events)
    assert (overview.pooled(site.study).curve is not None) is drawn
    shown = client_of(site.world.people["investigator"]).get(reverse("overview"))
    assert ('class="km k0"><title>' in shown.content.decode()) is drawn


def test_curve_is_that_of_the_first_of_the_month_and_of_everybody(site):
    """40 patients of whom 12 recur from day 100 on: S(112) = 28/40, by hand; a later fact of the month does not move it."""
    followed(site, 40, events=12)
    now = overview.pooled(site.study)
    assert now.on.day == 1
    assert now.events == 12
    assert now.curve.n == 40
    assert now.curve.at(112).survival[0] == pytest.approx(28 / 40)


def test_ticks_lead_to_why_follow_up_ended(site):
    """EP-03: a click on a tick opens the table of reasons, whose sum is everybody without an event."""
    followed(site, 20, events=6)
    shown = client_of(site.world.people["investigator"]).get(reverse("overview"))
    assert 'href="#censored"' in shown.content.decode() and 'id="censored"' in shown.content.decode()
    assert "14 censored in all" in text(shown)


def test_events_to_come_and_the_share_between_visits_stand_under_the_curve(site):
    """AN-19, EP-07: nobody of the 12 was seen free before, so that all 12 lie before day 100, by hand; nobody was followed so long."""
    followed(site, 40, events=12)
    now = overview.pooled(site.study)
    assert now.between_visits(1096) is None
    assert now.between_visits(112) == (pytest.approx(28 / 40), pytest.approx(28 / 40))
    ahead = now.to_come(1126)
    assert [each.days for each in ahead][::5] == [183, 1096] and 12 < ahead[0].events < ahead[-1].events < 40
    shown = text(client_of(site.world.people["investigator"]).get(reverse("overview")))
    assert "Events to come, and power" in shown and f"{round(ahead[0].events)} " in shown


def test_checks_a_year_stand_beside_those_planned_for_each_center(site):
    """EP-08, by hand for center 01: 14 checks on day 500 in 6 × (100 … 110) + 14 × 500 = 7,630 days; planned by then 6 × 2 + 14 × 6."""
    followed(site, 40, events=12)
    first = overview.page(site.study, sees_seals=False)["centers"][0]
    assert (first["checks"], first["planned"]) == (f"{14 * 365.25 / 7630:.1f}", f"{96 * 365.25 / 7630:.1f}") == ("0.7", "4.6")
    assert "0.7 of 4.6" in text(client_of(site.world.people["investigator"]).get(reverse("overview")))


def test_figures_add_up(site):
    """EN-07: screened = enrolled + not enrolled + undecided, for every center and in the sum; weeks add up to the enrolled."""
    followed(site, 20, events=6)
    shown = overview.page(site.study, sees_seals=True)
    total = shown["total"]
    assert total["screened"] == total["enrolled"] + total["excluded"] + total["open"] == 20
    for name in ("screened", "enrolled", "excluded", "open", "baseline"):
        assert sum(row[name] for row in shown["centers"]) == (20 if name in ("screened", "enrolled", "baseline") else 0)
    assert sum(row["all"] for row in shown["accrual_rows"]) == shown["accrual_sum"] == 20


def test_no_role_reaches_a_result_before_publication(site):
    """F5, BL-01: every role, every result address, every phase before P4: 409 or 403, the same words, and a record of it."""
    followed(site, 12, events=6)
    for phase in ("accrual", "follow_up", "locked"):
        if phase != "accrual":
            setup.advance_phase(study=site.study, to=phase, by=site.system)
        for name, person in site.world.people.items():
            client = client_of(person)
            answers = {address: client.get(reverse(address)) for address in RESULTS}
            assert {answer.status_code for answer in answers.values()} <= {403, 409}, name
            if name == Role.INVESTIGATOR:
                assert "do not exist before publication" in text(answers["result"])
                assert reverse("result") not in client.get(reverse("overview")).content.decode()
    assert AccessRecord.objects.filter(kind="refusal").count() >= len(site.world.people) * 3


def test_page_before_publication_knows_no_treatment(site):
    """Who was given what, turned round for everybody: byte by byte the same page (F5)."""
    followed(site, 30, events=10)
    client = client_of(site.world.people["investigator"])
    before = masked(client.get(reverse("overview")))
    with transaction.atomic(), audit.act(by=site.system, action="test.swapped"):
        TreatmentCourse.objects.update(kind="SYSTEMIC", drug="lenvatinib", drug_class="TKI")
    assert masked(client.get(reverse("overview"))) == before
    assert "TACE" not in before


def masked(response) -> str:
    """The page without the form token and the minute of printing."""
    return re.sub(r'(csrfmiddlewaretoken" value=")\w{64}|\d\d:\d\d', "", response.content.decode())


def test_queries_do_not_grow_with_patients(site):
    """As many queries for 60 patients as for 12."""
    client = client_of(site.world.people["investigator"])
    counts = []
    for n in (12, 60):
        scene = scenes.Site(site.world)
        if n == 12:
            followed(scene, n, events=6)
        else:
            more(scene, n)
        with asked() as statements:
            assert client.get(reverse("overview")).status_code == 200
        counts.append(len(statements))
    assert counts[0] == counts[1] <= MOST_QUERIES


def more(site: scenes.Site, n: int) -> None:
    """Further patients, by sequence numbers after those that are there."""
    offset = Participant.objects.filter(study=site.study).count()
    site.enroll(n, after=offset)
    site.wait(200)
    site.follow({patient.study_number: "TACE" for patient in site.people}, {patient.study_number: (120, "free") for patient in site.people})


def test_reader_without_the_permission_is_refused(site):
    shown = client_of(site.world.people["reader01"]).get(reverse("overview"))
    assert shown.status_code == 403
