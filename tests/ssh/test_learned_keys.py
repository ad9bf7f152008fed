"""Saving the host keys that an operator has accepted."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from fleetsweep.model.host_key import UnknownKey
from fleetsweep.ssh.known_hosts import fingerprint
from fleetsweep.ssh.learned_keys import save_keys
from tests.ssh.sshd import HOST_KEY, USER_KEY


def unknown(file: Path, name: str = "box", key: object = HOST_KEY) -> UnknownKey:
    assert isinstance(key, type(HOST_KEY))
    encoded = key.asbytes()
    return UnknownKey("runner", name, key.get_name(), encoded, fingerprint(encoded), (str(file),), str(file))


def line(name: str) -> str:
    return f"{name} {HOST_KEY.get_name()} {HOST_KEY.get_base64()}\n"


def test_keys_are_added_after_what_is_there_and_the_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    file, link = tmp_path / "known", tmp_path / "link"
    file.write_text("# no line break")
    file.chmod(0o640)
    link.symlink_to(file)
    with file.open() as old:
        assert save_keys([unknown(link, "[box]:2222"), unknown(link, "other"), unknown(link, "other")]) == ()
        assert old.read() == "# no line break"
    assert file.read_text() == f"# no line break\n{line('[box]:2222')}{line('other')}"
    assert file.stat().st_mode & 0o777 == 0o640
    assert link.is_symlink()


def test_a_missing_file_and_its_directory_are_made_for_their_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / ".ssh" / "known_hosts"
    assert save_keys([unknown(file)]) == ()
    assert [path.stat().st_mode & 0o777 for path in (file, file.parent)] == [0o600, 0o700]


@pytest.mark.parametrize("before", ["box {} {}", "@revoked * {} {}", "@cert-authority * {} {}", "[box]:22 {} {}"])
def test_a_key_is_not_saved_once_its_machine_is_known_revoked_or_certified(tmp_path: Path, before: str) -> None:
    file = tmp_path / "known"
    known = USER_KEY if before.startswith(("box", "@cert", "[")) else HOST_KEY
    text = f"{before.format(known.get_name(), known.get_base64())}\n"
    file.write_text(text)
    (problem,) = save_keys([unknown(file)])
    assert problem.startswith("box: ")
    assert file.read_text() == text


def test_a_key_that_was_saved_meanwhile_is_no_problem(tmp_path: Path) -> None:
    file = tmp_path / "known"
    file.write_text(line("box"))
    assert save_keys([unknown(file)]) == ()
    assert file.read_text() == line("box")


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    (tmp_path / "file").touch()
    for file in (pipe, tmp_path / "file" / "known"):
        (problem,) = save_keys([unknown(file)])
        assert str(file) in problem


def test_other_files_of_a_connection_count_too(tmp_path: Path) -> None:
    (tmp_path / "system").write_text(f"box {USER_KEY.get_name()} {USER_KEY.get_base64()}\n")
    key = unknown(tmp_path / "known")
    assert save_keys([replace(key, files=(*key.files, str(tmp_path / "system")))])
    assert (tmp_path / "known").read_text() == ""


def test_keys_that_are_saved_at_once_are_all_kept(tmp_path: Path) -> None:
    file = tmp_path / "known"
    threads = [threading.Thread(target=save_keys, args=([unknown(file, f"box{number}")],)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(file.read_text().splitlines(keepends=True)) == [line(f"box{number}") for number in range(8)]
