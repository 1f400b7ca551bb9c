"""`manage.py grants`: put the privileges of the site's logins in force. Run as the owner after every migrate."""

from typing import Any

from django.core.management.base import BaseCommand
from django.db import connection, transaction
from psycopg import sql

from accounts import ledger
from accounts.models import LedgerWriter
from prime_platform import isolation, privileges
from studies.locking import guards

# A trigger that can be told to stand aside by the session it watches is no trigger.
NEVER_IGNORE = """
CREATE OR REPLACE FUNCTION public._pgtrigger_should_ignore(trigger_name text) RETURNS boolean
LANGUAGE sql IMMUTABLE AS 'SELECT false'
"""
TRIGGER_FUNCTIONS = """
SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = 'public' AND p.prorettype = 'trigger'::regtype AND p.prosrc ~ '^\\s*(BEGIN|DECLARE|.)*INSERT INTO'
"""


class Command(BaseCommand):
    help = "Grant each database login exactly what docs/privileges.md says, and no more. Run it after every migrate."

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        with connection.cursor() as cursor:
            logins = existing(cursor)
            guards.install(cursor)
            close_history(cursor)
            made = set(connection.introspection.table_names(cursor))
            apart = isolation.policies()
            for table, rule in privileges.tables().items():
                if table in made:  # a model ahead of its migration has no table to grant
                    keep_apart(cursor, table, apart.get(table), logins)
                    grant(cursor, table, rule, logins)
            open_doors(cursor, logins)
        name_ledger_writers()
        self.stdout.write(
            f"grants: {len(privileges.tables())} tables for {', '.join(logins) or 'no login'}, {len(apart)} kept apart by center"
        )


def existing(cursor: Any) -> list[str]:
    """The site's logins that this cluster has; a test database or a single-login deployment may have fewer."""
    cursor.execute("SELECT rolname FROM pg_roles WHERE rolname = ANY(%s) ORDER BY rolname", [list(privileges.LOGINS)])
    return [name for (name,) in cursor.fetchall()]


def close_history(cursor: Any) -> None:
    """Let the history triggers write as the owner, and let nobody switch them off."""
    cursor.execute(NEVER_IGNORE)
    cursor.execute(TRIGGER_FUNCTIONS)
    for (function,) in cursor.fetchall():
        cursor.execute(f"ALTER FUNCTION {function} SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp")
    cursor.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    cursor.execute("REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC")


def grant(cursor: Any, table: str, rule: privileges.Rule, logins: list[str]) -> None:
    """Bring one table to its rule: everything off, then what is allowed."""
    for login in logins:
        where = {"table": sql.Identifier(table), "login": sql.Identifier(login)}
        cursor.execute(sql.SQL("REVOKE ALL ON {table} FROM {login}").format(**where))
        verbs = [privileges.VERBS[letter] for letter in rule.get(login, "")]
        if verbs:
            cursor.execute(sql.SQL("GRANT {verbs} ON {table} TO {login}").format(verbs=sql.SQL(", ".join(verbs)), **where))


def open_doors(cursor: Any, logins: list[str]) -> None:
    """The functions that run as the owner: each may be called by whom it is for."""
    for login in logins:
        cursor.execute(sql.SQL("GRANT EXECUTE ON FUNCTION ledger_append TO {}").format(sql.Identifier(login)))
    if isolation.SITE in logins:
        cursor.execute(sql.SQL("GRANT EXECUTE ON FUNCTION reach_of, reach_over TO {}").format(sql.Identifier(isolation.SITE)))


def keep_apart(cursor: Any, table: str, policies: dict[str, tuple[str, str]] | None, logins: list[str]) -> None:
    """Bring the row policies of one table to its rule: all off, then one per login; the owner is bound by none."""
    name = sql.Identifier(table)
    cursor.execute("SELECT policyname FROM pg_policies WHERE schemaname = 'public' AND tablename = %s", [table])
    for (policy,) in cursor.fetchall():
        cursor.execute(sql.SQL("DROP POLICY {} ON {}").format(sql.Identifier(policy), name))
    verb = sql.SQL("DISABLE" if policies is None else "ENABLE")
    cursor.execute(sql.SQL("ALTER TABLE {} {} ROW LEVEL SECURITY").format(name, verb))
    for login, (seen, written) in (policies or {}).items():
        if login in logins:
            cursor.execute(
                sql.SQL("CREATE POLICY {policy} ON {name} TO {login} USING ({seen}) WITH CHECK ({written})").format(
                    policy=sql.Identifier(f"rows_of_{login}"), name=name, login=sql.Identifier(login),
                    seen=sql.SQL(seen), written=sql.SQL(written),
                )
            )  # fmt: skip


def name_ledger_writers() -> None:
    """Fill the table that `ledger_append` asks from `accounts.ledger.WRITERS`."""
    LedgerWriter.objects.all().delete()
    LedgerWriter.objects.bulk_create(
        LedgerWriter(login=login, kind=kind) for login, kinds in ledger.WRITERS.items() for kind in sorted(kinds)
    )
