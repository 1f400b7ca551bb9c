"""Exports: hashes, shifted dates, audit records, formula safety, and no prediction anywhere (DI-04, SE-05, AU-03, BL-01, peers D1)."""

import csv
import hashlib
import io
import json
import threading
import zipfile
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.management import CommandError, call_command
from django.db import connection, connections
from django.test import Client
from django.urls import reverse
from lxml import etree
from pyarrow import parquet

from accounts import audit
from accounts import people as accounts
from accounts.models import AccessRecord, User
from followup import events, treatment
from prime_platform.exchange import parts_of
from studies import dictionary, entry
from studies.exchange import (
    export,
    odm_read,
    odm_values,
    odm_write,
    redcap_columns,
    redcap_dictionary,
    row_tokens,
    safe_csv,
    tabular,
    value_import,
)
from studies.exchange import parts as parts_module
from studies.exchange.export import Wish
from studies.laboratory import ranges
from studies.models import Entry
from studies.trail import people
from studies.values import Value
from tests import world
from tests.paths import SHARED

SCHEMA = SHARED / "data" / "08_cdisc_redcap" / "odm" / "archive" / "ODM1-3-2" / "ODM1-3-2.xsd"
REDCAP = SHARED / "data" / "08_cdisc_redcap" / "redcap_genomics_thailand" / "genomics_thailand_general.csv"
AT = datetime(2026, 11, 28, 10, tzinfo=UTC)
pytestmark = pytest.mark.django_db


@pytest.fixture
def site(settings, tmp_path):
    """A study with two participants, baseline values of every kind, treatment and follow-up."""
    settings.VAR = tmp_path / "var"
    made = world.build()
    made.first, made.second = world.enrolled(made, "01"), world.enrolled(made, "02")
    by, day = made.people["coordinator01"], made.first.screening.surgery_date
    texts = {"hbv": "yes", "hbv_since": "2019-05", "albumin": "3.9 g/dL", "afp": "> 60500", "bilirubin": "UNK", "other_disease": "=1+1"}
    texts |= {"lab_date": (day - timedelta(days=3)).isoformat()}
    entry.record_texts(participant=made.first, texts=texts, by=by, submit=True)
    entry.record(participant=made.first, form="laboratory", values={"albumin": Value("41")}, reason="laboratory corrected", by=by)
    treatment.record_course(participant=made.first, kind="TACE", intent="adjuvant", start=day.isoformat()[:7], source="record", by=by)
    events.record_contact(participant=made.first, on=day + timedelta(days=12), outcome="answered", by=by)
    return made


def made(site, tmp_path, kind, **options):
    out = tmp_path / f"{kind}-{len(list(tmp_path.iterdir()))}"
    wish = Wish(kind, AT, "abc", "FILE.1", **options)
    manifest = export.make(study=site.study, parts=parts_of(site.study), wish=wish, out=out, by=site.people["data_manager"])
    return out, manifest


def rows(path):
    return list(csv.DictReader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline="")))


def test_csv_keeps_value_comparator_and_reason_apart_and_runs_no_formula(site, tmp_path):
    """SE-05; a reason is never where a value stands (peers B: REDCap saves it as the literal value)."""
    out, manifest = made(site, tmp_path, "csv")
    (laboratory,) = rows(out / "laboratory.csv")
    assert (laboratory["afp"], laboratory["afp.comparator"], laboratory["afp.missing"]) == ("60500", ">", "")
    assert (laboratory["bilirubin"], laboratory["bilirubin.missing"], laboratory["albumin"]) == ("", "UNK", "41")
    assert rows(out / "general.csv")[0]["other_disease"] == "'=1+1"
    assert (out / "screening.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    assert manifest["files"]["screening.csv"]["rows"] == len(rows(out / "screening.csv")) == 2
    assert {row["study_number"] for row in rows(out / "screening.csv")} == {site.first.study_number, site.second.study_number}


def test_scores_leave_computed_and_what_stands_behind_a_closed_branch_stays(site, tmp_path):
    """ALBI = 0.66·log₁₀(17.1) − 0.085·41 = −2.671; APRI = 80 / 40 · 100 / 100 by the center's limit."""
    by, day = site.people["coordinator01"], site.first.screening.surgery_date
    texts = {"bilirubin": "17.1", "ast": "80", "platelets": "100", "antiviral": "yes", "antiviral_drug": "entecavir"}
    entry.record_texts(participant=site.first, texts=texts, by=by, reason="laboratory came")
    ranges.record(center=site.centers["01"], item="ast", low=None, high=Decimal(40), unit="U/L", valid_from=day - timedelta(days=90), by=by)
    out, _manifest = made(site, tmp_path, "csv")
    (laboratory,), (liver,) = rows(out / "laboratory.csv"), rows(out / "liver.csv")
    assert [laboratory[code] for code in ("albi", "albi_grade", "apri", "nlr")] == ["-2.671", "1", "2.00", ""]
    assert (liver["antiviral"], liver["antiviral_drug"]) == ("yes", "entecavir")
    entry.record_texts(participant=site.first, texts={"antiviral": "no"}, by=by, reason="misread")
    for kind, name in (("csv", "liver.csv"), ("redcap", "redcap_records.csv")):
        out, _manifest = made(site, tmp_path, kind)
        row = rows(out / name)[0]
        assert (row["antiviral"], row["antiviral_drug"]) == ("no", "")
    assert site.first.entries.get(form="liver").values["antiviral_drug"]["value"] == "entecavir"
    tumour = {"tumour_number": "1", "tumour_diameter_cm": "4", "pvtt": "none", "hvtt": "none", "extrahepatic": "no", "ecog": "0"}
    tumour |= {"inr": "1", "ascites": "none", "encephalopathy": "none"}
    entry.record_texts(participant=site.first, texts=tumour, by=by, reason="laboratory came")
    out, _manifest = made(site, tmp_path, "parquet")
    tables = [parquet.read_table(out / f"{form}.parquet").to_pylist()[0] for form in ("tumour", "liver", "laboratory")]
    found = {code: row[code] for row in tables for code in ("cnlc_stage", "child_pugh_class", "apri") if code in row}
    assert found == {"cnlc_stage": "Ia", "child_pugh_class": "A", "apri": 2.0}


def test_item_that_the_dictionary_asks_no_more_leaves_at_the_end_of_its_form(site, tmp_path, monkeypatch):
    """Bilirubin and a whole form are gone, AFP has moved: nothing stays behind, and REDCap's field names stand once each."""
    old = site.study.dictionary
    general, laboratory = old.form("general"), old.form("laboratory")
    moved = replace(laboratory.by_code["afp"], section=general.sections[0].code)
    kept = replace(laboratory, items=tuple(item for item in laboratory.items if item.code not in ("afp", "bilirubin")))
    changed = {"general": replace(general, items=(*general.items, moved)), "laboratory": kept}
    new = replace(old, version="9.9", forms=tuple(changed.get(form.code, form) for form in old.forms if form.code != "liver"))
    versions = dictionary.versions
    monkeypatch.setattr(dictionary, "versions", lambda id: [*versions(id), new] if id == old.id else versions(id))
    monkeypatch.setattr(type(site.study), "dictionary", new)
    parts = {part.form.code: part for part in parts_module.own_parts(new)}
    (record,) = parts["laboratory"].records([site.first])[site.first.pk]
    assert (record.values["afp"], record.values["bilirubin"]) == (Value("60500", ">"), Value(missing="UNK"))
    assert [item.section for item in parts["laboratory"].form.items[-2:]] == ["retired", "retired"]
    (record,) = parts["liver"].records([site.first])[site.first.pk]
    assert record.values["hbv"].value == "yes"
    out, _manifest = made(site, tmp_path, "redcap")
    fields = [row["Variable / Field Name"] for row in rows(out / "redcap_dictionary.csv")]
    assert {"afp", "bilirubin", "hbv"} <= set(fields)
    assert len(fields) == len(set(fields))
    assert ("afp", "what was recorded on the form laboratory, before the item moved") in {
        tuple(row.values()) for row in rows(out / "not_expressed.csv")
    }


def test_manifest_names_every_file_and_a_changed_byte_is_found(site, tmp_path):
    """AU-03: exports carry hash and verify command."""
    out, manifest = made(site, tmp_path, "csv")
    assert set(manifest["files"]) == {path.name for path in out.iterdir()} - {"manifest.json", "manifest.sig"}
    assert export.verify(out) == []
    assert (manifest["dictionary"]["digest"], manifest["protocol"]["digest"]) == (site.study.dictionary.digest, site.study.protocol.digest)
    with (out / "screening.csv").open("ab") as file:
        file.write(b" ")
    (out / "extra.csv").write_text("x")
    assert export.verify(out) == ["extra.csv", "screening.csv"]
    forged = json.loads((out / "manifest.json").read_text()) | {"participants": 9}
    (out / "manifest.json").write_text(json.dumps(forged))
    assert "manifest.json" in export.verify(out)


def test_parquet_has_the_same_rows_with_numbers_as_numbers(site, tmp_path):
    out, manifest = made(site, tmp_path, "parquet")
    laboratory = parquet.read_table(out / "laboratory.parquet").to_pylist()
    assert (laboratory[0]["albumin"], laboratory[0]["afp"], laboratory[0]["afp.comparator"]) == (41.0, 60500.0, ">")
    assert parquet.read_table(out / "screening.parquet").to_pylist()[0]["age_at_surgery"] == 58
    assert manifest["files"]["treatment.parquet"]["rows"] == 1


def test_every_date_of_a_participant_leaves_by_the_same_offset(site, tmp_path):
    """DI-04: intervals between surgery, enrolment, laboratory and contact are what they were; no true date is in any file."""
    shifted, _manifest = made(site, tmp_path, "csv")
    true, _manifest = made(site, tmp_path, "csv", shifted=False, reason="linkage to the cancer registry")
    number, days = site.first.study_number, row_tokens.offset(site.first.study_number)
    named = [("screening", "surgery_date"), ("screening", "screened_on"), ("consent", "signed_on"), ("enrolment", "enrolled_on")]
    named += [("laboratory", "lab_date"), ("contact", "on")]

    def dates(folder):
        found = [next(row for row in rows(folder / f"{part}.csv") if row["study_number"] == number)[name] for part, name in named]
        return [date.fromisoformat(text) for text in found]

    assert [b - a for a, b in pairwise(dates(true))] == [b - a for a, b in pairwise(dates(shifted))]
    assert {b - a for a, b in zip(dates(true), dates(shifted), strict=True)} == {timedelta(days=days)}
    first, last = rows(shifted / "liver.csv")[0]["hbv_since"].split("/")
    assert (date.fromisoformat(first), date.fromisoformat(last)) == (
        date(2019, 5, 1) + timedelta(days=days), date(2019, 5, 31) + timedelta(days=days),
    )  # fmt: skip
    assert rows(true / "liver.csv")[0]["hbv_since"] == "2019-05"
    content = b"".join(path.read_bytes() for path in shifted.iterdir())
    assert site.first.screening.surgery_date.isoformat().encode() not in content


def test_true_dates_leave_with_a_reason_only_and_only_by_who_may(site, tmp_path):
    with pytest.raises(ValidationError, match="true dates|真实日期"):
        made(site, tmp_path, "csv", shifted=False)
    for name in ("coordinator01", "monitor", "blinded_statistician", "investigator"):
        with pytest.raises(PermissionDenied):
            export.make(study=site.study, parts=[], wish=Wish("csv", AT, ""), out=tmp_path / name, by=site.people[name])
    _out, _manifest = made(site, tmp_path, "csv", shifted=False, reason="registry")
    assert AccessRecord.objects.filter(kind="export").latest("pk").detail["reason"] == "registry"


@pytest.mark.parametrize("history", [False, True])
@pytest.mark.parametrize("shifted", [False, True])
def test_odm_validates_and_survives_export_import_export_to_the_byte(site, tmp_path, history, shifted):
    """Done 3: with creation time and file id given, reading and writing again changes no byte, and so does a second export."""
    options = {"history": history, "shifted": shifted, "reason": "" if shifted else "test"}
    (one, _first), (two, _second) = made(site, tmp_path, "odm", **options), made(site, tmp_path, "odm", **options)
    (path,) = one.glob("*.odm.xml")
    content = path.read_bytes()
    assert (two / path.name).read_bytes() == content
    assert b"".join(odm_write.write(odm_read.read(path))) == content
    if SCHEMA.exists():
        etree.XMLSchema(etree.parse(str(SCHEMA))).assertValid(etree.parse(str(path)))


def test_odm_schema_is_there_to_validate_against():
    if not SCHEMA.exists():
        pytest.skip(f"no ODM schema at {SCHEMA}: exports were not validated")


def test_odm_says_who_changed_a_value_when_and_why(site, tmp_path):
    """AU-03, peers D1: the last change in a snapshot, every change in a transactional file, in order."""
    out, _manifest = made(site, tmp_path, "odm", shifted=False, reason="test", history=True)
    file = odm_read.read(next(out.glob("*.odm.xml")))
    forms = [form for subject in file.subjects for event in subject.events for form in event.forms]
    data = [datum for form in forms for group in form.groups for datum in group.data]
    albumin = [datum for datum in data if datum.item == "IT.laboratory.albumin"]
    assert [(datum.value, datum.change.kind, datum.change.reason) for datum in albumin] == [
        ("39", "Insert", ""), ("41", "Update", "laboratory corrected"),
    ]  # fmt: skip
    login = {person.oid: person.login for person in file.head.people}
    assert {login[datum.change.person] for datum in albumin} == {"coordinator01"}
    assert {datum.change.place for datum in albumin} == {"LO.01"}
    assert albumin[0].change.at <= albumin[1].change.at


def test_odm_names_nobody_but_the_people_of_the_study_and_of_its_trail(site, tmp_path):
    """Every person that an audit record refers to is defined, also one whose account is not known; other accounts are nobody's business."""
    accounts.create_user(username="stranger", display_name="Stranger", password=world.PASSWORD, by=User.objects.system())
    outsider = accounts.create_user(username="outsider", display_name="Outsider", password=world.PASSWORD, by=User.objects.system())
    with audit.act(by=outsider, action="entry.recorded"):
        Entry.objects.filter(participant=site.first, form="liver").update(recorded_at=AT)
    out, _manifest = made(site, tmp_path, "odm", history=True)
    file = odm_read.read(next(out.glob("*.odm.xml")))
    logins = {person.oid: person.login for person in file.head.people}
    assert set(site.people) | {"unknown", "outsider"} <= set(logins.values())
    assert "stranger" not in logins.values()
    assert logins["US.unknown"] == "unknown"


def test_odm_values_come_back_as_they_are_held(site, tmp_path):
    """Export → import: what the file says of a form is what the platform holds, comparators, reasons and units included."""
    out, _manifest = made(site, tmp_path, "odm", shifted=False, reason="test")
    said = {(number, form): values for number, form, _key, values in odm_values.of(odm_read.read(next(out.glob("*.odm.xml"))))}
    for form in ("laboratory", "liver", "general"):
        row, calculated = site.first.entries.get(form=form), {item.code for item in site.study.dictionary.items if item.calculation}
        entered = {code: value for code, value in said[site.first.study_number, form].items() if code not in calculated}
        assert entered == entry.held(row)


def test_odm_of_one_installation_comes_in_at_another_as_its_table(site, tmp_path, capsys):
    """Done 3: export → table → import: what was taken away is there again as it was typed; shifted dates never come in."""
    path = next(made(site, tmp_path, "odm", shifted=False, reason="test")[0].glob("*.odm.xml"))
    for out, name in (("again.xml", "rewrite"), ("table.csv", "table")):
        with pytest.raises(SystemExit) as ended:
            call_command("odm", name, str(path), str(tmp_path / out), **({"study": "TEST"} if name == "table" else {}))
        assert ended.value.code == 0
    assert (tmp_path / "again.xml").read_bytes() == path.read_bytes()
    before = {row.form: entry.held(row) for row in Entry.objects.filter(participant=site.first)}
    nothing = {"laboratory": {"afp": Value(), "bilirubin": Value()}, "general": {"other_disease": Value()}}
    for form, values in nothing.items():
        entry.record(participant=site.first, form=form, values=values, reason="test", by=site.people["coordinator01"])
    run = value_import.plan(study=site.study, path=tmp_path / "table.csv", by=site.people["data_manager"])
    assert run.counts == {"new": 3, "same": sum(map(len, before.values())) - 3}
    value_import.execute(run=run, by=site.people["data_manager"])
    after = {row.form: entry.held(row) for row in Entry.objects.filter(participant=site.first)}
    assert [value.content for values in after.values() for _code, value in sorted(values.items())] == [
        value.content for values in before.values() for _code, value in sorted(values.items())
    ]
    shifted = next(made(site, tmp_path, "odm")[0].glob("*.odm.xml"))
    with pytest.raises(SystemExit) as ended:
        call_command("odm", "table", str(shifted), str(tmp_path / "no.csv"), study="TEST")
    assert (ended.value.code, "shifted" in capsys.readouterr().err) == (1, True)


def test_redcap_files_say_the_same_in_redcaps_words(site, tmp_path):
    out, _manifest = made(site, tmp_path, "redcap")
    table = tabular.open_table(out / "redcap_dictionary.csv")
    taken = redcap_dictionary.read(table, dictionary_id="back", version="1.0", title="back")
    assert dictionary.schema_faults(taken.data) == []
    back, book = dictionary.from_data(taken.data), site.study.dictionary
    kinds = {item.code: item.kind for item in book.items if item.kind not in ("partial_date", "calculated")}
    assert {code: back.item(code).kind for code in kinds} == kinds
    assert [item.asked_if for item in back.items if item.asked_if] == [item.asked_if for item in book.items if item.asked_if]
    record = next(row for row in rows(out / "redcap_records.csv") if row["record_id"] == site.first.study_number)
    assert (record["afp"], record["afp_cmp"], record["bilirubin"], record["hbv"]) == ("60500", "gt", "UNK", "yes")
    assert (out / "missing_data_codes.txt").read_text().startswith("ND, not done | UNK, unknown")
    lost = {(row["field"], row["what REDCap has no place for"]) for row in rows(out / "not_expressed.csv")}
    assert {("hbv_since", "a date of month or year: text in REDCap"), ("albumin", "other units: values are in g/L")} <= lost


@pytest.mark.skipif(not REDCAP.exists(), reason=f"no REDCap dictionary at {REDCAP}")
def test_foreign_redcap_dictionary_comes_in_and_names_what_it_lost():
    """Done 3: 97 fields; 11 calculations, the record's number and a birth date stay out and are named; 7 checkboxes become yes/no items."""
    taken = redcap_dictionary.read(tabular.open_table(REDCAP), dictionary_id="genomics", version="1.0", title="Genomics")
    assert dictionary.schema_faults(taken.data) == []
    found = dictionary.from_data(taken.data)
    with REDCAP.open(encoding="utf-8-sig", newline="") as file:
        raw = list(csv.DictReader(file))
    boxes = [row for row in raw if row["Field Type"] == "checkbox"]
    lost = [row for row in raw if row["Field Type"] == "calc" or row["Variable / Field Name"] in ("participant_id", "birth_date")]
    plain = len(raw) - len(boxes) - len(lost)
    assert (len(raw), len(boxes), len(lost)) == (97, 7, 13)
    assert len(list(found.items)) == plain + sum(len(row["Choices, Calculations, OR Slider Labels"].split("|")) for row in boxes)
    named = {note.field: note.what for note in taken.notes}
    assert all(row["Variable / Field Name"] in named for row in lost)
    assert "birth" in named["birth_date"]
    asked = {row["Variable / Field Name"] for row in raw if row["Branching Logic (Show field only if...)"]}
    kept = {item.code.split("___")[0] for item in found.items if item.asked_if}
    assert asked == kept | {note.field for note in taken.notes if "always asked" in note.what}


def test_command_takes_a_redcap_dictionary_and_names_what_is_not_in_it(tmp_path, capsys):
    """Done 3: the file that is written is a dictionary of ours; a birth date stays out and is named."""
    path, out = tmp_path / "redcap.csv", tmp_path / "taken.yaml"
    header = [redcap_columns.FIELD, redcap_columns.FORM, redcap_columns.TYPE, redcap_columns.LABEL, redcap_columns.VALIDATION]
    fields = [
        ["record_id", "a", "text", "Id", ""],
        ["birth_date", "a", "text", "Date of birth", "date_ymd"],
        ["smokes", "a", "yesno", "Smokes", ""],
    ]
    path.write_bytes(b"".join(safe_csv.lines(header, fields)))
    call_command("dictionary", "redcap", str(path), str(out), id="taken", title="Taken")
    assert [item.code for item in dictionary.from_file(out).items] == ["smokes"]
    assert "birth_date: a date of birth" in capsys.readouterr().out
    path.write_text("number,afp\n1,2\n", encoding="utf-8")
    with pytest.raises(SystemExit) as ended:
        call_command("dictionary", "redcap", str(path), str(out), id="taken", title="Taken")
    assert ended.value.code == 2


def test_page_and_api_give_the_archive_and_record_it(site, tmp_path):
    browser = Client()
    browser.force_login(site.people["data_manager"])
    for answer in (
        browser.post(reverse("exports"), {"kind": "csv", "dates": "shifted"}),
        browser.post(reverse("api-exports"), {"study": site.study.code, "kind": "csv", "reason": ""}, content_type="application/json"),
    ):
        assert answer["Content-Disposition"].startswith('attachment; filename="SYNTHETIC-TEST-csv-')
        content = b"".join(answer.streaming_content)
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            archive.extractall(tmp_path / f"zip{len(list(tmp_path.iterdir()))}")
            assert {"manifest.json", "manifest.sig", "laboratory.csv"} <= set(archive.namelist())
    first, second = AccessRecord.objects.filter(kind="export", subject="study TEST", username="data_manager").order_by("pk")
    digest = hashlib.sha256((tmp_path / "zip1" / "manifest.json").read_bytes()).hexdigest()
    assert (second.detail["study"], second.detail["manifest_sha256"]) == ("TEST", digest)
    assert digest[:12] in browser.get(reverse("exports")).content.decode()
    assert digest in browser.get(reverse("trail")).content.decode()
    assert {first, second} <= set(people.access_records(site.first))
    assert browser.post(reverse("exports"), {"kind": "xls"}).status_code == 400
    browser.force_login(site.people["coordinator01"])
    assert browser.post(reverse("exports"), {"kind": "csv"}).status_code == 403
    assert browser.post(reverse("api-exports"), {"study": "TEST", "kind": "csv"}, content_type="application/json").status_code == 404


def test_command_writes_and_verifies(site, tmp_path, capsys):
    out = tmp_path / "out"
    call_command("export", "csv", str(out), "--study", "TEST", "--created", "2026-11-28T10:00:00Z", "--json")
    assert json.loads(capsys.readouterr().out)["participants"] == 2
    call_command("export", "verify", str(out))
    (out / "screening.csv").write_text("x")
    with pytest.raises(SystemExit) as ended:
        call_command("export", "verify", str(out))
    assert ended.value.code == 1
    with pytest.raises(CommandError) as refused:
        call_command("export", "csv", str(tmp_path / "other"), "--study", "TEST", "--true-dates")
    assert refused.value.returncode == 1


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_codebook_shows_every_item_with_its_codes(site, language):
    person = site.people["coordinator01"]
    person.language = language
    browser = Client()
    browser.force_login(person)
    shown = browser.get(reverse("codebook"), headers={"accept-language": language}).content.decode()
    for item in site.study.dictionary.items:
        assert f">{item.code}" in shown
        assert all(f">{option.code}</b>" in shown for option in item.options)


def test_nothing_that_leaves_knows_of_predictions(site):
    """BL-01: the parts read no table of predictions or analysis and no milestone, by which a seal would show."""
    tables = {part.model._meta.label for part in parts_of(site.study)}
    assert not {label for label in tables if label.startswith(("predictions", "analysis")) or "Milestone" in label}
    assert "sealed" not in json.dumps([part.form.code for part in parts_of(site.study)])


class Meanwhile:
    """Lets another connection write as soon as a request has asked, within its transaction, who may do what."""

    def __init__(self, write):
        self.write, self.thread = write, None

    def __call__(self, execute, sql, params, many, context):
        answer = execute(sql, params, many, context)
        if self.thread is None and connection.in_atomic_block and 'FROM "studies_membership"' in sql:
            self.thread = threading.Thread(target=self._apart)
            self.thread.start()
            self.thread.join(30)
        return answer

    def _apart(self):
        self.write()
        connections.close_all()


@pytest.mark.django_db(transaction=True)
def test_what_a_page_exports_is_of_one_moment(site):
    """AU-03: what somebody writes while the archive is made is in none of its files, and in the next archive."""
    browser, by = Client(), site.people["coordinator01"]
    browser.force_login(site.people["data_manager"])
    asked = {"study": site.study.code, "kind": "csv"}
    exports = [
        lambda: browser.post(reverse("exports"), asked),
        lambda: browser.post(reverse("api-exports"), asked, content_type="application/json"),
        lambda: browser.post(reverse("trail-export")),
    ]

    def members(answer):
        with zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content))) as archive:
            return b"".join(archive.read(name) for name in archive.namelist())

    for place, export_now in enumerate(exports):
        value = f"38.{place + 1}25"
        write = lambda value=value: entry.record(  # noqa: E731
            participant=site.first, form="laboratory", values={"albumin": Value(value)}, reason="laboratory corrected", by=by
        )
        meanwhile = Meanwhile(write)
        with connection.execute_wrapper(meanwhile):
            before = members(export_now())
        assert not meanwhile.thread.is_alive()
        assert (value.encode() in before, value.encode() in members(export_now())) == (False, True), place
