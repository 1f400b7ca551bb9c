# ruff: noqa: S608 - the statements are made of our own tables' names, never of what somebody typed
"""The triggers that make a lock true: written from `studies.trail.kinds`, put in force by the grants step after every migrate.

A write takes shared advisory locks of its study and center and then reads the locks; whoever locks takes the same exclusively and
first. So of a write and a lock at the same time one sees the other, whichever login writes, the owner too. The same triggers mark
the signatures over a record void in the transaction that changes it.
"""

from collections.abc import Iterator
from typing import Any

from django.db import connection, models

from studies.models import Center, Participant, Screening, Study
from studies.trail.kinds import KINDS, Kind

LOCKED = "PL001"
"""SQLSTATE of a refused write; the middleware makes it a 409 with a sentence."""

REFUSE = """
CREATE OR REPLACE FUNCTION prime_lock_refuse() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    before jsonb := CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END;
    after jsonb := CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END;
    place record;
    given jsonb;
    found_lock record;
BEGIN
    IF before IS DISTINCT FROM after THEN
        FOREACH given IN ARRAY ARRAY[before, after] LOOP
            CONTINUE WHEN given IS NULL;
            EXECUTE TG_ARGV[1] INTO place USING given;
            CONTINUE WHEN place.study_id IS NULL;
            PERFORM pg_advisory_xact_lock_shared(hashtextextended('prime/lock/study', place.study_id));
            PERFORM pg_advisory_xact_lock_shared(hashtextextended('prime/lock/center', place.center_id));
            SELECT l.participant_id, l.center_id, l.record INTO found_lock FROM studies_lock l
            WHERE l.study_id = place.study_id AND l.released_at IS NULL
              AND (l.open_until IS NULL OR l.open_until <= clock_timestamp())
              AND (l.center_id IS NULL OR l.center_id = place.center_id)
              AND (l.participant_id IS NULL OR l.participant_id = place.participant_id)
              AND (l.record = '' OR (l.record = TG_ARGV[0] AND l.record_uuid::text = given ->> 'uuid'))
            ORDER BY l.center_id NULLS FIRST, l.participant_id NULLS FIRST, l.record LIMIT 1;
            IF FOUND THEN
                RAISE EXCEPTION '% is locked: % refused', TG_TABLE_NAME, lower(TG_OP) USING ERRCODE = 'PL001', DETAIL =
                    CASE WHEN found_lock.record <> '' THEN 'record'
                         WHEN found_lock.participant_id IS NOT NULL THEN 'participant'
                         WHEN found_lock.center_id IS NOT NULL THEN 'center' ELSE 'study' END;
            END IF;
            IF EXISTS (SELECT 1 FROM studies_study s WHERE s.id = place.study_id AND s.phase IN ('locked', 'published'))
               AND NOT EXISTS (SELECT 1 FROM studies_lock l WHERE l.study_id = place.study_id AND l.center_id IS NULL
                               AND l.released_at IS NULL AND l.open_until > clock_timestamp()) THEN
                RAISE EXCEPTION '% is locked: % refused', TG_TABLE_NAME, lower(TG_OP) USING ERRCODE = 'PL001', DETAIL = 'study';
            END IF;
        END LOOP;
    END IF;
    IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
    RETURN NEW;
END $$;
"""

VOID = """
CREATE OR REPLACE FUNCTION prime_signature_void() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    aside text[] := TG_ARGV[2]::text[];
    before jsonb := CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END;
    after jsonb := CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END;
    signed_before jsonb := before - aside;
    signed_after jsonb := after - aside;
    place record;
    given jsonb;
BEGIN
    -- a record in which nothing is said is as good as none (content.differences)
    IF NOT EXISTS (SELECT FROM jsonb_each_text(signed_before) WHERE value <> '') THEN signed_before := NULL; END IF;
    IF NOT EXISTS (SELECT FROM jsonb_each_text(signed_after) WHERE value <> '') THEN signed_after := NULL; END IF;
    IF signed_before IS DISTINCT FROM signed_after THEN
        FOREACH given IN ARRAY ARRAY[before, after] LOOP
            CONTINUE WHEN given IS NULL;
            EXECUTE TG_ARGV[1] INTO place USING given;
            UPDATE studies_signature s SET invalidated_at = clock_timestamp()
            WHERE s.participant_id = place.participant_id AND s.invalidated_at IS NULL
              AND (s.record = '' OR (s.record = TG_ARGV[0] AND s.record_uuid::text = given ->> 'uuid'));
        END LOOP;
    END IF;
    RETURN NULL;
END $$;
"""

NOT_EMPTIED = """
CREATE OR REPLACE FUNCTION prime_lock_not_emptied() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM studies_lock WHERE released_at IS NULL) THEN
        RAISE EXCEPTION '% is locked: truncate refused', TG_TABLE_NAME USING ERRCODE = 'PL001', DETAIL = 'study';
    END IF;
    RETURN NULL;
END $$;
"""
NAMES = ("prime_lock", "prime_lock_truncate", "prime_void")
STANDING = "SELECT c.relname, t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE t.tgname = ANY(%s)"


def install(cursor: Any) -> None:
    """Put the triggers of every kind in force and take away those that no kind declares any more."""
    for function in (REFUSE, VOID, NOT_EMPTIED):
        cursor.execute(function)
    made = set(connection.introspection.table_names(cursor))  # a model ahead of its migration has no table yet
    wanted = {place: statement for place, statement in declared().items() if place[0] in made}
    for statement in wanted.values():
        cursor.execute(statement)
    for table, trigger in standing(cursor) - wanted.keys():
        cursor.execute(f'DROP TRIGGER "{trigger}" ON "{table}"')


def standing(cursor: Any) -> set[tuple[str, str]]:
    """The triggers that the database has: (table, trigger)."""
    cursor.execute(STANDING, [list(NAMES)])
    return set(cursor.fetchall())


def verify() -> Iterator[str]:
    """Whether every table has its triggers; a sentence per one that is missing."""
    with connection.cursor() as cursor:
        missing = declared().keys() - standing(cursor)
    for table, trigger in sorted(missing):
        yield f"{table} lacks its trigger {trigger}: run manage.py grants"


def declared() -> dict[tuple[str, str], str]:
    """(table, trigger) → the statement that makes it."""
    statements = {}
    for kind in KINDS.values():
        table, place = kind.model._meta.db_table, quoted(place_of(kind))
        head, tail = 'CREATE OR REPLACE TRIGGER "{}" {} {} ON "{}"', "EXECUTE FUNCTION {}({})"
        if kind.guard is not None:
            when = f" WHEN ({kind.guard.when})" if kind.guard.when else ""
            made = head.format("prime_lock", "BEFORE", kind.guard.on, table) + f" FOR EACH ROW{when} "
            statements[table, "prime_lock"] = made + tail.format("prime_lock_refuse", f"{quoted(kind.label)}, {place}")
            made = head.format("prime_lock_truncate", "BEFORE", "TRUNCATE", table) + " FOR EACH STATEMENT "
            statements[table, "prime_lock_truncate"] = made + tail.format("prime_lock_not_emptied", "")
        if kind.signed:
            aside = quoted("{" + ",".join(kind.aside) + "}")
            made = head.format("prime_void", "AFTER", "INSERT OR UPDATE OR DELETE", table) + " FOR EACH ROW "
            statements[table, "prime_void"] = made + tail.format("prime_signature_void", f"{quoted(kind.label)}, {place}, {aside}")
    return statements


def place_of(kind: Kind) -> str:
    """SQL that tells study_id, center_id and participant_id of a row given as jsonb ($1)."""
    if not kind.way:
        return PLACES[kind.model]("$1", itself=True)
    first, *further = kind.way.split("__")
    hop = kind.model._meta.get_field(first)
    key, model = f"($1 ->> '{hop.attname}')::bigint", hop.related_model  # type: ignore[union-attr]
    for name in further:
        hop = model._meta.get_field(name)  # type: ignore[union-attr]
        key = f'(SELECT "{hop.attname}" FROM "{model._meta.db_table}" WHERE id = {key})'  # type: ignore[union-attr]
        model = hop.related_model  # type: ignore[union-attr]
    return PLACES[model](key, itself=False)  # type: ignore[index]


def _of_participant(key: str, *, itself: bool) -> str:
    if itself:
        return (
            "SELECT ($1 ->> 'study_id')::bigint AS study_id, ($1 ->> 'center_id')::bigint AS center_id, "
            "($1 ->> 'id')::bigint AS participant_id"
        )
    return f"SELECT p.study_id, p.center_id, p.id AS participant_id FROM studies_participant p WHERE p.id = {key}"


def _of_screening(key: str, *, itself: bool) -> str:
    person = "(SELECT p.id FROM studies_participant p WHERE p.screening_id = {}) AS participant_id"
    if itself:
        return (
            f"SELECT c.study_id, c.id AS center_id, {person.format('($1 ->> ' + quoted('id') + ')::bigint')} "
            "FROM studies_center c WHERE c.id = ($1 ->> 'center_id')::bigint"
        )
    return (
        f"SELECT c.study_id, c.id AS center_id, {person.format('s.id')} "
        f"FROM studies_screening s JOIN studies_center c ON c.id = s.center_id WHERE s.id = {key}"
    )


def _of_center(key: str, *, itself: bool) -> str:
    if itself:
        return "SELECT ($1 ->> 'study_id')::bigint AS study_id, ($1 ->> 'id')::bigint AS center_id, NULL::bigint AS participant_id"
    return f"SELECT c.study_id, c.id AS center_id, NULL::bigint AS participant_id FROM studies_center c WHERE c.id = {key}"


def _of_study(key: str, *, itself: bool) -> str:
    key = "($1 ->> 'id')::bigint" if itself else key
    return f"SELECT {key} AS study_id, NULL::bigint AS center_id, NULL::bigint AS participant_id"


PLACES: dict[type[models.Model], Any] = {
    Participant: _of_participant,
    Screening: _of_screening,
    Center: _of_center,
    Study: _of_study,
}


def quoted(text: str) -> str:
    """A literal of SQL."""
    return "'" + text.replace("'", "''") + "'"
