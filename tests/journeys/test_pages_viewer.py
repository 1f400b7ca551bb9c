"""A reader in the viewer, in a real browser: both phases by keys, windows, his outline sent in, readers compared; and without scripts."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.urls import reverse
from playwright.sync_api import Page

from accounts.models import User
from imaging import assessment, draft_work, ingest, region_checks, regions, viewing
from imaging.models import Draft, Roi, Series
from imaging.series import pick_phase
from studies.vocabulary import Role
from tests.imaging import world as worlds
from tests.imaging.masks import ball, other_phase, written
from tests.imaging.outlines import segmentation
from tests.imaging.world import World, ct_series, member
from tests.journeys.test_every_page import JUDGES

SHOWN = "#viewer .panes svg text"


@pytest.fixture
def site(transactional_db: None, tmp_path: Path, settings: object) -> World:
    settings.VAR = tmp_path  # type: ignore[attr-defined]
    return worlds.build()


class Scene:
    """Both phases of one participant, one outline of the coordinator on each, and a reader."""

    def __init__(self, site: World) -> None:
        self.site, self.coordinator = site, site.coordinators["01"]
        self.participant = site.enrol()
        number = self.participant.study_number
        self.files = ct_series(number, name="art", description="arterial axial", slices=24, size=64)
        for phase, sent in (("arterial", self.files), ("portal_venous", other_phase(self.files, description="portal_venous axial"))):
            site.put(site.seal(number, sent))
            ingest.sweep()
            assessment.sweep()
            pick_phase(series=Series.objects.order_by("-pk")[0], phase=phase, by=self.coordinator)
        assert viewing.sweep() == 2
        self.reader = member(site.study, "reader-a", Role.READER, site.centers["01"])
        for series in Series.objects.order_by("pk"):
            self.upload(series, self.coordinator, "R1", (30, 30, 11))

    def upload(self, series: Series, by: User, reader: str, center: tuple[int, int, int]) -> None:
        reason = "second reading" if series.rois.exists() else ""
        file = written(ball(self.files, center, 9))
        regions.upload(series=series, file=file, treatment_known=False, by=by, reader=reader, reason=reason)
        region_checks.sweep()

    @property
    def address(self) -> str:
        return reverse("viewer", args=[self.participant.uuid])


@pytest.fixture
def scene(site: World) -> Scene:
    return Scene(site)


@pytest.fixture
def enter(visit: Callable[..., Page], scene: Scene) -> Callable[..., Page]:
    """The viewer as the reader sees it."""

    def enter(width: int = 1366, *, javascript: bool = True) -> Page:
        page = visit("", width=width, javascript=javascript)
        page.goto("/sign-in/")
        page.fill("#id_username", scene.reader.username)
        page.fill("#id_password", "a long enough sentence")
        page.click("main button.pri")
        page.goto(scene.address)
        return page

    return enter


def test_reader_pages_draws_and_compares(scene: Scene, enter: Callable[..., Page], tmp_path: Path) -> None:
    """Arrow and page keys move both phases; a SEG is handed in on the page of each series; only then are readers compared."""
    page, said = enter(), []
    page.on("console", lambda message: said.append(message.text))
    assert page.locator(SHOWN, has_text="13/24").count() == 2
    for key, place in (("ArrowUp", "12/24"), ("PageDown", "22/24"), ("Home", "1/24"), ("ArrowUp", "1/24"), ("End", "24/24")):
        page.keyboard.press(key)
        page.locator(SHOWN, has_text=place).nth(1).wait_for()
    assert page.url.endswith("place=24")
    page.click("text=Compare readers")
    page.wait_for_selector("text=once you have handed in your own")
    for series in Series.objects.order_by("pk"):
        hand_in(page, scene, series, tmp_path)
    page.goto(f"{scene.address}?place=12&compare=1")
    assert page.locator("#viewer .panes table").count() == 2
    looks = page.locator("#viewer .panes .panel").first.locator("svg.roi polygon").evaluate_all(
        "all => all.map(one => [getComputedStyle(one).stroke, getComputedStyle(one).strokeDasharray])"
    )  # fmt: skip
    assert looks == [["rgb(255, 210, 63)", "4px, 3px"], ["rgb(79, 209, 255)", "none"]]
    page.click("#viewer .seg >> text=lung window")
    page.locator('#viewer image[href$="?window=lung"]').nth(1).wait_for()
    assert "window=lung" in page.url
    page.set_viewport_size({"width": 400, "height": 900})
    assert [fault for judge in JUDGES for fault in judge(page, "en")] == []
    assert not [text for text in said if "Content Security Policy" in text or "Error" in text]


def hand_in(page: Page, scene: Scene, series: Series, folder: Path) -> None:
    """Fill in the form of a series with a DICOM segmentation and let the worker check it."""
    mask = ball(scene.files, (33, 31, 11), 9)
    file = folder / f"{series.pk}.dcm"
    file.write_bytes(segmentation({1: worlds.voxels_of(mask)}, origin=(-16, -16, 0)))
    page.goto(reverse("series", args=[series.uuid]))
    page.set_input_files("#id_mask", file)
    page.check("input[name=treatment_known][value=no]")
    page.fill("#id_reader", "reader-a")
    page.fill("#id_roi_reason", "second reading")
    page.click("#outline form[enctype] button.pri")
    region_checks.sweep()
    assert Roi.objects.filter(series=series, uploaded_by=scene.reader, state="aligned").exists()


@pytest.mark.parametrize("width", [1366, 400])
def test_viewer_works_by_links_without_scripts(scene: Scene, enter: Callable[..., Page], width: int) -> None:
    """Every step is a link; nothing is wider than the window; the slice is drawn."""
    page = enter(width, javascript=False)
    page.click("[data-arrow=ArrowDown]")
    assert "14/24" in page.inner_html("#viewer")
    page.click("#viewer .seg >> text=bone window")
    assert "14/24" in page.inner_html("#viewer")
    assert page.locator("#viewer image").count() == 2


def test_reader_draws_a_box_and_takes_the_draft(scene: Scene, enter: Callable[..., Page]) -> None:
    """A box drawn with the mouse on 64 × 64 pixels, kept while paging; the draft lies over the slices until he takes it on the page."""
    page, said = enter(), []
    page.on("console", lambda message: said.append(message.text))
    pane = page.locator("#viewer .panes .panel").first
    pane.locator("details summary").click()
    picture = pane.locator("figure > svg").bounding_box()
    assert picture is not None
    side = min(picture["width"], picture["height"])
    left, top = picture["x"] + (picture["width"] - side) / 2, picture["y"] + (picture["height"] - side) / 2
    page.mouse.move(left + side * 20.5 / 64, top + side * 16.5 / 64)
    page.mouse.down()
    page.mouse.move(left + side * 39.5 / 64, top + side * 43.5 / 64, steps=4)
    page.mouse.up()
    page.keyboard.press("PageDown")
    page.locator(SHOWN, has_text="23/24").nth(1).wait_for()
    pane.locator("input[name=last]").fill("16")
    values = {name: pane.locator(f"input[name={name}]").input_value() for name in ("left", "right", "top", "bottom", "first", "last")}
    assert values == {"left": "21", "right": "40", "top": "17", "bottom": "44", "first": "13", "last": "16"}
    pane.locator("form[data-box] button").click()
    page.wait_for_selector("#draft-state progress")
    draft = Draft.objects.get()
    assert draft.box == [12, 16, 20, 15, 43, 39]
    draft_work.sweep()
    assert Draft.objects.get().state == "drafted", Draft.objects.get().findings
    page.goto(f"{scene.address}?place=14")
    assert page.locator("#viewer svg.roi.machine polygon").count() >= 1
    page.set_viewport_size({"width": 400, "height": 900})
    assert [fault for judge in JUDGES for fault in judge(page, "en")] == []
    page.goto(reverse("series", args=[draft.series.uuid]))
    assert [fault for judge in JUDGES for fault in judge(page, "en")] == []
    page.reload()  # the last judge takes away what is English
    page.check("#draft input[name=treatment_known][value=no]")
    page.fill("#id_draft_reason", "drafted and looked at")
    page.click("#draft button.pri")
    region_checks.sweep()
    assert Roi.objects.get(series=draft.series, state="aligned").origin == "draft"
    assert not [text for text in said if "Content Security Policy" in text or "Error" in text]
