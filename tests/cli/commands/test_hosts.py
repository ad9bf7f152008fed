"""``fleetsweep hosts`` and ``--list-hosts``: who is selected, why, and that nobody is contacted."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fleetsweep.__main__ import run as run_main
from fleetsweep.cli.defaults import inventory_sources
from fleetsweep.errors import UsageError

INI = """\
[ci]
runner-[01:03].example.com
[ci:vars]
ansible_user=ci
fleetsweep_max_age=4h
[arm]
arm-1 ansible_host=10.0.0.7 ansible_port=2222 fleetsweep_cap=7 ansible_become_password=hunter2
[drained]
"""

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Runs the command line in a directory that holds ``fleet.ini``; gives exit code, stdout and stderr."""
    for name in [*os.environ]:
        if name.startswith(("FLEETSWEEP_", "ANSIBLE_", "WS_", "SAFETY_", "DRY_RUN")):
            monkeypatch.delenv(name)
    (tmp_path / "fleet.ini").write_text(INI)
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["fleetsweep", *words])
        code = run_main()
        out, err = capsys.readouterr()
        return code, out, err

    return run


def test_the_table_shows_how_each_host_is_reached(call: Call) -> None:
    code, out, err = call("hosts", "-i", "fleet.ini")
    head, first, *_, last = (line.split() for line in out.splitlines())
    assert head == ["HOST", "ADDRESS", "PORT", "USER", "CONNECTION", "ENGINE", "GROUPS"]
    assert first == [*["runner-01.example.com"] * 2, "22", "ci", "ssh", "unix:///var/run/docker.sock", "ci"]
    assert last == ["arm-1", "10.0.0.7", "2222", "-", "ssh", "unix:///var/run/docker.sock", "arm"]
    assert (code, err) == (0, "4 hosts: arm-1, runner-[01-03].example.com\n")


def test_the_summary_folds_who_is_not_selected(call: Call) -> None:
    assert call("hosts", "-i", "fleet.ini", "-l", "ci[1:]")[2] == (
        "2 hosts: runner-[02-03].example.com; not selected, 2: arm-1, runner-01.example.com\n"
    )


def test_json_has_the_keys_of_the_contract_and_typed_variables(call: Call) -> None:
    code, out, _ = call("hosts", "-i", "fleet.ini", "--host", "arm-1", "--format", "json")
    assert (code, json.loads(out)) == (
        0,
        [
            {
                "name": "arm-1",
                "address": "10.0.0.7",
                "port": 2222,
                "user": None,
                "connection": "ssh",
                "groups": ["arm"],
                "vars": {
                    "ansible_host": "10.0.0.7",
                    "ansible_port": 2222,
                    "fleetsweep_cap": 7,
                    "ansible_become_password": "********",
                },
            }
        ],
    )


def test_verbose_shows_where_each_variable_and_setting_comes_from(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEETSWEEP_MAX_SKEW", "90s")
    _, out, _ = call("hosts", "-i", "fleet.ini", "-l", "arm,ci[0]", "-v", "--job-timeout", "20m", "--name", "^x-")
    runner, arm = out.split("\narm-1 ")
    lines = [" ".join(line.split()) for line in arm.splitlines()]
    path = Path.cwd() / "fleet.ini"
    assert f'ansible_host "10.0.0.7" {path}:7' in lines
    assert f"cap 7 inventory variable fleetsweep_cap of arm-1 ({path}:7)" in lines
    assert "job-timeout 20m --job-timeout" in lines
    assert "max-skew 1m30s environment FLEETSWEEP_MAX_SKEW" in lines
    assert "max-age 2h default" in lines
    assert "name ^x- --name" in lines
    assert "image none --name" in lines
    assert f"({path}:5)" in runner
    assert f"ansible_become_password ******** {path}:7 (unused: fleetsweep runs sudo -n, which never prompts)" in lines
    assert "hunter2" not in out


def test_verbose_json_adds_keys_and_changes_none(call: Call) -> None:
    (short,) = json.loads(call("hosts", "-i", "fleet.ini", "-l", "arm", "--format", "json")[1])
    (long,) = json.loads(call("hosts", "-i", "fleet.ini", "-l", "arm", "--format", "json", "-v")[1])
    assert long | short == long
    assert long["settings"]["cap"]["value"] == "7"
    assert long["origins"]["fleetsweep_cap"].endswith("fleet.ini:7")


def test_what_a_variable_holds_can_move_no_cursor(call: Call, tmp_path: Path) -> None:
    (tmp_path / "bad.yml").write_text(
        'all: {hosts: {a: {note: "\\e[2J\\u202e", "k\\e[1m": 1, .inf: .inf, when: 2026-01-02, ids: !!set {x}}}}\n'
    )
    for words in (["-v"], ["--format", "json"]):
        code, out, err = call("hosts", "-i", "bad.yml", *words)
        assert code in {0, 2}, err
        assert all(character.isprintable() or character == "\n" for character in out + err)


def test_a_refused_setting_is_reported_before_the_hosts(call: Call) -> None:
    code, out, err = call("hosts", "-i", "fleet.ini", "--max-age", "7")
    assert (code, out) == (2, "")
    assert "--max-age" in err


@pytest.mark.parametrize(
    "command",
    [("audit",), ("sweep",), ("sweep", "--yes"), ("sweep", "--dry-run"), ("explain",), ("explain", "ws-1")],
)
def test_list_hosts_prints_as_ansible_does_and_contacts_nobody(
    command: tuple[str, ...], call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody(*_: object, **__: object) -> None:
        raise AssertionError("somebody was contacted")

    for name in ("socket.getaddrinfo", "socket.socket.connect", "subprocess.Popen"):
        monkeypatch.setattr(name, nobody)
    code, out, err = call(*command, "-i", "fleet.ini", "-l", "ci:&*-0[12]*", "--list-hosts")
    assert (code, err) == (0, "")
    assert out == "  hosts (2):\n    runner-01.example.com\n    runner-02.example.com\n"


@pytest.mark.parametrize("command", [("hosts",), ("audit", "--list-hosts")])
def test_another_number_of_hosts_than_expected_is_exit_4_and_names_them(command: tuple[str, ...], call: Call) -> None:
    assert call(*command, "-i", "fleet.ini", "--expect", "4")[0] == 0
    code, out, err = call(*command, "-i", "fleet.ini", "--expect", "5..9")
    assert code == 4
    assert out
    assert "4 hosts are selected (arm-1, runner-[01-03].example.com), 5..9 were expected: no host was contacted" in err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("-i", "fleet.ini", "-l", ""), "an empty pattern selects nothing"),
        (("-i", "fleet.ini", "-l", ","), "an empty pattern selects nothing"),
        (("-i", "fleet.ini", "-l", "ci", "-l", ""), "an empty pattern selects nothing"),
        (("-i", "fleet.ini", "-l", "@none"), "No such file"),
        (("-i", "fleet.ini", "-l", "@" + "x" * 5000), "--limit: '@xxx"),
        (("-i", "fleet.ini", "-l", "@."), "Is a directory"),
        (("-i", "fleet.ini", "-l", "@"), "Is a directory"),
        (("-i", "fleet.ini", "-l", "@empty"), "contains no pattern"),
        (("-i", "fleet.ini", "-l", "@binary"), "not UTF-8"),
        (("-i", "fleet.ini", "-l", "ci:nobody"), "'nobody' matches no host and no group"),
        (("-i", "fleet.ini", "-l", "drained"), "no host is selected"),
        (("-i", "fleet.ini", "-l", "ci,!ci"), "excludes the whole selection"),
        (("-i", "fleet.ini", "-l", "localhost"), "use --local"),
        (("-i", "fleet.ini", "--host", "arm-2"), "did you mean arm-1?"),
        (("-i", "fleet.ini", "--host", "arm"), "no host is named 'arm'"),
        (("-i", "fleet.ini", "--host", ""), "no host is named ''"),
        (("-i", "fleet.ini", "--host", "arm-1", "-l", "ci"), "exclude each other"),
        (("-i", "nowhere.ini"), "nowhere.ini"),
        (("-i", ""), "is empty: is a variable in it unset?"),
        (("-i", "fleet.ini", "-i", " "), "-i/--inventory is empty"),
        (("-i", "none.ini"), "has no hosts"),
        (("-l", "ci"), "--limit picks from an inventory, and there is none"),
        (("--host", "x y"), "is not [user@]address[:port]"),
        ((), "no inventory"),
    ],
)
@pytest.mark.parametrize("command", [("hosts",), ("sweep", "--yes"), ("audit", "--list-hosts")])
def test_whatever_selects_nothing_is_exit_2(
    words: tuple[str, ...], says: str, command: tuple[str, ...], call: Call, tmp_path: Path
) -> None:
    (tmp_path / "empty").write_text("\n \n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    (tmp_path / "none.ini").write_text("[ci]\n")
    code, out, err = call(*command, *words)
    assert (code, out) == (2, "")
    assert says in err


def test_a_file_of_patterns_stands_in_the_working_directory(call: Call, tmp_path: Path) -> None:
    (tmp_path / "who").write_text("runner-*\n!runner-02*\n")
    assert "2 hosts: runner-[01,03].example.com" in call("hosts", "-i", "fleet.ini", "-l", "@who")[2]
    assert "1 host: runner-03.example.com" in call("hosts", "-i", "fleet.ini", "-l", "@who", "-l", "!*-01*")[2]


def test_the_environment_names_inventories_as_ansibles_does(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "more.yml").write_text("all: {hosts: {extra: }}\n")
    monkeypatch.setenv("FLEETSWEEP_INVENTORY", "fleet.ini,more.yml")
    assert call("hosts")[2] == "5 hosts: arm-1, extra, runner-[01-03].example.com\n"
    monkeypatch.setenv("FLEETSWEEP_INVENTORY", "one,two,")
    assert call("hosts")[2] == "2 hosts: one, two\n"
    assert call("hosts", "-i", "more.yml")[2] == "1 host: extra\n"
    monkeypatch.setenv("FLEETSWEEP_INVENTORY", " ")
    assert call("hosts")[0] == 2
    (tmp_path / "inventory").write_text("here\n")
    assert call("hosts")[2] == "1 host: here\n"


@pytest.mark.parametrize("text", ["a,,b", ",a", "a, ,b"])
def test_an_empty_source_in_the_environment_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="empty source"):
        inventory_sources(text)


def test_explain_needs_a_container_unless_it_only_lists(call: Call) -> None:
    code, _, err = call("explain", "-i", "fleet.ini")
    assert (code, "which container?" in err) == (2, True)
