"""The screening log by keyboard alone: a digit closes the selected line, U takes it back; without scripts the buttons do the same."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from studies.models import Screening
from tests.journeys.scene import Scene


def first_open_line(page: Page) -> str:
    """The number of the first line of the page that may be closed, selected with J as a person would."""
    for _ in range(page.locator("tr[data-row]").count()):
        page.keyboard.press("j")
        selected = page.locator("tr.sel")
        if selected.locator("input[type=radio]").count():
            return selected.locator("a.id").inner_text()
    raise AssertionError("no line of the log is open")


def status_of(number: str) -> tuple[str, str]:
    line = Screening.objects.get(center__code=number[:2], number=int(number[4:]))
    return line.status, line.exclusion_reason


def test_digit_closes_the_selected_line_and_u_takes_it_back(scene: Scene, visit: Callable[..., Page]) -> None:
    page = visit()
    page.goto("/screening/")
    number = first_open_line(page)
    page.keyboard.press("2")
    expect(page.locator("form.note.success")).to_contain_text(number)
    assert status_of(number) == ("excluded", "consent_declined")
    page.keyboard.press("u")
    page.wait_for_url("**/screening/*/")
    assert status_of(number) == ("screened", "")


def test_digit_without_a_selected_line_does_nothing(scene: Scene, visit: Callable[..., Page]) -> None:
    page = visit()
    page.goto("/screening/")
    before = list(Screening.objects.order_by("pk").values_list("status", flat=True))
    page.keyboard.press("2")
    page.wait_for_timeout(300)
    assert page.url.endswith("/screening/")
    assert list(Screening.objects.order_by("pk").values_list("status", flat=True)) == before


def test_buttons_close_a_line_without_scripts(scene: Scene, visit: Callable[..., Page]) -> None:
    page = visit(javascript=False)
    page.goto("/screening/")
    row = page.locator("tr[data-row]", has=page.locator("input[type=radio]")).first
    number = row.locator("a.id").inner_text()
    row.locator("input[type=radio]").check()
    page.click("[data-digit='3']")
    expect(page.locator("form.note.success")).to_contain_text(number)
    assert status_of(number) == ("excluded", "consent_not_obtained")
