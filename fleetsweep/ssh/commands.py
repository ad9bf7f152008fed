"""Shell commands for the machines of a route, as OpenSSH would reach them: they are printed as remedies.

The machines have their names of the SSH configuration, so that ssh finds the same keys and settings for them.
"""

from __future__ import annotations

import shlex

from fleetsweep.runtime.files import expanded
from fleetsweep.ssh.route import Hop


def ssh_words(hop: Hop) -> list[str]:
    """Return the ssh command to a machine; a command to run there can be appended."""
    return ["ssh", *_options(hop), f"ssh://{hop.spec}"]


def _options(hop: Hop) -> list[str]:
    config = ["-F", expanded(hop.ssh_config)] if hop.ssh_config else []
    return [*config, *jump_words(hop), *known_hosts_words(hop)]


def jump_words(hop: Hop) -> list[str]:
    """Return ssh's options for the bastions before a machine.

    ssh gives the ssh of a -J its -F, and no -o. So known_hosts files that were named need a ProxyCommand.
    """
    if not hop.before:
        return []
    last = hop.before[-1]
    if not any(bastion.given_known_hosts for bastion in hop.before):
        return ["-J", ",".join(bastion.spec for bastion in hop.before)]
    words = shlex.join(["ssh", *_options(last), f"ssh://{last.spec}"])
    # ssh replaces what follows a % in a ProxyCommand: only the last two are meant.
    return ["-o", f"ProxyCommand={words.replace('%', '%%')} -W '[%h]:%p'"]


def known_hosts_words(hop: Hop) -> list[str]:
    """Return ssh's option for the known_hosts files that were named."""
    files = " ".join(f'"{expanded(file)}"' for file in hop.given_known_hosts)
    return ["-o", f"UserKnownHostsFile={files}"] if files else []


def on_machine(hop: Hop, command: str) -> str:
    """Return the command line that runs a command of this machine's shell there, without sudo for root."""
    if hop.connection.user == "root":
        command = command.replace("sudo ", "")
    return f"{shlex.join(ssh_words(hop))} {shlex.quote(command)}"


def probe(hop: Hop) -> str:
    """Return the command that connects to this machine's SSH port. A bastion often has no nc, but bash."""
    host, port = shlex.quote(str(hop.connection.host)), hop.connection.port
    return _from_bastion(hop, f"timeout 5 bash -c 'exec < /dev/tcp/$0/$1 && echo connected' {host} {port}")


def scan(hop: Hop) -> str:
    """Return the command that prints this machine's host keys as known_hosts lines; empty if none can.

    ssh-keyscan goes through bastions, but through no ProxyCommand.
    """
    if hop.proxied:
        return ""
    text = _from_bastion(hop, f"ssh-keyscan {_where(hop)}")
    if hop.key_name == hop.connection.host:
        return text
    return f"{text} | sed {shlex.quote(f's|^[^# ]*|{hop.key_name}|')}"


def scan_certificates(hop: Hop) -> str:
    """Return the command that prints this machine's host certificates in words; empty if none can."""
    return "" if hop.proxied else f"{_from_bastion(hop, f'ssh-keyscan -c {_where(hop)}')} | ssh-keygen -L -f -"


def _from_bastion(hop: Hop, command: str) -> str:
    return f"{shlex.join(ssh_words(hop.before[-1]))} {shlex.quote(command)}" if hop.before else command


def _where(hop: Hop) -> str:
    return f"-p {hop.connection.port} {shlex.quote(str(hop.connection.host))}"
