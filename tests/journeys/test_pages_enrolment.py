"""A coordinator at work: a patient is screened, consented and enrolled with the keyboard alone, or without scripts."""

from collections.abc import Callable
from datetime import timedelta

from playwright.sync_api import Page, expect

from studies.models import Consent, Participant, Screening
from tests.journeys.scene import Scene

ANSWERS = ["1", "1", "1", "1", "1", "1", None, "2", "3", "2"]
"""Keys for the attestations in the protocol's order; None is the date of the scan."""


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def test_patient_is_enrolled_in_three_screens_with_the_keyboard_alone(scene: Scene, visit: Callable[..., Page]) -> None:
    """Peers C: at most three screens; the date typed as a hospital prints it is understood and said back."""
    page = visit()
    surgery = scene.world.study.today() - timedelta(days=30)
    page.goto("/screening/new/")
    expect(page.locator("#id_surgery_date")).to_be_focused()
    page.keyboard.type(f"{surgery.year}年{surgery.month}月{surgery.day}日")
    press(page, "Tab")
    expect(page.locator("#id_surgery_date_understood")).to_contain_text(surgery.isoformat())
    page.keyboard.type("61")
    press(page, "Tab", "Tab", "1")
    for key in ANSWERS:
        if key:
            press(page, key)
        else:
            page.keyboard.type((surgery - timedelta(days=9)).strftime("%Y/%m/%d"))
            press(page, "Tab")
    press(page, "Enter")
    page.wait_for_url("**/screening/*-*/")
    expect(page.locator("h1")).to_contain_text("符合标准")

    page.locator("#id_reference").focus()
    page.keyboard.type("2.1")
    press(page, "Tab")
    page.keyboard.type((surgery + timedelta(days=3)).isoformat())
    press(page, "Enter")
    expect(page.locator("h1")).to_contain_text("已同意")

    page.locator("#decide button.pri").focus()
    press(page, "Enter")
    page.wait_for_url("**/participants/*-*/")
    participant = Participant.objects.get(enrolled_by=scene.coordinator, screening__age_at_surgery=61)
    expect(page.locator("h1")).to_contain_text(participant.study_number)
    expect(page.locator("#edge-command")).to_have_text(f"edge link {participant.study_number} <PatientID>")
    assert participant.screening.surgery_date == surgery
    assert participant.screening.sex == "M"


def test_pages_work_without_scripts(scene: Scene, visit: Callable[..., Page]) -> None:
    """Plain GET and POST: screening, a refused date, consent, enrolment."""
    page = visit(javascript=False)
    surgery = scene.world.study.today() - timedelta(days=12)
    page.goto("/screening/new/")
    page.fill("#id_surgery_date", "11-19")
    page.click(".savebar .pri")
    expect(page.locator("[role=alert] a")).to_have_attribute("href", "#id_surgery_date")
    expect(page.locator("#id_surgery_date_error")).to_contain_text("无法识别为日期")
    page.fill("#id_surgery_date", surgery.strftime("%Y%m%d"))
    page.fill("#id_birth_date", "1968-03-02")
    page.click(".savebar .pri")
    page.wait_for_url("**/screening/*-*/")
    line = Screening.objects.latest("pk")
    assert line.age_at_surgery == surgery.year - 1968 - ((surgery.month, surgery.day) < (3, 2))
    expect(page.locator("h1")).to_contain_text("资格待定")
    expect(page.locator("#decide button[disabled]")).to_have_count(1)
    expect(page.locator("#why-not")).to_contain_text("未登记知情同意书或免除知情同意")


def test_waiver_is_recorded_in_place_of_a_signature(scene: Scene, visit: Callable[..., Page]) -> None:
    """EN-03: consent or waiver, exactly one."""
    page = visit()
    line = scene.lines["eligible"]
    page.goto(f"/screening/{line.uuid}/")
    page.check("input[name=kind][value=waiver]")
    page.fill("#id_reference", "EC-2026-免-07")
    page.fill("#id_dated_on", line.surgery_date.isoformat())
    page.click("#consent button.pri")
    expect(page.locator("#consent")).to_contain_text("EC-2026-免-07")
    assert Consent.objects.get(screening=line).waived_on == line.surgery_date


def test_exclusion_keeps_its_reason_and_can_be_taken_back(scene: Scene, visit: Callable[..., Page]) -> None:
    """EN-01: who is not enrolled stays in the log with the reason; taking it back needs one too."""
    page = visit()
    line = scene.lines["fails"]
    page.goto(f"/screening/{line.uuid}/")
    page.click("#decide .danger")
    expect(page.locator("[role=alert]")).to_contain_text("不入组原因")
    page.select_option("#id_reason_code", "not_eligible")
    page.click("#decide .danger")
    expect(page.locator("h1")).to_contain_text("未入组")
    page.fill("#id_reason", "登记有误")
    page.get_by_role("button", name="恢复筛选").click()
    expect(page.locator("h1")).to_contain_text("不符合标准")


def test_search_finds_numbers_as_they_are_typed(scene: Scene, visit: Callable[..., Page]) -> None:
    """`/` goes to the search; full-width digits are understood, a wrong check digit is named."""
    page = visit()
    number = scene.people["sealed"].study_number
    page.goto("/worklist/")
    page.keyboard.press("/")
    page.keyboard.type(number.replace("-", ""))
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_contain_text(number)
    page.fill("#search", number[:-1] + str((int(number[-1]) + 1) % 10))
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_contain_text("不是本研究的编号")
    page.fill("#search", "０１－Ｓ０００１")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_contain_text("01-S0001")


def test_rows_are_walked_with_letters_unless_switched_off(scene: Scene, visit: Callable[..., Page]) -> None:
    """J and K move, Enter opens; the person's menu turns single keys off (WCAG 2.1.4)."""
    page = visit()
    page.goto("/worklist/")
    press(page, "j", "j", "k", "j")
    expect(page.locator("tr.sel")).to_have_count(1)
    second = page.locator("tr[data-row] a.id").nth(1)
    expect(second).to_be_focused()
    number = second.inner_text()
    press(page, "Enter")
    expect(page.locator("h1")).to_contain_text(number)
    page.click(".person summary")
    page.click("button[name=keys]")
    page.goto("/worklist/")
    press(page, "j")
    expect(page.locator("tr.sel")).to_have_count(0)


def test_button_stays_under_the_mouse_while_it_is_held_down(scene: Scene, visit: Callable[..., Page]) -> None:
    """Leaving a date writes beside it what was understood; a button below would move away between press and release."""
    page = visit()
    page.goto(f"/screening/{scene.lines['eligible'].uuid}/")
    page.fill("#id_reference", "2.1")
    page.locator("#id_dated_on").click()
    page.keyboard.type("2026-03-09")
    button = page.locator("#consent button.pri")
    place = button.bounding_box()
    assert place is not None
    page.mouse.move(place["x"] + place["width"] / 2, place["y"] + place["height"] / 2)
    with page.expect_response("**understand**"):
        page.mouse.down()
    page.wait_for_timeout(300)
    assert button.bounding_box() == place
    with page.expect_navigation():
        page.mouse.up()
