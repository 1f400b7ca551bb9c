"""A new version of the dictionary: what it would touch is shown first, and nothing recorded is changed or lost by it."""

from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.test import Client
from django.urls import reverse

from accounts import audit
from studies import dictionary, dictionary_diff, entry
from studies.entries import versions
from studies.models import Entry, Participant, Study
from studies.values import Value
from studies.vocabulary import Role
from tests.studies import world as worlds
from tests.studies.test_dictionary import FILE, changed, item_of, items_of
from tests.studies.world import World


def _next(data: dict[str, Any]) -> None:
    """Version 1.1: albumin above 45 is refused, M2 is gone, prealbumin is asked no more, a question is new, CRP moves."""
    data["version"] = "1.1"
    item_of(data, "albumin").update(high="45", soft_high="45")
    item_of(data, "mvi")["options"] = [option for option in item_of(data, "mvi")["options"] if option["code"] != "M2"]
    sections = {section["code"]: section for form in data["forms"] for section in form["sections"]}
    sections["liver_tests"]["items"].remove(item_of(data, "prealbumin"))
    ki67 = {"code": "ki67", "kind": "integer", "unit": "%", "low": "0", "high": "100", "text": {"zh": "Ki-67", "en": "Ki-67"}}
    sections["report"]["items"].append(ki67)
    sections["report"]["items"].append(item_of(data, "crp"))
    sections["kidney_electrolytes"]["items"].pop()


NEXT = changed(_next)


@pytest.fixture(autouse=True)
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shelf of this test's own with 1.0 on it; 1.1 comes once the world is built."""
    (tmp_path / "a.yaml").write_text(FILE.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(dictionary, "FOLDER", tmp_path)


@pytest.fixture
def participant(world: World, tmp_path: Path) -> Participant:
    made = worlds.enrolled(world)
    texts = {"albumin": "50", "mvi": "M2", "prealbumin": "200", "afp": "20"}
    entry.record_texts(participant=made, texts=texts, by=world.coordinator, submit=True)
    (tmp_path / "b.yaml").write_text(yaml.safe_dump(NEXT, allow_unicode=True), encoding="utf-8")
    dictionary._read.cache_clear()
    return made


def adopted(world: World, reason: str = "amendment 2") -> Study:
    digest = dictionary.load("hcc_adjuvant", "1.1").digest
    return versions.adopt(study=world.study, version="1.1", digest=digest, reason=reason, by=world.people[Role.DATA_MANAGER])


def test_every_difference_is_named_and_the_forms_it_touches_are_counted(world: World, participant: Participant) -> None:
    """Albumin 50 and M2 no longer fit; 200 of prealbumin is asked no more."""
    shown = {touched.difference.code: touched for touched in versions.preview(world.study, "1.1")}
    told = {code: (one.difference.what, one.difference.parts, one.held, one.unfit) for code, one in shown.items()}
    assert told == {
        "albumin": ("changed", ("high", "soft_high"), 1, 1),
        "mvi": ("changed", ("options",), 1, 1),
        "crp": ("changed", ("section", "form"), 0, 0),
        "prealbumin": ("removed", (), 1, 0),
        "ki67": ("added", (), 0, 0),
    }


def test_same_version_differs_in_nothing() -> None:
    book = dictionary.load("hcc_adjuvant", "1.0")
    assert dictionary_diff.differences(book, book) == []


def test_nothing_recorded_is_changed_and_entries_remember_their_version(world: World, participant: Participant) -> None:
    before = list(Entry.objects.order_by("pk").values_list("values", "dictionary_version"))
    study = adopted(world)
    assert study.dictionary.version == "1.1"
    assert list(Entry.objects.order_by("pk").values_list("values", "dictionary_version")) == before
    assert entry.flat([participant])[participant.pk] == {"albumin": "50", "mvi": "M2", "prealbumin": "200", "afp": "20"}
    [event] = [each for each in audit.history(study) if each.pgh_context["action"] == "study.dictionary_adopted"]
    assert (event.dictionary_version, event.pgh_context["reason"]) == ("1.1", "amendment 2")


def test_next_save_is_by_the_new_version_and_keeps_what_is_asked_no_more(world: World, participant: Participant) -> None:
    adopted(world)
    person = Participant.objects.select_related("study", "center").get(pk=participant.pk)
    with pytest.raises(ValidationError):
        entry.record_texts(participant=person, texts={"albumin": "51"}, by=world.coordinator, reason="again")
    with pytest.raises(ValidationError):
        entry.record_texts(participant=person, texts={"prealbumin": "210"}, by=world.coordinator, reason="again")
    [row] = entry.record_texts(participant=person, texts={"afp": "21"}, by=world.coordinator, reason="misread")
    assert row.dictionary_version == "1.1"
    assert (row.values["prealbumin"]["value"], row.values["albumin"]["value"]) == ("200", "50")


def test_page_of_the_form_still_shows_what_is_asked_no_more(world: World, participant: Participant) -> None:
    adopted(world)
    client = Client()
    client.force_login(world.coordinator)
    client.post(reverse("language"), {"language": "en"})
    page = client.get(reverse("form", args=[participant.uuid, "laboratory"]))
    assert page.context["retired"] == [("prealbumin", "200 mg/L")]


def test_only_what_was_shown_can_be_adopted_with_a_reason_by_the_data_manager(world: World, participant: Participant) -> None:
    manager = world.people[Role.DATA_MANAGER]
    digest = dictionary.load("hcc_adjuvant", "1.1").digest
    for given in ({"digest": digest, "reason": " "}, {"digest": "0" * 64, "reason": "amendment 2"}):
        with pytest.raises(ValidationError):
            versions.adopt(study=world.study, version="1.1", by=manager, **given)
    with pytest.raises(PermissionDenied):
        versions.adopt(study=world.study, version="1.1", digest=digest, reason="amendment 2", by=world.coordinator)


def test_version_without_a_baseline_item_is_refused(world: World, participant: Participant, tmp_path: Path) -> None:
    data = changed(lambda data: (data.update(version="1.2"), items_of(data, "tumour")))
    sections = {section["code"]: section for form in data["forms"] for section in form["sections"]}
    sections["stage"]["items"].remove(item_of(data, "cnlc"))
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(data, allow_unicode=True), encoding="utf-8")
    dictionary._read.cache_clear()
    digest = dictionary.load("hcc_adjuvant", "1.2").digest
    with pytest.raises(ValidationError, match="cnlc"):
        versions.adopt(study=world.study, version="1.2", digest=digest, reason="amendment 3", by=world.people[Role.DATA_MANAGER])


def test_data_manager_sees_the_differences_before_he_adopts(world: World, participant: Participant) -> None:
    client = Client()
    client.force_login(world.people[Role.DATA_MANAGER])
    client.post(reverse("language"), {"language": "en"})
    page = client.get(reverse("dictionary"), {"version": "1.1"})
    rows = {row["code"]: row for row in page.context["rows"]}
    assert rows["albumin"]["parts"][0] == "highest possible 70 → 45"
    assert rows["mvi"]["parts"] == ["answers −M2"]
    assert (rows["albumin"]["held"], rows["albumin"]["unfit"]) == (1, 1)
    sent = {"version": "1.1", "digest": page.context["chosen"].digest}
    assert client.post(reverse("dictionary"), sent).status_code == 400
    assert client.post(reverse("dictionary"), {**sent, "reason": "amendment 2"}).status_code == 302
    assert Study.objects.get(pk=world.study.pk).dictionary_version == "1.1"
    assert client.get(reverse("dictionary"), {"version": "9"}).status_code == 404
    client.force_login(world.coordinator)
    assert client.get(reverse("dictionary")).status_code == 403


@pytest.fixture
def old_baseline(world: World) -> Any:
    """{model name: model} of the table that a later migration took away, made anew with its triggers."""
    apps = MigrationLoader(connection).project_state(("studies", "0011_entries")).apps
    old = {name: apps.get_model("studies", name) for name in ("Baseline", "BaselineEvent")}
    with connection.schema_editor() as editor:
        editor.create_model(old["Baseline"])
    return old


def test_old_baselines_became_forms_save_by_save_and_go_back(world: World, old_baseline: Any) -> None:
    """Migration 0012 over rows: who, why and what of every save of a baseline stands in the history of the forms that it changed."""
    participant, migration = worlds.enrolled(world), import_module("studies.migrations.0012_baseline_into_entries")
    new = {"Study": Study, "Entry": Entry}
    apps = SimpleNamespace(get_model=lambda app, name: {**new, **old_baseline}[name])
    saves = [
        (20, {"albumin": "41", "hbv": "yes"}, "li.wei", ""),
        (25, {"albumin": "39", "hbv": "yes"}, "zhao.min", "misread"),
    ]
    for day, values, who, reason in saves:
        at = {"recorded_at": datetime(2026, 3, day, tzinfo=UTC), "recorded_by_id": world.coordinator.pk}
        with audit.act(by=SimpleNamespace(username=who, uuid=""), action="baseline.recorded", reason=reason):
            old_baseline["Baseline"].objects.update_or_create(participant_id=participant.pk, defaults={"values": values, **at})
    migration.forward(apps, None)
    assert entry.flat([participant], submitted=True) == {participant.pk: {"albumin": "39", "hbv": "yes"}}
    story = {
        row.form: [(step.pgh_context["by"], step.pgh_context["reason"], step.values) for step in audit.history(row).order_by("pgh_id")]
        for row in participant.entries.all()
    }
    assert story == {
        "laboratory": [("li.wei", "", {"albumin": {"value": "41"}}), ("zhao.min", "misread", {"albumin": {"value": "39"}})],
        "liver": [("li.wei", "", {"hbv": {"value": "yes"}})],
    }
    entry.record(participant=participant, form="liver", values={"hbv": Value("no")}, reason="misread", by=world.coordinator)
    migration.backward(apps, None)
    assert old_baseline["Baseline"].objects.get(participant_id=participant.pk).values == {"albumin": "39", "hbv": "no"}
