"""A coordinator's first day, in Chinese and by keyboard alone: twelve patients from a pasted list, one enrolled with all his forms.

The operating list is pasted on the edge's page, where names and hospital numbers stay; the numbers come back by themselves.
Peers C, D1: at most three screens from the line in the log to the study number; a pasted report fills at least nine of ten items.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.imaging.edge.parts import until
from tests.journeys.conftest import ARGUMENTS, CHROMIUM
from tests.journeys.hospital import Hospital
from tests.journeys.test_pages_enrolment import ANSWERS, press
from tests.studies.laboratory import blocks
from tests.world import PASSWORD

pytestmark = pytest.mark.journey
PATIENTS, PATIENCE, MOST_TABS = 12, 120.0, 80
SURNAMES = "赵钱孙李周吴郑王冯陈褚卫"
Picture = Callable[[str], None]
CANARY = "ZYH88{place:04d}"
"""The invented hospital numbers; none of them may be on the platform."""
FORMS = {
    "general": {"ecog": "0", "height_cm": "171", "weight_kg": "68", "diabetes": "no", "hypertension": "yes", "conversion": "no"},
    "liver": {"hbv": "yes", "antiviral": "yes", "antiviral_drug": "taf", "antiviral_since": "2021", "hcv": "no", "cirrhosis": "yes",
              "ascites": "none", "encephalopathy": "none", "child_pugh": "A", "icg_r15": "6.1"},
    "tumour": {"tumour_diameter_cm": "4.2", "tumour_number": "1", "pvtt": "none", "extrahepatic": "no", "cnlc": "Ia", "bclc": "A"},
    "surgery": {"approach": "laparoscopic", "resection": "minor", "anatomical": "yes", "blood_loss_ml": "200", "transfusion": "no"},
    "pathology": {"edmondson": "II", "mvi": "M1", "satellite_nodules": "no", "margin_cm": "1.2"},
}  # fmt: skip
"""What is typed into each form but the laboratory's, which is pasted; every required item is among it."""


@dataclass
class Day:
    """What the coordinator saw: lines in the log before hers, her numbers, screens until the study number, the report, pictures."""

    hospital: Hospital
    before: int
    numbers: list[str] = field(default_factory=list)
    again: str = ""
    screens: int = 0
    study_number: str = ""
    participant: str = ""
    filled: int = 0
    waiting: int = 0
    guessed: int = 0
    forms: dict[str, str] = field(default_factory=dict)
    pictures: list[Path] = field(default_factory=list)


@pytest.fixture(scope="module")
def day(hospital: Hospital, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Day]:
    if not Path(CHROMIUM).exists():
        pytest.skip("needs the Debian package chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = chromium.new_context(locale="zh-CN", viewport={"width": 1366, "height": 900}).new_page()
        page.set_default_timeout(30_000)
        yield lived(page, Day(hospital, lines_of_the_log(hospital)), tmp_path_factory.mktemp("pictures"))
        chromium.close()


def lived(page: Page, day: Day, folder: Path) -> Day:
    """The whole day, with a picture of every screen."""

    def picture(name: str) -> None:
        day.pictures.append(folder / f"{len(day.pictures):02d}-{name}.png")
        page.screenshot(path=day.pictures[-1], full_page=True)

    paste_operating_list(page, day, picture)
    sign_in(page, day)
    enrol_the_first(page, day, picture)
    fill_in_the_forms(page, day, picture)
    paste_the_report(page, day, picture)
    page.goto(f"{day.hospital.url}/worklist/")
    picture("worklist")
    return day


def lines_of_the_log(hospital: Hospital) -> int:
    """The other journeys screen at the same hospital, before this one or after it."""
    return int(hospital.rows("SELECT count(*) FROM studies_screening")[0][0])


def surgery_of(place: int) -> date:
    return date.today() - timedelta(days=14 + place)  # noqa: DTZ011 - the calendar of the hospital


def operating_list() -> str:
    """Twelve rows as they are copied from a table of the hospital's system."""
    rows = [["住院号", "姓名", "性别", "年龄", "手术日期", "手术名称", "术前诊断"]]
    for place in range(PATIENTS):
        who = [CANARY.format(place=place), f"{SURNAMES[place]}测试", "男" if place % 3 else "女", f"{45 + place}岁"]
        rows.append([*who, surgery_of(place).strftime("%Y/%m/%d"), "腹腔镜肝部分切除术", "肝恶性肿瘤"])
    return "\n".join("\t".join(row) for row in rows)


def reach(page: Page, selector: str) -> None:
    """Go on with Tab, as somebody without a mouse does, until the element has the focus."""
    for _ in range(MOST_TABS):
        if page.evaluate("selector => document.activeElement?.matches(selector)", selector):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not lead to {selector} on {page.url}")


def paste_operating_list(page: Page, day: Day, picture: Picture) -> None:
    """Sign in at the edge, paste, look, take in; the same list again adds nothing."""
    edge = f"http://127.0.0.1:{day.hospital.platform.ports['PRIME_EDGE_PORT']}"
    page.goto(f"{edge}/list")
    page.keyboard.type(day.hospital.manage("edge", "passcode").strip())
    press(page, "Tab")
    page.keyboard.type("ZS")
    press(page, "Enter")
    page.wait_for_url(lambda url: "sign-in" not in url)
    page.goto(f"{edge}/list")
    paste_and_read(page)
    picture("which-rows-are-new")
    reach(page, "form[action='/list/take'] button")
    press(page, "Enter")
    page.wait_for_url("**/list")

    def numbered() -> bool:
        page.reload()
        day.numbers = sorted(set(re.findall(r"\b01-S\d+\b", page.locator("table.t").inner_text())))
        return len(day.numbers) == PATIENTS

    until(numbered, "twelve numbers have come back", PATIENCE)
    picture("numbers-came-back")
    page.goto(f"{edge}/list")
    reach(page, "details > summary")
    press(page, "Enter")
    paste_and_read(page)
    day.again = page.locator(".savebar").inner_text()
    picture("pasted-again")


def paste_and_read(page: Page) -> None:
    reach(page, "#text")
    page.keyboard.insert_text(operating_list())
    reach(page, "form[action='/list/read'] button.pri")
    press(page, "Enter")
    page.wait_for_url("**/list/read")


def sign_in(page: Page, day: Day) -> None:
    page.goto(f"{day.hospital.url}/sign-in/")
    page.locator("#id_username").focus()
    page.keyboard.type("coordinator01")
    press(page, "Tab")
    page.keyboard.type(PASSWORD)
    press(page, "Enter")
    page.wait_for_url(lambda url: "sign-in" not in url)


def enrol_the_first(page: Page, day: Day, picture: Picture) -> None:
    """From the log to the study number: the criteria, the consent and the decision stand on one screen."""
    page.goto(f"{day.hospital.url}/screening/")
    picture("log")
    screens = set()
    page.keyboard.press("/")
    page.keyboard.type(day.numbers[0])
    press(page, "Enter")
    page.wait_for_url("**/screening/*-*/")
    screens.add(page.url)
    picture("line")
    reach(page, "#answers input[type=radio]")
    for key in ANSWERS:
        if key:
            press(page, key)
        else:
            page.keyboard.type((surgery_of(PATIENTS - 1) - timedelta(days=9)).isoformat())
            press(page, "Tab")
    reach(page, "#answers button")
    press(page, "Enter")
    expect(page.locator("h1")).to_contain_text("符合标准")
    reach(page, "#id_reference")
    page.keyboard.type("2.1")
    press(page, "Tab")
    page.keyboard.type((surgery_of(PATIENTS - 1) + timedelta(days=3)).isoformat())
    press(page, "Enter")
    expect(page.locator("h1")).to_contain_text("已同意")
    screens.add(page.url)
    picture("consented")
    reach(page, "#decide button.pri")
    press(page, "Enter")
    page.wait_for_url("**/participants/*-*/")
    day.screens, day.study_number = len(screens), page.locator("#study-number").inner_text()
    day.participant = page.url
    picture("enrolled")


def fill_in_the_forms(page: Page, day: Day, picture: Picture) -> None:
    """Every form but the laboratory's, item by item, and submitted."""
    for form, items in FORMS.items():
        page.goto(f"{day.participant}forms/{form}/")
        for code, value in items.items():
            answer(page, code, value)
        reach(page, "button[value=submit]")
        with page.expect_navigation():
            press(page, "Enter")
        day.forms[form] = page.locator("h1").inner_text()
        picture(f"form-{form}")


def answer(page: Page, code: str, value: str) -> None:
    """Type a value, press its digit, or go down a menu to it."""
    reach(page, f"[name=value_{code}]")
    control = page.locator("*:focus")
    kind = control.evaluate("control => control.type")
    if kind == "radio":
        options = page.locator(f"[name=value_{code}]").evaluate_all("all => all.map(each => each.value)")
        press(page, str(options.index(value) + 1))
    elif kind == "select-one":
        options = control.evaluate("control => [...control.options].map(each => each.value)")
        press(page, *["ArrowDown"] * options.index(value))
    else:
        page.keyboard.type(value)


def paste_the_report(page: Page, day: Day, picture: Picture) -> None:
    """P on the laboratory form, the report, one look, Ctrl+Enter; what is left to decide waits."""
    page.goto(f"{day.participant}forms/laboratory/")
    page.locator("h1").click()  # out of the first field, as Escape would
    press(page, "p")
    page.wait_for_url("**/laboratory/paste/")
    sampled = surgery_of(PATIENTS - 1) - timedelta(days=3)
    page.keyboard.insert_text(blocks.SPACES.text.replace("2026年10月29日", f"{sampled.year}年{sampled.month}月{sampled.day}日"))
    press(page, "Control+Enter")
    page.wait_for_selector("input[name=take]")
    picture("report-read")
    day.filled = page.locator("input[name=take]:checked").count()
    day.waiting = page.locator("[role=radiogroup]").count()
    day.guessed = page.locator("input[type=radio]:checked").count()
    press(page, "Control+Enter")
    page.wait_for_url("**/paste/?source=*")
    page.goto(f"{day.participant}forms/laboratory/")
    picture("form-laboratory")
    page.goto(f"{day.participant}forms/")
    picture("forms")


def test_twelve_rows_get_twelve_numbers_and_a_second_paste_adds_none(day: Day) -> None:
    """EL-03: gapless after the patients who were there before."""
    assert day.numbers == [f"01-S{number:04d}" for number in range(day.before + 1, day.before + PATIENTS + 1)]
    assert "没有新增的行" in day.again
    assert day.hospital.rows("SELECT count(*) FROM studies_screening WHERE origin = 'edge'") == [(PATIENTS,)]


def test_no_name_and_no_hospital_number_left_the_hospital(day: Day) -> None:
    """SE-01: searched for in a dump of both databases; the screening numbers are found, so the search can find."""
    dumps = b"".join(day.hospital.dump().values())
    secrets = [CANARY.format(place=place) for place in range(PATIENTS)] + [f"{surname}测试" for surname in SURNAMES]
    assert [secret for secret in secrets if secret.encode() in dumps] == []
    assert day.study_number.encode() in dumps


def test_study_number_comes_within_three_screens(day: Day) -> None:
    assert day.screens <= 3
    assert re.fullmatch(r"01-\d{4}-\d{2}", day.study_number)


def test_every_form_is_complete_and_submitted(day: Day) -> None:
    assert set(day.forms) == set(FORMS)
    assert [title for title in day.forms.values() if "已提交" not in title] == []


def test_report_fills_nine_items_of_ten_and_guesses_nothing(day: Day) -> None:
    """Thirty-two of the thirty-six that were asked for, four wait, none is chosen for him; the database holds what the report says."""
    assert (day.filled, day.waiting, day.guessed) == (32, 4, 0)
    ((values,),) = day.hospital.rows(
        "SELECT values FROM studies_entry e JOIN studies_participant p ON p.id = e.participant_id"
        " WHERE p.study_number = %s AND form = 'laboratory'",
        day.study_number,
    )
    held = {code: (value["value"], value.get("comparator", "")) for code, value in values.items() if code != "lab_date"}
    assert held == {code: (value, sign) for code, (value, sign, _) in blocks.SPACES.filled.items()}
    assert len(held) >= 0.9 * 30


def test_every_screen_has_its_picture(day: Day) -> None:
    assert len(day.pictures) >= 15
    assert all(path.stat().st_size > 10_000 for path in day.pictures)
