"""Reading a configured file: only a regular one, within a limit, and without blocking."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fleetsweep.ssh.regular_file import expanded, read_regular
from tests.ssh.unblocked import error_of


def test_a_file_up_to_the_limit_is_read_and_a_larger_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 10)
    assert read_regular(tmp_path / "file", 10) == b"x" * 10
    with pytest.raises(OSError, match="larger than 0 MiB"):
        read_regular(tmp_path / "file", 9)


def test_a_pipe_without_a_writer_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    error = error_of(lambda: read_regular(tmp_path / "fifo", 10))
    assert isinstance(error, OSError)
    assert error.strerror == "is not a regular file"


def test_a_directory_and_a_device_are_refused(tmp_path: Path) -> None:
    for path, message in ((tmp_path, "Is a directory"), (Path("/dev/zero"), "not a regular file")):
        with pytest.raises(OSError, match=message):
            read_regular(path, 10)


def test_dev_null_is_an_empty_file() -> None:
    assert read_regular(Path("/dev/null"), 10) == b""


def test_a_home_directory_is_expanded_and_that_of_an_unknown_user_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert expanded("~/.ssh/config") == tmp_path / ".ssh" / "config"
    assert expanded("~no-such-user/config") == Path("~no-such-user/config")
