"""The gate's rules and configurations; tests/system/test_gate.py has them on real proxies."""

from __future__ import annotations

import re

import pytest

from fleetsweep.errors import UsageError
from fleetsweep.schedule import Gate, Proxy, render_gate
from tests.lab import gate_requests as requests

SOCKET = "/run/fleetsweep/docker.sock"


def gate(
    proxy: Proxy = Proxy.HAPROXY,
    *,
    engine: str = "/var/run/docker.sock",
    socket: str = SOCKET,
    user: str = "",
    group: str = "sweeper",
    resources: bool = False,
    podman: bool = False,
) -> Gate:
    return Gate(proxy, engine, socket, user, group, resources=resources, podman=podman)


def passes(rules: Gate, request: str) -> bool:
    method, _, target = request.partition(" ")
    return any(rule.method == method and re.search(rule.target, target) for rule in rules.rules())


@pytest.mark.parametrize("request_", requests.ALLOWED)
def test_what_a_sweep_sends_passes(request_: str) -> None:
    assert passes(gate(), request_)


@pytest.mark.parametrize("request_", requests.RESOURCES)
def test_volumes_and_networks_pass_only_where_they_are_allowed(request_: str) -> None:
    assert not passes(gate(podman=True), request_)
    assert passes(gate(resources=True), request_)


@pytest.mark.parametrize("request_", requests.PODMAN)
def test_podmans_own_api_passes_only_where_it_is_allowed(request_: str) -> None:
    assert not passes(gate(resources=True), request_)
    assert passes(gate(podman=True), request_)


@pytest.mark.parametrize("request_", [*requests.REFUSED, *requests.REFUSED_RESOURCES, *requests.REFUSED_PODMAN])
def test_all_else_is_refused_with_every_option(request_: str) -> None:
    assert not passes(gate(resources=True, podman=True), request_)


@pytest.mark.parametrize("proxy", Proxy)
def test_a_configuration_names_the_sockets_and_who_reaches_the_gates(proxy: Proxy) -> None:
    text = render_gate(gate(proxy, engine="/run/podman/podman.sock", socket="/run/g/g.sock", user="ann", group="ops"))
    assert "/run/podman/podman.sock;" in text or "unix@/run/podman/podman.sock\n" in text
    assert "bind unix@/run/g/g.sock mode 660 user ann group ops " in text or "-o ann -g ops /run/g\n" in text


@pytest.mark.parametrize("proxy", Proxy)
@pytest.mark.parametrize("resources", [False, True])
@pytest.mark.parametrize("podman", [False, True])
def test_a_configuration_has_each_rule(proxy: Proxy, resources: bool, podman: bool) -> None:
    wanted = gate(proxy, resources=resources, podman=podman)
    text = render_gate(wanted)
    for rule in wanted.rules():
        form = f"'{rule.target}'" if proxy is Proxy.HAPROXY else f'"~^{rule.method} {rule.target[1:-1]} HTTP/1\\.1$"'
        assert form in text
    assert ("volumes" in text) == resources
    assert ("libpod" in text) == podman


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (gate(socket="docker.sock"), "--socket: 'docker.sock' is not a socket's path"),
        (gate(socket="/run/a b"), "--socket"),
        (gate(socket="/run/a;}"), "--socket"),
        (gate(socket="/run/a\n"), "--socket"),
        (gate(socket="/run/a'b"), "--socket"),
        (gate(socket="/" + "a" * 90), "--socket"),
        (gate(engine="/run/$a"), "--engine-socket"),
        (gate(engine="unix:///run/docker.sock"), "--engine-socket"),
        (gate(engine=SOCKET), "is the engine's own socket"),
        (gate(group="a b"), "--group: 'a b' is not a name"),
        (gate(group=""), "--group"),
        (gate(user="a\nb"), "--user"),
    ],
)
@pytest.mark.parametrize("proxy", Proxy)
def test_a_value_that_the_formats_cannot_hold_is_refused(proxy: Proxy, changed: Gate, message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        render_gate(
            gate(proxy, engine=changed.engine_socket, socket=changed.socket, user=changed.user, group=changed.group)
        )
