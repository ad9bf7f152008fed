"""The samples that a user copies: each loads, and the small fleet is the same in every form."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from fleetsweep.__main__ import run
from fleetsweep.inventory import load
from fleetsweep.model.host import Host
from fleetsweep.model.policy_flags import Flags
from fleetsweep.policy.settings import resolve

SAMPLES = Path(__file__).parents[2] / "inventory"
ARM = "arm-1.example.com"
LINUX = ["runner-01.example.com", "runner-02.example.com", "runner-03.example.com"]


def hosts(sample: str, *limits: str) -> dict[str, Host]:
    return {host.name: host for host in load([str(SAMPLES / sample)], cwd=SAMPLES.parent).select(limits)}


@pytest.mark.parametrize("sample", ["small", "small/hosts.yml", "small.ini", "dynamic.py"])
def test_the_small_fleet_is_the_same_in_every_form(sample: str) -> None:
    found = hosts(sample)
    assert sorted(found) == [ARM, *LINUX]
    assert sorted(hosts(sample, "arm")) == [ARM]
    assert sorted(hosts(sample, "runners,!arm")) == LINUX
    for name, host in found.items():
        arm = name == ARM
        assert (host.address, host.user, host.port) == (name, "ci", 2222 if arm else None)
        assert host.groups == (("arm", "runners") if arm else ("linux", "runners"))
        policy = resolve(Flags(), {}, host)
        assert (policy.max_age_s, policy.cap) == ((4 * 3600, 20) if arm else (2 * 3600, 100))


def test_the_bastioned_region_is_reached_through_its_bastion_and_no_other_is() -> None:
    found = hosts("bastion.yml")
    assert {name: host.proxy_jump for name, host in found.items()} == {
        "us-runner-1.example.com": None,
        "us-runner-2.example.com": None,
        "eu-runner-1": "jump@bastion.eu.example.com:2222",
        "eu-runner-2": "jump@bastion.eu.example.com:2222",
    }
    assert {name for name, host in found.items() if host.become} == {"eu-runner-2"}
    assert found["eu-runner-1"].address == "192.0.2.11"
    assert {host.key_file for host in found.values()} == {"~/.ssh/ci-sweeper"}


def test_the_single_box_has_its_users_own_engine() -> None:
    (host,) = hosts("single.yml").values()
    assert (host.address, host.user, host.engine) == ("192.0.2.10", "ci", "unix:///run/user/1001/docker.sock")


def test_in_the_checkout_the_samples_are_used_only_if_they_are_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(SAMPLES.parent)
    monkeypatch.delenv("FLEETSWEEP_INVENTORY", raising=False)
    for command in (["hosts"], ["audit"], ["sweep", "--yes"], ["doctor"], ["schedule", "cron"], ["hosts", "-l", "arm"]):
        monkeypatch.setattr("sys.argv", ["fleetsweep", *command])
        code = run()
        printed = capsys.readouterr()
        assert (code, printed.out) == (2, "")
        assert "give -i FILE" in printed.err
    monkeypatch.setattr("sys.argv", ["fleetsweep", "hosts", "-i", "inventory/small.ini"])
    assert run() == 0
    assert "runner-01.example.com" in capsys.readouterr().out


@pytest.mark.parametrize("sample", ["small", "small.ini", "dynamic.py", "bastion.yml", "single.yml"])
def test_a_copy_of_a_sample_is_no_fleet_until_its_hosts_are_entered(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, sample: str
) -> None:
    copy = tmp_path / "inventory"
    if (SAMPLES / sample).is_dir():
        shutil.copytree(SAMPLES / sample, copy)
    else:
        copy.mkdir()
        shutil.copy(SAMPLES / sample, copy)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FLEETSWEEP_INVENTORY", raising=False)
    monkeypatch.setattr("sys.argv", ["fleetsweep", "sweep", "--yes", "--state-dir", str(tmp_path / "state")])
    assert run() == 2
    assert "./inventory holds samples: the addresses of" in capsys.readouterr().err
    monkeypatch.setattr("sys.argv", ["fleetsweep", "hosts", "-i", "inventory"])
    assert run() == 0


def test_every_sample_is_tested_and_shows_its_use() -> None:
    samples = {path.name for path in SAMPLES.iterdir() if not path.name.startswith((".", "__"))}
    assert samples - {"SAMPLES.md"} == {"small", "small.ini", "dynamic.py", "bastion.yml", "single.yml"}
    for name in samples - {"SAMPLES.md"}:
        path = SAMPLES / name / "hosts.yml" if name == "small" else SAMPLES / name
        assert f"-i inventory/{name}" in path.read_text()
    assert os.access(SAMPLES / "dynamic.py", os.X_OK)
