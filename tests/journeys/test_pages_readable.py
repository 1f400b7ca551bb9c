"""Every page in both languages, light and dark, wide and at 400 px: nothing serious for axe, nothing wider than the screen."""

import re
from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from accounts.people import choose_language
from tests.journeys.scene import Scene


def pages(scene: Scene) -> list[str]:
    """The address of every page a coordinator can open, with records in every state."""
    lines = [f"/screening/{line.uuid}/" for line in scene.lines.values()]
    people = [f"/participants/{person.uuid}/" for person in scene.people.values()]
    lists = ["/worklist/", "/screening/", "/screening/?state=enrolled", "/participants/", "/participants/?state=withdrawn", "/overview/"]
    lists += ["/consecutiveness/", "/flow/", "/screening/?state=all&leaf=enrolled"]
    return [*lists, "/screening/new/", "/search/?q=1", "/nowhere/", *lines, *people]


@pytest.mark.parametrize(("theme", "width"), [("light", 1366), ("dark", 1366), ("light", 400)])
def test_axe_finds_nothing_serious(scene: Scene, visit: Callable[..., Page], theme: str, width: int) -> None:
    """WCAG 2.2 A and AA as far as a program can tell: labels, names, contrast, order of headings."""
    page = visit("", theme=theme, width=width)
    page.goto("/sign-in/")
    found = {"/sign-in/": _serious(page)}
    page = visit(theme=theme, width=width)
    for address in pages(scene):
        page.goto(address)
        found[address] = _serious(page)
    assert {address: faults for address, faults in found.items() if faults} == {}


@pytest.mark.parametrize("language", ["zh-hans", "en"])
@pytest.mark.parametrize("width", [400, 1280])
def test_no_page_is_wider_than_the_screen(scene: Scene, visit: Callable[..., Page], width: int, language: str) -> None:
    """No horizontal page scroll at 1280, cards at 400; English is twice as long and must fit too."""
    choose_language(user=scene.coordinator, language=language)
    page = visit(width=width)
    wider = {}
    for address in pages(scene):
        page.goto(address)
        wide = page.evaluate("document.documentElement.scrollWidth")
        if wide > width:
            wider[address] = wide
    assert wider == {}


def test_chinese_page_is_chinese(scene: Scene, visit: Callable[..., Page]) -> None:
    """No English sentence is left on a Chinese page; names, codes and numbers may be Latin."""
    page = visit()
    left = {}
    for address in pages(scene):
        page.goto(address)
        words = re.findall(r"[a-z]{3,}(?: [a-z]{2,}){2,}", page.locator("body").inner_text())
        if words:
            left[address] = words
    assert left == {}


def test_order_of_tab_is_order_of_reading(scene: Scene, visit: Callable[..., Page]) -> None:
    """The skip link comes first; from there down the page, never back up within the main column."""
    page = visit()
    page.goto("/screening/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    tops = []
    for _ in range(12):
        page.keyboard.press("Tab")
        tops.append(page.evaluate("Math.round(document.activeElement.getBoundingClientRect().top / 12)"))
    assert tops == sorted(tops)


def _serious(page: Page) -> list[str]:
    violations = Axe().run(page).response["violations"]
    return [f"{fault['id']}: {fault['nodes'][0]['target']}" for fault in violations if fault["impact"] in {"serious", "critical"}]
