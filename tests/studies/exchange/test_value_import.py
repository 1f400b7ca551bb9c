"""Values from a table: the dry run says what becomes of each cell, the same is done, and it is taken back (peers B9, AU-03)."""

from datetime import date

import openpyxl
import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import translation

from accounts import audit, people
from accounts.models import AccessRecord, User
from accounts.transitions import NotAllowedNow
from studies import enrollment, entry, setup
from studies.exchange import value_import
from studies.exchange.faults import Refused
from studies.locking import locks
from studies.models import Entry, ImportRun
from studies.values import Value
from tests import world

pytestmark = pytest.mark.django_db


@pytest.fixture
def site():
    """A study with two participants, one at each center."""
    made = world.build()
    made.first, made.second = world.enrolled(made, "01"), world.enrolled(made, "02")
    with translation.override("en"):
        yield made


def table(tmp_path, *lines):
    path = tmp_path / "table.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def held(participant):
    rows = Entry.objects.filter(participant=participant)
    return {code: value for row in rows for code, value in row.values.items()}


def typed(site, participant, **texts):
    by = site.people[f"coordinator{participant.center.code}"]
    entry.record_texts(participant=participant, texts=texts, by=by, source="typed", submit=True)


def cells(run):
    return {(cell["subject"], cell["target"]): cell["verdict"] for cell in run.cells}


def planned(site, path, **options):
    return value_import.plan(study=site.study, path=path, by=site.people["data_manager"], **options)


def test_dry_run_names_what_becomes_of_every_cell_and_writes_nothing(site, tmp_path):
    """New, same, kept, rejected; the file's other columns are told and nothing of them is kept."""
    one, two = site.first.study_number, site.second.study_number
    typed(site, site.first, hbv="yes", albumin="41")
    path = table(
        tmp_path,
        "study_number,姓名,hbv,白蛋白,afp,bilirubin [mg/dL]",
        f"{one},张三,yes,39,> 60500,1.2",
        f"{two},李四,maybe,400,12,ND",
        "99-0001-00,王五,yes,40,1,1",
        f"{one},张三,no,,,",
    )
    run = planned(site, path)
    assert cells(run) == {
        (one, "hbv"): "same", (one, "albumin"): "kept", (one, "afp"): "new", (one, "bilirubin"): "new",
        (two, "hbv"): "rejected", (two, "albumin"): "rejected", (two, "afp"): "new", (two, "bilirubin"): "new",
        ("", "study_number"): "rejected",
    }  # fmt: skip
    assert all(cell["sentence"] for cell in run.cells if cell["verdict"] == "rejected")
    assert run.counts == {"same": 1, "kept": 1, "new": 4, "rejected": 4}
    assert run.content["ignored"] == ["姓名"]
    assert "张三" not in str(run.content) + str(run.cells)
    assert (held(site.second), set(held(site.first))) == ({}, {"hbv", "albumin"})


def test_what_was_shown_is_done_and_taken_back_to_what_was(site, tmp_path):
    one = site.first.study_number
    typed(site, site.first, hbv="yes", albumin="41")
    before = held(site.first)
    path = table(tmp_path, "研究编号,albumin,afp,hbv", f"{one},3.9 g/dL,< 2,UNK")
    run = planned(site, path, overwrite=True, reason="laboratory corrected")
    assert cells(run) == {(one, "albumin"): "changed", (one, "afp"): "new", (one, "hbv"): "blanked"}
    run = value_import.execute(run=run, by=site.people["data_manager"])
    assert held(site.first)["albumin"] == Value("39", unit="g/dL", typed="3.9", source="imported").as_json()
    assert held(site.first)["afp"] == {"value": "2", "comparator": "<", "source": "imported"}
    assert held(site.first)["hbv"] == {"missing": "UNK", "source": "imported"}
    last = audit.history(Entry.objects.get(participant=site.first, form="laboratory")).last()
    assert (last.pgh_context["by"], last.pgh_context["reason"]) == ("data_manager", "laboratory corrected")
    run = value_import.undo(run=run, reason="wrong file", by=site.people["data_manager"])
    assert (held(site.first), run.status) == (before, "undone")


def test_undo_is_refused_and_says_where_somebody_changed_a_value_since(site, tmp_path):
    one, two = site.first.study_number, site.second.study_number
    run = planned(site, table(tmp_path, "study_number,afp", f"{one},5", f"{two},7"))
    run = value_import.execute(run=run, by=site.people["data_manager"])
    by = site.people["coordinator01"]
    entry.record(participant=site.first, form="laboratory", values={"afp": Value("6")}, reason="typing error", by=by)
    with pytest.raises(NotAllowedNow, match=f"{one} afp"):
        value_import.undo(run=run, reason="wrong file", by=site.people["data_manager"])
    assert (held(site.first)["afp"]["value"], held(site.second)["afp"]["value"]) == ("6", "7")


def test_plan_is_refused_once_the_data_have_changed(site, tmp_path):
    """The plan that was shown is the plan that is executed, or none."""
    run = planned(site, table(tmp_path, "study_number,afp", f"{site.first.study_number},5"))
    typed(site, site.first, afp="9")
    with pytest.raises(NotAllowedNow, match="changed since the dry run"):
        value_import.execute(run=run, by=site.people["data_manager"])
    assert held(site.first)["afp"]["value"] == "9"
    with pytest.raises(NotAllowedNow):
        value_import.drop(run=value_import.drop(run=run, by=site.people["data_manager"]), by=site.people["data_manager"])


def test_date_that_contradicts_another_is_rejected_by_the_write_function_and_the_rest_goes_in(site, tmp_path):
    later = site.first.screening.surgery_date.replace(year=site.first.screening.surgery_date.year + 1)
    run = planned(site, table(tmp_path, "study_number,hbv_since,hbv", f"{site.first.study_number},{later},yes"))
    assert cells(run) == {(site.first.study_number, "hbv_since"): "rejected", (site.first.study_number, "hbv"): "new"}
    value_import.execute(run=run, by=site.people["data_manager"])
    assert set(held(site.first)) == {"hbv"}


def test_locked_participant_is_rejected_with_the_sentence_and_the_others_go_in(site, tmp_path):
    one, two = site.first.study_number, site.second.study_number
    locks.freeze(target=locks.Target(site.study, site.first.center, site.first), by=site.people["data_manager"], reason="visit")
    run = planned(site, table(tmp_path, "study_number,afp,hbv", f"{one},5,yes", f"{two},7,no"))
    assert cells(run) == {(one, "afp"): "rejected", (one, "hbv"): "rejected", (two, "afp"): "new", (two, "hbv"): "new"}
    assert {cell["sentence"] for cell in run.cells if cell["subject"] == one} == {
        "This is locked. If a correction is needed, ask for an unlock with a reason."
    }
    value_import.execute(run=run, by=site.people["data_manager"])
    assert (held(site.first), set(held(site.second))) == ({}, {"afp", "hbv"})


def test_withdrawn_participant_is_rejected_with_the_sentence_and_the_others_go_in(site, tmp_path):
    """EN-04 b: a value without a reason; it stops nobody else's."""
    one, two = site.first.study_number, site.second.study_number
    by, day = site.people["site_pi01"], site.study.today()
    enrollment.withdraw(participant=site.first, how_far="no_new_data", on=day, reason="moved away", by=by)
    run = planned(site, table(tmp_path, "study_number,afp", f"{one},5", f"{two},7"))
    assert cells(run) == {(one, "afp"): "rejected", (two, "afp"): "new"}


def test_plan_of_one_language_is_executed_in_the_other(site, tmp_path):
    """The sentences beside rejected cells are the reader's; the plan is not."""
    run = planned(site, table(tmp_path, "study_number,afp,hbv", f"{site.first.study_number},5,maybe"))
    with translation.override("zh-hans"):
        run = value_import.execute(run=run, by=site.people["data_manager"])
    assert held(site.first)["afp"]["value"] == "5"


def test_import_locks_all_its_participants_at_once_in_one_order(site, tmp_path):
    """Two imports of the same people in different orders of rows never wait for each other in a ring."""
    one, two = site.first.study_number, site.second.study_number
    with CaptureQueriesContext(connection) as queries:
        planned(site, table(tmp_path, "study_number,afp", f"{two},7", f"{one},5"))
    locking = [query["sql"] for query in queries if "FOR NO KEY UPDATE" in query["sql"] and "studies_participant" in query["sql"]]
    assert (one in locking[0], two in locking[0], 'ORDER BY "studies_participant"."id" ASC' in locking[0]) == (True, True, True)


def test_overwriting_needs_a_reason_and_importing_the_permission(site, tmp_path):
    path = table(tmp_path, "study_number,afp", f"{site.first.study_number},5")
    with pytest.raises(ValidationError, match="overwritten"):
        planned(site, path, overwrite=True)
    for name in ("coordinator01", "monitor", "investigator"):
        with pytest.raises(PermissionDenied):
            value_import.plan(study=site.study, path=path, by=site.people[name])


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        (["number,afp", "1,2"], "no_key"),
        (["study_number,name", "1,2"], "no_items"),
        (["study_number,afp,甲胎蛋白", "1,2,3"], "item_twice"),
    ],
)
def test_table_of_something_else_is_refused(site, tmp_path, lines, code):
    with pytest.raises(Refused) as refused:
        planned(site, table(tmp_path, *lines))
    assert refused.value.code == code


def test_outside_an_import_a_data_manager_still_enters_nothing(site):
    """The door opens for the import's own calls only."""
    with pytest.raises(PermissionDenied):
        entry.record(participant=site.first, form="laboratory", values={"afp": Value("6")}, by=site.people["data_manager"])


def client(site, name="data_manager"):
    made = Client()
    made.force_login(site.people[name])
    return made


def test_pages_lead_from_the_file_to_the_result_and_back(site, tmp_path):
    """Upload, dry run, confirm, rejected cells as CSV, undo file, undo; each download is recorded."""
    browser, one = client(site), site.first.study_number
    book = openpyxl.Workbook()
    for row in (["study_number", "afp", "albumin"], [one, 5, 4000]):
        book.active.append(row)
    book.save(tmp_path / "t.xlsx")
    sent = SimpleUploadedFile("patients of Dr Li.xlsx", (tmp_path / "t.xlsx").read_bytes())
    answer = browser.post(reverse("imports"), {"file": sent, "overwrite": "no"}, follow=True)
    run = ImportRun.objects.get()
    assert answer.redirect_chain[-1][0] == reverse("import", args=[run.uuid])
    assert "Dr Li" not in answer.content.decode()
    assert held(site.first) == {}
    assert browser.post(reverse("import-execute", args=[run.uuid]), {"plan": "0" * 64}).status_code == 400
    browser.post(reverse("import-execute", args=[run.uuid]), {"plan": run.plan})
    assert held(site.first) == {"afp": {"value": "5", "source": "imported"}}
    refused = browser.get(reverse("import-refused", args=[run.uuid])).content.decode("utf-8-sig").splitlines()
    assert refused[0] == "line,subject,column,target,text,sentence"
    assert refused[1].startswith(f"2,{one},albumin,albumin,4000,")
    assert browser.get(reverse("import-undo-file", args=[run.uuid])).json()["run"] == str(run.uuid)
    assert AccessRecord.objects.filter(kind="export", subject=f"import {run.uuid}", detail__study="TEST").count() == 2
    assert browser.post(reverse("import-undo", args=[run.uuid]), {"reason": " "}).status_code == 400
    browser.post(reverse("import-undo", args=[run.uuid]), {"reason": "test"})
    assert held(site.first) == {}


def data_manager_of_another_study():
    system, since = User.objects.system(), date(2026, 1, 1)
    study = setup.create_study(
        code="OTHER", title_zh="别的", title_en="Other", protocol_id="hcc_adjuvant", accrual_from=since, synthetic=True, by=system
    )
    person = people.create_user(username="elsewhere", display_name="elsewhere", password=world.PASSWORD, by=system)
    setup.add_member(study=study, user=person, role="data_manager", since=since, by=system)
    return person


def test_import_of_another_study_is_not_there_and_a_center_has_none(site, tmp_path):
    """SE-04: 404 for data managers of other studies and for everybody at a center, who is told 403 of the list."""
    run = planned(site, table(tmp_path, "study_number,afp", f"{site.first.study_number},5"))
    for person in (data_manager_of_another_study(), site.people["coordinator01"], site.people["site_pi01"]):
        browser = Client()
        browser.force_login(person)
        assert browser.get(reverse("import", args=[run.uuid])).status_code == 404
        assert browser.post(reverse("import-execute", args=[run.uuid]), {"plan": run.plan}).status_code == 404
    assert client(site, "coordinator01").get(reverse("imports")).status_code == 403
    assert held(site.first) == {}


def test_api_does_what_the_pages_do(site, tmp_path):
    browser = client(site)
    sent = SimpleUploadedFile("t.csv", f"study_number,afp\n{site.first.study_number},5\n".encode())
    made = browser.post(reverse("api-import-list"), {"study": site.study.code, "file": sent}).json()
    assert made["counts"] == {"new": 1}
    address = {name: reverse(f"api-import-{name}", args=[made["uuid"]]) for name in ("cells", "execute", "undo")}
    assert browser.get(address["cells"]).json()["results"][0]["verdict"] == "new"
    assert browser.post(address["execute"], {"plan": "x"}, content_type="application/json").status_code == 400
    assert browser.post(address["execute"], {"plan": made["plan"]}, content_type="application/json").json()["status"] == "executed"
    assert held(site.first)["afp"]["value"] == "5"
    assert browser.post(address["undo"], {"reason": "test"}, content_type="application/json").json()["status"] == "undone"
    assert held(site.first) == {}


@pytest.mark.parametrize("name", ["t.xlsx", "t.csv", "t"])
def test_workbook_is_known_by_its_bytes_whatever_it_is_called(site, tmp_path, name):
    book = openpyxl.Workbook()
    for row in (["study_number", "afp"], [site.first.study_number, 5]):
        book.active.append(row)
    book.save(tmp_path / "t.xlsx")
    content, browser = (tmp_path / "t.xlsx").read_bytes(), client(site)
    told = browser.post(
        reverse("api-import-list"), {"study": site.study.code, "file": SimpleUploadedFile(name, content), "reason": "", "encoding": ""}
    )
    assert (told.status_code, told.json()["counts"]) == (201, {"new": 1})
    assert browser.post(reverse("imports"), {"file": SimpleUploadedFile(name, content)}).status_code == 302
    assert (
        browser.post(reverse("api-import-list"), {"study": site.study.code, "file": SimpleUploadedFile(name, b"PK\3\4")}).status_code == 400
    )


def test_lists_take_the_same_queries_however_long(site, tmp_path):
    """Done 7: neither the list of imports nor that of cells asks more of the database when it grows."""
    one, two = site.first.study_number, site.second.study_number
    browser = client(site)

    def asked():
        counts = []
        for address in (reverse("imports"), reverse("import", args=[ImportRun.objects.first().uuid])):
            with CaptureQueriesContext(connection) as queries:
                assert browser.get(address).status_code == 200
            counts.append(len(queries))
        return counts

    planned(site, table(tmp_path, "study_number,afp", f"{one},5"))
    short = asked()
    for number in range(3):
        planned(site, table(tmp_path, "study_number,afp,hbv,albumin", f"{one},{number + 1},yes,41", f"{two},7,no,40"))
    assert asked() == short
