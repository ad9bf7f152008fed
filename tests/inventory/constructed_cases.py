"""Inventories in which a plugin builds on the sources before it."""

from __future__ import annotations

from tests.inventory.corpus import Case

BOXES = """\
all:
  hosts:
    box-1: {tags: {site: north, tier: ""}, os: debian, roles: [ci, "", arm], number: 1, address: 10.0.0.1}
    box-2: {tags: {site: south}, os: "", roles: [], number: 2, address: 10.0.0.2, ansible_host: old.example.com}
    alone: {address: 10.0.0.3}
  children:
    known: {hosts: {box-2: , box-3: }, vars: {number: 3}}
"""
HEAD = "plugin: ansible.builtin.constructed\n"

SCRIPT = '{"web": {"hosts": ["a"], "vars": {"v": 1}}, "_meta": {"hostvars": {"a": {"w": 1}}}}'
GENERATOR = """\
plugin: ansible.builtin.generator
hosts: {name: "box-{{ place }}", parents: [{name: "{{ place }}", parents: [{name: sites}],
  vars: {place: "{{ place }}"}}]}
layers: {place: [north, south]}
"""

KEYS = (
    "keyed_groups:\n- {key: tags}\n- {key: os}\n- {key: roles}\n- {key: tags, prefix: t, separator: '--'}\n"
    "- {key: os, separator: ''}\n- {key: roles, prefix: role}\n"
)

CONSTRUCTED = (
    Case("groups by key", {"1.yml": BOXES, "2.yml": HEAD + KEYS}, ("1.yml", "2.yml")),
    Case(
        "groups by key without a leading separator",
        {
            "1.yml": BOXES,
            "2.yml": HEAD + "leading_separator: false\nkeyed_groups:\n- {key: tags}\n- {key: tags, separator: x}\n"
            "- {key: tags, prefix: t}\n- {key: os, prefix: o}\n",
        },
        ("1.yml", "2.yml"),
    ),
    Case(
        "values for what is empty, and parents",
        {
            "1.yml": BOXES,
            "2.yml": HEAD
            + "keyed_groups:\n- {key: tags, prefix: t, default_value: none, parent_group: tagged}\n"
            + "- {key: os, prefix: os, default_value: unknown, parent_group: \"{{ 'systems' }}\"}\n"
            + "- {key: roles, prefix: r, default_value: '0', parent_group: known}\n"
            + "- {key: tags, prefix: x, trailing_separator: false, parent_group: all}\n",
        },
        ("1.yml", "2.yml"),
    ),
    Case(
        "variables and conditions, of which some fail",
        {
            "1.yml": BOXES,
            "2.yml": HEAD
            + "compose:\n  ansible_host: address\n  ansible_port: \"'22%02d' % number\"\n  number: number == 1\n"
            + "  more: '{\"k\": [number, os]}'\n  text: \"'{{ number }}'\"\n"
            + "groups:\n  debian: os == 'debian'\n  known: inventory_hostname == 'alone'\n  box-1: number == 2\n"
            + "  nothing: false\n  wide: true\n",
        },
        ("1.yml", "2.yml"),
    ),
    Case(
        "variable files are used where the plugin asks for them",
        {
            "one/1.yml": BOXES,
            "one/group_vars/known.yml": "kind: ci\nnumber: 9\n",
            "one/host_vars/alone.yml": "kind: spare\n",
            "one/group_vars/kind_ci.yml": "late: 1\n",
            "two/2.yml": HEAD + "use_vars_plugins: true\nkeyed_groups:\n- {key: kind, prefix: kind}\n",
        },
        ("one/1.yml", "two/2.yml"),
    ),
    Case(
        "encrypted files are not read for the plugin",
        {
            "1.yml": BOXES,
            "2.yml": HEAD + "groups:\n  first: number == 1\n",
            "host_vars/nowhere.yml": "$ANSIBLE_VAULT;1.1;AES256\n3332\n",
            "group_vars/known.yml": "late: 1\n",
            "group_vars/first.yml": "number: 5\n",
        },
        ("1.yml", "2.yml"),
    ),
    Case(
        "each plugin sees what is before it, in order",
        {
            "d/10.ini": "box-1 n=1\n[web]\nbox-2 n=2\n",
            "d/20.yml": HEAD + "groups: {first: n == 1}\ncompose: {m: n + 1}\n",
            "d/30.ini": "box-3 n=1 m=5\n[first:vars]\nv=1\n",
            "d/40/50.yml": HEAD
            + "keyed_groups: [{key: m|string, prefix: m, parent_group: first}]\ngroups: {late: v}\n",
            "d/60.ini": "[last]\nbox-1\nbox-4 m=2\n",
            "d/group_vars/first.yml": "w: 1\n",
        },
        ("d",),
    ),
    Case(
        "scripts and lists are sources, too",
        {
            "1.py": "#!python\nprint('" + SCRIPT + "')\n",
            "2.yml": HEAD + "groups:\n  plain: v is not defined\n  full: v == 1 and w == 1\n",
        },
        ("b,c:22,", "1.py", "2.yml"),
    ),
    Case(
        "a plugin that adds hosts, and one that groups them",
        {
            "1.ini": "[north]\nold\n",
            "2.yml": GENERATOR,
            "3.yml": HEAD + "keyed_groups:\n- {key: place, prefix: at}\n",
        },
        ("1.ini", "2.yml", "3.yml"),
    ),
    Case("a plugin that is alone sees no host", {"2.yml": HEAD + "groups:\n  wide: true\n"}, ("2.yml",)),
    Case(
        "TOML over INI",
        {"1.ini": "a v=1\nb\n", "2.toml": "[web.hosts.a]\nv = 2\n[web.vars]\nw = true\n"},
        ("1.ini", "2.toml"),
    ),
)
