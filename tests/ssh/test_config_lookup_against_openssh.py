"""The SSH configuration as fleetsweep reads it, against ``ssh -G`` on the same files: 200 generated ones, and kinds.

What differs on purpose is in ``DIFFERENCES``, which docs/ssh.md names.
"""

from __future__ import annotations

import random
import shutil
import subprocess
from pathlib import Path

import pytest

from fleetsweep.errors import HostError
from fleetsweep.model.host import Host
from fleetsweep.ssh.config_lookup import HostSettings, look_up
from fleetsweep.ssh.options import SshOptions
from fleetsweep.ssh.route import find_route
from fleetsweep.ssh.ssh_config import read_ssh_config

SSH = shutil.which("ssh")
pytestmark = pytest.mark.skipif(SSH is None, reason="needs the OpenSSH client")

NAMES = ("box", "box2", "Box", "db.example", "a.b.example", "0:0:0:0:0:0:0:1", "127.1", "127.0.0.1", "no.such.")
PATTERNS = ("box", "b*", "*", "!box", "*.example", "?ox", "BOX", "box,db*", "::1", "127.0.0.*", "!*", "xyz")

SETTINGS = (
    "HostName", "Port", "User", "IdentityFile", "CertificateFile", "HostKeyAlias", "UserKnownHostsFile",
    "GlobalKnownHostsFile", "StrictHostKeyChecking", "ProxyJump", "ProxyCommand", "AddressFamily", "IdentitiesOnly",
    "RevokedHostKeys", "RequiredRSASize", "CanonicalizeHostname", "CanonicalDomains", "CanonicalizeMaxDots",
    "IdentityAgent", "ServerAliveInterval", "LogLevel", "ForwardAgent",
)  # fmt: skip

VALUES: dict[str, tuple[str, ...]] = {
    "HostName": ("10.0.0.7", "%h.example", "a%%b", "%h", "Upper.Example", "0:0::1", '"quoted"', "127.1", "%x", "a b"),
    "Port": ("22", "2222", "ssh", "0", "70000", "telnet", "'23'", "2 3", "022"),
    "User": ("deploy", '"two words"', "o'brien", "root # comment", "a#b", "a b", "ci\\ bot", '""'),
    "IdentityFile": ("/k/one", "/k/two", '"/k/a b"', "~/k", "/k/%r@%h:%p", "/k/%n-%L", "/k/${FLEETSWEEP_T}", "none"),
    "CertificateFile": ("/c/one", "/c/two", "/c/%u"),
    "HostKeyAlias": ("alias", "none", "Other"),
    "UserKnownHostsFile": (
        "/u/one", "/u/one /u/two", '"/u/a b" /u/c', "none", "/u/%h %%", "/u/${FLEETSWEEP_T}", "/u/${NO_SUCH}",
        "/u/%k-%i", "/u/%C", "/u/%Z", "none /u/x", "/u/a # and /u/b", "~/.ssh/k %d/l",
    ),
    "GlobalKnownHostsFile": ("/g/one", "/g/one /g/two", "none"),
    "StrictHostKeyChecking": ("yes", "accept-new", "ask", "no", "off", "YES", "maybe", "Accept-New"),
    "ProxyJump": (
        "bastion", "ann@bastion:2222", "a,b", "none", "ssh://u@h:23", "%r@b", "%h-gw", "[::1]:22", "a # b", "a b",
        "h:ssh", "NONE", "u@v@h",
    ),
    "ProxyCommand": ("nc %h %p", "none", "sh -c 'a \"b\"' # %%", "it's", "/bin/x = y", "= nc"),
    "AddressFamily": ("any", "inet", "inet6", "ipv4", "INET"),
    "IdentitiesOnly": ("yes", "no", "true", "perhaps"),
    "RevokedHostKeys": ("/r/one", "none", "/r/a b"),
    "RequiredRSASize": ("2048", "1024", "x"),
    "CanonicalizeHostname": ("yes", "no", "always", "none"),
    "CanonicalDomains": ("corp.test", "none", "a.test b.test"),
    "CanonicalizeMaxDots": ("0", "1", "2", "x"),
    "IdentityAgent": ("/agent", "none", "SSH_AUTH_SOCK", "~/agent", "$FLEETSWEEP_T", "${FLEETSWEEP_T}/a", "%d/%h"),
    "ServerAliveInterval": ("5", "10"),
    "LogLevel": ("ERROR", "QUIET"),
    "ForwardAgent": ("yes", "no"),
}  # fmt: skip

CRITERIA = (
    "host {}", "!host {}", "originalhost {}", "user root", "user deploy,ci*", "!user deploy", "localuser root", "all",
    "canonical", "!canonical", "final", "!final", "exec true", "exec false", "!exec false", "host={}", 'host "{}"',
    'exec "test %h = box"', "EXEC \"test %n = box\"", "canonical all", "final all", "!all",
    "originalhost = {}",
)  # fmt: skip


def generated(seed: int, directory: Path) -> Path:
    """Return a configuration of 3 to 14 lines, perhaps with an included file."""
    chosen = random.Random(seed)  # noqa: S311 - not a secret
    # A file with an error in it shows little else, so most files have none.
    wild = chosen.random() < 0.3

    def setting() -> str:
        name = chosen.choice(SETTINGS)
        values = VALUES[name]
        value = chosen.choice(values if wild else values[: max(2, len(values) // 2)])
        between = chosen.choice((" ", " ", " ", "=", " = ", "\t", "  "))
        return f"{chosen.choice((name, name, name.lower(), name.upper()))}{between}{value}"

    def line() -> str:
        kind = chosen.random()
        if kind < 0.16:
            return "Host " + " ".join(chosen.choice(PATTERNS) for _ in range(chosen.randint(1, 3)))
        if kind < 0.34:
            count = chosen.choice((1, 1, 1, 2, 2, 3))
            known = CRITERIA if wild else CRITERIA[:18]
            return "Match " + " ".join(chosen.choice(known).format(chosen.choice(PATTERNS)) for _ in range(count))
        if kind < 0.38:
            return chosen.choice(("# comment", "", "   # comment", "\t"))
        return chosen.choice(("", "", "  ", "\t")) + setting() + chosen.choice(("", "", "", " ", "  # end"))

    included = directory / f"included-{seed}"
    included.write_text("\n".join(line() for _ in range(chosen.randint(1, 4))) + "\n")
    lines = [line() for _ in range(chosen.randint(3, 14))]
    if chosen.random() < 0.4:
        lines.insert(chosen.randrange(len(lines)), f"Include {included}")
    path = directory / f"config-{seed}"
    path.write_text("\n".join(lines) + "\n")
    return path


def asked(config: Path, host: str) -> dict[str, list[str]] | None:
    """Return what ``ssh -G`` prints, None if ssh refuses the configuration."""
    assert SSH is not None
    done = subprocess.run([SSH, "-G", "-F", str(config), host], capture_output=True, text=True, check=False, timeout=60)
    if done.returncode != 0:
        return None
    found: dict[str, list[str]] = {}
    for line in done.stdout.splitlines():
        name, _, value = line.partition(" ")
        found.setdefault(name, []).append(value)
    return found


def shown(settings: HostSettings, config: Path, host: str) -> dict[str, object]:
    """Return our settings in the form of ``ssh -G``."""
    route = find_route(Host(host, host), SshOptions(ssh_config=str(config)))
    hop = route.target
    jump = settings.proxy_jump
    command = settings.proxy_command
    return {
        "hostname": str(hop.connection.host),
        "port": str(hop.connection.port),
        "user": str(hop.connection.user),
        "identityfile": [line.value for line in settings.lists.get("identityfile", ())],
        "certificatefile": [line.value for line in settings.lists.get("certificatefile", ())],
        "hostkeyalias": settings.alias,
        "trust": str(hop.trust),
        "proxied": jump is not None or command is not None,
        "proxycommand": command,
        "family": settings.family,
        "revoked": hop.revoked_keys,
        "rsa": hop.min_rsa_bits,
        "known_hosts": " ".join(str(Path(name).expanduser()) for name in hop.known_hosts),
        "agent": None if hop.agent is None else hop.agent.replace("~", str(Path.home())),
    }


def theirs(found: dict[str, list[str]]) -> dict[str, object]:
    def one(name: str) -> str | None:
        return found[name][0] if name in found else None

    def of(name: str, usual: str) -> list[str]:
        return (one(name) or usual).split(" ")

    keys = found.get("identityfile", [])
    defaults = {f"~/.ssh/id_{kind}" for kind in ("rsa", "ecdsa", "ecdsa_sk", "ed25519", "ed25519_sk", "xmss", "dsa")}
    files = [
        *found.get("userknownhostsfile", [""])[0].split(" "),
        *found.get("globalknownhostsfile", [""])[0].split(" "),
    ]
    return {
        "hostname": one("hostname"),
        "port": one("port"),
        "user": one("user"),
        "identityfile": [] if set(keys) <= defaults else keys,
        "certificatefile": found.get("certificatefile", []),
        "hostkeyalias": one("hostkeyalias"),
        "trust": "accept-new" if one("stricthostkeychecking") == "accept-new" else "strict",
        "proxied": one("proxycommand") not in {None, "none"} or one("proxyjump") not in {None, "none"},
        "proxycommand": None if "proxyjump" in found or one("proxycommand") == "none" else one("proxycommand"),
        "family": {"any": 0, "inet": 2, "inet6": 10}[one("addressfamily") or "any"],
        "revoked": one("revokedhostkeys"),
        "rsa": int(one("requiredrsasize") or 1024),
        "known_hosts": " ".join(str(Path(name).expanduser()) for name in files if name not in {"", "none"}),
        "agent": one("identityagent"),
    }


@pytest.mark.parametrize("seed", range(200))
def test_a_generated_configuration_means_what_ssh_makes_of_it(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEETSWEEP_T", "/from/env")
    monkeypatch.delenv("NO_SUCH", raising=False)
    config = generated(seed, tmp_path)
    text = config.read_text() + "\nincluded:\n" + (tmp_path / f"included-{seed}").read_text()
    for host in (NAMES[seed % len(NAMES)], "box"):
        compare(config, host, f"{host}\n{text}")


def compare(config: Path, host: str, text: str) -> None:
    found = asked(config, host)
    ours: dict[str, object] | None
    try:
        ours = shown(look_up(host, (), read_ssh_config(str(config))), config, host)
    except HostError as error:
        # ssh -G follows no ProxyJump, so it finds no circle.
        ours = None if "is circular" not in error.message else {}
    if ours == {}:
        return
    assert (ours is None) == (found is None), text
    assert found is None or ours == theirs(found), text


@pytest.mark.parametrize(
    "text",
    [
        "HostName a\r\nPort 24\r\n",
        "\ufeffPort 23\n",
        "Port 23\\\n",
        'Host "box"\n Port 5\n',
        '"HostName" x\n',
        "Port 0x16\n",
        "User=\n",
        "ProxyJump a,,b\n",
        "ProxyJump h:99999\n",
        "ProxyJump ssh://u@h:22/\n",
        "HostName -x\n",
        "User 'a;b'\n",
        "Protocol 2\n",
        "UseRoaming no\n",
        "NoSuch x\n",
        "IgnoreUnknown NoSuch\nNoSuch x\n",
        "NoSuch x\nIgnoreUnknown NoSuch\n",
        "Host other\nIgnoreUnknown N*\nHost *\nNoSuch x\n",
        "IgnoreUnknown a,n*\nNoSuch x\n",
        "Host\n",
        "Match\n",
        "Match host\n",
        "Match all host x\n",
        "Match host box all\n Port 9\n",
        "Match host x user y all\n",
        "Match host box,!box\n Port 9\n",
        "Match originalhost BOX\n Port 9\n",
        "Host BOX\n Port 9\n",
        "Host box !box\n Port 9\n",
        "Host !other\n Port 9\n",
        "User x\nMatch user root\n Port 9\n",
        "HostName h2\nMatch host h2\n Port 9\n",
        "HostName %h.x\nMatch host box.x\n Port 9\n",
        "HostName h2\nHost h2\n Port 9\n",
        "HostName h2\nMatch final host h2\n Port 9\nHost h2\n User q\n",
        "PubkeyAcceptedKeyTypes +ssh-rsa\n",
        "HostKeyAlgorithms ssh-ed25519, rsa-sha2-512\n",
        "RequiredRSASize -1\n",
        "Port 22#x\n",
        "Port 22 22\n",
        "Port='22'\n",
        "IdentityAgent ${NOPE}\n",
        'UserKnownHostsFile ""\n',
        "HostKeyAlias a b\n",
        'Match exec "exit 3"\n Port 9\nMatch !exec "exit 3"\n User z\n',
        "HostName %%h\n",
        "HostName %n\n",
        "HostName %\n",
        "ProxyJump none\nProxyCommand x\nProxyJump b\n",
        "ProxyCommand none\nProxyJump b\n",
        "ProxyJump b\nProxyCommand x\n",
        "IdentityFile /a\nHost box\nIdentityFile /b\nHost *\nIdentityFile /a\n",
        "Host no\nUserKnownHostsFile none /x\n",
    ],
)
def test_a_configuration_of_each_kind_means_what_ssh_makes_of_it(text: str, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(text)
    compare(config, "box", text)
