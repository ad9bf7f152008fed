"""A journal of every earlier version is brought up to this one; a newer one is refused and left as it is."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from fleetsweep.errors import UsageError
from fleetsweep.model.host import Host
from fleetsweep.store.journal import Journal, holds, past_runs
from fleetsweep.store.journal.database import MIGRATIONS, VERSION, journal_file
from tests.policy.test_rules import many

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
    with closing(sqlite3.connect(path)) as database:
        names = "SELECT type, name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY name"
        columns = [
            (name, *(row[1] for row in database.execute(f"PRAGMA table_info({name})")))
            for kind, name in database.execute(names).fetchall()
            if kind != "index"
        ]
        return [*columns, *((str(row[0]),) for row in database.execute("PRAGMA user_version"))]


@pytest.mark.parametrize("version", range(1, VERSION + 1))
@pytest.mark.parametrize("more", [(), (HOLDS,)], ids=["as made", "with holds"])
def test_a_journal_of_each_earlier_version_is_read_and_brought_up(
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


def test_a_journal_of_a_newer_version_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = write(tmp_path, VERSION)
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"PRAGMA user_version = {VERSION + 1}")
    before = tables(path)
    with pytest.raises(UsageError, match="newer version of fleetsweep"):
        Journal(tmp_path, "run", "sweep")
    with pytest.raises(UsageError, match="newer version of fleetsweep"):
        past_runs(tmp_path)
    assert tables(path) == before


def test_a_database_of_another_program_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with closing(sqlite3.connect(journal_file(tmp_path), isolation_level=None)) as database:
        database.execute("CREATE TABLE precious (id INTEGER)")
    with pytest.raises(UsageError, match="not written by fleetsweep"):
        Journal(tmp_path, "run", "sweep")
    assert tables(journal_file(tmp_path))[0] == ("precious", "id")
