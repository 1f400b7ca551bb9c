"""What the edge knows about what it holds: one SQLite file, every commit durable before it counts (WAL, synchronous=FULL).

The listener never opens it. `object` has one row per instance; its unique index is what makes "exactly once" true.

Object states: waiting → packing (chosen for a package) → packed (inside a sealed one) → archived, or quarantined.
Package states: making → sealed → stored → archived | refused.
`operation` is the operating list (see `operations`). `face` says who a received study is of, for the eyes of the hospital, until it is
archived. `act` is the log of what people did here; nothing in it is ever changed or removed.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SCHEMA = """
CREATE TABLE IF NOT EXISTS link (
  id INTEGER PRIMARY KEY,
  study_number TEXT NOT NULL, issuer TEXT NOT NULL, local_id TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('imaging', 'admission', 'outside')),
  name TEXT NOT NULL DEFAULT '', by TEXT NOT NULL, at TEXT NOT NULL, unlinked_at TEXT, unlinked_by TEXT,
  CHECK ((unlinked_at IS NULL) = (unlinked_by IS NULL))
);
CREATE UNIQUE INDEX IF NOT EXISTS link_once ON link (issuer, local_id) WHERE unlinked_at IS NULL;
CREATE TABLE IF NOT EXISTS package (
  seq INTEGER PRIMARY KEY, -- gapless: a package that never came to be gives its number back
  state TEXT NOT NULL CHECK (state IN ('making', 'sealed', 'stored', 'archived', 'refused')),
  study_number TEXT NOT NULL, made_at TEXT NOT NULL,
  id TEXT, sha256 TEXT, size INTEGER, reason TEXT NOT NULL DEFAULT '', ended_at TEXT,
  CHECK (state = 'making' OR (id IS NOT NULL AND sha256 IS NOT NULL AND size IS NOT NULL))
);
CREATE TABLE IF NOT EXISTS object (
  name TEXT PRIMARY KEY,
  state TEXT NOT NULL CHECK (state IN ('waiting', 'packing', 'packed', 'archived', 'quarantined')),
  reason TEXT, received_at REAL NOT NULL, size INTEGER NOT NULL,
  sop_uid TEXT NOT NULL, series_uid TEXT NOT NULL, study_uid TEXT NOT NULL, modality TEXT NOT NULL, content TEXT NOT NULL,
  package INTEGER REFERENCES package (seq),
  CHECK ((state = 'quarantined') = (reason IS NOT NULL)),
  CHECK ((state IN ('packing', 'packed', 'archived')) = (package IS NOT NULL))
);
CREATE UNIQUE INDEX IF NOT EXISTS object_once ON object (sop_uid) WHERE state <> 'quarantined';
CREATE INDEX IF NOT EXISTS object_state ON object (state, series_uid);
CREATE INDEX IF NOT EXISTS object_study ON object (study_uid);
CREATE TABLE IF NOT EXISTS object_id (
  name TEXT NOT NULL REFERENCES object (name), issuer TEXT NOT NULL, local_id TEXT NOT NULL,
  main INTEGER NOT NULL, PRIMARY KEY (name, issuer, local_id)
);
CREATE INDEX IF NOT EXISTS object_id_local ON object_id (local_id);
CREATE TABLE IF NOT EXISTS operation (
  id INTEGER PRIMARY KEY,
  token TEXT NOT NULL, local_id TEXT NOT NULL, surgery_date TEXT NOT NULL, name TEXT NOT NULL DEFAULT '',
  sex TEXT NOT NULL CHECK (sex IN ('M', 'F', 'U')), age INTEGER CHECK (age BETWEEN 0 AND 120),
  procedure TEXT NOT NULL DEFAULT '', diagnosis TEXT NOT NULL DEFAULT '',
  state TEXT NOT NULL CHECK (state IN ('held', 'waiting', 'numbered', 'refused', 'dropped')),
  reason TEXT NOT NULL DEFAULT '', number INTEGER, screening TEXT NOT NULL DEFAULT '',
  by TEXT NOT NULL, at TEXT NOT NULL, decided_by TEXT, decided_at TEXT, sent_at TEXT, answered_at TEXT,
  CHECK ((state = 'numbered') = (number IS NOT NULL)), CHECK ((state = 'refused') <= (reason <> '')),
  CHECK ((decided_by IS NULL) = (decided_at IS NULL))
);
CREATE UNIQUE INDEX IF NOT EXISTS operation_once ON operation (token) WHERE state <> 'dropped';
CREATE INDEX IF NOT EXISTS operation_local ON operation (local_id);
CREATE INDEX IF NOT EXISTS operation_day ON operation (surgery_date);
CREATE TABLE IF NOT EXISTS resend (name TEXT PRIMARY KEY, object TEXT NOT NULL, at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS discard (name TEXT PRIMARY KEY, rule TEXT NOT NULL, at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS face (
  study_uid TEXT NOT NULL, issuer TEXT NOT NULL, local_id TEXT NOT NULL,
  person TEXT NOT NULL, study_date TEXT NOT NULL, description TEXT NOT NULL, PRIMARY KEY (study_uid, issuer, local_id)
);
CREATE TABLE IF NOT EXISTS act (
  id INTEGER PRIMARY KEY, what TEXT NOT NULL, subject TEXT NOT NULL, reason TEXT NOT NULL DEFAULT '', why TEXT NOT NULL DEFAULT '',
  by TEXT NOT NULL CHECK (by <> ''), at TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS approval (
  id INTEGER PRIMARY KEY, number TEXT NOT NULL, valid_from TEXT NOT NULL, valid_until TEXT NOT NULL, by TEXT NOT NULL, at TEXT NOT NULL,
  ended_at TEXT, ended_by TEXT, CHECK (valid_from <= valid_until), CHECK ((ended_at IS NULL) = (ended_by IS NULL))
);
CREATE TABLE IF NOT EXISTS content ( -- what a package is about, for the register of releases
  seq INTEGER PRIMARY KEY, approval TEXT NOT NULL, images INTEGER NOT NULL, series INTEGER NOT NULL, modalities TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS pull ( -- a list to fetch from the PACS, and what became of each row (see `pull`)
  id INTEGER PRIMARY KEY, local_id TEXT NOT NULL, since TEXT NOT NULL, until TEXT NOT NULL,
  state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'done', 'nothing', 'failed')),
  studies INTEGER NOT NULL DEFAULT 0, images INTEGER NOT NULL DEFAULT 0, failed INTEGER NOT NULL DEFAULT 0,
  by TEXT NOT NULL, at TEXT NOT NULL, ended_at TEXT, UNIQUE (local_id, since, until)
);
CREATE TABLE IF NOT EXISTS pulled (study_uid TEXT PRIMARY KEY, images INTEGER NOT NULL, at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS pulled_series (series_uid TEXT PRIMARY KEY, images INTEGER NOT NULL, at TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS act_subject ON act (subject, what);
CREATE TRIGGER IF NOT EXISTS act_kept BEFORE UPDATE ON act BEGIN SELECT RAISE(ABORT, 'what was done stays written'); END;
CREATE TRIGGER IF NOT EXISTS act_stays BEFORE DELETE ON act BEGIN SELECT RAISE(ABORT, 'what was done stays written'); END;
"""


def connect(path: Path) -> sqlite3.Connection:
    """A connection for one thread, in autocommit mode; make changes inside `change`."""
    connection = sqlite3.connect(path, timeout=30, isolation_level=None)
    connection.row_factory = sqlite3.Row
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")
    connection.executescript(SCHEMA)
    return connection


@contextmanager
def change(connection: sqlite3.Connection) -> Iterator[None]:
    """One transaction: all of it is durable afterwards, or nothing of it happened."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
