"""One patient, the whole way: screened in a browser, pushed by a PACS, drawn on his page, and nowhere named (NW-08; architecture §2)."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright
from pydicom import dcmread
from pydicom.dataset import Dataset

from tests.imaging.edge.parts import until
from tests.journeys.conftest import ARGUMENTS, CHROMIUM
from tests.journeys.hospital import Hospital
from tests.journeys.test_pages_enrolment import ANSWERS, press
from tests.paths import SHARED
from tests.world import PASSWORD

pytestmark = pytest.mark.journey
SERIES = SHARED / "data/03_radiomics/crlm_liver_ct/CRLM-CT-1004"
SLICES, PATIENCE = 30, 120.0
NAME, BIRTH_DATE, ACCESSION = "Ouyang^Jingwen=欧阳^静文", "19561127", "ACC7730918265"
"""What a hospital's images say and public ones do not."""


@dataclass
class Arrived:
    """A patient whose images have come: the platform, his number and page, what must never be found, and what the page showed."""

    hospital: Hospital
    study_number: str
    canaries: dict[str, str]
    facts: str
    pictures: list[dict[str, int]]


@pytest.fixture(scope="module")
def arrived(hospital: Hospital, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arrived]:
    if not SERIES.is_dir():
        pytest.skip(f"needs the real CT series in {SERIES}")
    if shutil.which("storescu") is None:
        pytest.skip("needs storescu of the Debian package dcmtk")
    if not Path(CHROMIUM).exists():
        pytest.skip("needs the Debian package chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = chromium.new_context(base_url=hospital.url, locale="zh-CN").new_page()
        page.set_default_timeout(30_000)
        number = enrol(page)
        folder = tmp_path_factory.mktemp("pacs")
        canaries = as_the_hospital_has_it(folder)
        push(hospital, number, canaries["PatientID"], folder)
        facts = wait_for_slices(page)
        yield Arrived(hospital, number, canaries, facts, pictures(page))
        chromium.close()


def enrol(page: Page) -> str:
    """Sign in, screen, record the consent and enrol with the keyboard; the study number."""
    surgery = date.today() - timedelta(days=30)  # noqa: DTZ011 - the calendar of the hospital
    page.goto("/sign-in/")
    page.locator("#id_username").focus()
    page.keyboard.type("coordinator01")
    press(page, "Tab")
    page.keyboard.type(PASSWORD)
    press(page, "Enter")
    page.wait_for_url(lambda url: "sign-in" not in url)
    page.goto("/screening/new/")
    page.keyboard.type(surgery.strftime("%Y%m%d"))
    press(page, "Tab")
    page.keyboard.type("61")
    press(page, "Tab", "Tab", "1")
    for key in ANSWERS:
        if key:
            press(page, key)
        else:
            page.keyboard.type((surgery - timedelta(days=9)).isoformat())
            press(page, "Tab")
    press(page, "Enter")
    page.wait_for_url("**/screening/*-*/")
    page.locator("#id_reference").focus()
    page.keyboard.type("2.1")
    press(page, "Tab")
    page.keyboard.type((surgery + timedelta(days=3)).isoformat())
    press(page, "Enter")
    expect(page.locator("h1")).to_contain_text("已同意")
    page.locator("#decide button.pri").focus()
    press(page, "Enter")
    page.wait_for_url("**/participants/*-*/")
    return page.locator("#study-number").inner_text()


def as_the_hospital_has_it(folder: Path) -> dict[str, str]:
    """Write the real slices with the name, birth date and accession number of a patient; everything in them that says who he is."""
    canaries = {f"name {part}": part for part in NAME.replace("=", "^").split("^")}
    canaries |= {"birth date": BIRTH_DATE, "birth date as ISO": date(1956, 11, 27).isoformat(), "accession number": ACCESSION}
    for path in sorted(SERIES.glob("*.dcm")):
        image = dcmread(path)
        canaries |= identity(image)
        image.SpecificCharacterSet, image.PatientName = "ISO_IR 192", NAME
        image.PatientBirthDate, image.AccessionNumber = BIRTH_DATE, ACCESSION
        image.save_as(folder / path.name)
    return canaries


def identity(image: Dataset) -> dict[str, str]:
    """{what: value} of the identifiers of an image as it came."""
    said = {word: str(image[word].value) for word in ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")}
    return said | {f"SOPInstanceUID {image.InstanceNumber}": str(image.SOPInstanceUID)}


def push(hospital: Hospital, number: str, patient_id: str, folder: Path) -> None:
    """What the hospital's own people do: link, allow the PACS, push by DCMTK."""
    hospital.manage("edge", "link", number, patient_id, "--name", NAME)
    hospital.manage("edge", "peer", "add", "STORESCU")
    command = ["storescu", "-aet", "STORESCU", "-aec", "PRIME", "+sd", "127.0.0.1", str(hospital.dicom_port), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert done.returncode == 0, done.stdout + done.stderr


def wait_for_slices(page: Page) -> str:
    """Reload the participant's page until it shows a judged series; then open the series. What the participant's page said."""

    def judged() -> bool:
        page.reload()
        return page.locator("#images figure svg image").count() > 0 and page.locator("#images figcaption .b.ok").count() > 0

    until(judged, "the page shows the series", PATIENCE)
    said = page.locator("#images figcaption").first.inner_text()
    page.locator("#images figcaption a").first.click()
    page.wait_for_url("**/series/*/")
    return said


def pictures(page: Page) -> list[dict[str, int]]:
    """Each slice of the open series as the browser decodes it: HTTP status and size in pixels."""
    return page.evaluate(
        """() => Promise.all([...document.querySelectorAll("figure svg image")].map(async (drawn) => {
            const answer = await fetch(drawn.href.baseVal), image = new Image();
            image.src = drawn.href.baseVal;
            await image.decode();
            return {status: answer.status, width: image.naturalWidth, height: image.naturalHeight,
                    png: Number(answer.headers.get("content-type") === "image/png"),
                    shown: Math.round(drawn.getBoundingClientRect().width)};
        }))"""
    )


def test_pushed_series_is_judged_and_drawn_on_the_patients_page(arrived: Arrived) -> None:
    """NW-09: thirty even slices are one regular stack, and its key slices are pictures that the browser decodes."""
    assert f"{SLICES} 层" in arrived.facts
    assert "层面规整" in arrived.facts
    assert len(arrived.pictures) == 9
    for one in arrived.pictures:
        assert (one["status"], one["png"]) == (200, 1)
        assert min(one["width"], one["height"], one["shown"]) > 0
    kept = (
        "select count(*), count(distinct sop_instance_uid), count(distinct object_id) from imaging_instance i"
        " join imaging_series s on s.id = i.series_id join studies_participant p on p.id = s.participant_id where study_number = %s"
    )
    assert arrived.hospital.rows(kept, arrived.study_number) == [(SLICES, SLICES, SLICES)]


def test_nothing_outside_the_edge_says_who_the_patient_is(arrived: Arrived) -> None:
    """DI-05, SE-07: databases, archive, inbox, logs and every other file of the platform; a bytea shows as hexadecimal digits."""
    hospital, wanted = arrived.hospital, arrived.canaries
    assert len(wanted) == 4 + 3 + 4 + SLICES, "name parts, dates and accession, identifiers, instances"
    dumps = hospital.dump()
    assert arrived.study_number.encode() in dumps["prime"], "the dump has the participant"
    assert found(kept_at_the_edge(hospital), {"PatientID": wanted["PatientID"], "StudyInstanceUID": wanted["StudyInstanceUID"]}), "control"
    assert found(dumps, wanted) == []
    assert found(everything_else(hospital), wanted) == []
    assert found({"terminal": hospital.platform.log.read_bytes()}, wanted) == []


def kept_at_the_edge(hospital: Hospital) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in hospital.edge.glob("edge.sqlite*")}


def everything_else(hospital: Hospital) -> dict[str, bytes]:
    """Every file of the installation but the edge's own."""
    files = {}
    for place, directories, names in os.walk(hospital.var):
        if Path(place) == hospital.var:
            directories.remove("edge")
        for path in (Path(place) / name for name in names):
            if path.is_file():
                files[str(path.relative_to(hospital.var))] = path.read_bytes()
    assert {"archive", "logs", "pg"} <= {name.split("/")[0] for name in files}
    return files


def found(places: dict[str, bytes], wanted: dict[str, str]) -> list[str]:
    """Where each value stands as text, escaped JSON or hexadecimal digits: `place: what`."""
    hits = []
    for what, value in wanted.items():
        plain = value.encode()
        forms = {plain, plain.hex().encode(), value.encode("gb18030"), json.dumps(value).strip('"').encode()}
        hits += [f"{place}: {what}" for place, content in places.items() if any(form in content for form in forms)]
    return hits


def test_no_task_of_the_clock_is_refused_by_the_database(arrived: Arrived) -> None:
    """The logins of `up` may do all that the clock asks of them; parts that another test has killed lost their connection only."""
    failed = [
        line for line in arrived.hospital.platform.said().splitlines() if "raised unexpected" in line and "OperationalError" not in line
    ]
    assert failed == []


def test_verify_holds_and_names_each_byte_that_was_changed(arrived: Arrived) -> None:
    """NW-10, SL-02: one byte of one archived file, and one byte of one ledger row behind every guard of the database."""
    hospital = arrived.hospital
    assert "everything holds" in hospital.manage("verify")
    [(sha256,)] = hospital.rows("select sha256 from imaging_archivedobject where media_type = 'application/dicom' order by id limit 1")
    [(study, index)] = hospital.rows("select study, index from accounts_ledgerrow order by id desc limit 1")
    file = hospital.var / "archive" / sha256[:2] / sha256
    flip(file)
    flip_row(hospital, study, index)
    said = hospital.manage("verify", expect=1)
    assert f"Object {sha256} was altered on disk." in said
    assert f"ledger of {study}: row {index}: its record does not give its commitment" in said
    assert "2 fault(s) found" in said
    flip(file)
    flip_row(hospital, study, index)


def flip(file: Path) -> None:
    """Turn one bit in the middle of a file over."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def flip_row(hospital: Hospital, study: str, index: int) -> None:
    """Turn one bit of a ledger row's record over, as somebody who owns the server could."""
    with hospital.superuser() as connection:
        connection.execute("set session_replication_role = replica")
        changed = "update accounts_ledgerrow set body = set_byte(body, 1, get_byte(body, 1) # 1) where study = %s and index = %s"
        assert connection.execute(changed, (study, index)).rowcount == 1
