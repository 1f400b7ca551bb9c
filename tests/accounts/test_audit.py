"""The trail and its walls, tried with the site's real logins (AU-01, AU-02)."""

import psycopg
import pytest
from django.db import DatabaseError, connection, transaction
from psycopg import errors

from accounts import audit, people
from accounts.models import AccessRecord, User


@pytest.fixture
def person(db) -> User:
    return people.create_user(username="liu", display_name="刘", password="correct horse battery", by=User.objects.system())


def test_act_records_who_did_what_and_why(person):
    with transaction.atomic(), audit.act(by=person, action="user.renamed", reason="typing error"):
        person.display_name = "刘一"
        person.save()
    last = audit.history(person).last()
    assert last.display_name == "刘一"
    assert {key: last.pgh_context[key] for key in ("by", "action", "reason", "login")} == {
        "by": "liu",
        "action": "user.renamed",
        "reason": "typing error",
        "login": "prime_owner",
    }


@pytest.mark.parametrize(
    "write",
    [
        lambda user: user.save(),
        lambda user: User.objects.filter(pk=user.pk).update(display_name="x"),
        lambda user: User.objects.bulk_update([user], ["display_name"]),
        lambda user: connection.cursor().execute("UPDATE accounts_user SET display_name = 'x' WHERE id = %s", [user.pk]),
        lambda user: user.delete(),
        lambda user: User.objects.create(username="ghost", display_name="ghost"),
    ],
    ids=["save", "update", "bulk_update", "raw", "delete", "create"],
)
def test_write_outside_act_is_refused(person, write):
    """AU-02: whatever road a write takes, the guard stands on it."""
    person.display_name = "changed"
    with pytest.raises(DatabaseError, match=r"outside audit\.act"), transaction.atomic():
        write(person)


@pytest.mark.parametrize("road", ["update", "bulk_update", "raw"])
def test_every_road_leaves_a_trail(person, road):
    """AU-02: QuerySet.update, bulk_update and raw SQL are recorded as save() is."""
    with transaction.atomic(), audit.act(by=person, action="test"):
        person.display_name = road
        match road:
            case "update":
                User.objects.filter(pk=person.pk).update(display_name=road)
            case "bulk_update":
                User.objects.bulk_update([person], ["display_name"])
            case "raw":
                connection.cursor().execute("UPDATE accounts_user SET display_name = %s WHERE id = %s", [road, person.pk])
    assert list(audit.history(person).values_list("display_name", flat=True)) == ["刘", road]


def test_rolled_back_write_leaves_no_trail(person):
    before = audit.history(person).count()
    with pytest.raises(RuntimeError, match="undo"), transaction.atomic(), audit.act(by=person, action="test"):
        person.display_name = "never"
        person.save()
        raise RuntimeError("undo")
    assert audit.history(person).count() == before


def test_nested_acts_restore_the_outer_one(person):
    other = people.create_user(username="wang", display_name="王", password="correct horse battery", by=person)
    with transaction.atomic(), audit.act(by=person, action="outer"):
        with audit.act(by=other, action="inner"):
            User.objects.filter(pk=person.pk).update(display_name="1")
        User.objects.filter(pk=person.pk).update(display_name="2")
    contexts = [event.pgh_context for event in audit.history(person)]
    assert [(c["by"], c["action"]) for c in contexts[-2:]] == [("wang", "inner"), ("liu", "outer")]


@pytest.mark.django_db(transaction=True)
def test_act_needs_a_transaction():
    with pytest.raises(RuntimeError, match=r"transaction\.atomic"), audit.act(by=User.objects.system(), action="test"):
        pass


def test_password_is_in_no_history(person):
    columns = {field.name for field in audit.history(person).model._meta.get_fields()}
    assert "password" not in columns


def test_new_password_needs_no_act(person):
    """Argon2 parameters grow; the hash is then renewed while somebody signs in."""
    person.set_password("another horse battery")
    person.save(update_fields=["password"])


REFUSED = [
    "UPDATE accounts_userevent SET display_name = 'forged'",
    "DELETE FROM accounts_userevent",
    "TRUNCATE accounts_userevent",
    "INSERT INTO accounts_userevent SELECT * FROM accounts_userevent",
    "UPDATE accounts_accessrecord SET username = 'forged'",
    "DELETE FROM accounts_accessrecord",
    "TRUNCATE accounts_accessrecord",
    "UPDATE accounts_ledgerrow SET body = ''",
    "DELETE FROM accounts_ledgerrow",
    "TRUNCATE accounts_ledgerrow",
    "INSERT INTO accounts_ledgerrow (study) VALUES ('X')",
    "INSERT INTO accounts_ledgerwriter (login, kind) VALUES ('prime_web', 'seal')",
    "ALTER TABLE accounts_user DISABLE TRIGGER ALL",
    "DROP TRIGGER pgtrigger_guard_a ON accounts_user",
    "SET session_replication_role = replica",
    "SET ROLE prime_owner",
    "CREATE OR REPLACE FUNCTION public._pgtrigger_should_ignore(trigger_name name) RETURNS boolean LANGUAGE sql AS 'SELECT true'",
    "CREATE TABLE mine (x int)",
    "DELETE FROM accounts_user",
]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("statement", REFUSED)
@pytest.mark.parametrize("login", ["web", "worker"])
def test_site_login_cannot_touch_the_trail(login_connection, login, statement):
    """The audit, event and ledger tables, the triggers and the functions behind them."""
    with pytest.raises((errors.InsufficientPrivilege, errors.UndefinedObject)), login_connection(login) as site:
        site.execute(statement)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "switch",
    [
        "SET LOCAL pgtrigger.ignore = '{accounts_user:guard,accounts_user:insert_insert,accounts_user:update_update}'",
        "SET LOCAL pghistory.context_id = ''",
    ],
)
def test_switching_triggers_off_has_no_effect(login_connection, switch):
    """pgtrigger's own switch is void after the grants step: the guard still refuses, and history is still written."""
    site = login_connection("web")
    with pytest.raises(errors.InsufficientPrivilege, match="outside audit"), site.transaction():
        site.execute(switch)
        site.execute("UPDATE accounts_user SET display_name = 'unseen'")
    with site.transaction():
        site.execute(switch)
        site.execute('SELECT set_config(\'pghistory.context_metadata\', \'{"by": "x", "login": "prime_web"}\', true)')
        site.execute("UPDATE accounts_user SET display_name = 'seen' WHERE username = 'system'")
    assert site.execute("SELECT display_name, pgh_context->>'login' FROM accounts_userevent ORDER BY pgh_id DESC LIMIT 1").fetchone() == (
        "seen",
        "prime_web",
    )


@pytest.mark.django_db(transaction=True)
def test_login_in_the_trail_cannot_be_chosen(login_connection):
    """A web process that claims to be the owner is refused by the guard."""
    site = login_connection("web")
    with pytest.raises(errors.InsufficientPrivilege, match="outside audit"), site.transaction():
        site.execute('SELECT set_config(\'pghistory.context_metadata\', \'{"by": "x", "login": "prime_owner"}\', true)')
        site.execute("UPDATE accounts_user SET display_name = 'forged'")


def test_access_record_outlives_its_person(person):
    audit.record(kind=AccessRecord.Kind.READ, by=person, subject="participant", detail={"count": 1})
    assert AccessRecord.objects.get().username == "liu"


@pytest.mark.django_db(transaction=True)
def test_anonymous_connection_is_refused(login_connection):
    """No login without its own password: the socket trusts nobody."""
    info = login_connection("web").info
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(host=info.host, port=info.port, dbname=info.dbname, user="prime_owner", password="guess", connect_timeout=5)
