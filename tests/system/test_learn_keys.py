"""``doctor --learn-keys`` on real sshds, through a bastion too."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Run
from tests.lab.prompt import terminal
from tests.lab.sshd_fleet import SshdFleet, open_sshd_fleet

pytestmark = pytest.mark.lab


@pytest.fixture
def fleet() -> Iterator[SshdFleet]:
    with open_sshd_fleet() as found:
        yield found


def fingerprint(directory: Path) -> str:
    key = directory / "host_key.pub"
    return subprocess.run(["ssh-keygen", "-lf", key], capture_output=True, text=True, check=True).stdout.split()[1]


def behind_a_bastion(fleet: SshdFleet) -> tuple[list[str], Path]:
    """Two boxes behind a bastion, all unknown, and one box whose key changed; return the options and known_hosts."""
    bastion, box, rebuilt = fleet.sshd(), fleet.sshd(), fleet.sshd()
    url = fleet.engine()
    for name in ("runner-1", "runner-2"):
        fleet.host(name, None, url, port=box.port)
        fleet.hosts[name]["ansible_ssh_common_args"] = "-J bastion"
    fleet.host("rebuilt", None, url, port=rebuilt.port)
    options = fleet.options()
    (fleet.directory / "ssh_config").write_text(
        f"Host bastion\n HostName 127.0.0.1\n Port {bastion.port}\n User root\n IdentityFile {fleet.key}\n"
    )
    known = fleet.directory / "known_hosts"
    known.write_text(f"[127.0.0.1]:{rebuilt.port} {' '.join(fleet.key.with_suffix('.pub').read_text().split()[:2])}\n")
    return options, known


def test_keys_are_shown_and_saved_hop_by_hop_and_a_changed_key_never_is(run: Run, fleet: SshdFleet) -> None:
    options, known = behind_a_bastion(fleet)
    before = known.read_text()
    done = run("doctor", *options, "--learn-keys", "--yes")
    shown = [fingerprint(fleet.directory / name) for name in ("b1", "b2")]
    assert [done.stderr.count(key) for key in shown] == [1, 1]
    assert "runner-[1-2]" in done.stderr
    assert fingerprint(fleet.directory / "b3") not in done.stderr
    added = known.read_text().removeprefix(before)
    assert [line.split()[0] for line in added.splitlines()] == [
        f"[127.0.0.1]:{Path(fleet.directory / name / 'sshd_config').read_text().split('Port ')[1].split()[0]}"
        for name in ("b1", "b2")
    ]
    assert done.returncode == 3
    assert "rebuilt: unreachable (host-key)" in done.stdout
    assert run("audit", *options, "-l", "runner-*").returncode == 0


def test_a_yes_saves_what_was_shown_and_a_no_saves_nothing(fleet: SshdFleet) -> None:
    box = fleet.sshd()
    fleet.host("runner-1", None, fleet.engine(), port=box.port)
    words = ["doctor", *fleet.options(), "--learn-keys"]
    known = fleet.directory / "known_hosts"
    with terminal(words) as refused:
        assert (refused.answer("n\n"), known.read_text()) == (3, "\n")
        assert fingerprint(box.directory) in refused.seen
        assert "No key was saved." in refused.seen
    with terminal(words) as accepted:
        assert accepted.answer("y\n") == 0
    assert " ".join(known.read_text().split()[1:]) in (box.directory / "host_key.pub").read_text()


def test_a_box_that_an_authority_certifies_is_not_learned(run: Run, fleet: SshdFleet) -> None:
    fleet.host("runner-1", None, fleet.engine(), port=fleet.sshd().port)
    options = fleet.options()
    known = fleet.directory / "known_hosts"
    known.write_text(f"@cert-authority * {fleet.key.with_suffix('.pub').read_text()}")
    before = known.read_text()
    done = run("doctor", *options, "--learn-keys", "--yes")
    assert (done.returncode, known.read_text()) == (3, before)
    assert "not in known_hosts" in done.stdout
