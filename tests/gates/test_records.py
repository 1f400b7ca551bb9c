"""Every clinical model is known to history, signature and lock, or says why not; nothing of a prediction is (AU-01, AU-05, BL-01)."""

import pytest
from django.apps import apps
from django.db import connection
from pghistory.models import Event

from prime_platform import privileges, records
from studies.locking import guards
from studies.trail import kinds, wording
from studies.trail.kinds import KINDS

TRACKED = [model.pgh_tracked_model for model in apps.get_models() if issubclass(model, Event) and model.pgh_tracked_model is not None]


def test_every_tracked_model_of_data_entry_is_a_record_or_says_why_not():
    rooms = {"accounts", "studies", "imaging", "followup"}
    labels = {model._meta.label for model in TRACKED if model._meta.app_label in rooms and not model.__module__.startswith("tests")}
    assert labels - KINDS.keys() - records.NOT_RECORDS.keys() == set()
    assert all(records.NOT_RECORDS.values())


def test_every_column_that_a_history_names_has_words():
    """A column's own name is English, and no word that anybody at a hospital uses."""
    wordless = {
        f"{kind.label}.{column}"
        for kind in kinds.of_participants()
        for column in kind.columns
        if wording.worth_saying(column, is_new=True) and not column.endswith("_id") and wording.label_of(kind, column) == column
    }
    assert wordless == set()


def test_every_record_is_guarded_or_says_why_not():
    assert [kind.label for kind in KINDS.values() if (kind.guard is None) == (not kind.unguarded)] == []


def test_nothing_of_a_prediction_is_a_record():
    """BL-01: only models of data entry, and only what the web login may read."""
    assert {kind.model._meta.app_label for kind in KINDS.values()} <= {"accounts", "studies", "imaging", "followup"}
    for kind in KINDS.values():
        assert "S" in privileges.rule(kind.model).get("prime_web", ""), kind.label
        assert "S" in privileges.rule(kind.events).get("prime_web", ""), kind.label


@pytest.mark.django_db
def test_the_database_has_exactly_the_declared_triggers():
    with connection.cursor() as cursor:
        assert guards.standing(cursor) == set(guards.declared())


@pytest.mark.django_db
@pytest.mark.parametrize("label", sorted(KINDS))
def test_the_way_of_a_record_leads_to_its_place(label):
    """The SQL in the trigger is understood by the server, also for a row that is not there."""
    with connection.cursor() as cursor:
        cursor.execute(guards.place_of(KINDS[label]).replace("%", "%%").replace("$1", "%(row)s::jsonb"), {"row": "{}"})
        assert {column.name for column in cursor.description} == {"study_id", "center_id", "participant_id"}
