"""From the database to the published page: cut, request, approval, bundle, two custodians, publication (UB-01 to UB-03, TX-05, AN-21)."""

import csv
import io
import json
import re
import shutil
import zipfile
from collections import Counter
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import Error, connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import translation

from accounts import chain, ledger, people
from accounts.models import AccessRecord
from analysis import sap
from analysis.models import Publication, PublishedFile
from followup import treatment
from predictions import registry, sealing_keys
from predictions.models import Seal
from studies.models import Participant, Study
from tests.analysis import r
from tests.analysis_db import study as scenes

pytestmark = pytest.mark.django_db


def run(*words: object, status: int = 0) -> str:
    """A management command as the operator gives it; what it prints, or why it refuses."""
    out = io.StringIO()
    try:
        call_command(*map(str, words), stdout=out)
    except CommandError as refused:
        assert refused.returncode == status, refused
        return str(refused)
    assert status == 0, out.getvalue()
    return out.getvalue()


@pytest.fixture(autouse=True)
def english():
    with translation.override("en"):
        yield


@pytest.fixture(autouse=True)
def few_replicates(monkeypatch):
    """The sensitivity analyses are tested by themselves."""
    monkeypatch.setattr(sap, "REPLICATES", 2)


@pytest.fixture
def desk(settings, tmp_path: Path) -> SimpleNamespace:
    """The operator's folder and each custodian's own device."""
    settings.VAR = tmp_path / "var"
    return SimpleNamespace(
        at=tmp_path, cut=tmp_path / "cut", asked=tmp_path / "asked", bundle=tmp_path / "bundle.tar", out=tmp_path / "out"
    )


def hand_out_keys(desk: SimpleNamespace, site: scenes.Site) -> None:
    for letter, key in site.keys.items():
        (desk.at / f"{letter}.key").write_bytes(sealing_keys.write_private(key))
    (desk.at / "model.json").write_bytes(site.artefact)


def ask(desk: SimpleNamespace, site: scenes.Site, **change: str) -> str:
    """Cut, anchor, request, approve: everything before the bundle."""
    hand_out_keys(desk, site)
    run("cut", "--kind", "opening", "--study", "TEST", "--out", desk.cut)
    site.anchor()
    said = {"requester": "unblinded_statistician", "pair": "AB", "days": "30", "reason": "final analysis"} | change
    asked = run("opening", "request", "--study", "TEST", "--cut", desk.cut, "--out", desk.asked, *(f"--{k}={v}" for k, v in said.items()))
    for letter in "AB":
        run("custodian", "approve", desk.asked / "request.json", "--key", desk.at / f"{letter}.key", "--out", desk.at / f"{letter}.sig")
    return asked


def bundle(desk: SimpleNamespace, *, approvals: str = "AB", status: int = 0) -> str:
    signed = ",".join(str(desk.at / f"{letter}.sig") for letter in approvals)
    words = ("--request", desk.asked, "--approvals", signed, "--artefact", desk.at / "model.json", "--out", desk.bundle)
    return run("opening", "bundle", *words, status=status)


def open_it(desk: SimpleNamespace) -> dict[str, bytes]:
    half = desk.at / "half"
    run("custodian", "peel", desk.bundle, "--key", desk.at / "A.key", "--out", half)
    run("custodian", "open", half, "--key", desk.at / "B.key", "--out", desk.out)
    return {path.name: path.read_bytes() for path in desk.out.iterdir()}


def page(person, *, language: str = "en", name: str = "result"):
    people.choose_language(user=person, language=language)
    client = Client()
    client.force_login(person)
    return client.get(reverse(name))


def test_sealed_study_is_opened_and_published_with_both_rows(desk, tmp_path):
    """UB-01 to UB-03, AN-01, AN-02, AN-03, AN-08, AN-21: the numbers of the published page are R's on the published table."""
    site = scenes.followed_up(160)
    ask(desk, site)
    assert "custodian B has not approved" in bundle(desk, approvals="A", status=1)
    bundle(desk)
    files = open_it(desk)
    analysis, report = json.loads(files["analysis.json"]), json.loads(files["report.json"])
    assert report["seals"] == {"in_scope": 160, "outcomes": report["seals"]["outcomes"], "mismatches": []}
    before = page(site.world.people["investigator"])
    assert before.status_code == 409
    run("publish", desk.out, "--study", "TEST")
    assert site.study.phase == "published"
    assert "published already" in run("publish", desk.out, "--study", "TEST", status=1)
    kinds = Counter(row.kind for row in ledger.rows("TEST"))
    assert (kinds["cut"], kinds["lock"], kinds["opening"], kinds["publish"]) == (1, 1, 1, 1)
    assert ledger.verify("TEST") == []
    flow, both = analysis["flow"], analysis["comparison"]
    assert flow["enrolled"] == 160 == flow["consistent"] + flow["inconsistent"] + sum(each["n"] for each in flow["not_evaluable"])
    assert both["naive"]["n"] == both["adjusted"]["n"] == [flow["consistent"], flow["inconsistent"]]
    for language, words in (
        ("en", ("Unadjusted", "Adjusted", "without a tag", "came true", "What following the recommendation", "How closely each group")),
        ("zh-hans", ("未校正", "校正后", "无标签", "封存预测的实际应验情况", "遵循推荐的价值", "各组的随访检查密度")),
    ):
        shown = page(site.world.people["investigator"], language=language)
        assert shown.status_code == 200
        assert shown["Cache-Control"] == "no-store"
        assert all(word in shown.content.decode() for word in words)
    assert analysis["foretold"][0]["n"] == sum(both["naive"]["n"]) and "refused" in analysis["policy"]
    looked = {(one["tag"], one["strategy"]): one["n"] for one in analysis["surveillance"]}
    assert [looked["CONSISTENT", ""], looked["INCONSISTENT", ""]] == both["naive"]["n"]
    between = analysis["between_visits"]
    assert ("naive" in between) == ("adjusted" in between) == (between["refused"] == "")
    exports_are_recorded(site, files)
    report_stands_alone(site, tmp_path / "report")
    said = {one["code"] for one in analysis["sensitivity"]}
    assert {"window", "haic_is_tace", "crossover", "earliest", "latest", "missed", "therapy", "without_center"} <= said
    compare_with_r(site, tmp_path / "downloaded", analysis)


def exports_are_recorded(site: scenes.Site, files: dict[str, bytes]) -> None:
    """AU-01: the table goes out byte by byte, to whom may have it, and each time is on record; a coordinator sees the page only."""
    given = page(site.world.people["investigator"], name="result-patients")
    assert given.content == files["analysis_cut.csv"]
    assert "attachment" in given["Content-Disposition"]
    assert AccessRecord.objects.filter(kind="export", username="investigator", subject="analysis_cut.csv").count() == 1
    coordinator = site.world.people["coordinator01"]
    assert (page(coordinator).status_code, page(coordinator, name="result-patients").status_code) == (200, 403)


def report_stands_alone(site: scenes.Site, folder: Path) -> None:
    """One click and one command: both rows, the bounds, every STROBE item, in both languages; no script, nothing to fetch."""
    shown = page(site.world.people["investigator"], name="result-report")
    assert (shown.status_code, "attachment" in shown["Content-Disposition"]) == (200, True)
    run("report", "--study", "TEST", "--out", folder)
    for language, words in (
        (
            "en",
            (
                "Unadjusted",
                "Adjusted",
                "without a tag",
                "Generalisability",
                "TRIPOD+AI items",
                "Model updating",
                "within each strategy: see How",
            ),
        ),
        ("zh-hans", ("未校正", "校正后", "无标签", "可推广性", "TRIPOD+AI 条目", "模型更新", "Brier 评分：见“封存预测")),
    ):
        document = (folder / f"report-{language}.html").read_text()
        assert all(word in document for word in words)
        assert not re.search(r"<script|<link|src=|\{[a-z_]+\}", document.split("</style>")[1])
        assert "<details>" not in document  # on paper nobody opens them
        if shutil.which("chromium"):
            assert (folder / f"report-{language}.pdf").read_bytes().startswith(b"%PDF-")


def compare_with_r(site: scenes.Site, folder: Path, analysis: dict) -> None:
    """Whoever may export takes the ZIP of the page, unpacks it, runs the R program: both rows, to eight digits."""
    given = page(site.world.people["investigator"], name="result-archive")
    with zipfile.ZipFile(io.BytesIO(given.content)) as packed:
        packed.extractall(folder)
    sums = dict(reversed(line.split("  ")) for line in (folder / "SHA256SUMS").read_text().splitlines())
    assert {name: sha256((folder / name).read_bytes()).hexdigest() for name in sums} == sums
    if not r.installed():
        pytest.skip(r.WHY_NOT)
    theirs, ours = r.printed(folder), r.reported(analysis)
    assert theirs.pop("adjusted.largest_difference_of_weights") < 1e-9
    np.testing.assert_allclose([theirs.pop(name) for name in ours], list(ours.values()), rtol=1e-8)
    assert not theirs


def test_one_custodian_or_a_foreign_bundle_opens_nothing(desk):
    """UB-01: the same key twice, a key of no custodian, and a bundle of another request are refused."""
    site = scenes.followed_up(12)
    ask(desk, site)
    bundle(desk)
    half, key = desk.at / "half", desk.at / "A.key"
    run("custodian", "peel", desk.bundle, "--key", key, "--out", half)
    assert "second layer of pair AB is that of B" in run("custodian", "open", half, "--key", key, "--out", desk.out, status=1)
    (desk.at / "X.key").write_bytes(sealing_keys.write_private(sealing_keys.PrivateKey.generate()))
    peel = ("custodian", "peel", desk.bundle, "--key", desk.at / "X.key", "--out", desk.at / "half2")
    assert "belongs to no custodian" in run(*peel, status=1)
    asked = json.loads((desk.asked / "request.json").read_bytes())
    (desk.asked / "request.json").write_text(json.dumps(asked | {"reason": "another"}))
    desk.bundle.unlink()
    refused = bundle(desk, status=1)
    assert "not entered on the ledger" in refused
    assert "not a signature on this request" in refused
    assert not desk.bundle.exists()


def test_administrator_with_the_accounts_of_two_custodians_opens_nothing(desk):
    """SL-01: he makes one account, resets another's password, signs in as both, signs and peels with keys of his own: all in vain."""
    site = scenes.followed_up(8)
    ask(desk, site)
    second = scenes.world.join(site.world, "custodian-two", "custodian", None)
    people.give_password(user=site.world.people["custodian"], password="another horse battery", by=site.system)
    own = {letter: sealing_keys.PrivateKey.generate() for letter in "ABC"}
    for person, letter in ((site.world.people["custodian"], "A"), (second, "B")):
        told = (page(person, name=name).content.decode() for name in ("home", "blindness", "result", "exports"))
        assert not [text for text in told if "CONSISTENT" in text or "BEGIN" in text]
        (desk.at / f"{letter}.key").write_bytes(sealing_keys.write_private(own[letter]))
        (desk.at / f"{letter}.sig").unlink()
        run("custodian", "approve", desk.asked / "request.json", "--key", desk.at / f"{letter}.key", "--out", desk.at / f"{letter}.sig")
    assert "is not a signature on this request" in bundle(desk, status=1)
    with pytest.raises(ValidationError, match="already exists"):
        registry.activate(study=site.study, keys={one: (one, key.public) for one, key in own.items()}, by=site.system)
    for seal in Seal.objects.all():
        for wrap in (seal.wrap_ab, seal.wrap_ac, seal.wrap_bc):
            for key in own.values():
                with pytest.raises(sealing_keys.KeyRefused):
                    key.decrypt(bytes(wrap), b"")


def test_custodian_may_not_ask_and_an_unanchored_lock_waits(desk):
    """UB-01, UB-02."""
    site = scenes.followed_up(8)
    hand_out_keys(desk, site)
    run("cut", "--kind", "opening", "--study", "TEST", "--out", desk.cut)
    words = ("--study", "TEST", "--cut", desk.cut, "--pair", "AB", "--days", 10, "--reason", "x", "--out", desk.asked)
    assert "not anchored yet" in run("opening", "request", *words, "--requester", "investigator", status=1)
    site.anchor()
    run("opening", "request", *words, "--requester", "custodian")
    for letter in "AB":
        run("custodian", "approve", desk.asked / "request.json", "--key", desk.at / f"{letter}.key", "--out", desk.at / f"{letter}.sig")
    assert "made the request and may not approve it" in bundle(desk, status=1)


def test_treatment_of_day_20_sealed_on_day_25_and_typed_in_on_day_26_is_late(desk):
    """SL-04, TX-05: when it was typed in does not matter; the course's own day does."""
    site = scenes.Site(scenes.world.build())
    site.activate()
    site.enroll(2)
    site.wait(15)
    site.seal()
    site.anchor()
    site.wait(1)
    late = Participant.objects.get(pk=site.people[0].pk)
    treatment.record_course(
        participant=late, kind="TACE", intent="adjuvant", start=(late.screening.surgery_date + 20 * scenes.DAY).isoformat(), source="file",
        by=site.world.people["coordinator01"],
    )  # fmt: skip
    site.wait(200)
    late = Participant.objects.get(pk=late.pk)
    close = {"on": late.screening.surgery_date + 95 * scenes.DAY, "by": site.world.people["coordinator01"]}
    treatment.close_window(participant=late, **close)
    with transaction.atomic(), scenes.audit.act(by=site.system, action="test"):
        scenes.Assessment.objects.create(
            participant=late, on=late.screening.surgery_date + 150 * scenes.DAY, modality="CT", adequate=True, finding="free",
            recorded_at=site.study.now(), recorded_by=site.system,
        )  # fmt: skip
    ask(desk, site)
    bundle(desk)
    files = open_it(desk)
    reasons = {row["patient"]: row["reason"] for row in csv.DictReader(io.StringIO(files["tags.csv"].decode()))}
    assert reasons[late.study_number] == "LATE_SEAL"
    assert json.loads(files["analysis.json"])["comparison"] is None


def test_result_of_another_study_or_opening_is_not_published(desk, tmp_path):
    """A folder is published only where the study's own ledger knows its request and its cut."""
    site = scenes.followed_up(8)
    ask(desk, site)
    bundle(desk)
    open_it(desk)
    (desk.out / "tags.csv").rename(tmp_path / "tags.csv")
    assert "lacks tags.csv" in run("publish", desk.out, "--study", "TEST", status=1)
    (tmp_path / "tags.csv").rename(desk.out / "tags.csv")
    said = json.loads((desk.out / "analysis.json").read_bytes())
    (desk.out / "analysis.json").write_text(json.dumps(said | {"request": "0" * 64}))
    refused = run("publish", desk.out, "--study", "TEST", status=1)
    assert "different openings" in refused
    assert "knows no opening" in refused
    assert not Publication.objects.exists()


def test_person_who_publishes_a_real_study_proves_who_it_is(desk, monkeypatch):
    """SE-02: nobody's name, somebody else's, a wrong password, then the right one; the trail names the person."""
    site = scenes.followed_up(8)
    ask(desk, site)
    bundle(desk)
    open_it(desk)
    words = ("publish", desk.out, "--study", "TEST")
    assert "--by USERNAME" in run(*words, "--by", "nobody", status=1)
    with monkeypatch.context() as real:
        real.setattr(Study, "synthetic", property(lambda study: False, lambda study, value: None))
        assert "--by USERNAME" in run(*words, status=1)
    typed = iter(["wrong", scenes.world.PASSWORD, scenes.world.PASSWORD])
    monkeypatch.setattr("analysis.management.commands.publish.getpass", lambda _question: next(typed))
    assert "password is not right" in run(*words, "--by", "data_manager", status=1)
    run(*words, "--by", "monitor", status=1)
    assert not Publication.objects.exists()
    run(*words, "--by", "data_manager")
    with connection.cursor() as cursor:
        cursor.execute("SELECT pgh_context ->> 'by' FROM studies_studyevent ORDER BY pgh_id DESC LIMIT 1")
        assert cursor.fetchone() == ("data_manager",)


def test_publication_is_for_good(desk):
    """Append-only, for the owner's accidents too."""
    site = scenes.followed_up(8)
    ask(desk, site)
    bundle(desk)
    open_it(desk)
    run("publish", desk.out, "--study", "TEST")
    assert {one.name for one in PublishedFile.objects.all()} >= {"analysis.json", "analysis_cut.csv", "report.json", "tags.csv"}
    with pytest.raises(Error, match="append-only"), transaction.atomic():
        Publication.objects.update(cut_sha256="0" * 64)
    assert chain.verify(ledger.rows("TEST")) == []
