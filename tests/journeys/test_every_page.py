"""Every page there is, by an address list that no page can escape: nothing serious for axe, no wider than a phone, no foreign word.

Each page is opened once, as the first of a list of roles that is shown it, in both languages (WCAG 2.2 A and AA as far as a
program can tell). `test_pages_readable` does the same in more themes for the pages of one coordinator with records in every state.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from django.db import transaction
from django.test import Client
from django.utils import translation
from playwright.sync_api import Browser, Page

from accounts.people import choose_language
from predictions.models import ModelVersion
from studies.exchange import value_import
from studies.models import ImportRun
from tests import world as worlds
from tests.gates.test_addresses import ADDRESSES, OBJECTS, OF_REGISTRY, OF_STUDY, OPEN, objects_at, url
from tests.predictions import sealed_world

ROLES = (
    "coordinator01",
    "site_pi01",
    "data_manager",
    "monitor",
    "investigator",
    "reader01",
    "pacs_admin01",
    "sysadmin",
    "custodian",
    "adjudicator",
)
ENGLISH = re.compile(r"[a-z]{3,}(?: [a-z]{2,}){2,}")


@pytest.fixture
def site(transactional_db: None, tmp_path: Path, settings: Any) -> Iterator[tuple[worlds.World, dict[str, Any]]]:
    """One hospital with an object of every kind that an address can name."""
    settings.VAR = tmp_path
    world = worlds.build()
    with transaction.atomic():
        participant = worlds.enrolled(world, "01")
        objects = objects_at(world, "01", participant, tmp_path) | {"study_number": participant.study_number}
    yield world, objects


def planned(world: worlds.World, study_number: str, folder: Path, language: str) -> ImportRun:
    """The dry run of a table with a value that is taken and one that is not, by somebody who reads `language`."""
    path = folder / "table.csv"
    path.write_text(f"study_number,hbv,albumin\n{study_number},yes,400\n", encoding="utf-8")
    with translation.override(language):
        return value_import.plan(study=world.study, path=path, by=world.people["data_manager"])


def shown(world: worlds.World, objects: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """(person, address) of every page, once: the first role that is answered with a page."""
    seen: set[str] = set()
    for name in ROLES:
        client = Client()
        client.force_login(world.people[name])
        for address in ADDRESSES:
            kind = {**OBJECTS, **dict.fromkeys(OF_STUDY, "import"), **dict.fromkeys(OF_REGISTRY, "model")}.get(address.name, "")
            if address.name in seen | OPEN or (address.argument not in ("", "format") and not kind):
                continue
            where = url(address, objects.get(kind))
            answer = client.get(where)
            if answer.status_code == 200 and b"</html>" in getattr(answer, "content", b""):
                seen.add(address.name)
                yield name, where


def page_of(browser: Browser, server: str, world: worlds.World, name: str, width: int) -> Page:
    """A page that is signed in as somebody."""
    client = Client()
    client.force_login(world.people[name])
    context = browser.new_context(base_url=server, viewport={"width": width, "height": 900}, locale="zh-CN")
    cookie = client.cookies[settings.SESSION_COOKIE_NAME]
    context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": server}])
    return context.new_page()


@pytest.mark.parametrize("language", ["zh-hans", "en"])
def test_every_page_is_readable_by_everybody(
    site: tuple[worlds.World, dict[str, Any]], browser: Browser, live_server: Any, language: str, tmp_path: Path
) -> None:
    world, objects = site
    sealed_world.prepare(world)
    objects["model"] = ModelVersion.objects.get().uuid
    objects["import"] = planned(world, objects["study_number"], tmp_path, language).uuid
    for name in ROLES:
        choose_language(user=world.people[name], language=language)
    faults, opened = {}, dict[str, Page]()
    for name, address in shown(world, objects):
        page = opened.get(name) or opened.setdefault(name, page_of(browser, live_server.url, world, name, 400))
        page.goto(address)
        if found := [each for judge in JUDGES for each in judge(page, language)]:
            faults[f"{name} {address}"] = found
    assert not faults, "\n".join(f"{where}: {found}" for where, found in faults.items())


def serious(page: Page, language: str) -> list[str]:
    """What axe calls serious or critical."""
    violations = Axe().run(page).response["violations"]
    return [f"{fault['id']}: {fault['nodes'][0]['target']}" for fault in violations if fault["impact"] in {"serious", "critical"}]


def too_wide(page: Page, language: str) -> list[str]:
    """Whether a phone would have to scroll sideways."""
    wide = page.evaluate("document.documentElement.scrollWidth")
    return [f"{wide} px wide"] if wide > 400 else []


def foreign(page: Page, language: str) -> list[str]:
    """English sentences on a Chinese page, unless they say that they are English; names, codes and numbers may be Latin."""
    page.evaluate("document.querySelectorAll('[lang=en]').forEach(each => each.remove())")
    return ENGLISH.findall(page.locator("body").inner_text()) if language == "zh-hans" else []


JUDGES: tuple[Callable[[Page, str], list[str]], ...] = (serious, too_wide, foreign)
