"""A patient to the end: images measured, sealed before treatment, followed up, opened by two custodians (F1; architecture §2)."""

import csv
import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright
from pydicom import dcmread
from pydicom.uid import generate_uid

from studies import dictionary
from tests.imaging.edge.parts import until
from tests.journeys import hospital as hospitals
from tests.journeys.conftest import ARGUMENTS, CHROMIUM
from tests.journeys.hospital import Hospital
from tests.journeys.sealed_study import CODE, OPERATED
from tests.paths import SHARED
from tests.world import PASSWORD

pytestmark = pytest.mark.journey
PHANTOM = SHARED / "data/03_radiomics/ibsi1_ct_phantom"
OTHER = SHARED / "data/03_radiomics/crlm_liver_ct/CRLM-CT-1004"
MASK = PHANTOM / "nifti/mask/mask.nii.gz"
FEATURES, PATIENCE = 944, 300.0
APART = 302.4  # mm between the first voxels of mask and slices, which lie (23.8, 124.4, 274.6) mm apart
PHASES = {"arterial": "Abdomen arterial", "portal_venous": "Abdomen portal venous, copy of the other series"}
BASELINE = {"hbv": "yes", "cirrhosis": "yes", "child_pugh": "A", "mvi": "M1", "pvtt": "none", "satellite_nodules": "no"}
MEASURED = {"albumin": "41", "bilirubin": "13.5", "afp": "400", "tumour_diameter_cm": "6.1", "tumour_number": "1", "margin_cm": "1"}


@dataclass
class Stage:
    """The platform, the coordinator's page and the participant who walks through it."""

    hospital: Hospital
    page: Page
    address: str
    number: str
    surgery: date

    def day(self, number: int) -> str:
        return (self.surgery + timedelta(days=number)).isoformat()

    def advance(self, days: int) -> None:
        """Let days pass: on each a batch is sealed and the chain anchored."""
        self.hospital.manage("demo", "advance", "--study", CODE, "--days", str(days))

    def home(self) -> Page:
        self.page.goto(self.address)
        return self.page

    def said(self, *words: str) -> None:
        """Send the form and read what the participant's page answers."""
        self.page.click(".savebar .pri")
        for word in words:
            expect(self.page.locator("[role=status]")).to_contain_text(word)


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    if not (PHANTOM.is_dir() and OTHER.is_dir()):
        pytest.skip(f"needs the CT series in {PHANTOM} and {OTHER}")
    if shutil.which("storescu") is None:
        pytest.skip("needs storescu of the Debian package dcmtk")
    if not Path(CHROMIUM).exists():
        pytest.skip("needs the Debian package chromium")
    with hospitals.opened(patients=1, quiet=1, study="sealed_study") as hospital, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = signed_in(chromium.new_context(base_url=hospital.url, locale="zh-CN").new_page(), "coordinator01")
        surgery = date.fromisoformat(hospital.manage("shell", "--no-imports", "-c", TODAY).strip()) - timedelta(days=OPERATED)
        number = enrol(page, surgery)
        yield Stage(hospital, page, page.url, number, surgery)
        chromium.close()


TODAY = f"from studies.models import Study; print(Study.objects.get(code={CODE!r}).today())"


def test_patient_is_sealed_before_treatment_followed_and_opened(stage: Stage, tmp_path: Path) -> None:
    """F1, PR-06, UB-01: what the parts below say, one after the other on one clock that only moves ahead."""
    both_phases_are_confirmed_outlined_and_measured(stage, tmp_path)
    mask_of_another_patient_is_refused_and_says_by_how_much(stage)
    batch_seals_the_patient_once_in_each_tier(stage)
    treatment_visit_and_recurrence_are_recorded_as_they_happen(stage, tmp_path)
    two_custodians_open_the_study_and_the_patient_is_evaluable(stage, tmp_path)


def signed_in(page: Page, username: str) -> Page:
    page.set_default_timeout(30_000)
    page.goto("/sign-in/")
    page.fill("#id_username", username)
    page.fill("#id_password", PASSWORD)
    page.click("main button.pri")
    page.wait_for_url(lambda url: "sign-in" not in url)
    return page


def enrol(page: Page, surgery: date) -> str:
    """Screen, record the consent and enrol; the study number."""
    page.goto("/screening/new/")
    page.fill("#id_surgery_date", surgery.isoformat())
    page.fill("#id_age", "61")
    page.check("input[name=sex][value=M]")
    for name in page.locator("main input[type=radio][value=unknown]").evaluate_all("all => all.map((one) => one.name)"):
        answer = "no" if name.endswith(("prior_therapy", "other_malignancy")) else "yes"
        page.check(f"input[name={name}][value={answer}]")
    page.fill("main input[name$=imaging_date]", (surgery - timedelta(days=9)).isoformat())
    page.click(".savebar .pri")
    page.wait_for_url("**/screening/*-*/")
    page.fill("#id_reference", "2.1")
    page.fill("#id_dated_on", (surgery + timedelta(days=3)).isoformat())
    page.click("#consent button.pri")
    page.click("#decide form[action$='/enroll/'] button")
    page.wait_for_url("**/participants/*-*/")
    return page.locator("#study-number").inner_text()


def push(hospital: Hospital, folder: Path) -> None:
    command = ["storescu", "-aet", "STORESCU", "-aec", "PRIME", "+sd", "127.0.0.1", str(hospital.dicom_port), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert done.returncode == 0, done.stdout + done.stderr


def as_two_phases(folder: Path, on: date) -> str:
    """Write the phantom's slices twice, the second time under new UIDs and named a copy; the PatientID of both."""
    for number, (phase, description) in enumerate(PHASES.items()):
        for path in sorted((PHANTOM / "dicom/image").glob("*.dcm")):
            image = dcmread(path)
            if image.Modality != "CT":
                continue
            if number:
                for word in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID"):
                    setattr(image, word, generate_uid(entropy_srcs=[phase, str(image[word].value)]))
                image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
            image.StudyDate, image.SeriesDescription = on.strftime("%Y%m%d"), description
            image.save_as(folder / f"{phase}-{path.name}")
    return str(image.PatientID)


def open_series(stage: Stage, count: int) -> list[str]:
    """Reload the participant's page until `count` judged series are shown; their addresses."""

    def judged() -> bool:
        return stage.home().locator("#images figcaption .b.ok").count() == count

    until(judged, "the page shows the series", PATIENCE)
    return list(stage.page.locator("#images figcaption a:first-child").evaluate_all("all => all.map((one) => one.href)"))


def confirm_proposed_phase(page: Page) -> None:
    page.locator("form[id^=phase-] label", has=page.locator(".vh")).locator("input").check()
    page.click("form[id^=phase-] button.pri")
    expect(page.locator("h1 .b.ok").first).to_be_visible()


def hand_in_outline(page: Page) -> None:
    page.set_input_files("#id_mask", MASK)
    page.check("input[name=treatment_known][value=no]")
    page.click("#outline form[enctype] button.pri")


def both_phases_are_confirmed_outlined_and_measured(stage: Stage, tmp_path: Path) -> None:
    """BA-01, MD-07: a stock sender's series become two confirmed phases, each with its outline in sight and every feature."""
    hospital, page = stage.hospital, stage.home()
    for form in dictionary.load("hcc_adjuvant").forms:
        page.goto(f"{stage.address}forms/{form.code}/")
        for name, value in BASELINE.items():
            if name in form.by_code:
                page.check(f"input[name=value_{name}][value={value}]")
        for name, value in MEASURED.items():
            if name in form.by_code:
                page.fill(f"[name=value_{name}]", value)
        page.click(".savebar .pri")
        expect(page.locator("[role=status]")).to_be_visible()
    folder = tmp_path / "pacs"
    folder.mkdir()
    patient_id = as_two_phases(folder, stage.surgery - timedelta(days=9))
    hospital.manage("edge", "link", stage.number, patient_id)
    hospital.manage("edge", "peer", "add", "STORESCU")
    push(hospital, folder)
    addresses = open_series(stage, len(PHASES))
    for address in addresses:
        page.goto(address)
        confirm_proposed_phase(page)
        hand_in_outline(page)
    for address in addresses:
        page.goto(address)
        page.wait_for_selector(f"#features >> text={FEATURES}", timeout=PATIENCE * 1000)
        drawn = page.locator(".slices polygon").evaluate_all("all => all.filter((one) => one.getBoundingClientRect().width > 2).length")
        assert drawn > 0
    measured = (
        "select phase, jsonb_array_length(values), not treatment_known from imaging_featureset f join imaging_roi r on r.id = f.roi_id"
        " join imaging_series s on s.id = r.series_id order by phase"
    )
    assert hospital.rows(measured) == [(phase, FEATURES, True) for phase in sorted(PHASES)]


def mask_of_another_patient_is_refused_and_says_by_how_much(stage: Stage) -> None:
    """MD-08: the phantom's mask lies far from the slices of the other patient."""
    hospital, page, other = stage.hospital, stage.page, stage.hospital.numbers[0]
    hospital.manage("edge", "link", other, str(dcmread(next(OTHER.glob("*.dcm")), stop_before_pixels=True).PatientID))
    push(hospital, OTHER)
    [(uuid,)] = hospital.rows("select uuid from studies_participant where study_number = %s", other)
    theirs = Stage(hospital, page, f"/participants/{uuid}/", other, stage.surgery)
    [address] = open_series(theirs, 1)
    page.goto(address)
    hand_in_outline(page)
    expect(page.locator("#outline-state .note.bad")).to_contain_text(f"{APART} mm", timeout=PATIENCE * 1000)
    assert hospital.rows("select count(*) from imaging_roi where state = 'refused'") == [(1,)]
    assert page.locator(".slices polygon").count() == 0


def batch_seals_the_patient_once_in_each_tier(stage: Stage) -> None:
    """SL-05, PR-06: sealed on the batch's day; the next batch seals nobody again."""
    stage.advance(1)
    expect(stage.home().locator("h1")).to_contain_text(stage.day(OPERATED + 1)[5:])
    seals = (
        "select tier, count(*) from predictions_seal s join studies_participant p on p.id = s.participant_id"
        " where study_number = %s and purpose = 'confirmatory' group by tier order by tier"
    )
    assert stage.hospital.rows(seals, stage.number) == [("0", 1), ("1", 1)]
    stage.advance(30)
    assert stage.hospital.rows(seals, stage.number) == [("0", 1), ("1", 1)]


def treatment_visit_and_recurrence_are_recorded_as_they_happen(stage: Stage, folder: Path) -> None:
    """TX-01, EP-02: TACE on day 40, the window closed after day 90, M3, a recurrence before day 200; a cut between does not hinder."""
    page = stage.page
    stage.hospital.manage("cut", "--study", CODE, "--kind", "blinded", "--out", str(folder / "blinded"))
    page.goto(f"{stage.address}treatment/new/")
    page.select_option("#id_kind", "TACE")
    page.check("input[name=intent][value=adjuvant]")
    page.fill("#id_start", stage.day(40))
    page.fill("#id_source", "手术记录")
    stage.said(stage.day(40))
    stage.advance(55)
    stage.home().click("form[action$='/treatment/complete/'] button")
    expect(page.locator("#treatment form[action$='/treatment/complete/']")).to_have_count(0)
    page.goto(f"{stage.address}assessment/new/?visit=M3")
    page.fill("#id_on", stage.day(92))
    page.select_option("#id_modality", "CT")
    page.check("input[name=adequate][value=yes]")
    page.check("input[name=finding][value=free]")
    stage.said("M3")
    stage.advance(104)
    page.goto(f"{stage.address}recurrence/new/")
    page.fill("#id_first_seen_on", stage.day(195))
    page.check("input[name=site][value=intrahepatic]")
    page.select_option("#id_modality", "CT")
    stage.said(stage.day(195))
    kinds = "select kind from accounts_ledgerrow where study = %s and kind in ('seal', 'treatment_known', 'window_closed') order by index"
    assert [kind for (kind,) in stage.hospital.rows(kinds, CODE)] == ["seal", "seal", "treatment_known", "window_closed"]


def two_custodians_open_the_study_and_the_patient_is_evaluable(stage: Stage, tmp_path: Path) -> None:
    """UB-01, TX-05: cut, anchor, request, two approvals, bundle, peel, open; then the result stands on the investigator's page."""
    hospital, result = stage.hospital, open_seals(stage, tmp_path)
    with (result / "tags.csv").open() as file:
        tags = {row["patient"]: row for row in csv.DictReader(file)}
    assert set(tags) == {stage.number, *hospital.numbers}
    assert tags[stage.number]["state"] in {"CONSISTENT", "INCONSISTENT"}
    assert tags[hospital.numbers[0]]["state"] == "NOT_EVALUABLE"
    said = json.loads((result / "analysis.json").read_bytes())
    assert (said["comparison"], said["refused"]) == (None, "beyond the landmark only one of the two groups is left")
    hospital.manage("publish", str(result), "--study", CODE)
    page = stage.page.context.browser.new_context(base_url=hospital.url, locale="zh-CN").new_page()  # type: ignore[union-attr]
    answer = signed_in(page, "investigator").goto("/result/")
    assert answer is not None
    assert answer.status == 200
    expect(page.locator("main")).to_contain_text("界标之后只剩两组中的一组。")
    assert "everything holds" in hospital.manage("verify")


def open_seals(stage: Stage, folder: Path) -> Path:
    """The commands that the operator and two custodians type; the directory of the result."""
    manage, keys = stage.hospital.manage, stage.hospital.var / "demo-custodians"
    cut, asked, bundle, half, result = (str(folder / name) for name in ("cut", "request", "bundle.tar", "half.tar", "result"))
    manage("cut", "--study", CODE, "--kind", "opening", "--out", cut)
    stage.advance(1)
    request = ["--reason", "end of study", "--requester", "investigator", "--pair", "AC", "--days", "7"]
    manage("opening", "request", "--study", CODE, "--cut", cut, *request, "--out", asked)
    for letter in "AC":
        manage("custodian", "approve", f"{asked}/request.json", "--key", str(keys / f"{letter}.key"), "--out", f"{folder}/{letter}.sig")
    models = ",".join(str(path) for path in sorted((stage.hospital.var / "infer/models").glob("*.json")))
    approvals = f"{folder}/A.sig,{folder}/C.sig"
    manage("opening", "bundle", "--request", asked, "--approvals", approvals, "--artefact", models, "--out", bundle)
    manage("custodian", "peel", bundle, "--key", str(keys / "A.key"), "--out", half)
    manage("custodian", "open", half, "--key", str(keys / "C.key"), "--out", result)
    return Path(result)
