"""CanonicalizeHostname, against ssh itself where its resolver can be given names."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from fleetsweep.ssh import canonical
from fleetsweep.ssh.canonical import CanonicalRules, canonical_name, numeric_address
from fleetsweep.ssh.config_lookup import HostSettings, look_up
from fleetsweep.ssh.ssh_config import read_ssh_config

NAMES = {"box.corp.test.": "box.corp.test.", "app.corp.test.": "real.corp.test", "plain": "plain", "alias": "real"}
RULES = CanonicalRules(
    enabled=True, always=False, domains=("a.test", "corp.test"), max_dots=1, fallback_local=True, cnames=(), family=0
)


def fake(name: str, family: int) -> str | None:
    return NAMES.get(name)


def test_the_first_domain_that_has_the_name_completes_it() -> None:
    assert canonical_name("box", RULES, direct=True, resolve=fake) == "box.corp.test"
    assert canonical_name("none", RULES, direct=True, resolve=fake) == "none"
    assert canonical_name("box.corp.test.", RULES, direct=True, resolve=fake) == "box.corp.test"
    assert canonical_name("a.b.c", RULES, direct=True, resolve=fake) == "a.b.c"


def test_a_name_behind_a_proxy_is_completed_with_always_alone() -> None:
    assert canonical_name("box", RULES, direct=False, resolve=fake) == "box"
    always = CanonicalRules(True, True, ("corp.test",), 1, True, (), 0)
    assert canonical_name("box", always, direct=False, resolve=fake) == "box.corp.test"


def test_without_the_local_fallback_an_unknown_name_is_an_error() -> None:
    rules = CanonicalRules(True, False, ("corp.test",), 1, False, (), 0)
    with pytest.raises(ValueError, match="CanonicalDomains"):
        canonical_name("none", rules, direct=True, resolve=fake)


def test_a_permitted_alias_is_followed() -> None:
    rules = CanonicalRules(True, False, ("corp.test",), 1, True, (("*.corp.test", "*.corp.test"), ("alias", "real")), 0)
    assert canonical_name("app", rules, direct=True, resolve=fake) == "real.corp.test"
    assert canonical_name("alias", rules, direct=True, resolve=fake) == "real"


def test_addresses_have_one_form() -> None:
    assert numeric_address("0:0:0:0:0:0:0:1") == "::1"
    assert numeric_address("127.1") == "127.0.0.1"
    assert numeric_address("::FFFF:10.0.0.1") == "::ffff:10.0.0.1"
    assert numeric_address("box") is None
    assert numeric_address("1box") is None
    assert numeric_address("") is None


def can_mount() -> bool:
    if shutil.which("ssh") is None or shutil.which("unshare") is None:
        return False
    return subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode == 0


HOSTS = """127.0.0.1 localhost
127.0.0.2 box.corp.test. box.corp.test
127.0.0.3 real.corp.test app.corp.test. app.corp.test
127.0.0.4 plain
"""

CONFIGS = (
    "CanonicalizeHostname yes\nCanonicalDomains none.test corp.test\n",
    "CanonicalizeHostname always\nCanonicalDomains corp.test\nProxyCommand nc %h %p\n",
    "CanonicalizeHostname yes\nCanonicalDomains corp.test\nProxyCommand nc %h %p\n",
    "CanonicalizeHostname yes\nCanonicalDomains corp.test\nProxyJump none\n",
    "CanonicalizeHostname yes\nCanonicalDomains corp.test\nCanonicalizeMaxDots 0\n",
    "Host app\nHostName box\nHost *\nCanonicalizeHostname yes\nCanonicalDomains corp.test\nHost *.corp.test\nPort 7\n",
    "CanonicalizeHostname yes\nCanonicalDomains corp.test\nCanonicalizePermittedCNAMEs *.corp.test:*.corp.test\n",
    "CanonicalizeHostname yes\nCanonicalDomains corp.test\nCanonicalizePermittedCNAMEs none\n",
    "CanonicalizeHostname yes\nCanonicalDomains corp.test\nMatch canonical host *.corp.test\n Port 8\n"
    "Match !canonical\n User x\n",
    "CanonicalizeHostname yes\nCanonicalDomains corp.test\nMatch final originalhost box\n Port 9\nHost box\n User y\n",
    "Match final host box.corp.test\n Port 9\nMatch final host app\n Port 10\n",
    "Host box app\n HostName 127.0.0.1\nHost *\n CanonicalizeHostname yes\n CanonicalDomains corp.test\n",
)


@pytest.mark.skipif(not can_mount(), reason="needs ssh, and root to give it another /etc/hosts")
@pytest.mark.parametrize("number", range(len(CONFIGS)))
@pytest.mark.parametrize("host", ["box", "app", "none", "box.corp.test", "box.corp.test."])
def test_the_name_is_ssh_s(number: int, host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hosts").write_text(HOSTS)
    config = tmp_path / "config"
    config.write_text(CONFIGS[number])
    script = f"mount --bind {tmp_path}/hosts /etc/hosts && exec ssh -G -F {config} {host}"
    done = subprocess.run(["unshare", "-m", "sh", "-c", script], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        # ssh ends here for a name that does not resolve; fleetsweep reports it when it connects.
        assert "Could not resolve hostname" in done.stderr
        assert look_up_as_here(config, host, monkeypatch).hostname == host
        return
    printed = dict(line.split(" ", 1) for line in done.stdout.splitlines() if " " in line)
    found = look_up_as_here(config, host, monkeypatch)
    assert (found.hostname, str(found.port), found.user) == (printed["hostname"], printed["port"], printed["user"])


def look_up_as_here(config: Path, host: str, monkeypatch: pytest.MonkeyPatch) -> HostSettings:
    monkeypatch.setattr(canonical.canonical_name, "__kwdefaults__", {"resolve": _from_hosts})
    return look_up(host, (), read_ssh_config(str(config)))


def _from_hosts(name: str, family: int) -> str | None:
    for line in HOSTS.splitlines():
        names = line.split()[1:]
        if name in names:
            return names[0]
    return None


def test_a_resolver_that_hangs_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()

    def hang(*args: object, **kwargs: object) -> list[object]:
        release.wait(20)
        raise OSError

    monkeypatch.setattr(canonical, "RESOLVE_TIMEOUT_S", 0.01)
    monkeypatch.setattr(socket, "getaddrinfo", hang)
    try:
        with pytest.raises(ValueError, match="did not respond"):
            canonical.resolve("box.test.", 0)
    finally:
        release.set()
