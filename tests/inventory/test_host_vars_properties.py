"""Any variables give either a host that can be reached safely, or an error that names the place."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from typing import Any, TypeVar

from hypothesis import given
from hypothesis import strategies as st

from fleetsweep.errors import InventoryError
from fleetsweep.inventory.host_vars import SETTINGS, to_host
from fleetsweep.inventory.limits import SIZE_LIMIT
from fleetsweep.inventory.ssh_args import SshArgs
from fleetsweep.inventory.templates import Variables
from fleetsweep.inventory.values import VaultValue
from fleetsweep.model.host import Connection

VARIABLES = [
    "ansible_host", "ansible_ssh_host", "ansible_port", "ansible_ssh_port", "ansible_user", "ansible_ssh_user",
    "ansible_private_key_file", "ansible_ssh_private_key_file", "ansible_connection", "ansible_ssh_args",
    "ansible_ssh_common_args", "ansible_ssh_extra_args", "ansible_become", "ansible_become_method",
    "ansible_become_user", "ansible_ssh_executable", *(f"fleetsweep_{setting}" for setting in SETTINGS), "x", "y",
]  # fmt: skip

PIECES = [
    "{{", "}}", "{%", "%}", "{#", "#}", " x ", " y ", "'", '"', "|", "default(", ")", "[", "]", ".", "~", "+", "*",
    "if ", " else ", "for a in ", " endif ", " endfor ", "1", "1000000", "range(", "join(", "replace(", "omit", "-J ",
    "-o ", "ProxyJump=", "ProxyCommand=", "ssh -W %h:%p ", "bastion", ":22", ",", "@", "-i ", "-p ", "\n", "\0",
    "local", "ssh", "yes", "root", "unix:///", "tcp://", "::1", "__class__", "%s", "\u202e", "ä",
]  # fmt: skip

T = TypeVar("T")


def attempt(call: Callable[[], T]) -> T | InventoryError:
    try:
        return call()
    except InventoryError as error:
        return error


texts = st.one_of(
    st.text(max_size=20),
    st.lists(st.sampled_from(PIECES), max_size=8).map("".join),
    st.just("{{ x }}"),
    st.just("{{ y }}"),
)
scalars = st.one_of(
    texts, st.none(), st.booleans(), st.integers(-5, 70_000), st.floats(), st.just(VaultValue("secret"))
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=5
)


@given(st.dictionaries(st.sampled_from(VARIABLES), values, max_size=6))
def test_a_host_is_safe_to_reach_or_refused_with_its_place(variables: dict[str, Any]) -> None:
    origins = dict.fromkeys(variables, "hosts:2")
    host = attempt(lambda: to_host("web-1", variables, origins, ("web",), "hosts:1", "unix:///x"))
    if isinstance(host, InventoryError):
        assert re.match(r"hosts:[12]: ", str(host))
        assert "web-1" in str(host)
        assert "secret" not in str(host)
        return
    assert re.fullmatch(r"[A-Za-z0-9_:][A-Za-z0-9._:%-]*", host.address)
    assert host.port is None or 0 < host.port < 65536
    assert host.engine.startswith(("unix:///", "tcp://"))
    shown = [
        host.user,
        host.key_file,
        host.proxy_jump,
        host.proxy_command,
        host.known_hosts,
        host.ssh_config,
        host.engine,
    ]
    assert all(text is None or text.isprintable() for text in shown)
    for text in (host.user, host.key_file, host.proxy_jump):
        assert text is None or (text and text[0] != "-")
    if host.connection is Connection.LOCAL:
        assert [host.port, *shown[:6]] == [None] * 7


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=4), max_size=12).map("".join), values)
def test_a_template_makes_plain_data_of_a_bounded_size_or_is_refused(text: str, x: object) -> None:
    variables = Variables("web-1", {"v": "{{ x }}" + text, "x": x, "y": text}, {}, (), "hosts:1")
    made = attempt(lambda: variables.get("v"))
    if isinstance(made, InventoryError):
        assert str(made).startswith("hosts:1: v of web-1 ")
    else:
        assert made is None or isinstance(made, str | int | float | list | dict)
        assert len(str(made)) < 8 * SIZE_LIMIT


words = st.sampled_from(
    ["-J", "-o", "-i", "-p", "-l", "-F", "-v", "ProxyJump=a", "ProxyCommand=a b", "Port=1", "x", "22"]
)


@given(st.lists(words | st.text(max_size=6), max_size=8))
def test_ssh_options_are_honoured_or_refused_with_their_place_and_never_dropped(given_words: list[str]) -> None:
    args = SshArgs()
    refused = attempt(lambda: args.read(shlex.join(given_words), "ansible_ssh_common_args of a", "hosts:3"))
    if refused is not None:
        assert str(refused).startswith("hosts:3: ansible_ssh_common_args of a")
    else:
        # What is passed over leaves no trace, but only options can be.
        assert args != SshArgs() or all(word.strip()[:1] in {"", "-"} for word in given_words[:1])
