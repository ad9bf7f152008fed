"""``fleetsweep gate``: its options become those of the printed configuration."""

from __future__ import annotations

import click
import pytest

from fleetsweep.errors import UsageError
from fleetsweep.exit_codes import OK
from tests.cli.conftest import Command


@pytest.mark.parametrize("proxy", ["haproxy", "nginx"])
def test_the_defaults_are_dockers_socket_and_the_account_of_the_page(
    command: Command, proxy: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("gate", proxy) == OK
    printed = capsys.readouterr().out
    for word in ("/var/run/docker.sock", "/run/fleetsweep/docker.sock", "sweeper"):
        assert word in printed
    assert "libpod" not in printed
    assert "volumes" not in printed


@pytest.mark.parametrize("proxy", ["haproxy", "nginx"])
def test_each_option_is_in_the_configuration(command: Command, proxy: str, capsys: pytest.CaptureFixture[str]) -> None:
    sockets = ["--engine-socket", "/run/podman/podman.sock", "--socket", "/run/g/g.sock"]
    assert command("gate", proxy, *sockets, "--user", "ann", "--group", "ops", "--allow-resources", "--podman") == OK
    printed = capsys.readouterr().out
    for word in ("/run/podman/podman.sock", "/run/g/g.sock", " ann ", " ops ", "/libpod", "(volumes|networks)"):
        assert word in printed


def test_a_value_that_the_configuration_cannot_hold_is_refused(command: Command) -> None:
    with pytest.raises(UsageError, match="--socket"):
        command("gate", "nginx", "--socket", "gate.sock")
    with pytest.raises(click.BadParameter):
        command("gate", "squid")
