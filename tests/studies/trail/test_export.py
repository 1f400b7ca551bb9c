"""The whole trail as a file: complete, checked by its own manifest, recorded, and without a word of any prediction (AU-03, BL-01)."""

import csv
import io
import json
import zipfile

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import audit
from accounts.models import AccessRecord
from studies import screening
from studies.models import Study
from studies.trail import bundle, export
from studies.trail.kinds import KINDS
from tests import world
from tests.gates import rules
from tests.gates.test_addresses import objects_at
from tests.predictions import sealed_world
from tests.studies import world as worlds
from tests.studies.locking.signed_world import patient, signed


@pytest.fixture
def site(db):
    return world.build()


def written(study):
    file = io.BytesIO()
    digest, events = export.write(study=study, file=file, by="test", at=timezone.now())
    return file, digest, events


def lines(file, name):
    with zipfile.ZipFile(file) as archive:
        return [json.loads(line) for line in archive.read(name).decode().splitlines()]


def test_every_event_of_the_study_is_in_the_file_and_of_no_other(site):
    """AU-03: what the history tables hold of this study, row by row."""
    signed(site, patient(site))
    other = worlds.build("OTHER")
    worlds.enrolled(other)
    file, digest, events = written(site.study)
    with zipfile.ZipFile(file) as archive:
        manifest = json.loads(archive.read("manifest.json"))
    rows = {one["name"]: one["rows"] for one in manifest["files"]}
    mine, both = 0, 0
    for label, kind in KINDS.items():
        mine += rows[f"events/{label}.jsonl"]
        both += kind.events.objects.count()
    others = sum(kind.events.objects.filter(kind.in_study(other.study)).count() for kind in KINDS.values())
    assert mine == events == both - others
    assert rows["events/studies.Participant.jsonl"] == 1
    assert rows["events/studies.Milestone.jsonl"] >= 3
    assert bundle.verify(file, digest) == []


def test_what_a_person_took_from_another_study_is_not_told_in_this_one(site):
    """AU-03: a person of two studies: each trail holds what names its study, and what names none."""
    manager = site.people["data_manager"]
    for subject, detail in (("cut", {"study": "OTHER", "rows": 7}), ("cut", {"study": "TEST", "rows": 8}), ("participant x", {})):
        audit.record(kind="export" if detail else "read", by=manager, subject=subject, detail=detail)
    file, _, _ = written(site.study)
    assert [line["detail"] for line in lines(file, "access.jsonl") if line["by"] == manager.username] == [{"study": "TEST", "rows": 8}, {}]


def test_change_is_told_with_old_and_new_value_and_reason(site):
    line = world.screened(site)
    screening.amend(screening=line, reason="=cmd|calc", age_at_surgery=59, by=site.people["coordinator01"])
    file, _, _ = written(site.study)
    with zipfile.ZipFile(file) as archive:
        text = archive.read("changes.csv").decode()
    assert text.startswith("\ufeffat_utc,by,login,action,reason,")
    with zipfile.ZipFile(file) as archive:
        told = {one["name"]: one["rows"] for one in json.loads(archive.read("manifest.json"))["files"]}
    assert told["changes.csv"] == len(list(csv.reader(io.StringIO(text)))) - 1
    [row] = [row for row in text.splitlines() if ",age_at_surgery,58,59" in row]
    assert ",coordinator01,prime_owner,screening.amended,'=cmd|calc,studies.Screening,," in row
    [first, second] = [row for row in lines(file, "events/studies.Screening.jsonl")]
    assert (first["row"]["age_at_surgery"], second["row"]["age_at_surgery"]) == (58, 59)
    assert second["context"]["reason"] == "=cmd|calc"


def test_every_kind_of_record_can_be_written(site, tmp_path, settings):
    """AU-03: one record of each kind that an address can name, numbers with a fraction and images included."""
    settings.VAR = tmp_path
    objects_at(site, "01", world.enrolled(site), tmp_path)
    file, digest, _ = written(site.study)
    assert bundle.verify(file, digest) == []
    [told] = lines(file, "events/studies.ReferenceRange.jsonl")
    assert (told["row"]["low"], told["row"]["high"]) == ("15", "40")


@pytest.mark.parametrize("harm", ["byte", "row", "file", "more", "cut"])
def test_verify_names_what_was_changed(site, harm, tmp_path):
    """AU-03: one flipped byte, a lost row, a lost or a foreign file, a cut end."""
    patient(site)
    file, digest, _ = written(site.study)
    harmed = io.BytesIO()
    with zipfile.ZipFile(file) as archive, zipfile.ZipFile(harmed, "w") as other:
        for name in archive.namelist():
            data = archive.read(name)
            if name == "events/studies.Participant.jsonl":
                if harm == "file":
                    continue
                data = {"byte": data.replace(b"enrolled", b"enrolleD", 1), "row": data.split(b"\n", 1)[1]}.get(harm, data)
            other.writestr(name, data)
        if harm == "more":
            other.writestr("events/more.jsonl", b"{}\n")
    if harm == "cut":
        harmed = io.BytesIO(file.getvalue()[:-200])
    assert bundle.verify(harmed, digest) != []
    assert bundle.verify(file, "0" * 64) != []


def test_page_gives_the_file_and_records_that_it_was_taken(site):
    """The download stays on record with the hash of its manifest; a monitor reads the trail but takes no copy."""
    patient(site)
    client = Client()
    client.force_login(site.people["data_manager"])
    answer = client.post(reverse("trail-export"))
    data = b"".join(answer.streaming_content)
    [taken] = AccessRecord.objects.filter(kind="export")
    assert bundle.verify(io.BytesIO(data), taken.detail["manifest_sha256"]) == []
    assert taken.detail["manifest_sha256"][:12] in answer["Content-Disposition"]
    assert answer["Content-Disposition"].startswith('attachment; filename="SYNTHETIC-TEST-trail-')
    assert taken.detail["manifest_sha256"] in client.get(reverse("trail")).content.decode()
    client.force_login(site.people["monitor"])
    assert client.get(reverse("trail")).status_code == 200
    assert client.post(reverse("trail-export")).status_code == 403
    assert AccessRecord.objects.filter(kind="export").count() == 1


def test_command_writes_and_verifies(site, tmp_path, capsys):
    patient(site)
    out = tmp_path / "trail.zip"
    call_command("trail", "export", "--study", "TEST", "--out", str(out), "--json")
    said = json.loads(capsys.readouterr().out)
    call_command("trail", "verify", str(out), "--manifest", said["manifest_sha256"])
    out.write_bytes(out.read_bytes()[:-300])
    with pytest.raises(SystemExit) as ended:
        call_command("trail", "verify", str(out))
    assert ended.value.code == 1
    with pytest.raises(CommandError) as refused:
        call_command("trail", "export", "--study", "NONE", "--out", str(tmp_path / "x.zip"))
    assert refused.value.returncode == 2


def test_nothing_of_a_prediction_is_in_the_trail(site, settings, tmp_path):
    """BL-01: with sealed predictions in the database, no event names their tables or holds the canary."""
    settings.VAR = tmp_path
    (tmp_path / "inbox").mkdir()
    sealed_world.prepare(site, rules.canary())
    sealed_world.complete(site, "01", afp="30000")
    call_command("infer", "--once", "--study", "TEST")
    file, _, _ = written(Study.objects.get(pk=site.study.pk))
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
        text = b"".join(archive.read(name) for name in names).decode()
    assert "sealed" in text
    assert not [name for name in names if "predictions" in name or "analysis" in name]
    for word in ("0.123456789", "recommended", "ciphertext", "artefact"):
        assert word not in text, word
