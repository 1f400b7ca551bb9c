"""One row is saved by one statement, and what the database refuses is said with the model's own sentence."""

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, models
from django.test.utils import CaptureQueriesContext
from django.utils import timezone, translation

from accounts import audit
from accounts.models import User
from accounts.saving import save_checked
from followup.models import Contact
from studies.models import Center
from tests import world

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def english():
    with translation.override("en"):
        yield


@pytest.fixture
def site():
    """A study, its system user acting."""
    built = world.build()
    with audit.act(by=User.objects.system(), action="test"):
        yield built


def contact(site, **given):
    row = Contact(participant=world.enrolled(site), on=timezone.localdate(), outcome="answered", vital="alive", recorded_at=timezone.now())
    row.recorded_by = site.people["coordinator01"]
    for name, value in given.items():
        setattr(row, name, value)
    return row


def test_row_is_saved_without_a_question_for_each_constraint(site):
    row = contact(site)
    with CaptureQueriesContext(connection) as asked:
        save_checked(row)
    checks = len(Contact._meta.constraints)
    foreign = sum(isinstance(each, models.ForeignKey) and not each.null for each in Contact._meta.fields)
    assert checks >= 4
    assert len(asked) == foreign + len(["savepoint", "insert", "release"])
    assert Contact.objects.get(pk=row.pk).outcome == "answered"


def test_what_a_check_refuses_is_said_and_the_transaction_goes_on(site):
    with pytest.raises(ValidationError, match="Nobody was reached, so nothing was learned"):
        save_checked(contact(site, outcome="no_answer"))
    assert not Contact.objects.exists()


def test_what_is_there_already_is_said(site):
    again = Center(study=site.study, code="01", name_zh="又一医院", name_en="Another")
    with pytest.raises(ValidationError, match="This study has a center of that code"):
        save_checked(again)
    assert Center.objects.filter(study=site.study, code="01").count() == 1


def test_field_that_is_not_clean_reaches_no_database(site):
    row = contact(site, outcome="sang a song")
    with CaptureQueriesContext(connection) as asked, pytest.raises(ValidationError, match="not a valid choice"):
        save_checked(row)
    assert not [each for each in asked if "INSERT" in each["sql"]]


def test_refusal_that_the_model_has_no_sentence_for_comes_through(site, monkeypatch):
    monkeypatch.setattr(Contact, "full_clean", lambda self: None)
    with pytest.raises(IntegrityError):
        save_checked(contact(site, outcome="no_answer"))
    assert Contact.objects.count() == 0
