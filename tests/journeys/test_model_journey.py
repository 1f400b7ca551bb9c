"""A model from its training table to the seal it makes, as the model's owner watches it (MD-01, MD-04, MD-05; docs/models.md §6)."""

import json
import os
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connections
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Browser, Page

from accounts.people import choose_language
from analysis import cut
from predictions import runs
from predictions.models import ModelVersion, Seal
from predictions.sealing_keys import write_private
from tests import world
from tests.analysis_db.study import COURSES, DAY, Site
from tests.journeys.test_every_page import foreign, serious, too_wide

PATIENTS = 360


def grown_up() -> Site:
    """Three centers whose patients were given each strategy alike and followed for three years; one model is locked."""
    site = Site(world.build())
    world.add_center(site.world, "03", site.study.today() - 190 * DAY)
    site.activate()
    site.enroll(PATIENTS)
    site.anchor()
    site.seal()
    site.wait(1300)
    random = np.random.default_rng(3)
    given = {each.study_number: str(random.choice(list(COURSES))) for each in site.people}
    ended = {each.study_number: (int(random.integers(100, 1200)), str(random.choice(["free", "recurrence"]))) for each in site.people}
    site.follow(given, ended)
    return site


def signed_in(browser: Browser, server: str, site: Site) -> Page:
    client = Client()
    client.force_login(site.world.people["model_owner"])
    context = browser.new_context(base_url=server, viewport={"width": 1280, "height": 900}, locale="zh-CN")
    cookie = client.cookies[settings.SESSION_COOKIE_NAME]
    context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": server}])
    return context.new_page()


def look(page: Page, site: Site, address: str, name: str) -> None:
    """The page in both languages, wide and narrow; every control has its name, nothing is cut off, no English on the Chinese one."""
    for language in ("en", "zh-hans"):
        choose_language(user=site.world.people["model_owner"], language=language)
        for width in (1280, 400):
            page.set_viewport_size({"width": width, "height": 900})
            page.goto(address)
            if folder := os.environ.get("PRIME_SHOTS"):
                page.screenshot(path=f"{folder}/{name}-{language}-{width}.png", full_page=True)
        assert [fault for judge in (serious, too_wide, foreign) for fault in judge(page, language)] == []
    page.set_viewport_size({"width": 1280, "height": 900})
    page.goto(address)  # a judge took English words off the page


def command(*words: Any) -> str:
    out = StringIO()
    call_command(*map(str, words), stdout=out, stderr=StringIO())
    return out.getvalue()


@pytest.mark.soak
def test_model_is_trained_watched_signed_locked_and_seals(
    browser: Browser, live_server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.VAR = tmp_path / "var"
    site = grown_up()
    page, of_study = signed_in(browser, live_server.url, site), ("--study", site.study.code)
    cut.make(study=site.study, kind="training", on=site.study.today(), by=site.system, out=tmp_path / "cut")
    watched: list[str] = []
    heard = runs.heard

    def watch(run: Any, done: int, total: int) -> None:
        heard(run, done, total)
        if done == 2:
            look(page, site, "/models/", "training")
            watched.append(page.locator("#trainings progress").first.get_attribute("value") or "")

    monkeypatch.setattr(runs, "heard", watch)
    out = tmp_path / "trained"
    command(
        "train", "strategy", "--tier", "0", "--data", tmp_path / "cut" / "cut.csv", "--out", out, "--replicates", "20",
        "--policy-replicates", "5", "--pdf", *of_study,
    )  # fmt: skip
    assert watched == ["2"]
    assert (out / "card.public.zh.pdf").read_bytes().startswith(b"%PDF-")
    sha256 = json.loads((out / "report.json").read_text())["model_sha256"]

    [before] = ModelVersion.objects.all()
    command("model", "retire", "--reason", "a model of our own", "--model", before.artefact_sha256, *of_study)
    given = ("--name", "Adjuvant 1", "--use", "Resected HCC (R0), before adjuvant therapy is known", "--commit", "a" * 40)
    command("model", "register", "--trained", out, *given, *of_study)
    page.goto("/models/")
    page.click("text=Adjuvant 1")
    address = page.url
    look(page, site, address, "validated")
    with page.expect_download() as taken:
        page.click("main .acts a.pri")
    taken.value.save_as(tmp_path / "statement.json")
    for letter in "AC":
        (tmp_path / f"{letter}.key").write_bytes(write_private(site.keys[letter]))
        command("model", "approve", tmp_path / "statement.json", "--key", tmp_path / f"{letter}.key", "--out", tmp_path / f"{letter}.sig")
    signatures = [word for letter in "AC" for word in ("--signature", f"{letter}={tmp_path / letter}.sig")]
    command("model", "lock", "--model", sha256, *signatures, *of_study)
    look(page, site, address, "locked")
    look(page, site, "/models/", "models")

    site.enroll(1, after=PATIENTS)
    site.seal()
    newcomer = site.people[-1]
    assert Seal.objects.get(participant=newcomer).model.artefact_sha256 == sha256
    assert Seal.objects.filter(model__artefact_sha256=sha256).count() == 1, "nobody is sealed twice"
    investigator = Client()
    investigator.force_login(site.world.people["coordinator01"])
    shown = investigator.get(reverse("participant", kwargs={"uuid": newcomer.uuid})).content.decode()
    assert "预测已封存" in shown or "prediction sealed" in shown
    connections.close_all()
