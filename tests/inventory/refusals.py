"""Sources that fleetsweep refuses.

Where Ansible reads such a source in some way, ``difference`` is the id in the table of docs/inventory.md. It is empty
where Ansible can't read the source either: Ansible then warns and continues without it.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.inventory.corpus import Case, ini, script, yml


@dataclass(frozen=True)
class Refusal:
    """A case, a regular expression for its error, and the difference that it shows."""

    case: Case
    message: str
    difference: str = ""


def only(name: str, text: str | bytes, rule: str = "") -> Case:
    """Return a case of one file."""
    return Case(rule or name, {name: text}, (name,))


BOTH = (
    Refusal(ini("vars of a group that is nowhere declared", "a\n[g:vars]\nv=1\n"), r"hosts:2: \[g:vars\]"),
    Refusal(ini("child that is nowhere declared", "[p:children]\nx\ny\n"), r"hosts:2: .*names x"),
    Refusal(ini("child with only vars", "[p:children]\nc\n[c:vars]\nv=1\n"), r"hosts:2: .*names c"),
    Refusal(ini("unknown kind of section", "[g:host]\na\n"), "hosts:1: .*not a section type"),
    Refusal(ini("space in a section", "[a b]\nc\n"), "hosts:1: .*not a section"),
    Refusal(ini("semicolon after a section is no comment", "[a] ; x]\nc\n"), "hosts:1: .*not a section"),
    Refusal(ini("a range alone looks like a section", "[a:c]\n"), "hosts:1: .*not a section type"),
    Refusal(ini("no equals sign on a host line", "a\nb junk\n"), "hosts:2: 'junk' is not a variable"),
    Refusal(ini("no equals sign in vars", "[g]\na\n[g:vars]\njunk\n"), "hosts:4: .*not a variable"),
    Refusal(ini("open quote", "a v='x\n"), "hosts:1: .*quot"),
    Refusal(ini("open bracket", "a[1:3\n"), "hosts:1: .*bracket"),
    Refusal(ini("range without an end", "a[1:]\n"), "hosts:1: .*not a range"),
    Refusal(ini("range with three colons", "a[1:2:3:4]\n"), "hosts:1: .*not a range"),
    Refusal(ini("range of one number", "a[5]\n"), "hosts:1: .*not a range"),
    Refusal(ini("range of a letter and a number", "a[a:5]\n"), "hosts:1: .*not a range"),
    Refusal(ini("letters backwards", "a[f:a]\n"), "hosts:1: .*empty range"),
    Refusal(ini("step of nothing", "a[1:3:0]\n"), "hosts:1: .*not a range"),
    Refusal(ini("widths that differ", "a[01:100]\n"), "hosts:1: .*same width"),
    Refusal(ini("colon at the end", "a:\nb x=1\n"), "hosts:"),
    Refusal(ini("document mark", "---\na\n[g]\n"), "hosts:"),
    Refusal(ini("group in itself", "[g:children]\ng\n"), "hosts:2: .*own descendant"),
    Refusal(ini("children with a colon", "[p:children]\na:b\n"), "hosts:2: .*not a group name"),
    Refusal(ini("an unhashable literal", "[g]\na\n[g:vars]\nv={{ 1 }}\n"), "hosts:4: .*quote it"),
    Refusal(ini("priority that is no number", "[g]\na\n[g:vars]\nansible_group_priority=high\n"), "hosts:4: .*whole number"),
    Refusal(only("hosts.ini", "\ufeff[web]\na\n".encode("utf-16"), "UTF-16"), "UTF-8"),
    Refusal(yml("a list at the top", "- a\n"), "hosts.yml: has no groups"),
    Refusal(yml("a number as a group, and a bare option as a host", "all: {hosts: {'-x': }}\nb: [\n"), "hosts.yml"),
    Refusal(yml("hosts as a list", "web: {hosts: [a]}\n"), "hosts.yml:1: hosts of web is not a mapping"),
    Refusal(yml("children as a list", "web:\n  children:\n  - a\n"), "hosts.yml:2: children of web"),
    Refusal(yml("vars as a number", "web:\n  vars: 5\n"), "hosts.yml:2: vars of web"),
    Refusal(yml("host variables as a text", "web:\n  hosts:\n    a: x\n"), "hosts.yml:3: host a"),
    Refusal(yml("host that is a number", "web:\n  hosts:\n    5:\n"), "hosts.yml:3: 5 is not a host name"),
    Refusal(yml("group that is a number", "5: {hosts: {a: }}\n"), "hosts.yml:1: '5' is not a group name"),
    Refusal(yml("unknown tag", "web: {vars: {v: !foo x}}\n"), "hosts.yml:1: the tag '!foo'"),
    Refusal(yml("python objects", "web:\n  vars: {v: !!python/object/apply:os.system [x]}\n"), "hosts.yml:2: the tag 'python/"),
    Refusal(yml("python names", "!!python/name:os.system x\n"), "hosts.yml:1: the tag 'python/"),
    Refusal(yml("open flow mapping", "web: {\n"), r"hosts.yml:\d: invalid YAML"),
    Refusal(yml("tab as indentation", "web:\n\thosts:\n"), r"hosts.yml:2: invalid YAML"),
    Refusal(yml("two documents", "web: {hosts: {a: }}\n---\ndb: {hosts: {b: }}\n"), "hosts.yml:2: .*second"),
    Refusal(yml("undefined alias", "web: {vars: {v: *x}}\n"), "hosts.yml:1: .*alias"),
    Refusal(yml("list as a key", "web: {vars: {[1]: x}}\n"), "hosts.yml:1: .*key"),
    Refusal(yml("merge of a text", "web:\n  vars: {<<: x}\n"), "hosts.yml:2: .*merges"),
    Refusal(yml("impossible date", "web: {vars: {v: 2020-13-45}}\n"), "hosts.yml:1: '2020-13-45'"),
    Refusal(yml("equals sign as a value", "web: {vars: {v: =}}\n"), "hosts.yml:1: '='"),
    Refusal(yml("range without its bracket", "web: {hosts: {'a[1:2': }}\n"), "hosts.yml:1: .*bracket"),
    Refusal(yml("a circle", "a: {children: {b: {children: {a: }}}}\n"), "hosts.yml:1: group"),
    Refusal(yml("control character", "web: {vars: {v: \x01}}\n"), "hosts.yml"),
    Refusal(only("hosts.yml", b"web: {vars: {v: \xff}}\n", "YAML that is not UTF-8"), "hosts.yml:1: .*UTF-8"),
    Refusal(only("saved.json", '{"web": {"hosts": ["a"]}, "_meta": {"hostvars": {"a": {"v": 1}}}}', "saved output of --list"), r"saved\.json: is the output of ansible-inventory --list"),
    Refusal(only("fleet.config", "plugin: ansible.builtin.constructed\nstrict: true\n", "a plugin's .config"), r"fleet\.config: is the configuration of an Ansible inventory plugin: rename it to \.yml"),
    Refusal(only("saved.txt", '{"_meta": {"hostvars": {}}, "web": {"hosts": ["a"]}}', "saved output called .txt"), r"saved\.txt: is the output of ansible-inventory --list"),
    Refusal(only("fleet.json", '{"plugin": "ansible.builtin.constructed"}', "a plugin's .json"), r"fleet\.json: is the configuration of .*: rename it to \.yml"),
    Refusal(only("fleet", "plugin: ansible.builtin.constructed\n", "a plugin's file without a suffix"), r"fleet: is the configuration of .*: rename it to \.yml"),
    Refusal(only("hosts.config", "web:\n  hosts:\n    a:\n", "YAML called .config"), r"hosts\.config: is YAML, which is not read from a \.config file: rename it to \.yml"),
    Refusal(only("hosts.prod", "a: b: c\n", "neither INI nor YAML"), r"hosts\.prod:1: 'a:' is not a host name"),
    Refusal(Case("no file", {}, ("nothing",)), "nothing: does not exist"),
    Refusal(Case("an empty directory", {"d/.keep": ""}, ("d",)), "d: has no inventory"),
    Refusal(Case("a directory with only leftovers", {"d/hosts.bak": "a\n", "d/group_vars/all.yml": "v: 1\n"}, ("d",)), "d: has no inventory"),
    Refusal(Case("one unusable file in a directory", {"d/a": "a\n", "d/b.yml": "- b\n"}, ("d",)), "b.yml"),
    Refusal(Case("a vaulted inventory", {"hosts": "$ANSIBLE_VAULT;1.1;AES256\n3332\n"}), "Vault"),
    Refusal(script("a list", "[]"), "not a JSON object"),
    Refusal(script("_meta without hostvars", '{"web": ["a"], "_meta": {}}'), "hostvars"),
    Refusal(script("vars as a list", '{"web": {"vars": []}, "_meta": {"hostvars": {}}}'), "vars of group web"),
    Refusal(script("host variables as a list", '{"web": ["a"], "_meta": {"hostvars": {"a": []}}}'), "variables of a"),
    Refusal(script("a host that is a number", '{"web": [5], "_meta": {"hostvars": {}}}'), "5 is not a host name"),
    Refusal(only("inv.sh", "#!/bin/sh\necho oops >&2\nexit 3\n"), r"inv\.sh: exited with status 3: 'oops'"),
    Refusal(Case("variables that are no mapping", {"hosts": "[web]\na\n", "group_vars/web.yml": "- x\n"}), "web.yml: is not a mapping"),
    Refusal(Case("variables that are no YAML", {"hosts": "[web]\na\n", "host_vars/a.yml": "x: [\n"}), r"a\.yml:2: invalid YAML"),
    Refusal(yml("a value within itself", "web: {vars: {v: &a [*a]}}\n"), "hosts.yml:1: the alias"),
)  # fmt: skip

DIFFERENT = (
    Refusal(yml("a key that is no section", "web: {host: {a: }}\n"), "hosts.yml:1: unknown key 'host'", "unknown-key"),
    Refusal(ini("INI that can be read as YAML", "a v=\"{'k': 1}\"\n"), "hosts: parses as YAML", "unknown-key"),
    Refusal(yml("a group that is a text", "web: a\n"), "web is not a mapping", "unknown-key"),
    Refusal(yml("a key twice", "web:\n  hosts: {a: }\nweb:\n  hosts: {b: }\n"), "hosts.yml:3: the key 'web' occurs twice .* line 1", "duplicate-key"),
    Refusal(only("hosts.json", '{"web": {"hosts": {"a": {}}, "hosts": {"b": {}}}}', "a key twice in JSON"), "'hosts' occurs twice", "duplicate-key"),
    Refusal(yml("a host twice", "web:\n  hosts:\n    a: {v: 1}\n    a: {w: 1}\n"), "hosts.yml:4: the key 'a' occurs twice", "duplicate-key"),
    Refusal(yml("vars of a group twice", "web:\n  vars: {v: 1}\n  hosts: {a: }\n  vars: {w: 1}\n"), "hosts.yml:4: the key 'vars'", "duplicate-key"),
    Refusal(yml("a priority twice", "web: {hosts: {a: }, vars: {ansible_group_priority: 1, ansible_group_priority: 2}}\n"), "'ansible_group_priority' occurs twice", "duplicate-key"),
    Refusal(script("a key twice in a script's output", '{"web": ["a"], "web": ["b"], "_meta": {"hostvars": {}}}'), "'web' occurs twice", "duplicate-key"),
    Refusal(only("hosts.yml", "[web]\na\n", "INI called YAML"), r"hosts\.yml", "ini-called-yaml"),
    Refusal(ini("numbers backwards", "a\nb[5:1]\n"), "hosts:2: .*empty range", "odd-range"),
    Refusal(ini("several letters", "b[ab:d]\n"), "hosts:1: .*not a range", "odd-range"),
    Refusal(ini("a step backwards", "a\nb[1:5:-1]\n"), "hosts:2: .*not a range", "odd-range"),
    Refusal(ini("an option as a name", "-oProxyCommand=x\n"), "hosts:1: .*not a host name", "host-name"),
    Refusal(ini("a path as a name", "/etc/passwd\n"), "hosts:1: .*not a host name", "host-name"),
    Refusal(ini("a way up in a name", "a..b\n"), "hosts:1: .*not a host name", "host-name"),
    Refusal(ini("a shell's characters in a name", "'a;b'\n"), "hosts:1: .*not a host name", "host-name"),
    Refusal(ini("an expansion in a name", "$(id)\n"), "hosts:1: .*not a host name", "host-name"),
    Refusal(ini("a name beyond ASCII", "hôte\n"), "hosts:1: .*not a host name", "host-name"),
    Refusal(ini("a name and a port that is none", "a:ssh\n"), "hosts:1: .*not a host name", "host-name"),
    Refusal(ini("a port behind what is no address", "a-:22\n"), "hosts:1: .*not a host with a port", "host-name"),
    Refusal(yml("a newline in a name", 'web: {hosts: {"a\\nb": }}\n'), "not a host name", "host-name"),
    Refusal(script("an option as a name", '{"web": ["-x"], "_meta": {"hostvars": {}}}'), "not a host name", "host-name"),
    Refusal(yml("a path as a group", "../x: {hosts: {a: }}\n"), "not a group name", "group-name"),
    Refusal(Case("a range in a list", {}, ("a[1:3],",)), "can't contain ranges", "list-range"),
    Refusal(ini("ungrouped in a group", "a\n[p:children]\nungrouped\n"), "hosts:3: ungrouped", "ungrouped-child"),
    Refusal(yml("a set", "web: {vars: {v: !!set {a, b}}}\n"), "hosts.yml:1: the tag 'set'", "yaml-tags"),
    Refusal(yml("binary", "web: {vars: {v: !!binary aGk=}}\n"), "hosts.yml:1: the tag 'binary'", "yaml-tags"),
    Refusal(yml("pairs", "web: {vars: {v: !!pairs [a: 1]}}\n"), "hosts.yml:1: the tag 'pairs'", "yaml-tags"),
    Refusal(yml("values nested deeply", "web: {vars: {v: " + "[" * 150 + "]" * 150 + "}}\n"), "hosts.yml:1: .*nested", "yaml-bounds"),
    Refusal(only("hosts", b"a\nb v=\xff\n", "INI that is not UTF-8"), "hosts:2: .*UTF-8", "not-utf-8"),
    Refusal(script("no JSON", "hello"), "--list:1: invalid JSON", "failed-script"),
    Refusal(script("group of a number", '{"web": 5, "_meta": {"hostvars": {}}}'), "web", "failed-script"),
    Refusal(script("hosts as an object", '{"web": {"hosts": {"a": {}}}, "_meta": {"hostvars": {}}}'), "hosts of group web", "failed-script"),
    Refusal(only("inv", "#!/no/such/interpreter\n"), "can't be run", "failed-script"),
)  # fmt: skip
