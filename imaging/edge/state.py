"""What the edge knows about what it holds: one SQLite file, every commit durable before it counts (WAL, synchronous=FULL).

The listener never opens it. `object` has one row per instance; its unique index is what makes "exactly once" true.

Object states: waiting → packing (chosen for a package) → packed (inside a sealed one) → archived, or quarantined.
Package states: making → sealed → stored → archived | refused.
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
CREATE TABLE IF NOT EXISTS resend (name TEXT PRIMARY KEY, object TEXT NOT NULL, at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS discard (name TEXT PRIMARY KEY, rule TEXT NOT NULL, at REAL NOT NULL);
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
