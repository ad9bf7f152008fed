"""Equal rows and faults of many hosts as one."""

from __future__ import annotations

from fleetsweep.model.host import Connection, Host
from fleetsweep.report.groups import grouped, impersonal, label, names, recorded_host

HOSTS = [
    Host(f"runner-{number:02}", "192.0.2.1", port=2200 + number, engine=f"unix:///run/docker-{number}.sock")
    for number in range(1, 41)
]


def test_equal_items_are_together_in_the_order_of_the_first() -> None:
    assert grouped("abcab", str) == [["a", "a"], ["b", "b"], ["c"]]


def test_many_names_are_folded_and_printable() -> None:
    assert names(HOSTS) == "runner-[01-40]"
    assert names(HOSTS[:1]) == "runner-01"
    assert "\x1b" not in names([Host("a\x1b[2J", "a"), Host("b", "b")])


def test_a_label_has_names_to_cut_rather_than_a_number() -> None:
    hosts = [Host(f"runner-{number}.eu-west-1.ci.example.com", "a") for number in (12, 13)]
    assert names(hosts, 20) == "2 hosts"
    assert label(hosts, 20, 64) == "runner-[12-13].eu-west-1.ci.example.com"
    assert label(HOSTS, 20, 64) == "runner-[01-40]"


def test_messages_that_differ_only_in_what_is_the_hosts_own_are_the_same_fault() -> None:
    def message(host: Host) -> str:
        return (
            f"{host.name}: no key of [{host.address}]:{host.port} ({host.address} port {host.port}): "
            f"ssh-keyscan -p {host.port} {host.address}. SHA256:{host.name[-1] * 43}, {host.engine[7:]}: refused "
            f"(known_hosts:{host.port})"
        )

    assert len({impersonal(message(host), host) for host in HOSTS}) == 1
    assert impersonal("no TCP connection to bastion 192.0.2.9", HOSTS[0]) == "no TCP connection to bastion 192.0.2.9"


def test_a_recorded_endpoint_has_what_is_the_hosts_own() -> None:
    here = Host("a", "a", engine="unix:///run/a b.sock", connection=Connection.LOCAL)
    there = Host("b", "2001:db8::1", port=2222, engine="tcp://127.0.0.1:2375", proxy_jump="bastion")
    for host in (here, there):
        found = recorded_host(host.name, host.endpoint)
        assert (found.address, found.port, found.engine) == (host.address, host.port, host.engine)
    for odd in ("", "ssh", "ssh :x y", "ssh a:b unix:///x"):
        assert recorded_host("c", odd).address == "c"
