"""The journal's schema: an ordered list of migrations, and applying those that a database lacks.

To change the schema, append a migration to MIGRATIONS; never edit one that was released. ``PRAGMA user_version`` counts
the migrations that a database has had.
"""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Final

from fleetsweep.errors import UsageError

_RUNS_HOSTS_AND_INTENTS: Final = """
CREATE TABLE run (
    id TEXT PRIMARY KEY, command TEXT NOT NULL, dry_run INTEGER NOT NULL, started_ns INTEGER NOT NULL,
    finished_ns INTEGER, exit_code INTEGER, plan TEXT);
CREATE TABLE host (
    run TEXT NOT NULL REFERENCES run(id) ON DELETE CASCADE, name TEXT NOT NULL, endpoint TEXT NOT NULL,
    status TEXT NOT NULL, surveyed INTEGER NOT NULL, error TEXT, containers INTEGER NOT NULL,
    matched INTEGER NOT NULL, stale INTEGER NOT NULL, removed INTEGER NOT NULL, skew_s REAL,
    duration_s REAL NOT NULL, PRIMARY KEY (run, name)) WITHOUT ROWID;
CREATE TABLE intent (
    id INTEGER PRIMARY KEY, run TEXT NOT NULL REFERENCES run(id) ON DELETE CASCADE, host TEXT NOT NULL,
    endpoint TEXT NOT NULL, container_id TEXT NOT NULL, name TEXT NOT NULL, at_ns INTEGER NOT NULL,
    outcome TEXT, error TEXT, concluded_ns INTEGER, settled TEXT, settled_run TEXT, settled_ns INTEGER);
CREATE INDEX unsettled ON intent (id) WHERE settled IS NULL AND (outcome IS NULL OR outcome = 'unknown');
CREATE VIEW open_intent AS SELECT * FROM intent WHERE settled IS NULL AND (outcome IS NULL OR outcome = 'unknown')
"""

# Some databases of version 1 already have the table of holds.
_HOLDS_AND_IDENTITIES: Final = """
CREATE TABLE IF NOT EXISTS hold (
    container_id TEXT PRIMARY KEY, host TEXT NOT NULL, name TEXT NOT NULL, reason TEXT NOT NULL, by TEXT NOT NULL,
    since_ns INTEGER NOT NULL, until_ns INTEGER NOT NULL) WITHOUT ROWID;
ALTER TABLE intent ADD COLUMN identity TEXT NOT NULL DEFAULT ''
"""

MIGRATIONS: Final = (_RUNS_HOSTS_AND_INTENTS, _HOLDS_AND_IDENTITIES)
"""In order: number N brings a database of version N - 1 to version N. Semicolons separate statements."""

VERSION: Final = len(MIGRATIONS)
"""The schema version that this release writes and the newest that it reads."""


def schema_version(database: sqlite3.Connection, path: Path) -> int:
    """Return how many migrations the database at ``path`` has had; 0 if it is empty.

    Raises UsageError for a newer schema and for another program's database, and sqlite3.Error. Changes nothing.
    """
    # In this order: between the two reads another run may commit the first tables, together with their version.
    (tables,) = database.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if version > VERSION:
        raise UsageError(f"journal {path} was written by a newer version of fleetsweep: update this one")
    if version < 0 or (version == 0 and tables):
        raise UsageError(f"journal {path} was not written by fleetsweep: move it away")
    return int(version)


def migrate(database: sqlite3.Connection, path: Path) -> None:
    """Apply the migrations that the database at ``path`` lacks, all or none, in one transaction.

    ``database`` is in autocommit mode. Raises UsageError and sqlite3.Error as ``schema_version`` does.
    """
    execute = database.execute
    # Two runs may open a new file at once: this lock makes the second wait, and it finds the first one's tables.
    execute("BEGIN IMMEDIATE")
    try:
        version = schema_version(database, path)
        for number, script in enumerate(MIGRATIONS[version:], version + 1):
            for statement in script.split(";"):
                execute(statement)
            execute(f"PRAGMA user_version = {number}")
    except BaseException:
        # SQLite itself has already rolled back after some errors.
        with suppress(sqlite3.Error):
            execute("ROLLBACK")
        raise
    execute("COMMIT")
