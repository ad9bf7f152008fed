"""The journal's schema: an ordered list of migrations, and applying those that a database lacks.

To change the schema, append a migration to MIGRATIONS; never edit one that was released. ``PRAGMA user_version`` counts
the migrations that a database has had.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
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

# leak: one row for each container that was seen stale, from the first such run until it is gone. ``sweeps`` counts the
# runs that could have removed it and did not. counter: totals that outlive the runs they count, kept by triggers, so
# that each fact counts once even where a run is killed. last_match: of each host that ever had a matched container, the
# last audit or sweep with one, how many came since, and the most unmatched containers in recent ones that matched some
# (it falls by one a run).
_WHY_LEAKS_AND_EVIDENCE: Final = """
ALTER TABLE host ADD COLUMN guard TEXT;
ALTER TABLE host ADD COLUMN phase TEXT;
ALTER TABLE host ADD COLUMN kind TEXT;
ALTER TABLE host ADD COLUMN oldest_s INTEGER;
ALTER TABLE intent ADD COLUMN image TEXT;
ALTER TABLE intent ADD COLUMN reason TEXT;
ALTER TABLE intent ADD COLUMN age_s INTEGER;
ALTER TABLE intent ADD COLUMN age_from TEXT;
ALTER TABLE intent ADD COLUMN matched_by TEXT;
ALTER TABLE intent ADD COLUMN attributes TEXT;
CREATE INDEX run_started ON run (started_ns);
CREATE INDEX intent_container ON intent (container_id);
CREATE INDEX intent_run ON intent (run);
CREATE TABLE report_part (
    run TEXT NOT NULL REFERENCES run(id) ON DELETE CASCADE, part INTEGER NOT NULL, document BLOB NOT NULL,
    PRIMARY KEY (run, part));
CREATE TABLE evidence (
    intent INTEGER PRIMARY KEY REFERENCES intent(id) ON DELETE CASCADE, at_ns INTEGER NOT NULL,
    inspect BLOB, logs BLOB, error TEXT);
CREATE TABLE leak (
    host TEXT NOT NULL, container_id TEXT NOT NULL, name TEXT NOT NULL, image TEXT NOT NULL, reason TEXT NOT NULL,
    attributes TEXT NOT NULL, created_ns INTEGER NOT NULL, stale_since_ns INTEGER NOT NULL,
    first_seen_ns INTEGER NOT NULL, last_seen_ns INTEGER NOT NULL, last_run TEXT NOT NULL, runs INTEGER NOT NULL,
    sweeps INTEGER NOT NULL, ended_ns INTEGER, ended_as TEXT, PRIMARY KEY (host, container_id)) WITHOUT ROWID;
CREATE INDEX leak_last_seen ON leak (last_seen_ns);
CREATE TABLE recording (after_ns INTEGER NOT NULL);
INSERT INTO recording SELECT coalesce(max(started_ns), 0) FROM run;
CREATE TABLE host_groups (host TEXT PRIMARY KEY, groups TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE last_match (
    host TEXT PRIMARY KEY, at_ns INTEGER NOT NULL, others INTEGER NOT NULL, runs INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO last_match
    SELECT name, max(started_ns), containers - matched, 0 FROM host JOIN run ON run.id = host.run
    WHERE surveyed AND matched > 0 AND command IN ('audit', 'sweep') GROUP BY name;
CREATE TRIGGER note_match AFTER INSERT ON host
WHEN NEW.surveyed AND NEW.guard IS NOT 'identity'
    AND EXISTS (SELECT 1 FROM run WHERE id = NEW.run AND command IN ('audit', 'sweep'))
BEGIN
    INSERT INTO last_match
        SELECT NEW.name, started_ns, NEW.containers - NEW.matched, 0 FROM run WHERE id = NEW.run AND NEW.matched > 0
        ON CONFLICT (host) DO UPDATE SET at_ns = excluded.at_ns, others = max(excluded.others, others - 1), runs = 0;
    UPDATE last_match SET runs = runs + 1 WHERE host = NEW.name AND NEW.matched = 0;
END;
CREATE TABLE counter (
    name TEXT NOT NULL, command TEXT NOT NULL, host TEXT NOT NULL, value INTEGER NOT NULL,
    PRIMARY KEY (name, command, host)) WITHOUT ROWID;
CREATE TRIGGER count_run AFTER UPDATE OF exit_code ON run WHEN OLD.exit_code IS NULL AND NEW.exit_code IS NOT NULL
BEGIN
    INSERT INTO counter VALUES ('runs', NEW.command, '', 1)
        ON CONFLICT (name, command, host) DO UPDATE SET value = value + 1;
    INSERT INTO counter SELECT 'failed_runs', NEW.command, '', 1 WHERE NEW.exit_code NOT IN (0, 6)
        ON CONFLICT (name, command, host) DO UPDATE SET value = value + 1;
END;
CREATE TRIGGER count_host AFTER INSERT ON host
BEGIN
    INSERT INTO counter SELECT 'guards', command, NEW.name, 1 FROM run WHERE id = NEW.run AND NEW.guard IS NOT NULL
        ON CONFLICT (name, command, host) DO UPDATE SET value = value + 1;
    INSERT INTO counter SELECT 'failures', command, NEW.name, 1 FROM run WHERE id = NEW.run
        AND NEW.status IN ('unreachable', 'failed') ON CONFLICT (name, command, host) DO UPDATE SET value = value + 1;
END;
CREATE TRIGGER count_leak AFTER INSERT ON leak
BEGIN
    INSERT INTO counter VALUES ('leaks', '', NEW.host, 1)
        ON CONFLICT (name, command, host) DO UPDATE SET value = value + 1;
END;
CREATE TRIGGER count_removal AFTER UPDATE OF outcome ON intent
WHEN NEW.outcome IS 'removed' AND OLD.outcome IS NOT 'removed'
BEGIN
    INSERT INTO counter SELECT 'removals', command, NEW.host, 1 FROM run WHERE id = NEW.run
        ON CONFLICT (name, command, host) DO UPDATE SET value = value + 1;
END
"""

# Hosts' rows are written as they become final. They count when their run ends: those of a killed run never do.
_COUNT_ROWS_OF_ENDED_RUNS: Final = """
DROP TRIGGER note_match;
DROP TRIGGER count_host;
CREATE TRIGGER note_matches AFTER UPDATE OF exit_code ON run
WHEN OLD.exit_code IS NULL AND NEW.exit_code IS NOT NULL AND NEW.command IN ('audit', 'sweep')
BEGIN
    INSERT INTO last_match
        SELECT name, NEW.started_ns, containers - matched, 0 FROM host
        WHERE run = NEW.id AND surveyed AND guard IS NOT 'identity' AND matched > 0
        ON CONFLICT (host) DO UPDATE SET at_ns = excluded.at_ns, others = max(excluded.others, others - 1), runs = 0;
    UPDATE last_match SET runs = runs + 1 WHERE host IN (
        SELECT name FROM host WHERE run = NEW.id AND surveyed AND guard IS NOT 'identity' AND matched = 0);
END;
CREATE TRIGGER count_hosts AFTER UPDATE OF exit_code ON run WHEN OLD.exit_code IS NULL AND NEW.exit_code IS NOT NULL
BEGIN
    INSERT INTO counter SELECT 'guards', NEW.command, name, 1 FROM host WHERE run = NEW.id AND guard IS NOT NULL
        ON CONFLICT (name, command, host) DO UPDATE SET value = value + 1;
    INSERT INTO counter SELECT 'failures', NEW.command, name, 1 FROM host WHERE run = NEW.id
        AND status IN ('unreachable', 'failed') ON CONFLICT (name, command, host) DO UPDATE SET value = value + 1;
END
"""

MIGRATIONS: Final = (
    _RUNS_HOSTS_AND_INTENTS,
    _HOLDS_AND_IDENTITIES,
    _WHY_LEAKS_AND_EVIDENCE,
    _COUNT_ROWS_OF_ENDED_RUNS,
)
"""In order: number N brings a database of version N - 1 to version N. Semicolons end statements."""

VERSION: Final = len(MIGRATIONS)
"""The schema version that this release writes and the newest that it reads."""

_OBJECT: Final = re.compile(r"(CREATE|DROP) (TABLE|VIEW|TRIGGER) (?:IF NOT EXISTS )?(\w+)")


def statements(script: str) -> Iterator[str]:
    """Yield the statements of a script. Those of a trigger's body are part of the trigger."""
    statement = ""
    for piece in script.split(";"):
        statement += piece + ";"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


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


def check_schema(database: sqlite3.Connection, path: Path) -> None:
    """Raise UsageError unless the migrated database has all of its tables, views and triggers, and no other trigger.

    A run would otherwise notice a missing table only after its removals, and another trigger may delete a hold.
    """
    expected: set[tuple[str, str]] = set()
    for done, kind, name in _OBJECT.findall(" ".join(MIGRATIONS)):
        (expected.add if done == "CREATE" else expected.discard)((kind.lower(), name))
    found = set(database.execute("SELECT type, name FROM sqlite_schema WHERE type <> 'index'"))
    for kind, name in sorted(expected - found):
        raise UsageError(f"journal {path} lacks the {kind} {name}: move it away")
    for kind, name in sorted(found - expected):
        if kind == "trigger":
            raise UsageError(f"journal {path} has the trigger {name} of another program: drop it, or move it away")


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
            for statement in statements(script):
                execute(statement)
            execute(f"PRAGMA user_version = {number}")
    except BaseException:
        # SQLite itself has already rolled back after some errors.
        with suppress(sqlite3.Error):
            execute("ROLLBACK")
        raise
    execute("COMMIT")
