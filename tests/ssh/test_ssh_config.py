"""The SSH configuration files: includes, Match blocks, comments and limits."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fleetsweep.errors import HostError, Phase
from fleetsweep.model.host import Host
from fleetsweep.model.ssh_settings import SshOption
from fleetsweep.ssh.config_lookup import look_up
from fleetsweep.ssh.options import SshOptions
from fleetsweep.ssh.route import find_route
from fleetsweep.ssh.ssh_config import MAX_INCLUDES, Line, read_options, read_ssh_config
from tests.ssh.unblocked import error_of


def looked_up(path: Path, text: str, user: str | None = None, host: str = "box") -> dict[str, str]:
    path.write_text(text)
    first = [Line("user", (user,), "inventory")] if user else []
    return {key: line.value for key, line in look_up(host, first, read_ssh_config(str(path))).values.items()}


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    return path


def test_the_first_value_of_a_setting_counts(tmp_path: Path) -> None:
    found = looked_up(tmp_path / "config", "Host b*\n Port 1\nHost *\n Port = 2\n User me # of all\n")
    assert (found["port"], found["user"]) == ("1", "me")


def test_included_files_are_read_in_order_and_end_with_their_block(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("Host other\n Port 1\n")
    (tmp_path / "b").write_text("Port 2\n")
    found = looked_up(tmp_path / "config", f"Include {tmp_path}/[ab]\nUser me\n")
    assert (found["port"], found["user"]) == ("2", "me")


def test_the_final_user_is_seen_by_match_user(tmp_path: Path) -> None:
    text = "User root\nMatch user deploy\n Port 2222\n"
    assert looked_up(tmp_path / "config", text, "deploy")["port"] == "2222"
    assert "port" not in looked_up(tmp_path / "other", text)


def test_the_command_of_match_exec_reads_no_input_and_decides(tmp_path: Path) -> None:
    assert looked_up(tmp_path / "config", "Match exec 'read line; true'\n Port 1\n")["port"] == "1"
    assert "port" not in looked_up(tmp_path / "other", "Match exec false\n Port 1\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Port\n", "config:1: 'Port' is not a setting with a value"),
        ("Host a\nMatch localnetwork 10.0.0.0/8\n", "config:2: Match localnetwork is not supported"),
        ('Host "a\n', "config:1: Host: a quote is not closed"),
    ],
)
def test_an_invalid_line_is_refused_with_its_number(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(HostError) as caught:
        looked_up(tmp_path / "config", text)
    assert (caught.value.phase, caught.value.kind) == (Phase.RESOLVE, "ssh-config")
    assert message in caught.value.message


def test_includes_may_be_nested_as_deeply_as_in_openssh(tmp_path: Path) -> None:
    for level in range(MAX_INCLUDES):
        (tmp_path / str(level)).write_text(f"Include {tmp_path}/{level + 1}\n")
    (tmp_path / str(MAX_INCLUDES)).write_text("Port 7\n")
    assert look_up("box", (), read_ssh_config(str(tmp_path / "0"))).port == 7
    (tmp_path / "more").write_text(f"Include {tmp_path}/0\n")
    with pytest.raises(HostError, match="too deeply"):
        read_ssh_config(str(tmp_path / "more"))


@pytest.mark.parametrize("text", ["Include {}\n", "Host b*\n Include {}\n"])
def test_a_pipe_that_an_ssh_configuration_includes_is_refused_by_name(tmp_path: Path, fifo: Path, text: str) -> None:
    (tmp_path / "config").write_text(text.format(fifo))
    error = error_of(lambda: find_route(Host("box", "box"), SshOptions(ssh_config=str(tmp_path / "config"))))
    assert isinstance(error, HostError)
    assert str(fifo) in error.message


def test_a_pipe_as_ssh_configuration_is_refused_by_name(fifo: Path) -> None:
    error = error_of(lambda: find_route(Host("box", "box"), SshOptions(ssh_config=str(fifo))))
    assert isinstance(error, HostError)
    assert f"{fifo}: is not a regular file" in error.message


def test_the_number_of_included_files_is_limited(tmp_path: Path) -> None:
    for level in range(12):
        (tmp_path / f"{level}").write_text(f"Include {tmp_path}/{level + 1}\n" * 10)
    error = error_of(lambda: find_route(Host("box", "box"), SshOptions(ssh_config=str(tmp_path / "0"))))
    assert isinstance(error, HostError)
    assert "files" in error.message


def test_a_file_that_others_may_write_is_refused_as_by_ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir()
    usual, included = tmp_path / ".ssh" / "config", tmp_path / "included"
    included.write_text("Port 7\n")
    usual.write_text(f"Include {included}\n")
    for path in (included, usual):
        path.chmod(0o666)
        with pytest.raises(HostError, match="others may write") as caught:
            read_ssh_config(None)
        assert str(path) in caught.value.message
        assert "chmod go-w" in caught.value.remedy
        path.chmod(0o644)
    assert look_up("box", (), read_ssh_config(None)).port == 7


def test_a_file_that_is_named_may_be_shared_but_not_what_it_includes(tmp_path: Path) -> None:
    """As in ssh: a shared file that was named was meant."""
    included, named = tmp_path / "included", tmp_path / "named"
    included.write_text("Port 7\n")
    named.write_text(f"Port 8\nInclude {included}\n")
    named.chmod(0o666)
    assert look_up("box", (), read_ssh_config(str(named))).port == 8
    included.chmod(0o666)
    (tmp_path / "again").write_text(f"Include {included}\n")
    with pytest.raises(HostError, match="others may write"):
        read_ssh_config(str(tmp_path / "again"))


def test_none_names_no_file() -> None:
    assert read_ssh_config("none") == ()


def test_options_come_as_lines_and_an_invalid_one_is_named(tmp_path: Path) -> None:
    lines = read_options((SshOption("Port", "7", "hosts:3"), SshOption("HostKeyAlias", '"b 7"', "hosts:3")))
    assert [(line.key, line.value, line.where) for line in lines] == [
        ("port", "7", "hosts:3"),
        ("hostkeyalias", "b 7", "hosts:3"),
    ]
    with pytest.raises(HostError, match="hosts:3: RequiredRSASize"):
        read_options((SshOption("RequiredRSASize", "x", "hosts:3"),))
