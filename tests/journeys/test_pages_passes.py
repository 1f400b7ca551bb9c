"""Two decisions on the page of a series, in a real browser: whose an outline is that came with the images, and taking two passes apart.

`PRIME_SHOTS` names a folder for pictures, in both languages, at 1366 and 400 px.
"""

import io
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from django.urls import reverse
from playwright.sync_api import Page

from imaging import assessment, ingest, region_checks
from imaging.models import ProposedOutline, Roi, Series
from tests.imaging import world as worlds
from tests.imaging.outlines import segmentation
from tests.imaging.test_splitting import SLICES, mixed
from tests.imaging.world import World
from tests.journeys.test_every_page import JUDGES


@pytest.fixture
def site(transactional_db: None, tmp_path: Path, settings: object) -> World:
    settings.VAR = tmp_path  # type: ignore[attr-defined]
    return worlds.build()


@pytest.fixture
def series(site: World) -> Series:
    """A series of two passes, and a segmentation that the hospital drew on the first."""
    number = site.enrol().study_number
    files = mixed(number)
    voxels = np.zeros((SLICES, 32, 32), dtype=bool)
    voxels[3:6, 10:15, 8:12] = True
    sources = [str(pydicom.dcmread(io.BytesIO(data)).SOPInstanceUID) for data in files[:SLICES]]
    outline = pydicom.dcmread(io.BytesIO(segmentation({1: voxels}, sources=sources, names={1: "TUMOUR"})))
    outline.PatientID = outline.PatientName = number
    outline.StudyInstanceUID, outline.SeriesInstanceUID = worlds.uid(number, "study"), worlds.uid(number, "seg")
    outline.SOPInstanceUID = outline.file_meta.MediaStorageSOPInstanceUID = worlds.uid(number, "seg", 1)
    outline.PatientIdentityRemoved, outline.DeidentificationMethod = "YES", "prime-edge"
    written = io.BytesIO()
    outline.save_as(written, enforce_file_format=True)
    site.put(site.seal(number, [*files, written.getvalue()]))
    ingest.sweep()
    assessment.sweep()
    return Series.objects.get()


def test_passes_are_taken_apart_and_an_outline_is_given_its_reader(site: World, series: Series, visit: Callable[..., Page]) -> None:
    page = visit("", width=1366)
    page.goto("/sign-in/")
    page.fill("#id_username", site.coordinators["01"].username)
    page.fill("#id_password", "a long enough sentence")
    page.click("main button.pri")
    address = reverse("series", args=[series.uuid])
    look(page, address, "whole")
    page.click("text=Take apart into 2 series")
    assessment.sweep()
    page.reload()
    page.click("#parts >> text=Pass 1")
    look(page, page.url, "pass")
    page.fill("[data-proposal] input[name=reader]", "R-7")
    page.check("[data-proposal] input[name=treatment_known][value=no]")
    page.click("[data-proposal] button.pri")
    region_checks.sweep()
    [first, second] = Series.objects.filter(part_of=series).order_by("part")
    assert list(Roi.objects.values_list("series", "state", "reader", "voxels")) == [(first.pk, "aligned", "R-7", 60)]
    assert ProposedOutline.objects.get().state == "assigned"
    page.goto(reverse("series", args=[second.uuid]))
    assert page.locator("[data-proposal]").count() == 0, "it was drawn on the other pass"


def look(page: Page, address: str, name: str) -> None:
    """The page in both languages, wide and narrow: nothing cut off, every control has its name."""
    for language in ("zh-hans", "en"):
        page.set_viewport_size({"width": 1366, "height": 900})
        page.goto(address)
        if (switch := page.query_selector(f"form.wide button[name=language][value={language}]")) is not None:
            switch.click()
        for width in (1366, 400):
            page.set_viewport_size({"width": width, "height": 900})
            page.goto(address)
            if folder := os.environ.get("PRIME_SHOTS"):
                page.screenshot(path=f"{folder}/{name}-{language}-{width}.png", full_page=True)
        assert [fault for judge in JUDGES for fault in judge(page, language)] == []
    page.set_viewport_size({"width": 1366, "height": 900})
    page.goto(address)  # a judge took English words off the page
