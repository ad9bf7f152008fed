"""How a host is reached according to its variables, and which values are refused, by name and line."""

from __future__ import annotations

from typing import Any

import pytest

from fleetsweep.errors import InventoryError
from fleetsweep.inventory.host_vars import SETTINGS, to_host, unused
from fleetsweep.model.host import Connection, Host
from fleetsweep.model.policy_flags import Flags
from fleetsweep.policy.settings import resolve


def host(name: str = "web-1.example.com", /, **variables: object) -> Host:
    origins = {variable: f"hosts:{line}" for line, variable in enumerate(variables, 2)}
    return to_host(name, variables, origins, ("linux", "web"), "hosts:1", "unix:///default.sock")


def test_a_bare_name_is_reached_at_that_name_with_everything_else_left_to_ssh() -> None:
    assert host("runner-1") == Host(
        "runner-1", "runner-1", engine="unix:///default.sock", groups=("linux", "web"), variables={}, origins={}
    )


@pytest.mark.parametrize(
    ("first", "second", "field", "values"),
    [
        ("ansible_host", "ansible_ssh_host", "address", ("a.example", "b.example")),
        ("ansible_port", "ansible_ssh_port", "port", (1022, 2022)),
        ("ansible_user", "ansible_ssh_user", "user", ("ann", "ben")),
        ("ansible_private_key_file", "ansible_ssh_private_key_file", "key_file", ("~/a", "~/b")),
    ],
)
def test_each_setting_has_two_names_and_the_ssh_one_wins_as_in_ansible(
    first: str, second: str, field: str, values: tuple[object, object]
) -> None:
    assert getattr(host(**{first: values[0]}), field) == values[0]
    assert getattr(host(**{second: values[1]}), field) == values[1]
    assert getattr(host(**{second: values[1], first: values[0]}), field) == values[1]
    assert getattr(host(**{first: values[0], second: None}), field) == values[0]


@pytest.mark.parametrize("port", [22, "22", "022", " 22 ", 22.0])
def test_a_port_is_a_number_however_it_is_written(port: object) -> None:
    assert host(ansible_port=port).port == 22


def test_a_user_that_is_a_number_is_its_digits_and_an_empty_one_is_none() -> None:
    assert host(ansible_user=1000).user == "1000"
    assert host(ansible_user="").user is None
    assert host(ansible_user="ann", ansible_ssh_user="").user is None
    assert host(ansible_private_key_file="").key_file is None


@pytest.mark.parametrize("address", ["10.0.0.1", "fe80::1%eth0", "[2001:db8::1]", "box_1", "a.b.example."])
def test_an_address_is_a_name_or_an_ip_address(address: str) -> None:
    assert host(ansible_host=address).address == address.strip("[]")


@pytest.mark.parametrize(
    "kind", ["ssh", "smart", "paramiko", "paramiko_ssh", "ansible.builtin.ssh", "ansible.legacy.ssh"]
)
def test_every_way_over_ssh_is_ssh(kind: str) -> None:
    assert host(ansible_connection=kind).connection is Connection.SSH


@pytest.mark.parametrize("kind", ["local", "ansible.builtin.local"])
def test_a_local_host_takes_no_account_of_its_ssh_variables(kind: str) -> None:
    found = host("my box?", ansible_connection=kind, ansible_ssh_common_args="-v", ansible_user="a b", ansible_port=0)
    assert (found.connection, found.port, found.user) == (Connection.LOCAL, None, None)


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"ansible_host": ""}, "not an address"),
        ({"ansible_host": "-oProxyCommand=x"}, "not an address"),
        ({"ansible_host": "a;b"}, "not an address"),
        ({"ansible_host": "ubuntu@10.0.0.1"}, "ansible_user"),
        ({"ansible_host": "a\nb"}, "control character"),
        ({"ansible_host": ["a"]}, "a list is not a string"),
        ({"ansible_host": True}, "True is not a string"),
        ({"ansible_host": 10.1}, "quote it"),
        ({"ansible_port": "x"}, "1 to 65535"),
        ({"ansible_port": 0}, "1 to 65535"),
        ({"ansible_port": 65536}, "1 to 65535"),
        ({"ansible_port": True}, "1 to 65535"),
        ({"ansible_port": 22.5}, "1 to 65535"),
        ({"ansible_port": "٢٢"}, "1 to 65535"),
        ({"ansible_port": ""}, "1 to 65535"),
        ({"ansible_user": "-l"}, "not a user name"),
        ({"ansible_user": "$(id)"}, "not a user name"),
        ({"ansible_ssh_private_key_file": "-i"}, "not a key file"),
        ({"ansible_ssh_private_key_file": "~/%h"}, "not a key file"),
        ({"ansible_ssh_private_key": "-----BEGIN"}, "keep it in a file"),
        ({"ansible_connection": "winrm"}, "use ssh or local"),
        ({"ansible_connection": ""}, "use ssh or local"),
        ({"ansible_connection": "community.docker.docker"}, "use ssh or local"),
        ({"ansible_ssh_executable": "/opt/bin/wrapper"}, "speaks SSH itself"),
        ({"ansible_ssh_common_args": ["-J", "x"]}, "not a string"),
        ({"ansible_become": "maybe"}, "neither true nor false"),
        ({"ansible_become": ""}, "neither true nor false"),
        ({"ansible_become": 2}, "neither true nor false"),
        ({"fleetsweep_engine": "http://x"}, "unix:///"),
        ({"fleetsweep_engine": "unix://docker.sock"}, "unix:///"),
        ({"fleetsweep_engine": "tcp://127.0.0.1:0"}, "unix:///"),
        ({"fleetsweep_engine": 7}, "unix:///"),
    ],
)
def test_a_value_that_cannot_be_honoured_names_its_variable_its_host_and_its_line(
    variables: dict[str, object], message: str
) -> None:
    (variable,) = variables
    with pytest.raises(InventoryError) as caught:
        host(**variables)
    assert str(caught.value).startswith(f"hosts:2: {variable} of web-1.example.com")
    assert message in str(caught.value)


def test_a_name_that_is_no_address_needs_one() -> None:
    with pytest.raises(InventoryError, match=r"hosts:1: .*set its ansible_host"):
        host("a@b")
    assert host("a@b", ansible_host="10.0.0.1").address == "10.0.0.1"


@pytest.mark.parametrize("value", [True, "yes", "true", "True", "T", "on", 1, "1", "y"])
def test_become_takes_ansibles_words_for_yes(value: object) -> None:
    assert host(ansible_become=value).become


@pytest.mark.parametrize("value", [False, "no", "false", "F", "off", 0, "0", None])
def test_become_takes_ansibles_words_for_no_and_then_nothing_else_matters(value: object) -> None:
    assert not host(ansible_become=value, ansible_become_user="postgres", ansible_become_method="su").become


def test_sudo_to_root_in_its_usual_forms_is_honoured() -> None:
    assert host(
        ansible_become=True,
        ansible_become_method="ansible.builtin.sudo",
        ansible_become_user="root",
        ansible_become_exe="/usr/bin/sudo",
        ansible_become_flags="-H -S -n",
    ).become
    assert host(ansible_become=True, ansible_become_user="", ansible_become_method="").become


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("ansible_become_method", "su", "only sudo"),
        ("ansible_become_method", "community.general.doas", "only sudo"),
        ("ansible_become_user", "postgres", "root"),
        ("ansible_sudo_user", "docker", "root"),
        ("ansible_become_exe", "/opt/sudo", "runs sudo"),
        ("ansible_become_flags", "-u docker", "'docker'|'-u'"),
        ("ansible_become_flags", "-i '", "quotes"),
    ],
)
def test_any_other_become_is_refused_with_what_is_supported(variable: str, value: str, message: str) -> None:
    with pytest.raises(InventoryError, match=f"hosts:3: {variable} of .*({message})"):
        host(ansible_become=True, **{variable: value})


def test_every_setting_of_ours_is_known_and_reaches_the_policy() -> None:
    given: dict[str, Any] = {
        "fleetsweep_names": ["^job-"],
        "fleetsweep_match": "all",
        "fleetsweep_max_age": "{{ hours }}h",
        "hours": 6,
        "fleetsweep_job_timeout": "20m",
        "fleetsweep_max_lifetime": "none",
        "fleetsweep_cap": "{{ cap }}",
        "cap": 7,
        "fleetsweep_max_skew": "1m",
        "fleetsweep_keep_label": "keep",
        "fleetsweep_engine_id": "ABCD",
        "fleetsweep_engine": "tcp://127.0.0.1:2375",
    }
    found = host(**given)
    policy = resolve(Flags(), {}, found)
    assert (policy.names, policy.max_age_s, policy.cap, policy.engine_id) == (("^job-",), 6 * 3600, 7, "ABCD")
    assert found.engine == "tcp://127.0.0.1:2375"
    assert found.variables["hours"] == 6
    assert {f"fleetsweep_{setting}" for setting in SETTINGS} >= {key for key in given if key.startswith("fleetsweep_")}


@pytest.mark.parametrize(
    ("variable", "message"),
    [
        ("fleetsweep_max_agee", "did you mean fleetsweep_max_age?"),
        ("fleetsweep_name", "did you mean fleetsweep_names?"),
        ("fleetsweep_maxage", "did you mean fleetsweep_max_age?"),
        ("fleetsweep_engine_url", "did you mean fleetsweep_engine"),
        ("fleetsweep_fleet_cap", "--fleet-cap"),
        ("fleetsweep_dry_run", "--dry-run"),
        ("fleetsweep_", "did you mean fleetsweep_"),
    ],
)
def test_an_unknown_setting_is_refused_with_the_nearest_right_name(variable: str, message: str) -> None:
    with pytest.raises(InventoryError) as caught:
        host(**{variable: "2h"})
    assert str(caught.value).startswith(f"hosts:2: {variable} of web-1.example.com")
    assert message in str(caught.value)


def test_variables_that_only_ansible_would_use_are_listed_with_the_reason() -> None:
    assert dict(unused({"ansible_ssh_pass": "x", "ansible_become_pass": "", "ansible_host_key_checking": False})) == {
        "ansible_ssh_pass": "fleetsweep logs in with keys only",
        "ansible_host_key_checking": "fleetsweep always verifies host keys",
    }
    assert dict(unused({"ansible_host_key_checking": True, "ansible_port": 22})) == {}
    assert host(**{"ansible_ssh_pass": "x"}).address == "web-1.example.com"
