"""A file is written whole or not at all, and nothing but that file is touched."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetsweep.runtime import files

Writer = Callable[[Path, str | bytes], None]


def ours(path: Path, content: str | bytes) -> None:
    files.replace(path, content, mode=0o600, durable=True)


WRITERS: list[Writer] = [files.write, ours]
BOTH = pytest.mark.parametrize("write", WRITERS, ids=["asked-for", "ours"])


def names(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


@BOTH
@given(before=st.none() | st.binary(max_size=3000), after=st.binary(max_size=3000))
def test_what_was_there_is_replaced_by_all_of_the_new(
    tmp_path_factory: pytest.TempPathFactory, write: Writer, before: bytes | None, after: bytes
) -> None:
    directory = tmp_path_factory.mktemp("files")
    if before is not None:
        (directory / "r").write_bytes(before)
    write(directory / "r", after)
    assert (directory / "r").read_bytes() == after
    assert names(directory) == {"r"}


@BOTH
def test_a_link_beside_the_target_is_left_alone(tmp_path: Path, write: Writer) -> None:
    other = tmp_path / "other"
    other.write_text("precious")
    for name in ("r.txt.part", ".r.txt.part", ".r.txt", "r.txt~", "r.txt.tmp"):
        (tmp_path / name).symlink_to(other)
    before = names(tmp_path)
    write(tmp_path / "r.txt", "report")
    assert other.read_text() == "precious"
    assert names(tmp_path) == before | {"r.txt"}


@BOTH
@pytest.mark.parametrize("nameless", [True, False])
def test_a_temporary_name_that_is_taken_is_never_followed(
    tmp_path: Path, write: Writer, nameless: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not nameless:
        without_nameless(monkeypatch)
    monkeypatch.setattr("secrets.token_hex", lambda size: "1" * size * 2)
    planted = tmp_path / f".fleetsweep-{'1' * 16}"
    other = tmp_path / "other"
    other.write_text("precious")
    planted.symlink_to(other)
    with pytest.raises(FileExistsError) as raised:
        write(tmp_path / "r.txt", "report")
    assert raised.value.filename == str(tmp_path / "r.txt")
    assert other.read_text() == "precious"
    assert planted.is_symlink()
    assert not (tmp_path / "r.txt").exists()


def without_nameless(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel, or a file system such as NFS, that can't make a file without a name."""
    real = os.open

    def refuse(path: Path | str, flags: int, mode: int = 0o777) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(95, "Operation not supported")
        return real(path, flags, mode)

    monkeypatch.setattr("fleetsweep.runtime.files.os.open", refuse)


def without_links(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system that makes a file without a name and gives it none later, as some FUSE file systems."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr("fleetsweep.runtime.files.os.link", refuse)


@BOTH
@pytest.mark.parametrize("lack", [without_nameless, without_links])
def test_a_file_system_without_nameless_files_is_written_all_the_same(
    tmp_path: Path, write: Writer, monkeypatch: pytest.MonkeyPatch, lack: Callable[[pytest.MonkeyPatch], None]
) -> None:
    lack(monkeypatch)
    (tmp_path / "r").write_text("old")
    write(tmp_path / "r", "new")
    assert (tmp_path / "r").read_text() == "new"
    assert names(tmp_path) == {"r"}


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_a_new_report_gets_what_the_umask_leaves_and_an_old_one_keeps_its_mode(
    tmp_path: Path, umask: int, mode: int
) -> None:
    before = os.umask(umask)
    try:
        files.write(tmp_path / "new", "x")
        (tmp_path / "old").write_text("")
        (tmp_path / "old").chmod(0o640)
        files.write(tmp_path / "old", "x")
        ours(tmp_path / "ours", "x")
    finally:
        os.umask(before)
    assert [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("new", "old", "ours")] == [mode, 0o640, 0o600]


def test_a_report_keeps_the_owner_of_the_file_that_was_there(tmp_path: Path) -> None:
    path = tmp_path / "r"
    path.write_text("old")
    os.chown(path, 4242, 4343)
    files.write(path, "new")
    assert (path.stat().st_uid, path.stat().st_gid, path.read_text()) == (4242, 4343, "new")


def test_a_report_follows_a_link_and_our_own_files_take_its_place(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    place, link = tmp_path / "real" / "place", tmp_path / "link"
    (tmp_path / "first").symlink_to("link")
    link.symlink_to("real/place")
    for text in ("made", "again"):
        files.write(tmp_path / "first", text)
        assert place.read_text() == text
        assert link.is_symlink()
        assert names(place.parent) == {"place"}
    ours(link, "ours")
    assert place.read_text() == "again"
    assert link.read_text() == "ours"
    assert not link.is_symlink()


def test_a_link_that_somebody_else_put_where_all_may_write_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    link = shared / "r.txt"
    link.symlink_to(victim)
    os.lchown(link, 4242, 4242)
    for write in (files.write, files.append):
        with pytest.raises(PermissionError, match="another user"):
            write(link, "report")
    assert victim.read_text() == "precious"


def test_links_that_go_round_end(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError, match="Too many levels"):
        files.write(tmp_path / "a", "x")


@pytest.mark.parametrize("write", [*WRITERS, files.append])
def test_a_directory_is_refused_by_name(tmp_path: Path, write: Writer) -> None:
    with pytest.raises(IsADirectoryError) as raised:
        write(tmp_path, "x")
    assert (raised.value.strerror, raised.value.filename) == ("is a directory", str(tmp_path))


@pytest.mark.parametrize("write", [*WRITERS, files.append])
def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path: Path, write: Writer) -> None:
    pipe, content = tmp_path / "pipe", b"x" * 300_000
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    write(pipe, content)
    reader.join(30)
    assert read == [content]
    assert pipe.is_fifo()


@pytest.mark.parametrize("write", [*WRITERS, files.append])
def test_a_pipe_without_a_reader_is_an_error(tmp_path: Path, write: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "PATIENCE_S", 0.1)
    monkeypatch.setattr(files, "STALL_S", 0.1)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(OSError, match="without a reader"):
        write(pipe, "x")
    idle = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with pytest.raises(OSError, match="stopped reading"):
            write(pipe, "x" * 300_000)
    finally:
        os.close(idle)
    assert pipe.is_fifo()


@pytest.mark.parametrize("write", [*WRITERS, files.append])
def test_a_device_is_written_to(write: Writer) -> None:
    write(Path("/dev/null"), "x")
    assert Path("/dev/null").is_char_device()
    with pytest.raises(OSError, match="No space left") as raised:
        write(Path("/dev/full"), "x")
    assert raised.value.filename == "/dev/full"
    assert Path("/dev/full").is_char_device()


def in_child(code: str, redirection: str = "") -> subprocess.CompletedProcess[str]:
    command = f'exec {sys.executable} -c "$0" {redirection}'
    return subprocess.run(["sh", "-c", command, code], capture_output=True, text=True, check=False, timeout=60)


def test_our_own_descriptors_are_written_to_where_they_stand(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("before\n")
    code = "from fleetsweep.runtime import files; from pathlib import Path; files.write(Path('{}'), 'report\\n')"
    for name, redirection in (("/dev/stdout", ">>"), ("/dev/fd/7", "7>>"), ("/proc/self/fd/2", "2>>")):
        done = in_child(code.format(name), f"{redirection} {log}")
        assert done.returncode == 0, done.stderr
    assert log.read_text() == "before\n" + "report\n" * 3
    assert in_child(code.format("/dev/stdout")).stdout == "report\n"
    assert in_child(f"o = open('{log}', 'a'); " + code.format("/dev/fd/3")).returncode == 1
    assert log.read_text() == "before\n" + "report\n" * 3


def test_no_file_is_made_where_an_end_comes_in_the_middle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(descriptor: int, data: bytes, stall_s: float | None) -> None:
        os.write(descriptor, data[:1])
        raise KeyboardInterrupt

    monkeypatch.setattr(files, "_send", stop)
    for nameless in (True, False):
        if not nameless:
            without_nameless(monkeypatch)
        for write in WRITERS:
            with pytest.raises(KeyboardInterrupt):
                write(tmp_path / "r", "report")
    assert names(tmp_path) == set()


def test_even_sigkill_in_the_middle_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "r").write_text("old")
    code = (
        "import os, signal\nfrom pathlib import Path\nfrom fleetsweep.runtime import files\n"
        "files._send = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"files.write(Path('{tmp_path}/r'), 'new')"
    )
    subprocess.run([sys.executable, "-c", code], check=False, timeout=60)
    assert (tmp_path / "r").read_text() == "old"
    assert names(tmp_path) == {"r"}


def test_an_addition_is_behind_what_was_there(tmp_path: Path) -> None:
    for text in ("a\n", "b\n"):
        files.append(tmp_path / "summary", text)
    assert (tmp_path / "summary").read_text() == "a\nb\n"


def test_only_a_regular_file_is_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for odd in (tmp_path / "pipe", Path("/dev/zero"), tmp_path):
        with pytest.raises(OSError, match="is not a file") as raised:
            files.open_regular(odd)
        assert raised.value.filename == str(odd)


@pytest.mark.parametrize("write", [files.write, files.append], ids=["write", "append"])
def test_a_report_never_replaces_a_journal(tmp_path: Path, write: Writer) -> None:
    path, link = tmp_path / "journal.db", tmp_path / "report.txt"
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE hold (id)")
    link.symlink_to(path)
    before = path.read_bytes()
    for target in (path, link):
        with pytest.raises(OSError, match="is a database, such as fleetsweep's journal"):
            write(target, "report")
    assert path.read_bytes() == before
