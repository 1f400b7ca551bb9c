"""A PACS administrator's day at the edge's page, in a real browser without scripts: peer, echo, push, quarantine, names, disk.

`PRIME_SHOTS` names a folder for pictures of every page, in both languages, at 1366 and 400 px.
"""

import contextlib
import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page
from pydicom.dataset import Dataset
from pytest_django.live_server_helper import LiveServer

from accounts.models import User
from imaging import carried, gateways, ingest
from imaging.edge import home as homes
from imaging.edge import keys
from imaging.edge.home import Home
from imaging.edge.page import entry
from imaging.models import Instance
from tests.imaging import world as worlds
from tests.imaging.edge.parts import EdgeProcess, ct, link, rows, saved, until
from tests.imaging.world import World

PAGES = ("/", "/waiting", "/quarantine", "/list", "/approvals", "/links", "/links/file", "/associations", "/peers", "/packages", "/acts")
needs_dcmtk = pytest.mark.skipif(shutil.which("storescu") is None, reason="needs the Debian package dcmtk")


@pytest.fixture
def made(transactional_db: None, live_server: LiveServer, tmp_path: Path, settings: object) -> World:
    settings.VAR = tmp_path  # type: ignore[attr-defined]
    return worlds.build()


@pytest.fixture
def edge(made: World, tmp_path: Path) -> Iterator[EdgeProcess]:
    """An edge of center 01 without a network to the platform, which knows one participant by his admission number and no peer."""
    described: dict[str, Any] = {
        "v": 1, "study": made.study.code, "url": "http://127.0.0.1:9", "package": keys.to_text(keys.package_public_bytes(made.package_key)),
        "receipt_stored": keys.to_text(made.public["stored"]), "receipt_archived": keys.to_text(made.public["archived"]),
    }  # fmt: skip
    directory = tmp_path / "edge"
    homes.make(directory, center="01", platform=json.dumps(described).encode(), approval="")
    gateways.register(study=made.study, document=json.loads((directory / "gateway.json").read_bytes()), by=User.objects.system())
    settings = json.loads((directory / "edge.json").read_bytes()) | {"quiet_seconds": 0.5, "reserve_bytes": 0}
    (directory / "edge.json").write_text(json.dumps(settings))
    link(Home(directory), made.enrol().study_number, "ADM-1", kind="admission", name="王小明")
    running = EdgeProcess(Home(directory))
    yield running
    running.kill()


@pytest.fixture
def page(browser: Browser, edge: EdgeProcess) -> Iterator[Page]:
    """Signed in at the edge, in English, without scripts."""
    context = browser.new_context(
        base_url=f"http://127.0.0.1:{edge.where['http_port']}", viewport={"width": 1366, "height": 900}, java_script_enabled=False,
        locale="en-GB",
    )  # fmt: skip
    context.set_default_timeout(20_000)
    opened = context.new_page()
    opened.goto("/sign-in")
    opened.fill("#passcode", entry.passcode_of(edge.home))
    opened.fill("#initials", "ZS")
    opened.keyboard.press("Enter")
    opened.wait_for_url("**/")
    yield opened
    context.close()


def image(number: int, **changed: Any) -> Dataset:
    made = ct(
        number, patient="IMG-7", study="1.9", series="1.9.1", SpecificCharacterSet="ISO_IR 192", StudyDescription="CT 上腹部增强", **changed
    )
    made.PatientName = "Wang^Xiaoming=王^小明"
    return made


def push(port: int, folder: Path, *, caller: str) -> int:
    """dcmtk's storescu sends a folder; its exit status."""
    command = ["storescu", "-aet", caller, "-aec", "PRIME", "+sd", "127.0.0.1", str(port), str(folder)]
    return subprocess.run(command, check=False, capture_output=True, timeout=60).returncode


@contextlib.contextmanager
def pacs(folder: Path) -> Iterator[int]:
    """dcmtk's storescp as a PACS that answers an echo; its port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    with subprocess.Popen(["storescp", "-od", str(folder), "-aet", "PACS1", str(port)], stderr=subprocess.DEVNULL) as running:
        try:
            until(
                lambda: subprocess.run(["echoscu", "127.0.0.1", str(port)], check=False, capture_output=True).returncode == 0, "it listens"
            )
            yield port
        finally:
            running.terminate()


@needs_dcmtk
def test_a_pacs_administrators_day(edge: EdgeProcess, page: Page, tmp_path: Path) -> None:
    sent = tmp_path / "sent"
    sent.mkdir()
    for number in range(3):
        saved(image(number, **({"BurnedInAnnotation": "YES"} if number == 2 else {})), sent / f"{number}.dcm")

    page.click("nav >> text=Approvals")
    page.fill("#number", "伦审 2026-12")
    page.fill("#valid_from", "2020-01-01")
    page.fill("#valid_until", "2099-12-31")
    page.keyboard.press("Enter")
    assert "is entered" in page.inner_text("[role=status]")
    assert "today: 伦审 2026-12" in page.inner_text("main")
    shoot(page, "approvals")

    assert push(edge.port, sent, caller="PACS1") != 0
    page.click("text=Associations")
    assert "Calling AE PACS1 from 127.0.0.1 is not listed" in page.inner_text("main")
    shoot(page, "refused")
    page.click("text=List this sender")
    with pacs(tmp_path) as port:
        page.fill("#host", "127.0.0.1")
        page.fill("#port", str(port))
        page.keyboard.press("Enter")
        assert "PACS1 may send now" in page.inner_text("[role=status]")
        page.click("tr:has-text('PACS1') >> text=Echo")
        assert "PACS1 answered the echo" in page.inner_text("[role=status]")
    page.click("text=Self-test")
    assert "senders find it in order" in page.inner_text("[role=status]")
    shoot(page, "peers")

    assert push(edge.port, sent, caller="PACS1") == 0
    until(lambda: rows(edge.home, "SELECT count(*) FROM object") == [(3,)], "received")
    page.goto("/waiting")
    assert "王小明" in page.inner_text("main")
    shoot(page, "waiting")
    page.click("text=Same name: 01-")
    assert "is linked to IMG-7" in page.inner_text("[role=status]")

    page.click("nav >> text=Quarantine")
    assert "text is burned into its pixels" in page.inner_text("main")
    shoot(page, "quarantine")
    page.click("text=Look at the images")
    everywhere(page, page.url)
    page.set_viewport_size({"width": 1366, "height": 900})
    assert page.eval_on_selector("figure img", "one => one.complete && one.naturalWidth") == 16
    page.click("text=Decide")
    page.fill("input[name=why]", "only a ruler, no name")
    page.click("button:has-text('Release')")
    assert "Released: 1." in page.inner_text("[role=status]")

    until(lambda: rows(edge.home, "SELECT sum(images) FROM content JOIN package USING (seq) WHERE state = 'sealed'") == [(3,)], "packed")
    by_disk(edge, page, tmp_path)

    page.click("nav >> text=What was done")
    for word in ("peer listed", "released from quarantine", "only a ruler, no name", "package put on a disk", "receipt read from a disk"):
        assert word in page.inner_text("main")
    everywhere(page)


def by_disk(edge: EdgeProcess, page: Page, tmp_path: Path) -> None:
    """Put the packages on a disk, take them to the platform, and bring the receipts back."""
    disk = tmp_path / "usb1"
    disk.mkdir()
    page.click("nav >> text=Packages")
    page.fill("#directory", str(disk))
    page.click("text=Put packages on it")
    assert "Take it to the platform" in page.inner_text("[role=status]")
    shoot(page, "packages")
    carried.receive(disk)
    ingest.sweep()
    assert {one.state for one in carried.receive(disk)} == {"archived"}
    page.click("text=Read receipts from it")
    assert "Receipts read: archived" in page.inner_text("[role=status]")
    assert rows(edge.home, "SELECT DISTINCT state FROM package") == [("archived",)]
    assert not list(edge.home.spool.iterdir())
    assert Instance.objects.count() == 3
    with page.expect_download() as download:
        page.click("text=Register as CSV")
    assert "伦审 2026-12" in Path(download.value.path()).read_text(encoding="utf-8-sig")


def everywhere(page: Page, *paths: str) -> None:
    """Every page, in both languages, wide and narrow: a heading, words of that language, and nothing cut off at the side."""
    for language in ("zh", "en"):
        for width in (1366, 400):
            page.set_viewport_size({"width": width, "height": 900})
            page.goto("/")
            if (switch := page.query_selector(f"button[value={language}]")) is not None:
                switch.click()
            for path in paths or PAGES:
                page.goto(path)
                assert page.get_attribute("html", "lang") == ("zh-CN" if language == "zh" else "en")
                assert page.inner_text("h1")
                name = "look" if paths else path.strip("/").replace("/", "-") or "overview"
                shoot(page, f"{name}-{language}-{width}")
                assert wide(page) <= width, (path, language, width)


def wide(page: Page) -> int:
    """How wide the page is, scripts or not: the right edge of its main part and of everything beside it."""
    boxes = [
        box
        for element in page.query_selector_all("main, main section, main form, main table, header, nav")
        if (box := element.bounding_box())
    ]
    return max(int(box["x"] + box["width"]) for box in boxes)


def shoot(page: Page, name: str) -> None:
    if folder := os.environ.get("PRIME_SHOTS"):
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)
