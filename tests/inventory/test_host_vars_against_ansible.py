"""Where Ansible's own ssh would go, and where fleetsweep goes: the same place, or fleetsweep refuses.

Ansible runs once over all these hosts with an ssh that goes nowhere: it lets the real ssh print how it understood its
arguments (``ssh -G``), and notes the command that it was to run.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fleetsweep.errors import InventoryError
from fleetsweep.inventory.host_vars import to_host
from fleetsweep.inventory.values import UnsafeText
from tests.inventory.differences import named_in_docs

SSH = """#!/bin/sh
name=$(mktemp "$ANSWERS/XXXXXX")
for last; do :; done
{ ssh -G -F none "$@"; printf 'command %s\\n' "$last"; } > "$name" 2>&1
"""

SAME: dict[str, dict[str, Any]] = {
    "bare": {},
    "both-names": {
        "ansible_host": "h1", "ansible_ssh_host": "h2", "ansible_port": 1, "ansible_ssh_port": 2, "ansible_user": "u1",
        "ansible_ssh_user": "u2", "ansible_private_key_file": "/k1", "ansible_ssh_private_key_file": "/k2",
    },
    "nulls": {"ansible_host": "h1", "ansible_ssh_host": None, "ansible_user": "u1", "ansible_ssh_user": None},
    "typed": {"ansible_port": "022", "ansible_user": 7},
    "float-port": {"ansible_port": 22.0},
    "empty": {"ansible_user": "", "ansible_ssh_private_key_file": ""},
    "empty-wins": {"ansible_user": "u1", "ansible_ssh_user": ""},
    "smart": {"ansible_connection": "smart", "ansible_port": 3},
    "full-name": {"ansible_connection": "ansible.builtin.ssh", "ansible_port": 3},
    "jump": {"ansible_ssh_common_args": "-J ci@bastion:2222,inner"},
    "jump-option": {"ansible_ssh_common_args": "-o ProxyJump=ci@bastion:2222"},
    "jump-space": {"ansible_ssh_common_args": "-o 'proxyjump bastion'"},
    "jump-first": {"ansible_ssh_common_args": "-oProxyJump=a -oProxyCommand=b", "ansible_ssh_extra_args": "-lc"},
    "command": {"ansible_ssh_common_args": "-o ProxyCommand=\"ssh -W %h:%p -q {{ bastion }}\"", "bastion": "b-1"},
    "command-first": {"ansible_ssh_common_args": "-o ProxyCommand=b", "ansible_ssh_extra_args": "-o ProxyJump=a"},
    "port-order": {"ansible_port": 22, "ansible_ssh_common_args": "-p 23", "ansible_ssh_extra_args": "-l u3 -p 24"},
    "args-first": {"ansible_port": 22, "ansible_ssh_args": "-p 21 -C", "ansible_ssh_common_args": "-l ann -l ben"},
    "joined": {"ansible_ssh_common_args": "-p23 -lann -i/etc/passwd -o'UserKnownHostsFile /kh'"},
    "options": {"ansible_ssh_extra_args": "-o Port=24 -oUser=zoe -o IdentityFile=/k4 -o UserKnownHostsFile=/kh"},
    "lone": {"ansible_port": "{{ p }}", "p": 33, "ansible_user": "{{ u }}", "u": "{{ w }}", "w": "zed"},
    "joined-text": {"ansible_host": "{{ x }}{{ y }}.example", "x": "1", "y": 2},
    "sum": {"ansible_port": "{{ base + 1 }}", "base": 2200},
    "digits": {"ansible_port": "{{ '2' + '3' }}"},
    "magic": {"ansible_host": "{{ inventory_hostname_short }}.{{ group_names | join('-') }}.{{ inventory_hostname }}"},
    "nested": {"ansible_host": "{{ net.host }}", "net": {"host": "{{ net.base }}.x", "base": "q"}},
    "lazy": {"ansible_host": "{{ xs[0] }}", "xs": ["{{ inventory_hostname }}", "{{ nowhere }}"]},
    "default": {"ansible_user": "{{ a | default('dan') }}", "a": "{{ nowhere }}"},
    "omit": {"ansible_port": "{{ nowhere | default(omit) }}", "ansible_user": "{{ omit }}"},
    "none": {"ansible_user": "a{{ nothing }}b", "nothing": None},
    "newline": {"ansible_port": "{{ p }}\n", "p": 44},
    "statement": {"ansible_user": "{% if p > 4 %}\nann{% else %}\nben{% endif %}", "p": 5},
    "filters": {"ansible_user": "{{ ['x', 'y'] | map('upper') | join('-') }}"},
    "methods": {"ansible_host": "{{ inventory_hostname.replace('o', '0').lower() }}"},
    "literal": {"ansible_user": "{{ 'a' ~ 22 }}", "ansible_port": "{{ 22 }}"},
    "loop": {"ansible_user": "{% for g in group_names %}{{ g }}{% endfor %}"},
    "dict": {"ansible_user": "{{ d | dictsort | first | join }}", "d": {"b": "{{ inventory_hostname }}", "a": 1}},
    "ternary": {"ansible_user": "{{ 'ann' if 'ci' in group_names else 'ben' }}"},
    "unsafe": {"ansible_private_key_file": UnsafeText("/k{{ x }}"), "ansible_user": "{{ u }}", "u": "ann"},
    "unsafe-within": {"ansible_private_key_file": "/{{ d }}/{{ xs[0] }}", "d": "k", "xs": [UnsafeText("{{ x }}")]},
    "become": {"ansible_become": "{{ yes_word }}", "yes_word": "Yes"},
    "become-method": {"ansible_become": True, "ansible_become_method": "ansible.builtin.sudo"},
    "become-user": {"ansible_become": True, "ansible_become_user": "root"},
    "become-no": {"ansible_become": "off", "ansible_become_user": "postgres"},
    "become-null": {"ansible_become": True, "ansible_become_user": None, "ansible_become_method": ""},
}  # fmt: skip

BOTH_REFUSE: dict[str, dict[str, Any]] = {
    "undefined": {"ansible_host": "{{ nowhere }}"},
    "undefined-alias": {"ansible_host": "{{ nowhere }}", "ansible_ssh_host": "h"},
    "circle": {"ansible_host": "{{ a }}", "a": "{{ b }}", "b": "{{ a }}"},
    "list-host": {"ansible_host": "{{ xs }}", "xs": [1]},
    "word-port": {"ansible_port": "x"},
    "empty-port": {"ansible_port": ""},
    "list-args": {"ansible_ssh_common_args": {"a": "b"}},
    "maybe": {"ansible_become": "maybe"},
    "two": {"ansible_become": 2},
    "no-word": {"ansible_become": ""},
    "no-connection": {"ansible_connection": ""},
}

DIFFERENT: dict[str, dict[str, Any]] = {
    "host-key-option": {"ansible_ssh_common_args": "-o KnownHostsCommand=/bin/true"},
    "ssh-option": {"ansible_ssh_extra_args": "-o CheckHostIP=yes"},
    "ssh-program": {"ansible_ssh_executable": "{{ lookup('env', 'ANSIBLE_SSH_EXECUTABLE') }}-wrapper"},
    "other-become": {"ansible_become": True, "ansible_become_user": "postgres"},
    "user-in-address": {"ansible_host": "ann@box"},
    "odd-text": {"ansible_user": 3.5},
    "port-out-of-range": {"ansible_port": True},
    "template-lookup": {"ansible_user": "{{ lookup('env', 'LC_ALL') }}"},
    "template-filter": {"ansible_user": "{{ 'a' | ternary('ann', 'ben') }}"},
    "template-statement": {"ansible_user": "{% set a = 'ann' %}{{ a }}"},
    "omit-in-text": {"ansible_user": "a{{ omit }}"},
}
NAMED = {
    "host-key-option": "ssh-options",
    "ssh-option": "ssh-options",
    "ssh-program": "ssh-executable",
    "other-become": "become-ways",
    "user-in-address": "checked-values",
    "odd-text": "checked-values",
    "port-out-of-range": "checked-values",
    "template-lookup": "templates",
    "template-filter": "templates",
    "template-statement": "templates",
    "omit-in-text": "templates",
}
"""Each of them by its id on the page."""

UNSEEN = {"connection-kinds", "inline-key"}
"""Differences that need more than this machine's ssh to be seen."""


def wanted(name: str, variables: dict[str, Any]) -> dict[str, object]:
    host = to_host(name, variables, {}, ("boxes", "ci"), "hosts:1", "unix:///x")
    return {
        "hostname": host.address,
        "port": host.port or 22,
        "user": host.user,
        "identityfile": host.key_file,
        "proxyjump": host.proxy_jump,
        "proxycommand": host.proxy_command,
        "userknownhostsfile": host.known_hosts,
        "become": host.become,
    }


@pytest.fixture(scope="module")
def ansible(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, object]]:
    """What Ansible did with each host that it did anything with."""
    place = tmp_path_factory.mktemp("ansible")
    (place / "answers").mkdir()
    (place / "ssh").write_text(SSH)
    (place / "ssh").chmod(0o755)
    (place / "ssh-wrapper").symlink_to("ssh")
    (place / "ansible.cfg").touch()
    hosts = SAME | BOTH_REFUSE | DIFFERENT
    inventory = {"boxes": {"hosts": hosts}, "ci": {"hosts": dict.fromkeys(hosts)}}
    (place / "hosts.json").write_text(json.dumps(_marked(inventory)))
    environment = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")} | {
        "ANSIBLE_CONFIG": str(place / "ansible.cfg"),
        "ANSIBLE_HOME": str(place),
        "ANSIBLE_SSH_EXECUTABLE": str(place / "ssh"),
        "ANSWERS": str(place / "answers"),
        "LC_ALL": "C.UTF-8",
    }
    command = [sys.executable, "-m", "ansible", "adhoc", "all", "-i", str(place / "hosts.json"), "-m", "raw"]
    done = subprocess.run(
        [*command, "-a", "for {{ inventory_hostname }}."], check=False, capture_output=True, text=True, env=environment
    )
    answers = [Path(path).read_text() for path in (place / "answers").iterdir()]
    found = {answer.rpartition("for ")[2].partition(".")[0]: _understood(answer) for answer in answers}
    assert set(found) == set(SAME | DIFFERENT), done.stdout + done.stderr
    return found


def _marked(value: object) -> object:
    """The value as Ansible's JSON has it."""
    if isinstance(value, UnsafeText):
        return {"__ansible_unsafe": str(value)}
    if isinstance(value, dict):
        return {key: _marked(item) for key, item in value.items()}
    return [_marked(item) for item in value] if isinstance(value, list) else value


def _understood(answer: str) -> dict[str, object]:
    lines = [line.partition(" ") for line in answer.splitlines()]
    found: dict[str, str] = {}
    for key, _, value in lines:
        found.setdefault(key, value)
    return found | {"port": int(found["port"]), "become": "sudo" in found["command"]}


@pytest.mark.parametrize("name", SAME)
def test_a_host_is_reached_where_ansible_would_reach_it(name: str, ansible: dict[str, dict[str, object]]) -> None:
    ours, theirs = wanted(name, SAME[name]), ansible[name]
    # What we leave open must be what ssh has by itself.
    expected = {
        key: ansible["bare"][key] if value is None and key in {"user", "identityfile", "userknownhostsfile"} else value
        for key, value in ours.items()
    }
    assert {key: theirs.get(key) for key in ours} == expected


@pytest.mark.parametrize("name", BOTH_REFUSE)
def test_what_ansible_can_make_nothing_of_is_refused(name: str, ansible: dict[str, dict[str, object]]) -> None:
    assert name not in ansible
    with pytest.raises(InventoryError):
        wanted(name, BOTH_REFUSE[name])


@pytest.mark.parametrize("name", DIFFERENT)
def test_a_refusal_of_what_ansible_accepts_is_documented(name: str, ansible: dict[str, dict[str, object]]) -> None:
    assert name in ansible
    with pytest.raises(InventoryError):
        wanted(name, DIFFERENT[name])
    assert {NAMED[name]} | UNSEEN <= named_in_docs()
