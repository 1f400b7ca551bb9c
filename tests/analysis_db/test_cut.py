"""The cut: columns, values of hand-made histories, reproducible bytes, what it refuses (formats h, MD-01, docs/blinding.md §2)."""

import csv
import hashlib
import io
import json
import zipfile
from datetime import date, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone, translation
from pyarrow import parquet

from accounts import audit, ledger
from accounts.models import AccessRecord
from analysis import cut, dummy_tags
from followup import committee
from followup.models import Assessment, Contact, Death, NoAdjuvantDeclaration, Recurrence, TreatmentCourse
from predictions.training import synthetic, table
from studies import milestones, setup
from tests import world
from tests.analysis_db import study as scenes
from tests.analysis_db.test_pages import client_of

pytestmark = pytest.mark.django_db
COMMON = [
    "patient",
    "center",
    "surgery_date",
    "strategy",
    "strategy_rule",
    "rfs_time",
    "rfs_event",
    "rfs_reason",
    "os_time",
    "os_event",
    "recurrence_time",
    "recurrence_cause",
    "window_closed",
    "site_reason",
    "known_on",
    "zone",
]


@pytest.fixture(autouse=True)
def english():
    with translation.override("en"):
        yield


@pytest.fixture
def site(settings, tmp_path) -> scenes.Site:
    settings.VAR = tmp_path
    return scenes.Site(world.build())


def rows_of(made: cut.Frozen) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(made.table.decode())))


def record(site: scenes.Site, *rows) -> None:
    with transaction.atomic(), audit.act(by=site.system, action="test.recorded"):
        for row in rows:
            row.recorded_at, row.recorded_by = timezone.now(), site.system
            row.save()


def histories(site: scenes.Site) -> dict[str, tuple]:
    """Five patients operated on the same day, and what each row of the cut must say, worked out by hand."""
    site.enroll(5)
    site.wait(1200)
    day = site.people[0].screening.surgery_date
    on = [day + timedelta(each) for each in range(1101)]
    who = site.people

    def seen(patient, at, finding="free", adequate=True):
        return Assessment(participant=patient, on=on[at], modality="CT", adequate=adequate, finding=finding)

    def given(patient, kind, start, **more):
        return TreatmentCourse(participant=patient, kind=kind, intent="adjuvant", start=start, source="file", **more)

    record(
        site,
        # 0: TACE on day 40, free at 180, suspected at 270 and confirmed at 360, died on 500
        given(who[0], "TACE", on[40].isoformat()), seen(who[0], 180), seen(who[0], 270, "suspected"),
        Recurrence(participant=who[0], first_seen_on=on[270], confirmed_on=on[360], site="intrahepatic", modality="CT"),
        Death(participant=who[0], on=on[500].isoformat(), cause="hcc"),
        # 1: nothing given, declared on day 95; free at 540, a call at 730 (EP-03, EP-06)
        NoAdjuvantDeclaration(participant=who[1], declared_on=on[95], source="file"), seen(who[1], 540),
        Contact(participant=who[1], on=on[730], outcome="answered"),
        # 2: TACE on day 30 and a TKI on day 60, death without recurrence on day 400
        given(who[2], "TACE", on[30].isoformat()), given(who[2], "SYSTEMIC", on[60].isoformat(), drug="lenvatinib", drug_class="TKI"),
        Death(participant=who[2], on=on[400].isoformat(), cause="other"),
        # 3: HAIC, which is none of the four; free at 200
        given(who[3], "HAIC", on[50].isoformat()), seen(who[3], 200),
        # 4: no assessment at all, window never closed
    )  # fmt: skip
    with transaction.atomic(), audit.act(by=site.system, action="test.closed"):
        for patient in (who[0], who[2], who[3]):
            milestones.record(participant=patient, kind="window_closed", on=on[92], by=site.system)
    return {
        who[0].study_number: ("TACE", "270", "1", "RECURRENCE", "500", "1", "1", "", on[40]),
        who[1].study_number: ("SURG", "540", "0", "LAST_ADEQUATE_ASSESSMENT", "730", "0", "0", "", on[95]),
        who[2].study_number: ("TACE_SYS", "400", "1", "DEATH", "400", "1", "2", "", on[30]),
        who[3].study_number: ("", "200", "0", "LAST_ADEQUATE_ASSESSMENT", "200", "0", "0", "OTHER_MODALITY", on[50]),
        who[4].study_number: ("", "0", "0", "NO_ASSESSMENT", "0", "0", "0", "CENSORED_BEFORE_L", None),
    }


def test_rows_say_what_the_histories_say(site):
    """EP-02, EP-03, EP-05, EP-06, TX-02, TX-05."""
    expected = histories(site)
    made = cut.freeze(study=site.study, kind="blinded", on=site.study.today())
    names = ("strategy", "rfs_time", "rfs_event", "rfs_reason", "os_time", "os_event", "recurrence_cause", "site_reason")
    found = {row["patient"]: (*(row[name] for name in names), row["known_on"]) for row in rows_of(made)}
    assert found == {number: (*row[:-1], row[-1].isoformat() if row[-1] else "") for number, row in expected.items()}


def test_earlier_day_knows_less(site):
    """On day 300 the recurrence seen on day 270 is not confirmed yet, and nobody has died (EP-02)."""
    expected = histories(site)
    surgery = site.people[0].screening.surgery_date
    rows = {row["patient"]: row for row in rows_of(cut.freeze(study=site.study, kind="blinded", on=surgery + timedelta(300)))}
    first = rows[next(iter(expected))]
    assert (first["rfs_time"], first["rfs_event"], first["os_time"], first["os_event"]) == ("180", "0", "270", "0")


def test_kinds_have_exactly_their_columns(site):
    """formats h: a blinded cut holds no input of a model; an opening cut adds confounders and inputs, training time and event."""
    histories(site)
    site.activate()
    columns = {}
    for kind in cut.KINDS:
        columns[kind] = list(rows_of(cut.freeze(study=site.study, kind=kind, on=site.study.today()))[0])
    confounders = [each.code for each in site.study.protocol.confounders]
    features = [name for name in columns["opening"] if name.startswith("clinical_")]
    assert columns["blinded"] == COMMON
    other = [name for name in columns["opening"] if name.startswith("alt_")]
    assert len(other) == 19
    assert columns["opening"] == [*COMMON, *other, *confounders, *features]
    assert columns["training"] == [*COMMON, "time", "event", *features]
    assert "clinical_afp_log10" in features


def test_blinded_cut_brings_dummy_tags_of_a_published_seed(site):
    """§6: the seed is the study's code, older than any seal and no secret; the other cuts have none."""
    histories(site)
    site.activate()
    made = {kind: cut.freeze(study=site.study, kind=kind, on=site.study.today()) for kind in cut.KINDS}
    blinded = made.pop("blinded")
    assert blinded.manifest["dummy_tags"]["seed"] == site.study.code == "TEST"
    assert blinded.files["dummy_tags.csv"] == dummy_tags.table("TEST", [row["patient"] for row in rows_of(blinded)])
    assert all(other.manifest["dummy_tags"] is None and "dummy_tags.csv" not in other.files for other in made.values())


def test_same_rows_and_day_give_the_same_bytes(site, tmp_path):
    """Frozen, hashed, on the ledger: the hash of the file is that of the manifest and of the record."""
    histories(site)
    on = site.study.today()
    first, second = (cut.freeze(study=site.study, kind="blinded", on=on) for _ in range(2))
    assert (first.files, first.manifest) == (second.files, second.manifest)
    made = cut.make(study=site.study, kind="blinded", on=on, by=site.system, out=tmp_path / "cut")
    written = (tmp_path / "cut" / "cut.csv").read_bytes()
    manifest = json.loads((tmp_path / "cut" / "manifest.json").read_bytes())
    assert hashlib.sha256(written).hexdigest() == manifest["cut"] == manifest["files"]["cut.csv"] == made.manifest["cut"]
    record_of = [json.loads(row.body) for row in ledger.rows("TEST") if row.kind == "cut"]
    assert record_of == [{"cut": manifest["cut"], "kind": "blinded", "on": on.isoformat(), "rows": 5}]
    again = cut.make(study=site.study, kind="blinded", on=on, by=site.system, out=tmp_path / "again")
    assert again.manifest["cut"] == manifest["cut"]
    assert again.manifest["head"]["index"] == manifest["head"]["index"] + 1


def test_adtte_says_the_same_times_with_its_own_sign_of_censoring(site):
    """ADaM: CNSR 0 is an event; a death without recurrence competes with one (EP-05). By the histories above."""
    numbers = list(histories(site))
    made = cut.freeze(study=site.study, kind="blinded", on=site.study.today())
    rows = list(csv.DictReader(io.StringIO(made.files["adtte.csv"].decode())))
    found = {(row["USUBJID"], row["PARAMCD"]): (row["AVAL"], row["CNSR"], row["EVNTDESC"] or row["CNSDTDSC"]) for row in rows}
    recurs, free, died, *_others = (f"TEST-{number}" for number in numbers)
    assert len(rows) == 3 * len(numbers)
    assert found[recurs, "RFS"] == found[recurs, "TTR"] == ("270", "0", "Recurrence")
    assert found[recurs, "OS"] == ("500", "0", "Death")
    assert found[free, "RFS"] == ("540", "1", "Last adequate assessment free of disease")
    assert found[free, "OS"] == ("730", "1", "Last known alive")
    assert found[died, "RFS"] == ("400", "0", "Death") and found[died, "TTR"] == ("400", "2", "Death without recurrence")
    for row in rows:
        assert date.fromisoformat(row["ADT"]) - date.fromisoformat(row["STARTDT"]) == timedelta(days=int(row["AVAL"]))


def test_exposure_says_what_each_had_been_given_so_far(site):
    """By the histories above: nobody is exposed before a course began, and who was never followed has no row (F3)."""
    recurs, free, died, haic, _unseen = histories(site)
    made = cut.freeze(study=site.study, kind="blinded", on=site.study.today())
    rows = list(csv.DictReader(io.StringIO(made.files["exposure.csv"].decode())))
    assert all(row["center"] == row["patient"][:2] for row in rows)
    said: dict[str, list[str]] = {}
    for row in rows:
        said.setdefault(row["patient"], []).append(" ".join(row[name] for name in ("start", "stop", "event", "tace", "systemic", "other")))
    assert said == {
        recurs: ["0 40 0 0 0 0", "40 270 1 1 0 0"],
        free: ["0 540 0 0 0 0"],
        died: ["0 30 0 0 0 0", "30 60 0 1 0 0", "60 400 1 1 1 0"],
        haic: ["0 50 0 0 0 0", "50 200 0 0 0 1"],
    }
    assert b"exposure.csv: tace," in made.files["dictionary.csv"]


def test_parquet_says_what_the_table_says(site):
    """Whole numbers and days as such; an empty cell is null."""
    histories(site)
    made = cut.freeze(study=site.study, kind="blinded", on=site.study.today())
    read = parquet.read_table(io.BytesIO(made.files["cut.parquet"]))
    written = [{name: "" if cell is None else str(cell) for name, cell in row.items()} for row in read.to_pylist()]
    assert written == rows_of(made)
    assert {str(read.schema.field(name).type) for name in ("rfs_time", "os_event")} == {"int32"}
    assert str(read.schema.field("surgery_date").type) == "date32[day]"


def test_statistician_takes_a_cut_from_the_page_and_nobody_else_can(site):
    """What the ZIP holds is what the ledger names; who took it is recorded; a later fact makes another cut."""
    histories(site)
    people = site.world.people
    for name in ("coordinator01", "investigator"):
        client = client_of(people[name])
        assert [client.post(reverse("cut-new")).status_code, client.get(reverse("cuts")).status_code] == [403, 403]
    client = client_of(people["blinded_statistician"])
    taken = client.post(reverse("cut-new"))
    with zipfile.ZipFile(io.BytesIO(taken.content)) as packed:
        files = {name: packed.read(name) for name in packed.namelist()}
    beside = {"SHA256SUMS", "analysis.R", "cut.parquet", "dictionary.csv", "manifest.json", "numbers.json"}
    assert set(files) == {"cut.csv", "adtte.csv", "exposure.csv", "dummy_tags.csv"} | beside
    digest = hashlib.sha256(files["cut.csv"]).hexdigest()
    assert [json.loads(row.body)["cut"] for row in ledger.rows("TEST") if row.kind == "cut"] == [digest]
    assert digest in client.get(reverse("cuts")).content.decode()
    assert AccessRecord.objects.filter(kind="export", username="blinded_statistician", subject="cut").count() == 1


def test_opening_cut_never_lies_in_clear(site, tmp_path):
    """docs/blinding.md §2: what is on disk is ciphertext; without custodians there is no opening cut."""
    histories(site)
    with pytest.raises(cut.CutRefused, match="no custodians"):
        cut.freeze(study=site.study, kind="opening", on=site.study.today())
    site.activate()
    made = cut.make(study=site.study, kind="opening", on=site.study.today(), by=site.system, out=tmp_path / "cut")
    assert sorted(path.name for path in (tmp_path / "cut").iterdir()) == ["cut.enc", "manifest.json"]
    on_disk = b"".join(path.read_bytes() for path in (tmp_path / "cut").iterdir())
    for cell in (site.people[0].study_number, "RECURRENCE", made.table.decode().splitlines()[1]):
        assert cell.encode() not in on_disk
    assert [row.kind for row in ledger.rows("TEST")][-2:] == ["lock", "cut"]


def test_training_cut_is_read_by_the_trainer(site, tmp_path):
    """MD-01, models.md §3: the same endpoints; who has no strategy is left out and counted."""
    histories(site)
    made = cut.make(study=site.study, kind="training", on=site.study.today(), by=site.system, out=tmp_path / "cut")
    assert (made.manifest["rows"], made.manifest["without_strategy"]) == (3, 2)
    read = table.read(tmp_path / "cut" / "cut.csv", landmark=90, modalities=("clinical",))
    assert read.n == 3
    assert list(read.strategy) == ["TACE", "TACE_SYS", "SURG"]


def test_training_cut_is_refused_beside_a_blinded_study(site, settings):
    """docs/blinding.md §2: no installation holds the inputs of a blinded study and a training table."""
    histories(site)
    settings.PRIME_DEMO = False
    real = scenes.Site(world_of_a_real_study(site))
    real.activate()
    with pytest.raises(cut.CutRefused, match="REAL is blinded here"):
        cut.freeze(study=site.study, kind="training", on=site.study.today())


@pytest.mark.parametrize("more", [[], ["--processes", "2"], ["--workers"]], ids=["here", "processes", "workers"])
def test_nothing_is_trained_beside_a_blinded_study(site, settings, tmp_path, more):
    """docs/blinding.md §2: whoever does the work and whether or not a page shows it."""
    settings.PRIME_DEMO = False
    scenes.Site(world_of_a_real_study(site)).activate()
    synthetic.table(400, seed=2, images=False).to_csv(tmp_path / "table.csv", index=False)
    with pytest.raises(CommandError, match="REAL is blinded here"):
        call_command("train", "strategy", "--data", tmp_path / "table.csv", "--out", tmp_path / "out", "--tier", "0", *more)
    assert not (tmp_path / "out").exists()


def world_of_a_real_study(site: scenes.Site) -> world.World:
    study = setup.create_study(
        code="REAL", title_zh="真", title_en="Real", protocol_id="hcc_adjuvant", accrual_from=date(2026, 1, 1), by=site.system
    )
    return world.World(study)


def test_contradiction_stops_the_cut_by_name(site):
    """EP-10: a history that cannot be true has no endpoints."""
    histories(site)
    patient = site.people[4]
    day = patient.screening.surgery_date
    record(
        site,
        Death(participant=patient, on=(day + timedelta(100)).isoformat(), cause="other"),
        Assessment(participant=patient, on=day + timedelta(200), modality="CT", adequate=True, finding="free"),
    )
    with pytest.raises(cut.CutRefused, match=f"{patient.study_number}: AFTER_DEATH"):
        cut.freeze(study=site.study, kind="blinded", on=site.study.today())


def test_declaration_beside_a_course_leaves_the_window_open(site):
    """TX-05: both stand, so nothing is ascertained."""
    histories(site)
    patient = site.people[1]
    start = (patient.screening.surgery_date + timedelta(33)).isoformat()
    record(site, TreatmentCourse(participant=patient, kind="TACE", intent="adjuvant", start=start, source="file"))
    rows = {row["patient"]: row for row in rows_of(cut.freeze(study=site.study, kind="blinded", on=site.study.today()))}
    row = rows[patient.study_number]
    assert (row["strategy"], row["site_reason"], row["window_closed"]) == ("", "TREATMENT_INCOMPLETE", "")


def test_queries_do_not_grow_with_patients(site):
    """At most a fixed number of queries, for 5 patients as for 65."""
    histories(site)
    site.activate()
    counts = []
    for more in (0, 60):
        site.people = []
        if more:
            site.enroll(more, after=6)
        with CaptureQueriesContext(connection) as captured:
            cut.freeze(study=site.study, kind="opening", on=site.study.today())
        counts.append(len(captured))
    assert counts[0] == counts[1] <= 25


def test_future_is_refused(site):
    with pytest.raises(cut.CutRefused, match="in the future"):
        cut.freeze(study=site.study, kind="blinded", on=site.study.today() + timedelta(1))


def test_other_rules_and_readings_stand_beside_the_primary_ones(site):
    """TX-02, TX-04, EP-04: a drug begun on day 100 counts in the longer window as the patient was seen later, and is a crossover."""
    site.enroll(1)
    site.wait(1200)
    [patient] = site.people
    on = [patient.screening.surgery_date + timedelta(each) for each in range(801)]
    free = {"participant": patient, "modality": "CT", "adequate": True, "finding": "free"}
    drug = {"drug": "lenvatinib", "drug_class": "TKI", "intent": "adjuvant", "source": "file"}
    record(
        site,
        TreatmentCourse(participant=patient, kind="TACE", intent="adjuvant", start=on[40].isoformat(), source="file"),
        TreatmentCourse(participant=patient, kind="SYSTEMIC", start=on[100].isoformat(), **drug),
        Assessment(on=on[180], **free),
        Recurrence(participant=patient, first_seen_on=on[700], confirmed_on=on[700], site="intrahepatic", modality="CT"),
    )
    with transaction.atomic(), audit.act(by=site.system, action="test.recorded"):
        milestones.record(participant=patient, kind="window_closed", on=on[95], by=site.system)
    site.activate()
    [row] = rows_of(cut.freeze(study=site.study, kind="opening", on=site.study.today()))
    assert (row["strategy"], row["alt_w120_strategy"], row["alt_haic_strategy"]) == ("TACE", "TACE_SYS", "TACE")
    assert row["alt_crossover"] == "100"
    assert (row["alt_free_until"], row["alt_checks"]) == ("180", "180")
    [blinded] = rows_of(cut.freeze(study=site.study, kind="blinded", on=site.study.today()))
    assert not [name for name in blinded if name.startswith("alt_")]
    assert (row["rfs_time"], row["rfs_event"]) == (row["alt_latest_time"], row["alt_latest_event"]) == ("700", "1")
    assert (row["alt_missed_time"], row["alt_missed_event"]) == ("180", "0")


@pytest.mark.parametrize(("conclusion", "day", "expected"), [
    ("recurrence", 180, ("180", "1")), ("free", None, ("95", "0")), ("not_evaluable", None, ("270", "1")),
])  # fmt: skip
def test_reading_of_the_committee_stands_beside_the_sites(site, conclusion, day, expected):
    """EP-12: the site saw the recurrence on day 270, and a clear CT on day 95; what it reported stays the primary one."""
    site.enroll(1)
    site.wait(1200)
    [patient] = site.people
    on = [patient.screening.surgery_date + timedelta(each) for each in range(401)]
    ct = {"participant": patient, "modality": "CT", "adequate": True}
    record(
        site, Assessment(on=on[95], finding="free", **ct), Assessment(on=on[180], finding="suspected", **ct),
        Recurrence(participant=patient, first_seen_on=on[270], confirmed_on=on[270], site="intrahepatic", modality="CT"),
    )  # fmt: skip
    world.join(site.world, "adjudicator2", "adjudicator", None)
    people = site.world.people
    [case] = committee.open_cases(study=site.study, by=people["data_manager"])
    for name in ("adjudicator", "adjudicator2"):
        committee.read_case(case=case, conclusion=conclusion, first_seen_day=day, by=people[name])
    site.activate()
    [row] = rows_of(cut.freeze(study=site.study, kind="opening", on=site.study.today()))
    assert (row["rfs_time"], row["rfs_event"]) == ("270", "1")
    assert (row["alt_central_time"], row["alt_central_event"]) == expected
