"""Configurations that once reached another box than ssh's, beside ``ssh -G``."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from fleetsweep.errors import HostError
from fleetsweep.model.host import Host
from fleetsweep.model.ssh_settings import SshOption
from fleetsweep.ssh.host_keys import GLOBAL_KNOWN_HOSTS
from fleetsweep.ssh.identities import DEFAULT_KEYS
from fleetsweep.ssh.options import SshOptions, Trust
from fleetsweep.ssh.route import Hop, Route, find_route

CASES = Path(__file__).parent / "cases"


def route(text: str, tmp_path: Path, host: str = "box", **given: object) -> Route:
    path = tmp_path / f"config-{len(list(tmp_path.iterdir()))}"
    path.write_text(text)
    return find_route(Host(host, host, **given), SshOptions(ssh_config=str(path)))  # type: ignore[arg-type]


def target(text: str, tmp_path: Path, host: str = "box", **given: object) -> Hop:
    return route(text, tmp_path, host, **given).target


@pytest.mark.skipif(shutil.which("ssh") is None, reason="needs the OpenSSH client")
@pytest.mark.parametrize(
    ("case", "host"), [("canonical.conf", "runner-1"), ("jump-token.conf", "h"), ("env.conf", "box")]
)
def test_a_case_reaches_ssh_s_box(case: str, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEYS", "/some/dir")
    words = ["ssh", "-G", "-F", str(CASES / case), host]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    printed = dict(line.split(" ", 1) for line in done.stdout.splitlines() if " " in line)
    found = find_route(Host(host, host), SshOptions(ssh_config=str(CASES / case)))
    hop = found.target
    assert (str(hop.connection.host), str(hop.connection.user)) == (printed["hostname"], printed["user"])
    if case == "env.conf":
        assert hop.known_hosts == (*printed["userknownhostsfile"].split(" "), *GLOBAL_KNOWN_HOSTS)
    if case == "jump-token.conf":
        assert printed["proxyjump"] == "%r@b"
        assert [bastion.jump_spec for bastion in found.bastions] == [f"{printed['user']}@127.0.0.1:22"]


def test_a_jump_has_the_tokens_of_a_proxy_command(tmp_path: Path) -> None:
    found = route("Host box\n HostName inner\n User ann\n Port 2200\n ProxyJump %r@%h-%n:ssh\n", tmp_path)
    assert [bastion.jump_spec for bastion in found.bastions] == ["ann@inner-box:22"]
    with pytest.raises(HostError, match="%d"):
        route("Host box\n ProxyJump %d@b\n", tmp_path)
    with pytest.raises(HostError, match="not a user or a host"):
        route("Host box\n ProxyJump %r@b\n", tmp_path, user="-oProxyCommand=x")


def test_an_unset_variable_is_an_error_with_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_SUCH", raising=False)
    for setting in ("IdentityFile", "CertificateFile", "UserKnownHostsFile", "GlobalKnownHostsFile", "RevokedHostKeys"):
        with pytest.raises(HostError) as caught:
            route(f"Port 22\n{setting} ${{NO_SUCH}}/x\n", tmp_path)
        assert f":2: {setting}" in caught.value.message
        assert "NO_SUCH is not set" in caught.value.message


def test_the_keys_of_each_choice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "id_ed25519").touch()
    hop = target("IdentitiesOnly yes\n", tmp_path)
    assert (hop.key_files, hop.offers_defaults) == (("~/.ssh/id_ed25519",), True)
    hop = target("IdentityFile none\n", tmp_path)
    assert (hop.key_files, hop.offers_defaults) == ((), False)
    (tmp_path / ".ssh" / "id_ed25519").unlink()
    assert target("IdentitiesOnly yes\n", tmp_path).key_files == DEFAULT_KEYS


def test_the_settings_that_forbid_reach_the_log_in(tmp_path: Path) -> None:
    hop = target(
        "RevokedHostKeys /r/%h\nHostKeyAlgorithms -a\nPubkeyAcceptedAlgorithms +b\nCASignatureAlgorithms c\n"
        "RequiredRSASize 3072\nAddressFamily inet6\n",
        tmp_path,
    )
    assert (hop.revoked_keys, hop.host_key_algorithms, hop.pubkey_algorithms) == ("/r/box", "-a", "+b")
    assert (hop.ca_algorithms, hop.min_rsa_bits, hop.family) == ("c", 3072, 10)
    assert hop.identity != target("", tmp_path).identity


def test_the_inventorys_options_come_before_the_files_and_are_for_the_box_alone(tmp_path: Path) -> None:
    options = (SshOption("StrictHostKeyChecking", "accept-new", "hosts:3"), SshOption("HostKeyAlias", "b7", "hosts:3"))
    found = route(
        "Host box\n ProxyJump gate\n HostKeyAlias other\nHost *\n StrictHostKeyChecking yes\n",
        tmp_path,
        ssh_options=options,
    )
    assert (found.target.trust, found.target.key_name) == (Trust.ACCEPT_NEW, "b7")
    assert (found.bastions[0].trust, found.bastions[0].key_name) == (Trust.STRICT, "gate")


@pytest.mark.parametrize("word", ["no", "off"])
def test_a_check_that_is_turned_off_is_named(tmp_path: Path, word: str) -> None:
    hop = target(f"Port 22\nStrictHostKeyChecking {word}\n", tmp_path)
    assert hop.trust is Trust.STRICT
    assert hop.not_obeyed.startswith(f"StrictHostKeyChecking {word} (")
    assert hop.not_obeyed.endswith(":2)")


@pytest.mark.parametrize(
    ("text", "setting"),
    [
        ("BindAddress 10.0.0.1\n", "BindAddress"),
        ("CheckHostIP yes\n", "CheckHostIP"),
        ("KnownHostsCommand /bin/x\n", "KnownHostsCommand"),
        ("PubkeyAuthentication no\n", "PubkeyAuthentication"),
        ("Host b*\n RefuseConnection closed\n", "RefuseConnection"),
    ],
)
def test_a_setting_that_is_refused_is_named_with_its_line(tmp_path: Path, text: str, setting: str) -> None:
    with pytest.raises(HostError) as caught:
        route(text, tmp_path)
    assert f": {setting} is not supported" in caught.value.message
    assert caught.value.remedy
    # In a block for other hosts it decides nothing.
    assert target(f"Host other\n{text.removeprefix('Host b*')}", tmp_path).family == 0
