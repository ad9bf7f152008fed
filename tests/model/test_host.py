"""The text that identifies the place of a host's engine."""

from __future__ import annotations

from dataclasses import replace

from fleetsweep.model.host import Connection, Host

HOST = Host("a", "192.0.2.1")


def test_the_default_port_is_22() -> None:
    assert HOST.endpoint == "ssh 192.0.2.1:22 unix:///var/run/docker.sock"
    assert replace(HOST, port=22).endpoint == HOST.endpoint != replace(HOST, port=2222).endpoint


def test_a_local_engine_has_no_address() -> None:
    local = replace(HOST, connection=Connection.LOCAL)
    assert local.endpoint == "local unix:///var/run/docker.sock"


def test_the_place_does_not_depend_on_the_name_user_key_or_variables() -> None:
    other = replace(HOST, name="b", user="ci", key_file="/k", variables={"x": 1}, groups=("g",), become=True)
    assert other.endpoint == HOST.endpoint


def test_another_address_engine_or_bastion_is_another_place() -> None:
    places = [
        HOST,
        replace(HOST, address="192.0.2.2"),
        replace(HOST, engine="tcp://127.0.0.1:2375"),
        replace(HOST, proxy_jump="bastion"),
        replace(HOST, proxy_command="ssh bastion -W %h:%p"),
    ]
    assert len({place.endpoint for place in places}) == len(places)


def test_a_proxy_command_is_not_shown_because_it_may_contain_a_password() -> None:
    secret = replace(HOST, proxy_command="sshpass -p s3cret ssh bastion")
    assert "s3cret" not in secret.endpoint
    assert "sshpass" not in secret.endpoint
    assert secret.endpoint != replace(HOST, proxy_command="sshpass -p other ssh bastion").endpoint


def test_a_host_with_variables_can_be_hashed() -> None:
    assert len({HOST, replace(HOST, variables={"x": [1]}), replace(HOST, variables={"x": [1]})}) == 2
