"""Carry what was recorded as baseline into forms, save by save, so that the history of the forms tells the same story.

Each event of a baseline becomes a save of the forms whose values it changed, with the person, time and reason it had; the context
says that it was carried. Studies opened before there was a data dictionary follow version 1.0 of the one their protocol means.
"""

from types import SimpleNamespace

from django.db import migrations

from accounts import audit
from studies import dictionary

DICTIONARY = ("hcc_adjuvant", "1.0")
WHO = SimpleNamespace(username="system", uuid="")


def forward(apps, schema_editor):
    book = dictionary.load(*DICTIONARY)
    study, baseline = apps.get_model("studies", "Study"), apps.get_model("studies", "Baseline")
    with audit.act(by=WHO, action="study.dictionary_adopted", reason="there was none before"):
        study.objects.filter(dictionary_id="").update(
            dictionary_id=book.id, dictionary_version=book.version, dictionary_digest=book.digest
        )
    for row in baseline.objects.order_by("pk"):
        _carry(apps, book, row)


def _carry(apps, book, row):
    entries, before = {}, {}
    for event in apps.get_model("studies", "BaselineEvent").objects.filter(pgh_obj_id=row.pk).order_by("pgh_id"):
        context = event.pgh_context or {}
        who = SimpleNamespace(username=context.get("by", ""), uuid=context.get("by_uuid", ""))
        changed = {code for code in {*before, *event.values} if before.get(code) != event.values.get(code)}
        with audit.act(by=who, action="entry.recorded", reason=context.get("reason", ""), carried_from="studies.Baseline"):
            for form in book.forms:
                if changed & form.by_code.keys():
                    _save(apps, book, form, entries, event)
        before = event.values


def _save(apps, book, form, entries, event):
    entry = entries.get(form.code) or apps.get_model("studies", "Entry")(participant_id=event.participant_id, form=form.code)
    entry.values = {code: {"value": value} for code, value in event.values.items() if code in form.by_code}
    entry.dictionary_version, entry.status = book.version, "submitted"
    entry.recorded_at, entry.recorded_by_id = event.recorded_at, event.recorded_by_id
    entry.save()
    entries[form.code] = entry


def backward(apps, schema_editor):
    """The newest values into a baseline row again; what a baseline has no word for (reasons, comparators) stays in the forms' history."""
    entry, baseline = apps.get_model("studies", "Entry"), apps.get_model("studies", "Baseline")
    rows = {}
    for one in entry.objects.filter(occurrence="").order_by("recorded_at", "pk"):
        row = rows.setdefault(one.participant_id, baseline.objects.filter(participant_id=one.participant_id).first())
        row = rows[one.participant_id] = row or baseline(participant_id=one.participant_id, values={})
        row.values |= {code: value["value"] for code, value in one.values.items() if value.get("value")}
        row.recorded_at, row.recorded_by_id = one.recorded_at, one.recorded_by_id
    with audit.act(by=WHO, action="baseline.recorded", reason="carried back from forms"):
        for row in rows.values():
            row.save()


class Migration(migrations.Migration):
    dependencies = [("studies", "0011_entries")]
    operations = [migrations.RunPython(forward, backward)]
