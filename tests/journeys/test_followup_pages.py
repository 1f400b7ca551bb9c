"""A coordinator follows a participant up: baseline, treatment, visits and a recurrence, with the keyboard alone."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from accounts.people import choose_language
from followup import entry, events, treatment
from followup.models import Assessment, Contact, NoAdjuvantDeclaration, Recurrence, TreatmentCourse
from studies import entry as answers
from studies.models import Participant
from tests.journeys import scene as scenes
from tests.journeys.scene import Scene


def day(participant: Participant, number: int) -> str:
    return (participant.screening.surgery_date + timedelta(days=number)).isoformat()


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def write(page: Page, *texts: str) -> None:
    """Type into one field after the other."""
    for text in texts:
        page.keyboard.type(text)
        press(page, "Tab")


def go_by(page: Page, link: str) -> None:
    """Follow a link of the participant's page with the keyboard."""
    page.locator(link).first.focus()
    press(page, "Enter")
    page.wait_for_url("**/new/**")


def test_participant_is_followed_up_with_the_keyboard_alone(scene: Scene, visit: Callable[..., Page]) -> None:
    """Baseline, TACE at day 20, M1 and M3, recurrence; after each the page says what was recorded."""
    person = scenes.enroll(scene, 130)
    page = visit()
    page.goto(f"/participants/{person.uuid}/forms/tumour/")
    for text in ("6.1", "1"):
        page.keyboard.type(text)
        press(page, "Enter")
    press(page, "1", "1", "1", "2", "2", "2")
    expect(page.locator("#saved")).to_contain_text(":")
    press(page, "Control+Enter")
    expect(page.locator("[role=status]")).to_contain_text("8")
    page.goto(f"/participants/{person.uuid}/forms/laboratory/")
    page.locator("#value_bilirubin").focus()
    page.keyboard.type("1.2")
    press(page, "Tab", "ArrowDown", "Tab")
    expect(page.locator("#said_bilirubin")).to_contain_text("20.5248")
    page.locator("#value_afp").focus()
    page.keyboard.type("＞６０５００")
    press(page, "Control+Enter")
    expect(page.locator("[role=status]")).to_contain_text("2")
    assert answers.flat([person])[person.pk] == {
        "tumour_diameter_cm": "6.1", "tumour_number": "1", "lobe": "right", "pvtt": "none", "hvtt": "none", "bile_duct_thrombus": "no",
        "extrahepatic": "no", "cnlc": "Ib", "bilirubin": "20.5248", "afp": "60500",
    }  # fmt: skip

    page.goto(f"/participants/{person.uuid}/")
    press(page, "t")
    page.wait_for_url("**/treatment/new/")
    expect(page.locator("#id_kind")).to_be_focused()
    press(page, "ArrowDown", "Tab", "1")
    page.keyboard.type(day(person, 20).replace("-", "/"))
    press(page, "Tab")
    expect(page.locator("#id_start_understood")).to_contain_text(day(person, 20))
    press(page, "Tab", "Tab", "Tab", "Tab", "1")
    page.keyboard.type("手术记录")
    press(page, "Enter")
    expect(page.locator("[role=status]")).to_contain_text(day(person, 20))
    assert TreatmentCourse.objects.get(participant=person).start == day(person, 20)

    for code, number in (("M1", 34), ("M3", 95)):
        go_by(page, f'#visits a[href$="visit={code}"]')
        press(page, "Tab")
        write(page, day(person, number))
        press(page, "ArrowDown", "Tab", "1", "1", "1", "Enter")
        expect(page.locator("[role=status]")).to_contain_text(code)
    made = Assessment.objects.filter(participant=person).order_by("on").values_list("visit", "finding", "modality")
    assert list(made) == [("M1", "free", "CT"), ("M3", "free", "CT")]

    go_by(page, '#events a[href$="/recurrence/new/"]')
    write(page, day(person, 125), "")
    press(page, "1", "ArrowDown", "Tab", "Enter")
    expect(page.locator("#events")).to_contain_text(day(person, 125))
    assert Recurrence.objects.get(participant=person).site == "intrahepatic"


def test_refused_course_shows_the_first_error_and_keeps_the_rest(scene: Scene, visit: Callable[..., Page]) -> None:
    """The focus stands in the first wrong field; it works without scripts, too."""
    person = scenes.enroll(scene, 60)
    for javascript in (True, False):
        page = visit(javascript=javascript)
        page.goto(f"/participants/{person.uuid}/treatment/new/")
        page.select_option("#id_kind", "HAIC")
        page.check("input[name=intent][value=adjuvant]")
        page.fill("#id_start", "05-03")
        page.fill("#id_source", "出院小结")
        page.click(".savebar .pri")
        expect(page.locator("[role=alert] a")).to_have_attribute("href", "#id_start")
        expect(page.locator("#id_start")).to_be_focused()
        expect(page.locator("#id_kind")).to_have_value("HAIC")
        expect(page.locator("#id_source")).to_have_value("出院小结")
    assert not TreatmentCourse.objects.exists()


def followed(scene: Scene) -> list[str]:
    """The addresses of every page of this room, with entries, voided ones and a contradiction on them."""
    by, person, other = scene.coordinator, scenes.enroll(scene, 130), scenes.enroll(scene, 120)
    course = {"participant": person, "kind": "TACE", "intent": "adjuvant", "source": "手术记录", "by": by}
    wrong = treatment.record_course(start=day(person, 20), **course)
    entry.void(row=wrong, reason="登记到了另一位参与者", by=by, permission=entry.TREATMENT)
    treatment.record_course(start=day(person, 20)[:7], **course | {"kind": "SYSTEMIC", "drug": "仑伐替尼", "drug_class": "TKI"})
    surgery = person.screening.surgery_date
    looks = {"participant": person, "modality": "CT", "by": by}
    events.record_assessment(visit="M1", on=surgery + timedelta(days=66), adequate=True, finding="free", **looks)
    events.record_assessment(on=surgery + timedelta(days=80), adequate=False, finding="not_evaluable", place="elsewhere", **looks)
    events.record_recurrence(first_seen_on=surgery + timedelta(days=110), site="both", **looks)
    events.record_contact(participant=person, on=surgery + timedelta(days=90), outcome="no_answer", by=by)
    treatment.declare_no_adjuvant(participant=other, declared_on=other.screening.surgery_date + timedelta(days=95), source="电话", by=by)
    treatment.record_course(start=day(other, 20), **course | {"participant": other})
    answers.record_texts(participant=person, texts={"afp": "20", "mvi": "M1"}, by=by, submit=True)
    answers.record_texts(participant=person, texts={"afp": "200"}, by=by, reason="看错一位")
    own = f"/participants/{person.uuid}"
    forms = [f"{own}/{kind}/new/" for kind in ("treatment", "assessment", "recurrence", "death", "contact")]
    voids = [
        f"/followup/contact/{Contact.objects.get().uuid}/void/",
        f"/followup/declaration/{NoAdjuvantDeclaration.objects.get().uuid}/void/",
    ]
    pages = [
        f"{own}/",
        f"/participants/{other.uuid}/",
        f"{own}/forms/",
        f"{own}/forms/laboratory/",
        f"{own}/forms/liver/",
        f"{own}/no-adjuvant/",
        "/visits/",
        "/treatment/",
        "/worklist/",
    ]
    return [*pages, *forms, *voids]


@pytest.mark.parametrize(("language", "theme", "width"), [("zh-hans", "light", 1366), ("en", "dark", 1366), ("en", "light", 400)])
def test_pages_are_readable_and_no_wider_than_the_screen(
    scene: Scene, visit: Callable[..., Page], language: str, theme: str, width: int
) -> None:
    """WCAG 2.2 A and AA as far as a program can tell; cards at 400 px."""
    addresses = followed(scene)
    choose_language(user=scene.coordinator, language=language)
    page = visit(theme=theme, width=width)
    found, wider = {}, {}
    for address in addresses:
        page.goto(address)
        if "/participants/" in address and not address.endswith("/new/"):
            page.evaluate("document.querySelectorAll('details:not(.person)').forEach((each) => { each.open = true })")
        violations = Axe().run(page).response["violations"]
        found[address] = [
            f"{fault['id']}: {fault['nodes'][0]['target']}" for fault in violations if fault["impact"] in ("serious", "critical")
        ]
        wider[address] = page.evaluate("document.documentElement.scrollWidth") > width
    assert {address: faults for address, faults in found.items() if faults} == {}
    assert [address for address, is_wider in wider.items() if is_wider] == []
