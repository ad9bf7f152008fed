"""A journal of every earlier version is migrated; a newer one, and another program's database, is left as it is."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from fleetsweep.errors import UsageError
from fleetsweep.model.host import Host
from fleetsweep.store.journal import Journal, NoJournalError, holds, migrations, past_runs
from fleetsweep.store.journal.database import journal_file
from fleetsweep.store.journal.migrations import MIGRATIONS, VERSION, migrate, schema_version
from tests.policy.test_rules import many

RELEASED = (
    "688fbed48e1b022f",
    "27ce4a7bda24cca8",
    "13e7304655a3ead5",
    "65d6dd9282fd35d9",
)
"""The SHA-256 of each migration, 16 digits of it, white space folded. Append one; never change one."""

HOLDS = """CREATE TABLE hold (container_id TEXT PRIMARY KEY, host TEXT NOT NULL, name TEXT NOT NULL,
reason TEXT NOT NULL, by TEXT NOT NULL, since_ns INTEGER NOT NULL, until_ns INTEGER NOT NULL) WITHOUT ROWID"""


def write(directory: Path, version: int, *more: str) -> Path:
    """A journal as that version left it, with a run whose one intent is open."""
    directory.chmod(0o700)
    path = journal_file(directory)
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        for script in MIGRATIONS[:version]:
            database.executescript(script)
        for statement in more:
            database.execute(statement)
        database.execute(f"PRAGMA user_version = {version}")
        database.execute("INSERT INTO run (id, command, dry_run, started_ns) VALUES ('old', 'sweep', 0, 1)")
        database.execute(
            "INSERT INTO intent (run, host, endpoint, container_id, name, at_ns) VALUES ('old', 'a', 'e', 'c', 'ws', 1)"
        )
    path.chmod(0o600)
    return path


def tables(path: Path) -> list[tuple[str, ...]]:
    """Each table and view with its columns, then the schema version."""
    with closing(sqlite3.connect(path)) as database:
        names = "SELECT type, name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY name"
        columns = [
            (name, *(row[1] for row in database.execute(f"PRAGMA table_info({name})")))
            for kind, name in database.execute(names).fetchall()
            if kind != "index"
        ]
        return [*columns, *((str(row[0]),) for row in database.execute("PRAGMA user_version"))]


def test_a_released_migration_is_never_edited() -> None:
    # Databases that had it before the edit would lack the change for ever.
    folded = (" ".join(script.split()) for script in MIGRATIONS)
    found = tuple(hashlib.sha256(script.encode()).hexdigest()[:16] for script in folded)
    assert found[: len(RELEASED)] == RELEASED
    assert len(found) == len(RELEASED), f"append the digest of each new migration to RELEASED: {found}"


@pytest.mark.parametrize("version", range(1, VERSION + 1))
@pytest.mark.parametrize("more", [(), (HOLDS,)], ids=["as made", "with holds"])
def test_a_journal_of_each_earlier_version_is_read_and_migrated(
    tmp_path: Path, version: int, more: tuple[str, ...]
) -> None:
    fresh = tmp_path / "fresh"
    fresh.mkdir(mode=0o700)
    with Journal(fresh, "now", "audit"):
        pass
    old = tmp_path / "old"
    old.mkdir()
    path = write(old, version, *(more if version == 1 else ()))
    assert [run.id for run in past_runs(old)] == ["old"]
    assert holds(old, 0) == ()
    with Journal(old, "new", "sweep") as journal:
        assert [(each.run_id, each.identity) for each in journal.open_intents()] == [("old", "")]
        host = journal.for_host(Host("a", "127.0.0.1"), "docker X")
        host.intend(many(1)[0])
        assert [each.identity for each in journal.open_intents()] == ["", "docker X"]
    assert [run.id for run in past_runs(old)] == ["new", "old"]
    assert tables(path) == tables(journal_file(fresh))


def test_a_migration_that_fails_halfway_leaves_the_database_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, 1)
    before = tables(path)
    broken = "CREATE TABLE half (id INTEGER); ALTER TABLE no_such_table ADD COLUMN x"
    monkeypatch.setattr(migrations, "MIGRATIONS", (*MIGRATIONS, broken))
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        with pytest.raises(sqlite3.OperationalError, match="no_such_table"):
            migrate(database, path)
        assert not database.in_transaction
    assert tables(path) == before


def test_a_database_without_tables_has_version_0_and_is_migrated_once(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "x.db", isolation_level=None)) as database:
        assert schema_version(database, tmp_path) == 0
        for _ in range(2):
            migrate(database, tmp_path)
            assert schema_version(database, tmp_path) == VERSION


def test_a_journal_of_a_newer_version_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = write(tmp_path, VERSION)
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"PRAGMA user_version = {VERSION + 1}")
    before = path.read_bytes()
    with pytest.raises(UsageError, match="newer version of fleetsweep"):
        Journal(tmp_path, "run", "sweep")
    with pytest.raises(UsageError, match="newer version of fleetsweep"):
        past_runs(tmp_path)
    assert path.read_bytes() == before


def test_a_database_of_another_program_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    path = journal_file(tmp_path)
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("CREATE TABLE precious (id INTEGER)")
    before = path.read_bytes()
    for refused in (lambda: Journal(tmp_path, "run", "sweep"), lambda: past_runs(tmp_path)):
        with pytest.raises(UsageError, match="not written by fleetsweep"):
            refused()
    assert path.read_bytes() == before


def test_a_journal_that_a_run_is_just_making_holds_no_run_yet(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    journal_file(tmp_path).touch(0o600)
    assert holds(tmp_path, 0) == ()
    with pytest.raises(NoJournalError, match="no run is recorded"):
        past_runs(tmp_path)


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("DROP TABLE hold", "lacks the table hold: move it away"),
        ("DROP TRIGGER count_run", "lacks the trigger count_run: move it away"),
        (
            "CREATE TRIGGER other AFTER INSERT ON run BEGIN DELETE FROM hold; END",
            "has the trigger other of another program: drop it, or move it away",
        ),
    ],
)
def test_a_journal_that_was_changed_by_hand_is_not_written(tmp_path: Path, statement: str, words: str) -> None:
    write(tmp_path, VERSION, statement)
    with pytest.raises(UsageError, match=words):
        Journal(tmp_path, "new", "sweep")
