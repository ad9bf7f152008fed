"""Which hosts the target options select."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleetsweep.cli.options import TargetOptions
from fleetsweep.cli.targets import check_expected, find_hosts, list_hosts, summary
from fleetsweep.errors import UsageError
from fleetsweep.exit_codes import GUARD, OK
from fleetsweep.model.host import Connection


@pytest.fixture(autouse=True)
def fleet(clean_environment: None) -> None:
    Path("fleet.ini").write_text("[ci]\nrunner-[1:3]\n[arm]\narm-1\n")


def test_this_machine_is_one_host_with_its_engine() -> None:
    (host,) = find_hosts(TargetOptions(local=True, engine="unix:///e.sock")).hosts
    assert (host.connection, host.engine) == (Connection.LOCAL, "unix:///e.sock")


def test_an_ignored_docker_host_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:2375")
    (warning,) = find_hosts(TargetOptions(local=True)).warnings
    assert warning.startswith("DOCKER_HOST is not read: give --engine tcp://127.0.0.1:2375; this run uses unix:///")
    assert find_hosts(TargetOptions(local=True, engine="unix:///e.sock")).warnings == ()
    assert find_hosts(TargetOptions(inventory=("fleet.ini",))).warnings == ()
    monkeypatch.setenv("DOCKER_HOST", "unix:///var/run/docker.sock")
    assert find_hosts(TargetOptions(local=True)).warnings == ()


def test_an_inventorys_other_hosts_are_named() -> None:
    selection = find_hosts(TargetOptions(inventory=("fleet.ini",), limit=("ci",)))
    assert selection.others == ("arm-1",)
    assert summary(selection) == "3 hosts: runner-[1-3]; not selected, 1: arm-1"


@pytest.mark.parametrize(
    ("targets", "words"),
    [
        (TargetOptions(), "no inventory"),
        (TargetOptions(limit=("ci",)), "there is none"),
        (TargetOptions(hosts=("a",), limit=("a",)), "exclude each other"),
        (TargetOptions(local=True, hosts=("a",)), "--local is this machine alone"),
    ],
)
def test_options_that_select_nothing_or_contradict_are_refused(targets: TargetOptions, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        find_hosts(targets)


def test_another_number_of_hosts_than_expected_is_a_guard(capsys: pytest.CaptureFixture[str]) -> None:
    hosts = find_hosts(TargetOptions(inventory=("fleet.ini",))).hosts
    assert check_expected(hosts, None) == check_expected(hosts, (4, 4)) == OK
    assert list_hosts(hosts, (5, 9)) == GUARD
    printed = capsys.readouterr()
    assert "  hosts (4):\n" in printed.out
    assert "4 hosts are selected" in printed.err


def test_without_an_inventory_the_one_of_ansibles_configuration_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("ansible.cfg").write_text("[defaults]\ninventory = fleet.ini\n")
    with pytest.raises(
        UsageError, match=r"no inventory: [^\0]*ansible\.cfg\n    inventory = fleet\.ini: -i fleet\.ini"
    ):
        find_hosts(TargetOptions())
    monkeypatch.setenv("ANSIBLE_INVENTORY", "other.ini")
    with pytest.raises(UsageError, match=r"environment\n    ANSIBLE_INVENTORY = other\.ini: -i other\.ini"):
        find_hosts(TargetOptions())
