"""``fleetsweep gate``: print a proxy's configuration that keeps a stolen key to listing and removing containers."""

from __future__ import annotations

from dataclasses import dataclass, field

import click

from fleetsweep.cli.command import command, option
from fleetsweep.cli.params import FILE

EPILOG = """\b
Examples:
  fleetsweep gate haproxy > gate.cfg   then install it as docs/ssh.md shows
  fleetsweep gate nginx --group sweepers
  fleetsweep gate haproxy --allow-resources
                                       for teardown --volumes and --networks
  fleetsweep gate haproxy --podman --engine-socket /run/podman/podman.sock
"""


@dataclass(frozen=True, slots=True)
class GateOptions:
    """The two sockets, who reaches the gate's, and what passes in addition."""

    engine_socket: str = field(
        default="/var/run/docker.sock",
        metadata=option(
            "Gate",
            "--engine-socket",
            type=FILE,
            metavar="PATH",
            help="The engine's own socket on the box. [default: /var/run/docker.sock]",
        ),
    )
    socket: str = field(
        default="/run/fleetsweep/docker.sock",
        metadata=option(
            "Gate",
            "--socket",
            type=FILE,
            metavar="PATH",
            help="The gate's socket. [default: /run/fleetsweep/docker.sock]",
        ),
    )
    user: str = field(
        default="",
        metadata=option(
            "Gate",
            "--user",
            metavar="NAME",
            help="The owner of the gate's socket. [default: the account that starts the proxy]",
        ),
    )
    group: str = field(
        default="sweeper",
        metadata=option(
            "Gate", "--group", metavar="NAME", help="The group that reaches the gate's socket. [default: sweeper]"
        ),
    )
    allow_resources: bool = field(
        default=False,
        metadata=option(
            "Gate", "--allow-resources", help="Also list, inspect and remove volumes and networks, for teardown."
        ),
    )
    podman: bool = field(
        default=False,
        metadata=option("Gate", "--podman", help="Also list and remove containers by Podman's own API."),
    )


@command(click.Argument(["proxy"], type=click.Choice(["haproxy", "nginx"]), metavar="PROXY"), epilog=EPILOG)
def gate(options: GateOptions, proxy: str) -> int:
    """Print a proxy's configuration that lets only fleetsweep's requests pass.

    PROXY is haproxy or nginx. On the box, it puts a second socket before the engine's. What an audit and a sweep send
    passes: ping, version, info, the list, and inspecting or removing one container by its full id. All else gets a
    403. Contacts no host, and installs nothing.
    """
    from fleetsweep.exit_codes import OK
    from fleetsweep.schedule import Gate, Proxy, render_gate

    wanted = Gate(
        Proxy(proxy),
        options.engine_socket,
        options.socket,
        options.user,
        options.group,
        resources=options.allow_resources,
        podman=options.podman,
    )
    click.echo(render_gate(wanted), nl=False)
    return OK
