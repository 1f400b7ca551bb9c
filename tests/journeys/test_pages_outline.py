"""An outline from the form to the features in a real browser: keyboard, progress without a reload, the dashed line on the slice."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.urls import reverse
from playwright.sync_api import Page

from imaging import assessment, extraction, ingest, region_checks
from imaging.models import Roi, Series
from imaging.series import pick_phase
from tests.imaging import world as worlds
from tests.imaging.masks import ball, moved, written
from tests.imaging.world import World, ct_series

SHOWN = "#outline-state"


@pytest.fixture
def site(transactional_db: None, tmp_path: Path, settings: object) -> World:
    settings.VAR = tmp_path  # type: ignore[attr-defined]
    return worlds.build()


@pytest.fixture
def case(site: World) -> tuple[World, list[bytes], Series]:
    """A confirmed arterial series without an outline."""
    number = site.enrol().study_number
    files = ct_series(number, description="arterial axial", slices=10, size=64)
    site.put(site.seal(number, files))
    ingest.sweep()
    assessment.sweep()
    return site, files, pick_phase(series=Series.objects.get(), phase="arterial", by=site.coordinators["01"])


@pytest.fixture
def enter(visit: Callable[..., Page], case: tuple[World, list[bytes], Series]) -> Callable[..., Page]:
    """The page of the series as its coordinator sees it."""

    def enter(width: int = 1366, *, javascript: bool = True) -> Page:
        page = visit("", width=width, javascript=javascript)
        page.goto("/sign-in/")
        page.fill("#id_username", case[0].coordinators["01"].username)
        page.fill("#id_password", "a long enough sentence")
        page.click("main button.pri")
        page.goto(reverse("series", args=[case[2].uuid]))
        return page

    return enter


def send(page: Page, file: Path) -> None:
    """Fill in the form by its keys and send it."""
    page.set_input_files("#id_mask", file)
    page.focus("input[name=treatment_known]")
    page.keyboard.press("1")
    page.click("#outline form[enctype] button.pri")


def test_outline_is_sent_followed_and_seen(case: tuple[World, list[bytes], Series], enter: Callable[..., Page], tmp_path: Path) -> None:
    """The page follows the worker by itself; the outline is dashed yellow over the slice; nothing is forbidden by the policy."""
    file = tmp_path / "mask.nii.gz"
    file.write_bytes(written(ball(case[1], (30, 30, 5), 8)).read())
    page, said = enter(), []
    page.on("console", lambda message: said.append(message.text))
    assert page.locator("input[name=treatment_known]:checked").count() == 0
    send(page, file)
    assert Roi.objects.get().treatment_known is False
    page.wait_for_selector(f"{SHOWN}[data-poll]")
    region_checks.sweep()
    page.wait_for_selector(f"{SHOWN} >> text=944")
    assert extraction.sweep() == 1
    page.wait_for_selector("#features")
    line = page.locator(".slices polygon").first
    look = line.evaluate("line => { const style = getComputedStyle(line); return [style.stroke, style.strokeDasharray, style.fill] }")
    assert look == ["rgb(255, 210, 63)", "4px, 3px", "none"]
    assert "treatment unknown to the reader" in page.inner_text(".key")
    assert not [text for text in said if "Content Security Policy" in text]


@pytest.mark.parametrize("width", [1366, 400])
def test_refused_outline_says_why_without_scripts(
    case: tuple[World, list[bytes], Series], enter: Callable[..., Page], tmp_path: Path, width: int
) -> None:
    """Without JavaScript the form works and a reload shows the sentence; nothing is wider than the window."""
    file = tmp_path / "mask.nii.gz"
    file.write_bytes(written(moved(ball(case[1], (30, 30, 5), 8), 4)).read())
    page = enter(width, javascript=False)
    page.set_input_files("#id_mask", file)
    page.check("input[name=treatment_known][value=yes]")
    page.click("#outline form[enctype] button.pri")
    region_checks.sweep()
    page.reload()
    assert "The mask lies 4.0 mm away" in page.inner_text(SHOWN)
