"""The viewer's three planes in a real browser with WebGL in software; and the slices where there is no WebGL."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from django.contrib.staticfiles import finders
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from imaging.views import NIIVUE
from tests.journeys.conftest import ARGUMENTS, CHROMIUM
from tests.journeys.test_every_page import JUDGES
from tests.journeys.test_pages_viewer import Scene, enter, scene, site

__all__ = ["enter", "scene", "site"]
SOFTWARE = ["--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"]
BUTTON = "#viewer [data-volumes]"


@pytest.fixture
def browser(transactional_db: None, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Browser]:
    """Chromium with WebGL drawn by the processor, or without any."""
    if not Path(CHROMIUM).exists():
        pytest.skip("needs the Debian package chromium")
    if finders.find(NIIVUE) is None:
        pytest.skip("needs NiiVue: make niivue")
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    plain = [one for one in ARGUMENTS if one != "--disable-gpu"]
    arguments = [*plain, *SOFTWARE] if getattr(request, "param", True) else [*ARGUMENTS, "--disable-3d-apis"]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield chromium
        chromium.close()


def drawn(page: Page, volumes: int) -> None:
    """Wait until both phases show so many volumes, their own among them."""
    page.locator(f'#viewer [data-drawn="{volumes}"]').nth(1).wait_for(timeout=60_000)
    page.wait_for_timeout(300)


def seen(page: Page, place: int) -> tuple[float, float]:
    """The share of a canvas that is as yellow as the first reader, and how bright its upper left plane is, as a person sees it."""
    shot = page.locator("#viewer .volume canvas").nth(place).screenshot()
    picture = np.asarray(Image.open(io.BytesIO(shot)).convert("RGB"), dtype=float)
    yellow = (picture[..., 0] - picture[..., 2] > 30) & (picture[..., 1] - picture[..., 2] > 20)
    height, width = yellow.shape
    return float(yellow.mean()), float(np.median(picture[height // 8 : height // 3, width // 8 : width // 3].mean(axis=2)))


def test_both_phases_are_drawn_in_three_planes(scene: Scene, enter: Callable[..., Page]) -> None:
    """The outline lies in both; 60 HU are as grey through each window as PS3.3 C.11.2.1.2 says (by hand: 141 of 255, lung 240)."""
    page, said = enter(), []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda fault: said.append(f"Error {fault}"))
    page.click(BUTTON)
    drawn(page, 2)
    before = [seen(page, place) for place in (0, 1)]
    assert all(yellow > 0.01 for yellow, _ in before)
    assert [bright for _, bright in before] == pytest.approx([141, 141], abs=25)
    page.click("#viewer .seg >> text=lung window")
    page.wait_for_url("**window=lung*")
    drawn(page, 2)
    assert [seen(page, place)[1] for place in (0, 1)] == pytest.approx([240, 240], abs=15)
    page.keyboard.press("ArrowUp")
    page.locator('#viewer [data-height^="0.479"]').first.wait_for(state="attached")
    assert page.locator("#viewer .volume canvas").count() == 2
    page.set_viewport_size({"width": 400, "height": 900})
    assert [fault for judge in JUDGES[:-1] for fault in judge(page, "en")] == []
    page.click(BUTTON)
    page.locator("#viewer figure").first.wait_for()
    assert not page.locator("#viewer .volume canvas").first.is_visible()
    assert not [text for text in said if "Content Security Policy" in text or "Error" in text]


@pytest.mark.parametrize("browser", [False], indirect=True)
def test_without_webgl_the_slices_stay(scene: Scene, enter: Callable[..., Page]) -> None:
    """No button that would fail, no error; the slices are what is there."""
    page, said = enter(), []
    page.on("console", lambda message: said.append(message.text))
    page.keyboard.press("ArrowUp")
    page.locator("#viewer .panes svg text", has_text="12/24").nth(1).wait_for()
    assert not page.locator(BUTTON).is_visible()
    assert page.locator("#viewer figure").first.is_visible()
    assert not [text for text in said if "Content Security Policy" in text or "Error" in text]
