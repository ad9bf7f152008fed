"""One sweep at a time on a state directory."""

from __future__ import annotations

import fcntl
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from fleetsweep.errors import UsageError
from fleetsweep.store.state_dir import sweep_lock, try_sweep_lock


def refusal(state_dir: Path) -> str:
    """The error of a second sweep."""
    with (
        pytest.raises(UsageError) as caught,
        sweep_lock(state_dir, "run b", 0.0, threading.Event(), lambda text: None),
    ):
        pass
    return str(caught.value)


def test_a_second_sweep_is_refused_with_the_name_of_the_holder(tmp_path: Path) -> None:
    with try_sweep_lock(tmp_path, "run a (process 7)") as free:
        assert free
        assert "run a (process 7) is running" in refusal(tmp_path)


def test_a_lock_whose_file_was_deleted_still_holds_and_its_process_is_named(tmp_path: Path) -> None:
    with try_sweep_lock(tmp_path, "run a"):
        (tmp_path / "lock").unlink()
        assert f"(process {os.getpid()}) is running" in refusal(tmp_path)
        assert f"(process {os.getpid()}) is running" in refusal(tmp_path), "the file is there again, and empty"


def test_a_lock_whose_file_was_replaced_still_holds(tmp_path: Path) -> None:
    with try_sweep_lock(tmp_path, "run a"):
        (tmp_path / "other").write_text("somebody\n")
        (tmp_path / "other").replace(tmp_path / "lock")
        with try_sweep_lock(tmp_path, "run b") as free:
            assert not free


def test_a_sweep_of_an_earlier_version_that_locks_only_the_file_is_waited_for(tmp_path: Path) -> None:
    with (tmp_path / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write("run old\n")
        file.flush()
        assert "run old is running" in refusal(tmp_path)
    with try_sweep_lock(tmp_path, "run b") as free:
        assert free


def test_a_process_that_waits_for_the_file_does_not_keep_the_directory(tmp_path: Path) -> None:
    with (tmp_path / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with try_sweep_lock(tmp_path, "run a") as free:
            assert not free
            directory = os.open(tmp_path, os.O_RDONLY)
            fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.close(directory)


def test_a_lock_is_free_once_its_holder_is_done(tmp_path: Path) -> None:
    with try_sweep_lock(tmp_path, "run a") as free:
        assert free
    with try_sweep_lock(tmp_path, "run b") as free:
        assert free
        assert (tmp_path / "lock").read_text() == "run b\n"


def test_the_directory_and_its_files_are_usable_under_any_umask(tmp_path: Path) -> None:
    script = f"""
import os
from pathlib import Path
from fleetsweep.store.state_dir import open_private, prepare_state_dir
os.umask(0o777)
open_private(prepare_state_dir(Path({str(tmp_path / "state")!r})) / "journal.db")
"""
    subprocess.run([sys.executable, "-c", script], check=True)
    made = tmp_path / "state"
    assert [stat.S_IMODE(path.stat().st_mode) for path in (made, made / "journal.db")] == [0o700, 0o600]
