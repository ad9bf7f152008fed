"""What an account can't start, read or write, tried out with a real account."""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleetsweep.schedule.account import Needs, account_problems
from tests.lab.accounts import edit

pytestmark = pytest.mark.lab

NAME = f"fsa{os.getpid()}"


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home = tmp_path_factory.mktemp("home") / NAME
    edit(["useradd", "-r", "-d", str(home), "-m", "-s", "/usr/sbin/nologin", NAME])
    yield NAME
    edit(["userdel", "-r", NAME])


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A directory that any account may enter, below pytest's that none may."""
    directory = Path(f"/tmp/{NAME}-{tmp_path.name}")
    directory.mkdir(mode=0o755)
    yield directory
    subprocess.run(["rm", "-r", str(directory)], check=True)


def script(place: Path, interpreter: str) -> str:
    path = place / "program"
    path.write_text(f"#!{interpreter}\n")
    path.chmod(0o755)
    return str(path)


def test_an_account_that_is_missing_is_named_and_nothing_else_is_tried() -> None:
    (problem,) = account_problems("fs-no-one", Needs(("/nonexistent",)))
    assert problem.startswith("there is no account fs-no-one yet")


def test_an_account_that_has_all_has_no_problem(user: str, place: Path) -> None:
    (place / "inventory").write_text("")
    os.chown(place, pwd.getpwnam(user).pw_uid, -1)
    needs = Needs((script(place, "/bin/true"),), reads=(str(place / "inventory"), str(place)), writes=(str(place),))
    assert account_problems(user, needs) == ()


def test_an_interpreter_below_a_closed_directory_is_named_with_the_directory(user: str, place: Path) -> None:
    closed = place / "closed"
    closed.mkdir(mode=0o700)
    (closed / "python").symlink_to("/bin/true")
    (problem,) = account_problems(user, Needs((script(place, str(closed / "python")),)))
    assert problem.startswith(f"{user} can't start {place / 'program'}: Permission denied")
    assert "in /opt" in problem


def test_a_program_that_starts_and_fails_is_quoted(user: str, place: Path) -> None:
    path = script(place, "/bin/sh")
    Path(path).write_text("#!/bin/sh\necho no module named fleetsweep >&2\nexit 1\n")
    (problem,) = account_problems(user, Needs((path,)))
    assert f"can't start {path}: no module named fleetsweep" in problem


def test_what_it_cannot_read_or_write_is_named_with_what_is_closed(user: str, place: Path) -> None:
    closed = place / "closed"
    closed.mkdir(mode=0o700)
    (closed / "key").write_text("")
    (place / "inventory").write_text("")
    (place / "inventory").chmod(0o600)
    program = (script(place, "/bin/true"),)
    reads = (str(closed / "key"), str(place / "inventory"), str(place / "none"))
    found = account_problems(user, Needs(program, reads=reads, writes=(str(place), str(place / "none"))))
    assert [text.partition(":")[0] for text in found] == [
        f"{user} can't read {closed / 'key'} ({closed} is closed to it)",
        f"{user} can't read {place / 'inventory'}",
        f"{place / 'none'} is missing",
        f"{user} can't write to {place}",
        f"{place / 'none'} is not a directory",
    ]
    # The remedy of the directory is a command.
    remedy = found[3].rpartition(": ")[2]
    subprocess.run(["/bin/sh", "-c", remedy], check=True)
    assert not any("can't write" in text for text in account_problems(user, Needs(program, writes=(str(place),))))


def test_no_key_and_no_known_hosts_are_named_unless_ssh_is_configured(user: str, place: Path) -> None:
    needs = Needs((script(place, "/bin/true"),), default_keys=True, default_known_hosts=True)
    account = pwd.getpwnam(user)
    # pytest's directories are closed: the account's home moves for this test.
    edit(["usermod", "-d", str(place), user])
    ssh = place / ".ssh"
    ssh.mkdir(mode=0o755)
    assert f"{user} has no SSH key: put one into {ssh}/id_ed25519" in account_problems(user, needs)[0]
    assert not Path("/etc/ssh/ssh_known_hosts").exists()
    assert "knows no host keys" in account_problems(user, needs)[1]
    for name in ("id_ed25519", "known_hosts"):
        (ssh / name).touch(mode=0o644)
    assert account_problems(user, needs) == ()
    for name in ("id_ed25519", "known_hosts"):
        (ssh / name).unlink()
    (ssh / "config").touch(mode=0o644)
    assert account_problems(user, needs) == ()
    edit(["usermod", "-d", account.pw_dir, user])
