"""The route to a box, from the inventory, the flags and the SSH configuration."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from fleetsweep.errors import HostError, Phase
from fleetsweep.model.host import Host
from fleetsweep.ssh.host_keys import GLOBAL_KNOWN_HOSTS
from fleetsweep.ssh.options import SshOptions, Trust
from fleetsweep.ssh.route import Route, find_route

Find = Callable[..., Route]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir()
    return tmp_path


@pytest.fixture
def find(home: Path) -> Find:
    """Return a function that finds the route to a host with a configuration file of these lines."""

    def call(text: str, host: Host | None = None, **options: object) -> Route:
        file = home / "config"
        # A new file for each call: each file is read once a run.
        while file.exists():
            file = file.with_name(f"{file.name}x")
        file.write_text(text)
        return find_route(host or Host("box", "box"), SshOptions(ssh_config=str(file), **options))  # type: ignore[arg-type]

    return call


def fault_of(find: Find, text: str, host: Host | None = None) -> HostError:
    with pytest.raises(HostError) as caught:
        find(text, host)
    assert caught.value.phase is Phase.RESOLVE
    assert caught.value.remedy
    return caught.value


def specs(route: Route) -> list[str]:
    return [hop.jump_spec for hop in route.hops]


def test_the_ssh_configuration_sets_address_user_port_keys_and_known_hosts(find: Find) -> None:
    route = find(
        "Host b*\n HostName 10.0.0.7\n User deploy # of the runners\n Port 2222\n IdentityFile ~/.ssh/one\n"
        ' IdentityFile "/keys/a b"\n UserKnownHostsFile ~/.ssh/k1 "/etc/k 2"\n GlobalKnownHostsFile none\n'
        " StrictHostKeyChecking accept-new\n"
    )
    hop = route.target
    assert hop.jump_spec == "deploy@10.0.0.7:2222"
    assert hop.key_files == ("~/.ssh/one", "/keys/a b")
    assert hop.known_hosts == ("~/.ssh/k1", "/etc/k 2")
    assert hop.trust is Trust.ACCEPT_NEW
    assert (hop.key_name, hop.key_port) == ("10.0.0.7", 2222)


def test_the_inventory_overrides_the_configuration_and_a_flag_overrides_both(find: Find) -> None:
    text = "Host box\n User config\n Port 1\n IdentityFile /config\n UserKnownHostsFile /config\n"
    inventory = Host("box", "box", port=2, user="inventory", key_file="/inventory", known_hosts="/inventory")
    hop = find(text, inventory).target
    assert (hop.jump_spec, hop.key_files) == ("inventory@box:2", ("/inventory",))
    # The system's files are read all the same: they may revoke a key.
    assert hop.known_hosts == ("/inventory", *GLOBAL_KNOWN_HOSTS)
    hop = find(text, inventory, user="flag", key_file="/flag", known_hosts=("/flag",)).target
    assert (hop.jump_spec, hop.key_files, hop.known_hosts) == ("flag@box:2", ("/flag",), ("/flag",))


def test_the_users_file_is_read_if_no_other_is_named(home: Path) -> None:
    (home / ".ssh" / "config").write_text("Host only-here\n Port 2201\n")
    assert find_route(Host("x", "only-here"), SshOptions()).target.connection.port == 2201


def test_the_default_known_hosts_are_the_users_and_the_systems(find: Find) -> None:
    assert find("").target.known_hosts == (
        "~/.ssh/known_hosts",
        "~/.ssh/known_hosts2",
        "/etc/ssh/ssh_known_hosts",
        "/etc/ssh/ssh_known_hosts2",
    )


def test_a_host_key_alias_is_looked_up_without_a_port(find: Find) -> None:
    hop = find("Host *\n Port 2222\n HostKeyAlias runner\n").target
    assert (hop.key_name, hop.key_port) == ("runner", 22)


@pytest.mark.parametrize("word", ["no", "off", "ask", "yes"])
def test_only_accept_new_makes_the_configuration_less_than_strict(find: Find, word: str) -> None:
    assert find(f"StrictHostKeyChecking {word}\n").target.trust is Trust.STRICT


def test_the_flag_for_host_keys_overrides_the_configuration(find: Find) -> None:
    assert find("StrictHostKeyChecking accept-new\n", host_key=Trust.STRICT).target.trust is Trust.STRICT


def test_included_files_are_under_the_condition_of_the_include(find: Find, home: Path) -> None:
    (home / ".ssh" / "conf.d").mkdir()
    (home / ".ssh" / "conf.d" / "a").write_text("Port 2200\nHost other\n User other\nHost box\n User inner\n")
    text = "Host b*\n Include conf.d/*\n IdentityFile /outer\nHost other\n IdentityFile /other\n"
    hop = find(text).target
    assert (hop.jump_spec, hop.key_files) == ("inner@box:2200", ("/outer",))
    other = find(text, Host("other", "other")).target
    assert (other.connection.port, other.key_files) == (22, ("/other",))
    assert other.connection.user != "other"


def test_a_file_that_includes_itself_is_refused(find: Find, home: Path) -> None:
    (home / ".ssh" / "round").write_text("Include round\n")
    assert "too deeply" in fault_of(find, "Include round\n").message


def test_match_uses_the_user_of_the_inventory(find: Find) -> None:
    text = "Match user deploy host box\n Port 2022\nMatch originalhost box exec true\n IdentityFile /matched\n"
    hop = find(text, Host("box", "box", user="deploy")).target
    assert (hop.connection.port, hop.key_files) == (2022, ("/matched",))
    assert find(text, Host("box", "box", user="root")).target.connection.port == 22


def test_an_unsupported_match_is_refused_with_its_line(find: Find) -> None:
    error = fault_of(find, "Host a\n Port 1\nMatch localnetwork 10.0.0.0/8\n Port 2\n")
    assert ":3: Match localnetwork" in error.message


def test_a_command_in_a_match_runs_only_if_the_rest_matches(find: Find, home: Path) -> None:
    ran = home / "ran"
    text = f"Match host other exec 'touch {ran}'\n Port 1\nMatch !exec false user root\n Port 2\n"
    assert find(text, Host("box", "box", user="root")).target.connection.port == 2
    assert not ran.exists()


@pytest.mark.parametrize("text", ["Port abc\n", "Host\n", "IdentityFile %Z\n", 'Host "a\n'])
def test_an_invalid_configuration_is_refused(find: Find, text: str) -> None:
    assert fault_of(find, text).kind == "ssh-config"


def test_a_missing_configuration_is_refused(home: Path) -> None:
    with pytest.raises(HostError) as caught:
        find_route(Host("box", "box"), SshOptions(ssh_config=str(home / "none")))
    assert caught.value.kind == "ssh-config"


# Bastions


def test_a_proxy_jump_has_any_number_of_hops_each_with_its_own_configuration(find: Find) -> None:
    route = find(
        "Host box\n ProxyJump ann@outer:2201,[fe80::1%eth0]:2202,ssh://inner/\n"
        "Host outer\n HostName 10.0.0.1\n IdentityFile /outer\nHost inner\n User ivy\n Port 2203\nUser me\n"
    )
    assert [spec.split("@", 1)[1] for spec in specs(route)] == [
        "10.0.0.1:2201",
        "[fe80::1%eth0]:2202",
        "inner:2203",
        "box:22",
    ]
    assert specs(route)[0].startswith("ann@")
    assert specs(route)[2].startswith("ivy@")
    assert route.bastions[0].key_files == ("/outer",)
    assert [hop.spec.split("@", 1)[1] for hop in route.target.before] == [
        "outer:2201",
        "[fe80::1%eth0]:2202",
        "inner:2203",
    ]


def test_the_first_bastion_may_have_a_route_of_its_own(find: Find) -> None:
    route = find(
        "Host box\n ProxyJump inner\nHost inner\n ProxyJump outer\nHost outer\n ProxyCommand nc %h %p\n User u\n"
    )
    assert [hop.connection.host for hop in route.hops] == ["outer", "inner", "box"]
    assert route.proxy_command == "nc outer 22"


def test_the_flags_for_the_box_do_not_apply_to_bastions(find: Find) -> None:
    route = find("Host box\n ProxyJump b\nHost b\n User bea\n", Host("box", "box", port=9), user="u", key_file="/k")
    assert specs(route) == ["bea@b:22", "u@box:9"]
    assert [hop.key_files for hop in route.hops] == [(), ("/k",)]


def test_the_inventorys_bastion_overrides_the_configurations(find: Find) -> None:
    route = find("Host box\n ProxyJump config\n", Host("box", "box", proxy_jump="inventory"))
    assert [hop.connection.host for hop in route.bastions] == ["inventory"]


@pytest.mark.parametrize(
    "text", ["ProxyJump none\nProxyJump x\n", "ProxyCommand none\nProxyJump x\n", "ProxyCommand none\nProxyCommand x\n"]
)
def test_none_means_a_direct_route_whatever_follows(find: Find, text: str) -> None:
    route = find(text)
    assert (route.bastions, route.proxy_command) == ((), None)


def test_a_proxy_command_counts_after_proxy_jump_none_as_in_ssh(find: Find) -> None:
    assert find("ProxyJump none\nProxyCommand x\n").proxy_command == "x"


@pytest.mark.parametrize("host", [Host("box", "box", proxy_jump="none"), Host("box", "box", proxy_command="None")])
def test_none_in_the_inventory_means_a_direct_route(find: Find, host: Host) -> None:
    route = find("ProxyJump b\n", host)
    assert (route.bastions, route.proxy_command) == ((), None)


def test_of_proxy_jump_and_proxy_command_the_first_counts(find: Find) -> None:
    assert find("Host box\n ProxyCommand nc %h %p\n ProxyJump b\n").bastions == ()
    assert find("Host box\n ProxyJump b\n ProxyCommand nc %h %p\n").proxy_command is None


@pytest.mark.parametrize(
    "text",
    [
        "ProxyJump b\n",
        "Host box\n ProxyJump a\nHost a\n ProxyJump b\nHost b\n ProxyJump a\n",
        "Host box\n ProxyJump b\nHost b\n ProxyJump box\n",
        "Host box\n ProxyJump " + ",".join(f"b{number}" for number in range(20)) + "\n",
    ],
)
def test_a_circular_or_endless_route_is_refused(find: Find, text: str) -> None:
    error = fault_of(find, text)
    assert error.kind == "proxy-jump"
    assert "circular" in error.message


@pytest.mark.parametrize("jump", ["-oProxyCommand=x", "a b", "a:99999", "a:0", "", "a,,b", "u@", "[::1"])
def test_an_invalid_proxy_jump_is_refused(find: Find, jump: str) -> None:
    assert fault_of(find, "", Host("box", "box", proxy_jump=jump)).kind == "proxy-jump"


def test_a_box_may_have_an_ipv6_address(find: Find) -> None:
    route = find("Host v6\n HostName fe80::7\n", Host("x", "::1", port=2222, user="u"))
    assert specs(route) == ["u@[::1]:2222"]
    assert find("Host v6\n HostName fe80::7\n", Host("x", "v6")).target.connection.host == "fe80::7"


# ProxyCommand


def test_a_proxy_commands_tokens_have_the_final_values(find: Find) -> None:
    text = "Host box\n HostName 10.0.0.7\n Port 1\n User config\n ProxyCommand say %% %h %n %p %r %%h # %p ~\n"
    route = find(text, Host("box", "box", port=2222, user="deploy"))
    assert route.proxy_command == "say % 10.0.0.7 box 2222 deploy %h # 2222 ~"


def test_a_key_files_tokens_have_the_final_values(find: Find, home: Path) -> None:
    hop = find("IdentityFile %d/%r@%h-%p-%n\n", Host("box", "box", port=2222, user="deploy")).target
    assert hop.key_files == (f"{home}/deploy@box-2222-box",)


@pytest.mark.parametrize("user", ["a;reboot", "$(reboot)", "-oX", "a b", "a\nb"])
def test_a_name_with_shell_metacharacters_never_reaches_a_proxy_command(find: Find, user: str) -> None:
    host = Host("box", "box", user=user, proxy_command="ssh -l %r -W %h:%p b")
    assert fault_of(find, "", host).kind == "proxy-command"


def test_an_unknown_token_is_refused(find: Find) -> None:
    assert "%Z" in fault_of(find, "ProxyCommand x %Z\n").message
