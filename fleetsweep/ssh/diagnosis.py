"""Suggest a shell command that diagnoses or fixes a host's fault, with the names and keys that were used."""

from __future__ import annotations

import shlex
from pathlib import Path

from fleetsweep.errors import FaultKind, HostError, Phase
from fleetsweep.model.decision import Guard, GuardName
from fleetsweep.model.host import Connection, Host
from fleetsweep.model.ssh_settings import SshOption
from fleetsweep.model.survey import Fault
from fleetsweep.runtime.files import expanded, quoted
from fleetsweep.ssh.commands import jump_words, known_hosts_words, probe, scan, scan_certificates
from fleetsweep.ssh.host_keys import USER_KNOWN_HOSTS, make_directory
from fleetsweep.ssh.known_hosts import lookup_name
from fleetsweep.ssh.options import SshOptions
from fleetsweep.ssh.route import Hop, find_route


def command_for(host: Host, options: SshOptions, fault: Fault | None, guard: Guard | None) -> str:
    """Return one command line for a POSIX shell, or an empty string if none would help. Contacts no host."""
    socket = host.engine.removeprefix("unix://")
    if host.connection is Connection.LOCAL:
        return _on_box(host, fault, guard, socket, None)
    try:
        hop = find_route(host, options).target
    except HostError:
        return shlex.join(["ssh", *_config(host, options), "-G", host.address])
    ssh = _ssh(host, options, hop)
    if fault is None or fault.phase in {Phase.TUNNEL, Phase.ENGINE}:
        there = _on_box(host, fault, guard, socket, hop)
        if hop.connection.user == "root":
            # A box need not have sudo.
            there = there.replace("sudo ", "")
        return f"{ssh} {shlex.quote(there)}" if there else ""
    if fault.phase is None:
        return f"{ssh} uptime" if fault.kind is FaultKind.TIMEOUT else ""
    return _on_controller(hop, fault) or f"{ssh} -v true"


def _on_controller(hop: Hop, fault: Fault) -> str:
    """Return the command to run on the controller; empty if a verbose log-in helps most."""
    name = str(hop.connection.host)
    known_hosts = quoted(hop.known_hosts[0]) if hop.known_hosts else "known_hosts"
    key = quoted(hop.key_files[0]) if hop.key_files else ""
    line = scan(hop)
    commands = {
        (Phase.RESOLVE, FaultKind.UNKNOWN_NAME): f"getent ahosts {shlex.quote(name)}",
        (Phase.RESOLVE, FaultKind.NO_DNS): f"getent ahosts {shlex.quote(name)}",
        (Phase.RESOLVE, FaultKind.TIMEOUT): f"getent ahosts {shlex.quote(name)}",
        (Phase.CONNECT, FaultKind.REFUSED): probe(hop),
        (Phase.CONNECT, FaultKind.NETWORK): probe(hop),
        (Phase.HOST_KEY, FaultKind.UNKNOWN): f"{make_directory(hop.known_hosts)}{line} | tee -a {known_hosts}"
        if line
        else "",
        (Phase.HOST_KEY, FaultKind.CHANGED): f"ssh-keygen -R {shlex.quote(lookup_name(hop.key_name, hop.key_port))}"
        f" -f {known_hosts}",
        (Phase.HOST_KEY, FaultKind.CERTIFICATE): scan_certificates(hop),
        (Phase.AUTH, FaultKind.DENIED): _copy_id(hop, key),
        (Phase.AUTH, FaultKind.KEY_FILE): f"ls -l {key}",
    }
    return commands.get((fault.phase, fault.kind), "") if fault.phase is not None else ""


def _copy_id(hop: Hop, key: str) -> str:
    """Return the command that adds the public key to the box, for which another way to log in is needed."""
    config = ["-F", expanded(hop.ssh_config)] if hop.ssh_config else []
    public = expanded(hop.key_files[0]) + ".pub" if key else ""
    create = f"ssh-keygen -y -f {key} > {quoted(public)} && " if public and not Path(public).exists() else ""
    jumps = jump_words(hop)
    if jumps[:1] == ["-J"]:
        # ssh-copy-id takes no -J.
        jumps = ["-o", f"ProxyJump={jumps[1]}"]
    # ssh-copy-id keeps temporary files there.
    create = f"{make_directory(USER_KNOWN_HOSTS)}{create}"
    words = [*config, *jumps, *known_hosts_words(hop), "-p", str(hop.connection.port)]
    where = f"{hop.connection.user}@{hop.connection.original_host}"
    return f"{create}ssh-copy-id {f'-i {key} ' if key else ''}{shlex.join([*words, where])}"


def _on_box(host: Host, fault: Fault | None, guard: Guard | None, socket: str, hop: Hop | None) -> str:
    """Return the command to run on the box."""
    docker = f"docker -H {shlex.quote(host.engine)}"
    if fault is None:
        commands = {GuardName.SKEW: "timedatectl", GuardName.IDENTITY: f"{docker} info -f '{{{{.ID}}}}'"}
        return commands.get(guard.name, "") if guard is not None else ""
    if fault.phase is Phase.TUNNEL:
        user = str(hop.connection.user) if hop is not None else "$USER"
        commands_by_kind = {
            FaultKind.FORBIDDEN: "sudo sshd -T | grep -i forwarding; cat ~/.ssh/authorized_keys",
            FaultKind.DENIED: f"sudo usermod -aG docker {user}",
            FaultKind.TIMEOUT: "uptime",
            FaultKind.LOST: "uptime",
        }
        inspect = f"ls -l {shlex.quote(socket)}; id"
        if hop is not None:
            # OpenSSH reports a missing socket and a forbidden stream alike.
            inspect += "; sudo sshd -T | grep -i streamlocal"
        return commands_by_kind.get(fault.kind, inspect)
    if fault.phase is Phase.ENGINE:
        stuck = fault.kind in {FaultKind.TIMEOUT, FaultKind.LOST}
        return "sudo journalctl -u docker -n 50 --no-pager" if stuck else f"{docker} version"
    return ""


def _ssh(host: Host, options: SshOptions, hop: Hop) -> str:
    key = options.key_file or host.key_file
    # Bastions of the configuration need no words, unless their keys are in files that were named.
    named = any(bastion.given_known_hosts for bastion in hop.before)
    jumps = jump_words(hop) if named else ["-J", host.proxy_jump] if host.proxy_jump else []
    words = [
        "ssh",
        *_config(host, options),
        *(["-i", expanded(key)] if key else []),
        *jumps,
        *(word for option in host.ssh_options for word in _option(option)),
        *known_hosts_words(hop),
        "-p",
        str(hop.connection.port),
        # By this name the configuration has its keys and settings.
        f"{hop.connection.user}@{hop.connection.original_host}",
    ]
    if host.proxy_command and not host.proxy_jump:
        # The command may hold a password, so the operator has to set it.
        return f'ssh -o "ProxyCommand=$PROXY_COMMAND" {shlex.join(words[1:])}'
    return shlex.join(words)


def _option(option: SshOption) -> list[str]:
    """Return a ``-o`` option, but none that would turn the check of the host key off."""
    return [] if option.name == "StrictHostKeyChecking" else ["-o", f"{option.name}={option.value}"]


def _config(host: Host, options: SshOptions) -> list[str]:
    config = host.ssh_config or options.ssh_config
    return ["-F", expanded(config)] if config else []
