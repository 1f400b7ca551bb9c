"""A real browser on the real site: Chromium with scripts, colours and sizes as people have them."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connections
from playwright.sync_api import Browser, Page, sync_playwright

from tests.journeys import hospital as hospitals
from tests.journeys import scene as scenes
from tests.journeys.hospital import Hospital
from tests.journeys.scene import Scene

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-gpu",
    "--disable-dev-shm-usage",
]


@pytest.fixture(scope="package")
def hospital() -> Iterator[Hospital]:
    """A platform of its own, run by `manage.py up`, with one enrolled patient and an edge whose series fall quiet after a second."""
    with hospitals.opened(patients=1, quiet=1) as made:
        yield made


@pytest.fixture
def browser(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Browser]:
    """One Chromium; skipped where the package is not installed.

    While playwright's loop runs in this thread Django gives the test's own queries a connection of their own; it is closed
    before the loop ends, so that the tear-down meets the one it prepared.
    """
    if not Path(CHROMIUM).exists():
        pytest.skip("needs the Debian package chromium")
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        chromium.close()
        connections.close_all()


@pytest.fixture
def scene(transactional_db: None) -> Scene:
    return scenes.build()


@pytest.fixture
def visit(browser: Browser, live_server: Any) -> Iterator[Callable[..., Page]]:
    """Open the site as somebody: visit(username, width=1366, javascript=True) gives a page after sign-in; "" stays outside."""
    contexts = []

    def open_page(username: str = "wang", *, width: int = 1366, height: int = 900, javascript: bool = True, theme: str = "light") -> Page:
        context = browser.new_context(
            base_url=live_server.url, viewport={"width": width, "height": height}, java_script_enabled=javascript, locale="zh-CN"
        )
        context.set_default_timeout(15_000)
        context.add_cookies([{"name": "theme", "value": theme, "url": live_server.url}])
        contexts.append(context)
        page = context.new_page()
        if username:
            page.goto("/sign-in/")
            page.fill("#id_username", username)
            page.fill("#id_password", scenes.PASSWORD)
            page.click("main button.pri")
        return page

    yield open_page
    for context in contexts:
        context.close()
