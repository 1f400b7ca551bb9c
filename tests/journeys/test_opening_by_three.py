"""Proof of blindness as people meet it: a site watches its receipts, a sponsor the panel, two custodians open offline, a third publishes.

The browser is a real one; the custodians' program runs as two processes of its own, each in a folder that holds one key, without a network
interface where the machine allows that, and without a database.
"""

import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import transaction
from django.urls import reverse
from playwright.sync_api import Page, expect

from accounts import audit, people
from predictions import outside, sealing_keys
from studies import milestones
from tests import world as worlds
from tests.analysis_db import study as studies

CHECKOUT = Path(__file__).resolve().parents[2]
PATIENTS = 80
KNOWN = {"TACE": ("treatment_started", 40), "SURG": ("no_adjuvant_declared", 91)}
"""What tells of the treatment, and on which day after surgery."""
ALONE = """
import sys
from analysis import sap
from analysis.custody.program import main
sap.REPLICATES = 2
status = main(["--lang", "en", *sys.argv[1:]])
assert not {"django", "psycopg", "celery"} & set(sys.modules)
sys.exit(status)
"""
"""The custodian's program; the sensitivity analyses, tested by themselves, are drawn twice only."""
pytestmark = pytest.mark.soak


def look(page: Page, name: str) -> None:
    """The page in both languages, wide and narrow; pictures where PRIME_SHOTS names a folder."""
    who = page.url
    for language in ("zh-hans", "en"):
        page.set_viewport_size({"width": 1280, "height": 900})
        page.goto(who)
        if (switch := page.query_selector(f"form.wide button[name=language][value={language}]")) is not None:
            switch.click()
        for width in (1280, 400):
            page.set_viewport_size({"width": width, "height": 900})
            page.goto(who)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (name, language, width)
            if folder := os.environ.get("PRIME_SHOTS"):
                page.screenshot(path=f"{folder}/{name}-{language}-{width}.png", full_page=True)
    page.set_viewport_size({"width": 1280, "height": 900})


def alone(device: Path, *arguments: str) -> str:
    """The custodian's program on one device."""
    wrapper = ["unshare", "--net", "--map-root-user"]
    if not shutil.which("unshare") or subprocess.run([*wrapper, "true"], capture_output=True, check=False).returncode:
        wrapper = []
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(CHECKOUT), "HOME": str(device), "LANG": "C.UTF-8"}
    command = [*wrapper, sys.executable, "-c", ALONE, *arguments]
    ran = subprocess.run(command, cwd=device, env=environment, capture_output=True, text=True, timeout=500, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def run(*words: object) -> None:
    """A command of the operator."""
    call_command(*map(str, words), stdout=io.StringIO())


def keep_head(page: Page, folder: Path) -> Path:
    """What somebody at a hospital does: take the newest head out of the house."""
    with page.expect_download() as taken:
        page.click(f'a[href="{reverse("receipt-head")}"]')
    folder.mkdir()
    path = folder / taken.value.suggested_filename
    taken.value.save_as(path)
    return path


@pytest.fixture
def site(transactional_db: None, settings, tmp_path: Path) -> studies.Site:
    """A study whose patients wait for the blind batch."""
    settings.VAR = tmp_path / "var"
    made = studies.Site(worlds.build())
    made.activate()
    made.enroll(PATIENTS)
    made.anchor()
    return made


def test_site_sponsor_and_three_who_open(site: studies.Site, visit: Callable[..., Page], tmp_path: Path) -> None:
    """SL-05, UB-01 to UB-03, EN-07: receipts, panel, request, two devices one after the other, publication, each where it is to be seen."""
    for name in ("coordinator01", "sponsor", "investigator"):
        people.choose_language(user=site.world.people[name], language="en")
    nurse, sponsor, doctor = visit("coordinator01"), visit("sponsor"), visit("investigator")
    nurse.goto(reverse("receipts"))
    expect(nurse.locator("main")).to_contain_text("neither sealed nor treated")

    site.seal()
    site.anchor()
    nurse.reload()
    expect(nurse.locator("main")).to_contain_text("sealed, treatment still open")
    look(nurse, "receipts")
    head = keep_head(nurse, tmp_path / "kept")
    assert set(json.loads(head.read_bytes())) == {"v", "study", "h", "at"}
    sponsor.goto(reverse("blindness"))
    assert sponsor.locator("tr", has_text="All centers").locator("td").all_inner_texts()[:7] == ["80", "0", "0", "0", "0", "80", "0"]
    expect(sponsor.locator("main")).to_contain_text("No opening was asked for.")
    look(sponsor, "panel-sealed")

    follow(site)
    nurse.reload()
    expect(nurse.locator("main")).to_contain_text("sealed before treatment was known")
    doctor.goto(reverse("result"))
    expect(doctor.locator("main")).to_contain_text("do not exist before publication")

    desk = ask(site, tmp_path)
    sponsor.goto(reverse("blindness"))
    expect(sponsor.locator("main")).to_contain_text("with the custodians")
    look(sponsor, "panel-asked")
    assert "80" in open_(desk)
    doctor.reload()
    expect(doctor.locator("main")).to_contain_text("do not exist before publication")

    run("publish", desk / "B" / "result", "--study", site.study.code)
    doctor.goto(reverse("result"))
    expect(doctor.locator("main")).to_contain_text("Unadjusted")
    expect(doctor.locator("main")).to_contain_text("Adjusted")
    look(doctor, "result")
    sponsor.goto(reverse("blindness"))
    expect(sponsor.locator("main")).to_contain_text("published")
    look(sponsor, "panel-published")
    kept_head_still_holds(site, head.parent, tmp_path)


def follow(site: studies.Site) -> None:
    """Years later everybody was treated and seen: every other one with TACE, every third with a recurrence."""
    site.wait(1300)
    numbers = [each.study_number for each in site.people]
    given = {number: ("TACE", "SURG")[place % 2] for place, number in enumerate(numbers)}
    site.follow(given, {number: (200 + 9 * place, ("recurrence", "free", "free")[place % 3]) for place, number in enumerate(numbers)})
    with transaction.atomic(), audit.act(by=site.system, action="test.treated"):
        for patient in site.people:
            kind, day = KNOWN[given[patient.study_number]]
            milestones.record(participant=patient, kind=kind, on=patient.screening.surgery_date + day * studies.DAY, by=site.system)


def ask(site: studies.Site, at: Path) -> Path:
    """The operator cuts, anchors, asks, and gathers what the custodians sign; each of them has a device with one key."""
    for letter in "AB":
        (at / letter).mkdir()
        (at / letter / "key").write_bytes(sealing_keys.write_private(site.keys[letter]))
    (at / "model.json").write_bytes(site.artefact)
    run("cut", "--kind", "opening", "--study", site.study.code, "--out", at / "cut")
    site.anchor()
    said = ("--requester=unblinded_statistician", "--pair=AB", "--days=30", "--reason=final analysis")
    run("opening", "request", "--study", site.study.code, "--cut", at / "cut", "--out", at / "asked", *said)
    for letter in "AB":
        shutil.copy(at / "asked" / "request.json", at / letter)
        alone(at / letter, "approve", "request.json", "--key", "key", "--out", f"{letter}.sig")
    signed = ",".join(str(at / letter / f"{letter}.sig") for letter in "AB")
    words = ("--request", at / "asked", "--approvals", signed, "--artefact", at / "model.json", "--out", at / "A" / "bundle")
    run("opening", "bundle", *words)
    return at


def open_(at: Path) -> str:
    """The first custodian peels and hands on, the second opens; what the second is told."""
    alone(at / "A", "peel", "bundle", "--key", "key", "--out", "half")
    shutil.copy(at / "A" / "half", at / "B")
    return alone(at / "B", "open", "half", "--key", "key", "--out", "result")


def kept_head_still_holds(site: studies.Site, heads: Path, at: Path) -> None:
    """After everything the head that the nurse kept lies on the chain, as a program says that knows no platform; another one does not."""
    outside.write(study=site.study.code)
    (bundle,) = sorted((at / "var").rglob("*.public.tar"))[-1:]
    command = [sys.executable, "-I", str(CHECKOUT / "accounts" / "prime_verify.py"), str(bundle), "--gap", "9999", "--heads", str(heads)]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    (kept,) = heads.iterdir()
    kept.write_text(json.dumps(json.loads(kept.read_bytes()) | {"h": "0" * 64}))
    assert subprocess.run(command, capture_output=True, check=False).returncode == 1
