"""Follow-up and comparison in a browser: a coordinator's due list and calls, adjudicators, a statistician with R, an investigator.

`PRIME_SHOTS` names a folder for pictures of every screen.
"""

import json
import os
import subprocess
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect

from accounts.models import User
from accounts.people import choose_language
from followup import committee, events, visit_lists
from followup.models import Assessment, CaseReading, Contact, ResponseCase, ResponseReading
from studies import setup
from studies.models import Participant
from tests import world as worlds
from tests.analysis import r
from tests.analysis_db import study as studies
from tests.followup import test_response_cases as response_scene
from tests.journeys.test_every_page import JUDGES
from tests.world import World

pytestmark = [pytest.mark.soak, pytest.mark.django_db(transaction=True)]


TICK = """() => { const path = document.querySelector('svg a[href="#censored"] .hit'); path.scrollIntoView({block: "center"});
  const at = path.getPointAtLength(2).matrixTransform(path.getScreenCTM()); return [at.x + 4, at.y]; }"""
"""Where the first tick of the curve stands on the screen, four pixels beside its line."""


@dataclass
class Desk:
    """A person's browser, and a picture of each screen in order."""

    page: Page
    name: str
    taken: list[str] = field(default_factory=list)

    def picture(self, what: str) -> None:
        self.taken.append(what)
        if folder := os.environ.get("PRIME_SHOTS"):
            self.page.screenshot(path=f"{folder}/{self.name}-{len(self.taken):02d}-{what}.png", full_page=True)

    def judge(self, what: str, language: str, width: int) -> None:
        """The page as it stands, at a width."""
        self.page.set_viewport_size({"width": width, "height": 900})
        self.picture(f"{what}-{language}-{width}")
        faults = [fault for judge in JUDGES if width == 400 or judge.__name__ != "too_wide" for fault in judge(self.page, language)]
        assert faults == []

    def look(self, address: str, what: str) -> None:
        """The page in both languages, wide and narrow: nothing cut off, nothing serious for axe, no foreign word."""
        for language in ("zh-hans", "en"):
            for width in (1280, 400):
                self.page.set_viewport_size({"width": 1280, "height": 900})
                self.page.goto(address)
                if (switch := self.page.query_selector(f"form.wide button[name=language][value={language}]")) is not None:
                    switch.click()
                self.page.set_viewport_size({"width": width, "height": 900})
                self.page.goto(address)
                self.judge(what, language, width)
        self.page.set_viewport_size({"width": 1280, "height": 900})
        self.page.goto(address)


@pytest.fixture
def desk(browser: Browser, live_server: Any) -> Callable[[World, str], Desk]:
    """Sign somebody in by the door: desk(world, "coordinator01", "zh-hans")."""

    def opened(world: World, name: str, language: str = "en") -> Desk:
        choose_language(user=world.people[name], language=language)
        context = browser.new_context(base_url=live_server.url, viewport={"width": 1280, "height": 900}, accept_downloads=True)
        context.set_default_timeout(60_000)
        page = context.new_page()
        page.goto("/sign-in/")
        page.fill("#id_username", name)
        page.fill("#id_password", worlds.PASSWORD)
        page.click("main button.pri")
        return Desk(page, name)

    return opened


def late(site: World, n: int) -> list[Participant]:
    """Enrolled people whose visits are long overdue by the study's clock."""
    surgery = timezone.localdate() - timedelta(days=100)
    people = [worlds.enrolled(site, surgery=surgery) for _place in range(n)]
    setup.advance_clock(study=site.study, days=300, by=User.objects.system())
    return list(Participant.objects.filter(pk__in=[each.pk for each in people]).order_by("pk"))


def test_coordinator_works_off_the_due_list_and_logs_three_calls(desk: Callable[..., Desk]) -> None:
    """Every visit of one participant is recorded until he is off the list; three calls to the other make him lost to follow-up."""
    site = worlds.build()
    came, gone = late(site, 2)
    by = site.people["coordinator01"]
    at = desk(site, "coordinator01")
    at.look("/visits/", "visits")
    at.page.emulate_media(media="print")
    at.picture("visits-print")
    at.page.emulate_media(media="screen")
    due = [visit for visit in visit_lists.open_visits(by) if visit.participant == came.uuid]
    assert len(due) > 3
    for visit in due:
        at.page.goto("/visits/")
        at.page.click(f'a[href="{reverse("assessment-new", args=[came.uuid])}?visit={visit.window.code}"]')
        at.page.fill("#id_on", visit.window.opens.isoformat())
        at.page.select_option("#id_modality", "CT")
        for name, value in (("adequate", "yes"), ("finding", "free")):
            at.page.check(f"input[name={name}][value={value}]")
        at.page.click("main button.pri")
        expect(at.page.locator("[role=status]")).to_contain_text(visit.window.code)
    at.picture("participant-after")
    assert {visit.participant for visit in visit_lists.open_visits(by)} == {gone.uuid}
    assert Assessment.objects.filter(participant=came).count() == len(due)
    for place, outcome in enumerate(("no_answer", "wrong_number", "no_answer"), start=1):
        at.page.goto("/calls/")
        assert at.page.locator("tbody tr").count() == 1
        at.page.click(f"button[name=outcome][value={outcome}]")
        expect(at.page.locator("[role=status]")).to_contain_text(gone.study_number)
        assert Contact.objects.filter(participant=gone).count() == place
    expect(at.page.locator("tbody")).to_contain_text("lost to follow-up")
    at.look("/calls/", "calls")


def test_adjudicators_read_and_a_third_decides(desk: Callable[..., Desk]) -> None:
    """In Chinese, by keyboard: two readers differ in the day, the third decides; the data manager sees it."""
    site = worlds.build()
    for name in ("adjudicator2", "adjudicator3"):
        worlds.join(site, name, "adjudicator", None)
    by, [person, other] = site.people["coordinator01"], late(site, 2)
    day = lambda number: person.screening.surgery_date + timedelta(days=number)  # noqa: E731 - days of both
    for one in (person, other):
        for code, number in (("M1", 34), ("M3", 95), ("M6", 180)):
            events.record_assessment(participant=one, on=day(number), modality="CT", adequate=True, finding="free", visit=code, by=by)
    events.record_recurrence(participant=person, first_seen_on=day(220), confirmed_on=day(250), site="both", modality="CT", by=by)
    made = committee.open_cases(study=site.study, by=site.people["data_manager"])
    [first] = [case for case in made if case.participant_id == person.pk]
    readings = {"adjudicator": 180, "adjudicator2": 95, "adjudicator3": 95}
    for name, seen in readings.items():
        at = desk(site, name, "zh-hans")
        expect(at.page.locator("nav.nav")).to_contain_text("待裁定病例")
        if name == "adjudicator":
            at.look("/cases/", "cases")
            at.look(reverse("case", args=[first.uuid]), "case")
        choose_language(user=site.people[name], language="zh-hans")
        at.page.goto("/cases/")
        at.page.click(f'a[href="{reverse("case", args=[first.uuid])}"]')
        at.page.click("main button.pri")
        expect(at.page.locator("[aria-invalid=true]").first).to_be_visible()
        at.picture("refused")
        at.page.check("input[name=conclusion][value=recurrence]")
        at.page.select_option("#id_first_seen_day", str(seen))
        at.picture("filled-in")
        at.page.click("main button.pri")
        expect(at.page.locator("[role=status]")).to_contain_text(first.code)
    assert set(CaseReading.objects.values_list("reader__username", "first_seen_day")) == set(readings.items())
    desk(site, "data_manager").look("/adjudication/", "adjudication")


def test_response_is_asked_for_measured_by_keyboard_and_decided_by_a_third(desk: Callable[..., Desk]) -> None:
    """The data manager asks; 50 → 35 is PR for one, 50 → 36 SD for the other; the third decides; the participant's page shows it then."""
    site = worlds.build()
    for name in ("adjudicator2", "adjudicator3"):
        worlds.join(site, name, "adjudicator", None)
    person = response_scene.recurred(site)
    manager = desk(site, "data_manager")
    manager.page.goto(reverse("participant", args=[person.uuid]))
    ask = reverse("response-ask", args=[person.uuid])
    manager.page.click(f'a[href="{ask}"]')
    manager.page.select_option("#id_baseline_day", "60")
    manager.page.select_option("#id_scan_day", "140")
    manager.page.click("main button.pri")
    expect(manager.page.locator("#responses")).to_contain_text("not decided yet")
    manager.look(ask, "ask")
    case = ResponseCase.objects.get()
    address = reverse("response", args=[case.uuid])
    for name, last, language, width in (
        ("adjudicator", "35", "en", 1366), ("adjudicator2", "36", "zh-hans", 400), ("adjudicator3", "35", "zh-hans", 1366),
    ):  # fmt: skip
        at = desk(site, name, language)
        if name == "adjudicator":
            at.look("/responses/", "responses")
            at.look(address, "response")
        choose_language(user=site.people[name], language=language)
        at.page.set_viewport_size({"width": width, "height": 900})
        at.page.goto("/responses/")
        at.page.click(f'td.num a[href="{address}"]')
        at.page.select_option("#id_organ_0", "liver")
        at.page.focus("#id_organ_0")
        for diameter in ("50", "45", last):
            at.page.keyboard.press("Tab")
            at.page.keyboard.type(diameter)
        at.page.keyboard.press("Enter")
        expect(at.page.locator("#id_non_target_0")).to_be_focused()  # neither question is answered beforehand
        for question in ("#id_non_target_0", "#id_new_lesion_0"):
            at.page.focus(question)
            at.page.keyboard.press("Space")
        at.page.keyboard.press("Enter")
        expect(at.page.locator("#result")).to_contain_text("SD" if last == "36" else "PR")
        expect(at.page.locator("tfoot")).to_contain_text(f"{last}.0")
        at.picture(f"calculated-{language}-{width}")
        if language == "zh-hans":  # of an English page nothing is left by the judges
            at.judge("calculated", language, width)
        at.page.focus("#id_mm_0_0")
        assert not ResponseReading.objects.filter(reader=site.people[name]).exists()
        at.page.keyboard.press("Control+Enter")
        expect(at.page.locator("[role=status]").first).to_contain_text(case.code, timeout=30_000)
    assert list(ResponseReading.objects.order_by("place").values_list("targets__scan_mm", flat=True)) == [35, 36, 35]
    nurse = desk(site, "coordinator01")
    nurse.page.goto(reverse("participant", args=[person.uuid]))
    expect(nurse.page.locator("#responses")).to_contain_text("PR, partial response")
    nurse.look(reverse("participant", args=[person.uuid]), "participant-response")
    manager.look("/response-agreement/", "response-agreement")


def test_statistician_downloads_a_cut_and_r_prints_its_digits(desk: Callable[..., Desk], tmp_path: Path, settings: Any) -> None:
    """From the page to Debian's R: every number of numbers.json to ten digits."""
    if not r.installed():
        pytest.skip(r.WHY_NOT)
    settings.VAR = tmp_path
    site = studies.followed_up(60)
    at = desk(site.world, "blinded_statistician")
    at.look("/cuts/", "cuts")
    with at.page.expect_download() as waiting:
        at.page.click("main .acts button.pri")
    waiting.value.save_as(tmp_path / "cut.zip")
    with zipfile.ZipFile(tmp_path / "cut.zip") as packed:
        packed.extractall(tmp_path / "cut")
    subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=tmp_path / "cut", check=True)
    theirs, ours = r.printed(tmp_path / "cut"), json.loads((tmp_path / "cut" / "numbers.json").read_bytes())
    assert theirs.keys() == ours.keys() and len(ours) > 30
    np.testing.assert_allclose([theirs[name] for name in ours], [float(value) for value in ours.values()], rtol=1e-10, atol=1e-14)
    at.look("/cuts/", "cuts-taken")


def test_investigator_sees_one_curve_and_no_split_in_both_languages(desk: Callable[..., Desk], tmp_path: Path, settings: Any) -> None:
    """Accrual, completeness, one pooled curve; a tick leads to why; the result is refused, in words, and on record."""
    settings.VAR = tmp_path
    site = studies.followed_up(60)
    for language, refused in (("zh-hans", "发布之前"), ("en", "before publication")):
        at = desk(site.world, "investigator", language)
        at.look("/overview/", f"overview-{language}")
        choose_language(user=site.world.people["investigator"], language=language)
        at.page.goto("/overview/")
        assert at.page.locator("svg path.km title").count() == 1
        at.page.mouse.click(*at.page.evaluate(TICK))
        expect(at.page.locator("#censored")).to_be_visible()  # the table itself: its fold opened
        expect(at.page.locator("#censored")).to_be_in_viewport()
        at.picture(f"ticks-{language}")
        for address in ("/result/", "/result/?split=strategy", "/result/patients.csv", "/result/curves.csv", "/overview/?arm=tag"):
            answer = at.page.goto(address)
            assert answer is not None
            if address.startswith("/result/"):
                assert answer.status == 409
                at.picture(f"refused-{language}")
                expect(at.page.locator("main")).to_contain_text(refused)
            else:
                assert at.page.locator("svg path.km title").count() == 1
