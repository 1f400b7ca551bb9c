"""The privileges in the catalogue are the privileges in the table (SE-09)."""

import contextlib

import pytest
from django.db import connection
from psycopg import errors, sql

from prime_platform import isolation, privileges

GRANTED = """
SELECT table_name, grantee, string_agg(CASE privilege_type WHEN 'SELECT' THEN 'S' WHEN 'INSERT' THEN 'I' WHEN 'UPDATE' THEN 'U'
    WHEN 'DELETE' THEN 'D' ELSE privilege_type END, '')
FROM information_schema.role_table_grants WHERE table_schema = 'public' AND grantee <> 'prime_owner' GROUP BY 1, 2
"""


@pytest.mark.django_db
def test_catalogue_equals_the_table():
    with connection.cursor() as cursor:
        cursor.execute(GRANTED)
        granted = {(table, login): set(letters) for table, login, letters in cursor.fetchall()}
    expected = {(table, login): set(letters) for table, rule in privileges.tables().items() for login, letters in rule.items() if letters}
    assert granted == expected


@pytest.mark.django_db
def test_nothing_is_granted_to_everybody_or_by_column():
    """SE-09: the table of rules is all there is; a grant to PUBLIC or of one column would stand beside it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT table_name FROM information_schema.table_privileges WHERE table_schema = 'public' AND grantee = 'PUBLIC'")
        assert cursor.fetchall() == []
        cursor.execute(
            "SELECT DISTINCT table_name, grantee, privilege_type FROM information_schema.column_privileges"
            " WHERE table_schema = 'public' AND grantee <> 'prime_owner'"
        )
        by_column = set(cursor.fetchall())
    rules = {
        (table, login, privileges.VERBS[letter])
        for table, rule in privileges.tables().items()
        for login, letters in rule.items()
        for letter in letters
        if letter != "D"
    }
    assert by_column == rules


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("login", privileges.LOGINS)
def test_every_forbidden_select_is_refused_to_the_login_itself(login_connection, login):
    """SE-09: asked as the login, table by table: what the matrix does not grant answers "permission denied", the rest answers."""
    site, answered = login_connection(login.removeprefix("prime_")), set()
    for table in privileges.tables():
        with contextlib.suppress(errors.InsufficientPrivilege):
            site.execute(sql.SQL("SELECT 1 FROM {} LIMIT 0").format(sql.Identifier(table)))
            answered.add(table)
    assert answered == {table for table, rule in privileges.tables().items() if "S" in rule.get(login, "")}
    assert answered != set(privileges.tables())


@pytest.mark.django_db
def test_site_logins_own_nothing_and_are_no_superusers():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT rolname FROM pg_roles WHERE rolname = ANY(%s)"
            " AND (rolsuper OR rolcreaterole OR rolcreatedb OR rolbypassrls OR rolreplication)",
            [list(privileges.LOGINS)],
        )
        assert cursor.fetchall() == []
        cursor.execute(
            "SELECT relname FROM pg_class JOIN pg_roles r ON r.oid = relowner WHERE r.rolname = ANY(%s)", [list(privileges.LOGINS)]
        )
        assert cursor.fetchall() == []


DOORS = {
    "prime_web": {"ledger_append", "reach_of", "reach_over"},
    "prime_worker": {"ledger_append"},
    "prime_infer": {"ledger_append"},
}
"""The functions that run as the owner and may be called: none of them shows a row of a patient, a seal or a model."""
CALLABLE = """
SELECT DISTINCT proname FROM pg_proc WHERE prosecdef AND pronamespace = 'public'::regnamespace AND prorettype <> 'trigger'::regtype
AND has_function_privilege(%s, oid, 'EXECUTE')
"""
STRONGER = "SELECT rolname FROM pg_roles WHERE rolname <> %s AND pg_has_role(%s, oid, 'MEMBER')"
ELSEWHERE = """
SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname NOT IN ('public', 'pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg_toast%%'
AND c.relkind IN ('r', 'p', 'v', 'm') AND has_schema_privilege(%s, n.oid, 'USAGE') AND has_table_privilege(%s, c.oid, 'SELECT')
"""


@pytest.mark.django_db
@pytest.mark.parametrize("login", privileges.LOGINS)
def test_no_way_leads_around_the_table_of_rules(login):
    """SE-09: a closed list of functions that run as the owner, no membership in a stronger role, nothing to read in another schema."""
    with connection.cursor() as cursor:
        cursor.execute(CALLABLE, [login])
        assert {name for (name,) in cursor.fetchall()} == DOORS[login]
        cursor.execute(STRONGER, [login, login])
        assert cursor.fetchall() == []
        cursor.execute(ELSEWHERE, [login, login])
        assert cursor.fetchall() == []


@pytest.mark.django_db
def test_way_around_is_found():
    """Teeth: a function that runs as the owner and that nobody closed may be called by everybody."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE FUNCTION tells() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT count(*) FROM predictions_seal'")
        cursor.execute(CALLABLE, ["prime_worker"])
        assert {name for (name,) in cursor.fetchall()} == DOORS["prime_worker"] | {"tells"}


def test_history_is_writable_by_no_login():
    events = {table: rule for table, rule in privileges.tables().items() if table.endswith("event")}
    assert events
    assert all(set(letters) <= {"S"} for rule in events.values() for letters in rule.values())


def test_every_table_of_the_rooms_has_a_rule_for_its_rows():
    """SE-03: a table that nobody thought about shows the site nothing, and fails here; docs/isolation.md says how one gets a rule."""
    found = isolation.rules()
    assert [table for table, rule in found.items() if rule is None] == []
    assert len([rule for rule in found.values() if rule and not rule.open_because]) > 40
