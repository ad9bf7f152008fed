"""Full disks, directories and other users' files in place of an output file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fleetsweep.runtime import files
from tests.conftest import Run
from tests.lab.disk import fill, frozen, small_disk
from tests.lab.scripted_engine import ScriptedEngine
from tests.lab.workdir import Workdir, leaks

pytestmark = pytest.mark.lab

OLD, NEW = "old\n" * 10, "new\n" * 8000


def test_a_full_disk_keeps_what_was_there_and_gets_nothing_else(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        (disk / "r").write_text(OLD)
        fill(disk)
        for write in (files.write, files.append, lambda path, text: files.replace(path, text, mode=0o600)):
            with pytest.raises(OSError, match="No space left"):
                write(disk / "r", NEW)
            assert (disk / "r").read_text() == OLD
        # Where only the file itself may be written, it is written in place, and its space is taken first.
        with pytest.raises(OSError, match="No space left"):
            files._overwrite(disk / "r", NEW.encode())
        assert (disk / "r").read_text() == OLD
        assert {path.name for path in disk.iterdir()} == {"r", "filler"}


def test_a_file_that_is_mounted_by_itself_is_written_in_place(tmp_path: Path) -> None:
    """As Docker gives a single file to a container: its directory may even be read-only."""
    real, workdir = tmp_path / "real", tmp_path / "place"
    real.write_text(OLD)
    workdir.mkdir()
    (workdir / "r").write_text("")
    subprocess.run(["mount", "--bind", str(real), str(workdir / "r")], check=True)
    try:
        for text in (NEW, OLD, ""):
            files.write(workdir / "r", text)
            assert real.read_text() == text
    finally:
        subprocess.run(["umount", str(workdir / "r")], check=True)
    assert {path.name for path in workdir.iterdir()} == {"r"}


def test_a_read_only_directory_is_reported_by_the_path_that_was_given(tmp_path: Path) -> None:
    (tmp_path / "shut").mkdir()
    with frozen(tmp_path / "shut") as shut, pytest.raises(OSError, match="Read-only") as raised:
        files.write(shut / "r", NEW)
    assert raised.value.filename == str(tmp_path / "shut" / "r")


def as_nobody(directory: Path, call: str) -> subprocess.CompletedProcess[str]:
    """Run a call of ``files`` as an account without rights, in ``directory``."""
    code = (
        "import os\nfrom pathlib import Path\nfrom fleetsweep.runtime import files\n"
        f"os.chdir('{directory}')\nos.setgroups([])\nos.setgid(65534)\nos.setuid(65534)\n"
        f"try:\n    files.{call}\nexcept OSError as error:\n    print(error.strerror, error.filename)"
    )
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)


def test_rights_are_those_of_a_shells_redirection(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    mine = tmp_path / "mine"
    mine.write_text(OLD)
    mine.chmod(0o666)
    # The directory is root's and the file may be written.
    assert as_nobody(tmp_path, f"write(Path('mine'), {NEW!r})").stdout == ""
    assert (mine.read_text(), mine.stat().st_uid) == (NEW, 0)
    # A metrics file is replaced whole or left: node-exporter may read at any time.
    assert as_nobody(tmp_path, "replace(Path('mine'), 'x', mode=0o644)").stdout == "Permission denied mine\n"
    assert as_nobody(tmp_path, "write(Path('new'), 'x')").stdout == "Permission denied new\n"
    mine.chmod(0o644)
    assert as_nobody(tmp_path, "write(Path('mine'), 'x')").stdout == "Permission denied mine\n"
    # The directory may be written, but not the file: a shell would not write it either.
    tmp_path.chmod(0o777)
    assert as_nobody(tmp_path, "write(Path('mine'), 'x')").stdout == "Permission denied mine\n"
    assert mine.read_text() == NEW
    # It may be written and belongs to somebody else, whose it stays.
    mine.chmod(0o666)
    assert as_nobody(tmp_path, "write(Path('mine'), 'x')").stdout == ""
    assert (mine.read_text(), mine.stat().st_uid, mine.stat().st_mode & 0o777) == ("x", 0, 0o666)
    assert {path.name for path in tmp_path.iterdir()} == {"mine"}


def test_a_report_goes_into_a_pipe_and_not_through_a_planted_link(run: Run, workdir: Workdir, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("precious")
    (tmp_path / "r.txt.part").symlink_to(other)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    held = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with ScriptedEngine(leaks(1)).serve(workdir.socket) as address:
        done = run("audit", *workdir.local(address), "-o", "r.txt")
        piped = run("audit", *workdir.local(address), "--format", "json", "-o", "pipe")
    assert (done.returncode, piped.returncode) == (0, 0), done.stderr + piped.stderr
    assert other.read_text() == "precious"
    assert "stale" in (tmp_path / "r.txt").read_text().lower()
    assert os.read(held, 1 << 16).startswith(b"{")
    os.close(held)
    assert pipe.is_fifo()


@pytest.mark.parametrize(
    ("target", "words"), [("/dev/full", "No space left on device"), (".", "is a directory"), ("no/r", "No such file")]
)
def test_a_report_that_cannot_be_written_is_on_stdout_and_the_run_incomplete(
    run: Run, workdir: Workdir, target: str, words: str
) -> None:
    with ScriptedEngine(leaks(1)).serve(workdir.socket) as address:
        done = run("audit", *workdir.local(address), "--format", "json", "-o", target)
    assert done.returncode == 3
    assert f"--output: {target}: {words}" in done.stderr
    assert done.stdout.startswith("{")
