"""Writing a schedule's files: all or none, and no other file is replaced unasked."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleetsweep.errors import UsageError
from fleetsweep.schedule.render import File
from fleetsweep.schedule.write import write
from tests.conftest import Run


def test_files_with_other_content_are_kept_and_none_is_written(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "units"
    out.mkdir()
    (out / "fleetsweep-sweep.timer").write_text("mine\n")
    words = ["schedule", "systemd", "--local", "--write", str(out)]
    done = run(*words)
    assert done.returncode == 2
    assert str(out / "fleetsweep-sweep.timer") in done.stderr
    assert [path.name for path in out.iterdir()] == ["fleetsweep-sweep.timer"]
    assert (out / "fleetsweep-sweep.timer").read_text() == "mine\n"
    assert run(*words, "--force").returncode == 0
    assert "OnCalendar" in (out / "fleetsweep-sweep.timer").read_text()
    again = run(*words)
    assert again.returncode == 0
    assert again.stdout.count("the same content") == 2
    assert {path.name: path.stat().st_mode & 0o777 for path in out.iterdir()} == {
        "fleetsweep-sweep.service": 0o644,
        "fleetsweep-sweep.timer": 0o644,
    }


def test_a_link_is_replaced_and_its_target_is_not(run: Run, tmp_path: Path) -> None:
    (tmp_path / "other").write_text("other\n")
    (tmp_path / "units").mkdir()
    (tmp_path / "units" / "fleetsweep-sweep.timer").symlink_to(tmp_path / "other")
    words = ["schedule", "systemd", "--local", "--write", str(tmp_path / "units")]
    assert run(*words).returncode == 2
    assert run(*words, "--force").returncode == 0
    assert (tmp_path / "other").read_text() == "other\n"
    assert not (tmp_path / "units" / "fleetsweep-sweep.timer").is_symlink()


def test_a_directory_in_the_way_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    with pytest.raises(UsageError, match="b is not a regular file: nothing was written"):
        write([File("a", "1\n"), File("b", "2\n")], tmp_path, force=True)
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_the_directory_is_made_and_each_file_gets_a_line(tmp_path: Path) -> None:
    directory = tmp_path / "new" / "units"
    assert write([File("a", "1\n")], directory, force=False) == [f"{directory / 'a'}: written"]
    assert write([File("a", "1\n"), File("b", "2\n")], directory, force=False) == [
        f"{directory / 'a'}: already there with the same content",
        f"{directory / 'b'}: written",
    ]
