"""Inventories written by hand, one for each rule, that fleetsweep and Ansible must read alike.

The texts are dedented. A file that begins with ``#!`` is made executable.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent


@dataclass(frozen=True)
class Case:
    """Files, the sources that ``-i`` names, and the working directory, all below one directory."""

    rule: str
    files: Mapping[str, str | bytes]
    sources: tuple[str, ...] = ("hosts",)
    cwd: str = "."

    def lay(self, root: Path) -> tuple[list[str], Path]:
        """Write the files; return the sources and the working directory."""
        for name, content in self.files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, bytes):
                path.write_bytes(content)
            else:
                path.write_text(dedent(content.replace("#!python", f"#!{sys.executable}")), encoding="utf-8")
            if not isinstance(content, bytes) and content.startswith("#!"):
                path.chmod(0o755)
        cwd = root / self.cwd
        cwd.mkdir(parents=True, exist_ok=True)
        return [source if "," in source else str(root / source) for source in self.sources], cwd


def ini(rule: str, text: str, **more: str | bytes) -> Case:
    """Return a case of one INI file, and of others named with ``__`` for ``/`` and ``_yml`` for ``.yml``."""
    return Case(rule, {"hosts": text, **_named(more)})


def yml(rule: str, text: str, **more: str | bytes) -> Case:
    """Return a case of one YAML file, and of others."""
    return Case(rule, {"hosts.yml": text, **_named(more)}, ("hosts.yml",))


def script(rule: str, output: str, **more: str | bytes) -> Case:
    """Return a case of a program that prints this output for --list, and of other files."""
    return Case(rule, {"inv.py": f"#!python\nprint('''{output}''')\n", **_named(more)}, ("inv.py",))


def _named(more: Mapping[str, str | bytes]) -> dict[str, str | bytes]:
    return {name.replace("__", "/").replace("_yml", ".yml"): text for name, text in more.items()}


INI = (
    ini("hosts without a group", "b\na\n"),
    ini("a group", "[web]\na\nb\n[db]\nb\n"),
    ini("ungrouped is named", "[ungrouped]\na\n[web]\nb\n"),
    ini("a host above the first group that is grouped later", "a\nb\n[web]\na\n"),
    ini("a host in all", "[all]\na\n[web]\nb\n"),
    ini("numeric range", "r[1:3]\n"),
    ini("range with a width", "r[01:12].example.com\n"),
    ini("range with a step", "r[1:9:3]\nq[00:20:10]\n"),
    ini("letters", "r[a:d]\nq[x:C]\nk[a:i:4]\n"),
    ini("product of ranges", "r[1:2]-[a:b]-[01:02] n=1\n"),
    ini("open beginning", "r[:3]\n"),
    ini("range from zero", "r[0:10:5]\n"),
    ini("range first in the line", "[0:2].example.com\n"),
    ini("range of one", "r[3:3]\n"),
    ini("host with a port", "a:2222\nb.example.com:22 x=1\n"),
    ini("range with a port", "r[1:2]:2200\n"),
    ini("port and ansible_port", "a:2222 ansible_port=9\n"),
    ini("the port of a host that is already known", "a\na:2222\nb:1\nb:2\n"),
    ini("port zero", "a:0\n"),
    ini("IPv4", "10.0.0.1\n10.0.1.[1:3]:22\n"),
    ini("IPv6", "[::1]:2222\nfe80::1 x=1\n[2001:db8::5]:22\n"),
    ini("bracketed name with a port", "[web1]:22\n"),
    ini("underscores and dots in names", "a_b\n_c\nd.e.f\n1a\n"),
    ini("child declared later", "[p:children]\nweb\ndb\n[db]\nb\n[web]\na\n"),
    ini("child declared earlier and later", "[web]\na\n[p:children]\nlate\nweb\n[late]\nb\n"),
    ini("child of two parents", "[p:children]\nc\n[q:children]\nc\n[c]\na\n[p:vars]\nv=p\nw=p\n[q:vars]\nv=q\n"),
    ini("children with comments", "[p:children]  # group\nweb # one\n[web]\na\n"),
    ini("vars before the group", "[web:vars]\nv=1\n[web]\na\n"),
    ini("vars of a group that only has children", "[p:vars]\nv=1\n[p:children]\nc\n[c]\na\n"),
    ini("vars of a group that is only a child, declared at last", "[p:children]\nc\n[c:vars]\nv=1\n[c]\na\n"),
    ini("vars of all", "[all:vars]\nv=1\nw=all\n[web]\na w=host\n"),
    ini("vars of ungrouped", "a\n[ungrouped:vars]\nv=1\n[web]\nb\n"),
    ini("an empty group", "[web]\n[db]\na\n"),
    ini("deeper groups win", "[z]\na\n[z:vars]\nv=z\n[a_child:children]\nz\n[a_child:vars]\nv=p\nw=p\n"),
    ini("among equals the last by name wins", "[b]\nh\n[a]\nh\n[b:vars]\nv=b\n[a:vars]\nv=a\n"),
    ini("priority", "[b]\nh\n[a]\nh\n[b:vars]\nv=b\n[a:vars]\nv=a\nansible_group_priority=10\n"),
    ini("priority does not beat depth", "[c]\nh\n[p:children]\nc\n[c:vars]\nv=c\n[p:vars]\nv=p\nansible_group_priority=9\n"),
    ini("priority in quotes", "[b]\nh\n[a]\nh\n[b:vars]\nv=b\n[a:vars]\nv=a\nansible_group_priority='7'\n"),
    ini("priority of a host is a variable", "h ansible_group_priority=3\n"),
    ini("depth by the longest way", "[x]\nh\n[p:children]\nx\n[q:children]\np\n[q:vars]\nv=q\n[y]\nh\n[y:vars]\nv=y\n[x:vars]\nw=1\n[p:vars]\nv=p\n"),
    ini("a chain of groups", "[a:children]\nb\n[b:children]\nc\n[c:children]\nd\n[d]\nh\n[a:vars]\nv=a\nw=a\nx=a\n[b:vars]\nv=b\nw=b\n[c:vars]\nv=c\n"),
    ini("a host's variables join", "a x=1 y=1\na y=2 z=3\n[web]\na z=4\n"),
    ini("a host that is called like a group", "[web]\na v=1\n[a]\nb\n[a:vars]\nw=2\n"),
    ini("a group that is called like a host, later", "[web]\na v=1\n[a]\na x=3\n"),
    ini("all's children named", "[all:children]\nweb\n[web]\na\n[db]\nb\n"),
    ini("ungrouped in all", "[all:children]\nungrouped\nweb\n[ungrouped]\nu\n[web]\na\n"),
    ini("children of ungrouped", "[ungrouped:children]\nweb\n[web]\na\n"),
    ini("comment lines", "# one\n; two\n   # three\na\n\n\n  b\n"),
    ini("inline comments", "a x=1 # c\nb y=2#c\nc # y=3\nd z='#' w=\"a#b\"\n"),
    ini("hash in group variables", "[g]\na\n[g:vars]\nv=x # y\nw=5 # six\nx=#\ny='a' # b\n"),
    ini("equals in values", "a x=a=b y='c = d' z==\n[g]\nb\n[g:vars]\nv=a=b\nw = c = d\n"),
    ini("spaces around equals in group variables", "[g]\na\n[g:vars]\n v  =  1 \nw=\n"),
    ini("quotes", "a v='x y' w=\"p q\" x=r' 's y=\"it's\" z='a\"b'\n"),
    ini("quotes within quotes", "a v='\"1\"' w=\"'2'\" x=\"'yes'\"\n"),
    ini("quotes in group variables", "[g]\na\n[g:vars]\nv='x y'\nw=\"1\"\nx='it''s'\ny=\"a\" \"b\"\nz='\n"),
    ini("backslashes", "a v=a\\\\ b w='c\\\\d' x=\"e\\\\f\" y=a\\\\nb\n".replace(" b ", " ")),
    ini("backslashes in group variables", "[g]\na\n[g:vars]\nv=a\\d\nw='\\n'\nx='\\d'\ny=C:\\Users\n"),
    ini("whole numbers", "a i=1 j=0 k=-5 l=01 m=+3 n=1_000 o=00 p=123456789012345678901234567890\n"),
    ini("numbers in other bases", "a h=0x1F o=0o17 b=0b101 z=017 w=0xZZ\n"),
    ini("floats", "a f=1.5 g=-0.5 h=1e3 i=.5 j=5. k=1.2.3 l=1e400 m=nan n=inf\n"),
    ini("truth and nothing", "a t=True f=False n=None u=true y=yes o=on m=null z=TRUE\n"),
    ini("lists", "[g]\na\n[g:vars]\nv=[1, 'x', True, None, [2]]\nw=[1, x]\nx=[]\ny=[\n"),
    ini("lists on host lines", "a v=[1,2] w=['x','y'] x=\"['x','y']\" y='[\"x\", 1]'\n"),
    ini("mappings", "[g]\na\n[g:vars]\nv={'k': 1, 'l': {'m': [1]}}\nw={k: 1}\nx={}\ny={\"k\": (1, 2)}\nz={1: 'a', None: 2, 1.5: 3}\n"),
    ini("tuples", "[g]\na\n[g:vars]\nv=(1, 2)\nw=1, 2\nx=()\ny=(1)\nz='a', 'b'\n"),
    ini("sets", "[g]\na\n[g:vars]\nv={1, 2}\nw={3}\nx=set()\n"),
    ini("other literals", "[g]\na\n[g:vars]\nv=b'x'\nw=...\nx=1+2j\ny=u'x'\nz=r'a\\b'\n"),
    ini("no literals", "[g]\na\n[g:vars]\nv=1+1\nw=f'x'\nx=print(1)\ny=lambda: 1\nz=a.b\n"),
    ini("templates", "[g]\na\n[g:vars]\nv={{ x }}\nw='{{ x }}'\ny={{ x }}-{{ y }}\n"),
    ini("paths and addresses", "a p=/etc/x q=~/.ssh/id r=unix:///run/d.sock s=tcp://10.0.0.1:2375 t=10.0.0.1 u=a-b v=user@h\n"),
    ini("text beyond ASCII", "a v=é w='ü x' x=日本\n[g]\nb\n[g:vars]\nv=naïve\nw='ß'\n"),
    ini("space beyond ASCII", "a v=x\u00a0y\n"),
    ini("variable names of any kind", "a v-w=1 x.y=2 3z=4 ansible_host=10.0.0.5\n"),
    ini("line ends of other systems", "[g]\r\na x=1\r\n[g:vars]\r\nv=2\r\n"),
    ini("no line end at the end", "[g]\na x=1"),
    ini("tabs", "[g]\na\tx=1\t\ty=2\n\tb\n"),
    ini("an empty file", ""),
    ini("only comments", "# nothing\n"),
    ini("localhost", "localhost ansible_connection=local\n127.0.0.1\n"),
    ini("sections again", "[g]\na\n[h]\nb\n[g]\nc\n[g:vars]\nv=1\n[g:vars]\nv=2\n"),
    ini("odd names of groups", "[web-1]\na\n[web.2]\nb\n[3]\nc\n[é]\nd\n"),
    Case("INI in a file with a suffix of its own", {"hosts.prod": "[web]\na v=1\n"}, ("hosts.prod",)),
    Case("INI in a file called .ini", {"fleet.ini": "[web]\na v=1\n"}, ("fleet.ini",)),
    Case("an INI file that is nearly YAML", {"hosts": "a\nb ansible_host=10.0.0.1\n"}),
)  # fmt: skip

YAML = (
    yml("hosts, vars and children", "all:\n  hosts: {a: , b: {x: 1}}\n  vars: {v: 1}\n  children:\n    web: {hosts: {c: {v: 2}}}\n"),
    yml("groups at the top", "web:\n  hosts:\n    a:\ndb:\n  hosts:\n    b:\n"),
    yml("one host as a text", "web:\n  hosts: a\n"),
    yml("one child as a text", "p:\n  children: web\nweb: {hosts: {a: }}\n"),
    yml("empty groups", "web:\ndb: {}\nx: {hosts: , vars: , children: }\ny: {hosts: {a: }}\n"),
    yml("empty variables of every kind", "web: {hosts: {a: [], b: '', c: 0, d: false, e: {}}}\n"),
    yml("ranges", "web: {hosts: {'r[01:03].example.com': {v: 1}, 's[a:c]': }}\n"),
    yml("unquoted ranges", "web:\n  hosts:\n    r[1:3]:\n    www[01:50:20].example.com:\n      v: 1\n"),
    yml("ports", "web:\n  hosts:\n    a:22:\n    b:2222: {v: 1}\n    '[::1]:23':\n"),
    yml("range and port", "web: {hosts: {'r[1:2]:22': {ansible_port: 5}, 'q[1:2]:22': }}\n"),
    yml("a host in many places", "all:\n  hosts: {a: {x: 1, y: 1}}\n  children:\n    web: {hosts: {a: {y: 2}}}\n    db: {hosts: {a: }}\n"),
    yml("ungrouped in all", "all: {children: {ungrouped: {hosts: {a: {v: 1}}}, web: {hosts: {b: }}}}\n"),
    yml("variables of all given last", "web: {hosts: {a: }}\nall: {vars: {v: 1}}\n"),
    yml("nested children", "all:\n  children:\n    p:\n      vars: {v: p, w: p}\n      children:\n        c:\n          vars: {v: c}\n          hosts: {a: }\n        d: {hosts: {b: }}\n"),
    yml("a child that is filled elsewhere", "p: {children: {c: }}\nc: {hosts: {a: }, vars: {v: 1}}\n"),
    yml("the same child twice", "p: {children: {c: {hosts: {a: }}}}\nq: {children: {c: {hosts: {b: }, vars: {v: 1}}}}\n"),
    yml("priority", "a: {hosts: {h: }, vars: {v: a, ansible_group_priority: 5}}\nb: {hosts: {h: }, vars: {v: b}}\n"),
    yml("host called like a group", "all: {hosts: {h: {v: 1}}, children: {h: {hosts: {x: }}}}\n"),
    yml("host called like a group, grouped", "web: {hosts: {h: {v: 1}}}\nh: {hosts: {x: {w: 2}}, vars: {z: 3}}\n"),
    yml("truth", "web: {hosts: {a: {a: yes, b: no, c: on, d: off, e: true, f: False, g: y, h: 'yes'}}}\n"),
    yml("numbers", "web: {hosts: {a: {a: 1, b: 0777, c: 0o17, d: 0x1f, e: 1_000, f: 1:30, g: 0b11, h: '1', i: -5, j: 08}}}\n"),
    yml("floats", "web: {hosts: {a: {a: 1.5, b: 1e3, c: 1.0e+3, d: .5, e: .inf, f: -.INF, g: 1.2.3, h: 1., i: 1:2.5}}}\n"),
    yml("nothing", "web: {hosts: {a: {a: , b: null, c: ~, d: Null, e: '', f: 'null', g: none}}}\n"),
    yml("dates", "web: {hosts: {a: {a: 2020-01-02, b: 2020-01-02 03:04:05, c: '2020-01-02', d: 2020-01-02T03:04:05+02:00, e: 12:30:45}}}\n"),
    yml("texts", "web:\n  hosts:\n    a:\n      a: plain text\n      b: 'it''s'\n      c: \"a\\tb\\u00e9\"\n      d: |\n        two\n        lines\n      e: >-\n        folded\n        text\n      f: a # comment\n      g: a#b\n      h: 10.0.0.1\n      i: unix:///run/x\n"),
    yml("lists and mappings", "web: {hosts: {a: {l: [1, x, [2], {k: v}], m: {k: {l: [1]}}, n: [], o: {}}}}\n"),
    yml("keys that are no text", "web: {hosts: {a: {m: {1: a, false: b, null: c, 1.5: d, 2020-01-02: e}, 5: five}}}\n"),
    yml("anchors and aliases", "web: {hosts: {a: &v {x: 1, l: &l [1, 2]}, b: *v, c: {m: *l}}}\n"),
    yml("merge keys", "x: &x {vars: {v: 1}}\nweb:\n  hosts:\n    a: &a {p: 1, q: 2}\n    b: {<<: *a, q: 3}\n    c: {q: 4, <<: *a}\n    d: {<<: [*a, {p: 5, r: 6}]}\n    e: {<<: {z: 1}, y: 2}\n  <<: *x\n"),
    yml("nested merges", "web:\n  hosts:\n    a: &a {p: 1}\n    b: &b {<<: *a, q: 2}\n    c: {<<: *b, r: 3}\n    d: {<<: [{<<: *a, p: 2}, *b], s: 4}\n"),
    yml("explicit tags", "web: {hosts: {a: {a: !!str 5, b: !!int '5', c: !!float 5, d: !!bool 'yes', e: !!null '', f: ! 7, g: !!map {k: 1}, h: !!seq [1]}}}\n"),
    yml("unsafe values", "web: {hosts: {a: {a: !unsafe 5, b: !unsafe '{{ x }}', c: !unsafe {k: v}, d: !unsafe [1]}}}\n"),
    yml("vaulted values", "web:\n  hosts:\n    a:\n      s: !vault |\n        $ANSIBLE_VAULT;1.1;AES256\n        3332\n      l: [!vault x, 1]\n  vars:\n    t: !vault-encrypted |\n      $ANSIBLE_VAULT;1.1;AES256\n      3332\n"),
    yml("keys twice in variables", "web:\n  hosts:\n    a: {v: 1, w: {k: 1, k: 2}, v: 2}\n  vars: {x: [{k: 1, k: {l: 1, l: 2}}], x: 3}\n"),
    yml("templates", "web: {hosts: {a: {v: '{{ x }}', w: 'p-{{ y }}'}}}\n"),
    yml("document marks", "---\nweb: {hosts: {a: }}\n...\n"),
    yml("a directive", "%YAML 1.1\n---\nweb: {hosts: {a: {v: yes}}}\n"),
    yml("a byte order mark", "\ufeffweb: {hosts: {a: }}\n"),
    yml("line ends of other systems", "web:\r\n  hosts:\r\n    a:\r\n      v: x\r\n"),
    yml("text beyond ASCII", "web: {hosts: {a: {v: é, 'ü': 日本}}, vars: {w: ß}}\n"),
    yml("an empty file", ""),
    yml("names of groups of any kind", "'a b': {hosts: {a: }}\nweb-1: {hosts: {b: }}\n"),
    Case("YAML without a suffix", {"hosts": "all:\n  hosts:\n    a: {v: 1}\n"}),
    Case("YAML with the other suffix", {"hosts.yaml": "all: {hosts: {a: {v: 1}}}\n"}, ("hosts.yaml",)),
    Case("JSON", {"hosts.json": '{"all": {"hosts": {"a": {"v": 1.0, "w": 1e3, "x": null, "y": "\\/"}}, "vars": {"z": true}}}'}, ("hosts.json",)),
    Case("JSON in a file called YAML", {"hosts.yml": '{"web": {"hosts": {"a": {"v": 1e3}}}}'}, ("hosts.yml",)),
    Case("YAML in a file called JSON", {"hosts.json": "web: {hosts: {a: {v: 1e3}}}\n"}, ("hosts.json",)),
    Case("a vaulted value in JSON", {"hosts.json": '{"web": {"hosts": {"a": {"v": {"__ansible_vault": "$ANSIBLE_VAULT;1.1"}, "w": {"__ansible_unsafe": "x"}}}}}'}, ("hosts.json",)),
)  # fmt: skip

SCRIPTS = (
    script("_meta", '{"web": {"hosts": ["a", "b"], "vars": {"v": 1}}, "_meta": {"hostvars": {"a": {"x": [1, null, true, 1.5]}, "zz": {"y": 1}}}}'),
    script("groups as lists", '{"web": ["a", "b"], "db": ["b"], "_meta": {"hostvars": {}}}'),
    script("children", '{"p": {"children": ["web", "late"], "vars": {"v": "p"}}, "web": {"hosts": ["a"]}, "late": {"hosts": ["b"], "vars": {"v": "l"}}, "_meta": {"hostvars": {}}}'),
    script("all and ungrouped", '{"all": {"children": ["ungrouped", "web"], "vars": {"v": 1}}, "ungrouped": {"hosts": ["u"]}, "web": {"hosts": ["a"]}, "_meta": {"hostvars": {}}}'),
    script("an object that is a host", '{"web": {"hosts": ["a"]}, "solo": {"ansible_host": "10.0.0.1"}, "_meta": {"hostvars": {"solo": {"x": 1}}}}'),
    script("an empty group becomes a host", '{"web": {}, "_meta": {"hostvars": {}}}'),
    script("an empty list of hosts", '{"web": {"hosts": []}, "db": [], "_meta": {"hostvars": {}}}'),
    script("priority", '{"a": {"hosts": ["h"], "vars": {"v": "a", "ansible_group_priority": 3}}, "b": {"hosts": ["h"], "vars": {"v": "b"}}, "_meta": {"hostvars": {}}}'),
    script("nothing", "{}"),
    script("vaulted and unsafe values", '{"web": {"hosts": ["a"]}, "_meta": {"hostvars": {"a": {"v": {"__ansible_vault": "x"}, "w": {"__ansible_unsafe": "{{ y }}"}}}}}'),
    script("with variables beside it", '{"web": {"hosts": ["a"], "vars": {"v": 1, "w": 1}}, "_meta": {"hostvars": {"a": {"x": 1, "y": 1}}}}', group_vars__web_yml="v: 2\n", host_vars__a_yml="x: 2\n"),
    Case(
        "--host where there is no _meta",
        {
            "inv": """\
            #!python
            import json, sys
            if sys.argv[1] == "--list":
                print(json.dumps({"web": {"hosts": ["a", "b", "c"]}}))
            elif sys.argv[2] == "b":
                print()
            else:
                print(json.dumps({"name": sys.argv[2], "n": 1}))
            """.replace("            ", "")
        },
        ("inv",),
    ),
    Case("a shell script", {"inv.sh": """#!/bin/sh\necho '{"web": ["a"], "_meta": {"hostvars": {"a": {"v": 1}}}}'\n"""}, ("inv.sh",)),
    Case("a script among files", {"d/1.ini": "[web]\na v=1\n", "d/2.py": """#!python\nprint('{"web": {"hosts": ["b"], "vars": {"w": 2}}, "_meta": {"hostvars": {"b": {"v": 2}}}}')\n"""}, ("d",)),
)  # fmt: skip

FILES = (
    ini("group_vars and host_vars", "[web]\na v=1 w=1\n[web:vars]\nx=1\ny=1\n", group_vars__web_yml="x: 2\nv: 2\n", host_vars__a_yml="v: 3\n"),
    ini("group_vars of all", "[web]\na\n[web:vars]\nx=1\n[all:vars]\nx=0\ny=0\n", group_vars__all_yml="x: 2\ny: 2\n"),
    ini("group_vars of all below those of groups", "[web]\na\n", group_vars__all_yml="x: 1\ny: 1\n", group_vars__web_yml="x: 2\n"),
    ini("group_vars of ungrouped", "a\n[web]\nb\n", group_vars__ungrouped_yml="x: 1\n"),
    ini("files by depth", "[c]\na\n[p:children]\nc\n", group_vars__c_yml="v: c\n", group_vars__p_yml="v: p\nw: p\n"),
    ini("files by priority", "[b]\nh\n[a]\nh\n[a:vars]\nansible_group_priority=10\n", group_vars__a_yml="v: a\n", group_vars__b_yml="v: b\n"),
    ini("priority in a file is a variable", "[b]\nh\n[a]\nh\n", group_vars__a_yml="v: a\nansible_group_priority: 10\n", group_vars__b_yml="v: b\n"),
    ini("empty variable files", "[web]\na\n", group_vars__web_yml="", host_vars__a_yml="---\n", group_vars__all_yml="# nothing\n"),
    ini("variables of a name that no host has", "[web]\na\n", group_vars__db_yml="v: [\n", host_vars__zz_yml="v: 1\n"),
    Case("no suffix comes first", {"hosts": "[web]\na\n", "group_vars/web": "v: plain\n", "group_vars/web.yml": "v: yml\nw: 1\n"}),
    Case(".yml comes before .yaml and .json", {"hosts": "[web]\na\n[db]\na\n", "group_vars/web.yaml": "v: yaml\n", "group_vars/web.yml": "w: yml\n", "group_vars/db.json": '{"x": 1e3}', "group_vars/db.yaml": "y: 1\n"}),
    Case("JSON variable files", {"hosts": "[web]\na\n", "group_vars/web.json": '{"v": [1, {"k": null}]}', "host_vars/a": '{"w": 1.0}'}),
    Case("directories of variable files", {"hosts": "[web]\na\n", "group_vars/web/b.yml": "v: b\nw: b\n", "group_vars/web/a.yml": "v: a\nx: a\n", "group_vars/web/sub/c.yml": "y: c\nv: c\n", "group_vars/web/.hidden.yml": "v: h\n", "group_vars/web/old.yml~": "v: o\n", "group_vars/web/note.txt": "v: t\n", "group_vars/web/plain": "z: 1\n", "group_vars/web/d.json": '{"j": 1}', "group_vars/web/sub.d/x.yml": "v: no\n"}),
    Case("a directory called like a file", {"hosts": "[web]\na\n", "group_vars/web.yml/x.yml": "v: 1\n"}),
    Case("an empty directory hides the file beside it", {"hosts": "[web]\na\n", "group_vars/web/.keep": "", "group_vars/web.yml": "v: 1\n"}),
    Case("a directory of host variables", {"hosts": "[web]\na\n", "host_vars/a/one.yml": "v: 1\n", "host_vars/a/two.yaml": "w: 2\n"}),
    Case("variables beside the working directory", {"inv/hosts": "[web]\na v=1\n", "work/group_vars/web.yml": "v: w\nx: w\n", "work/host_vars/a.yml": "y: w\n", "work/group_vars/all.yml": "z: w\n"}, ("inv/hosts",), "work"),
    Case("variables beside both", {"inv/hosts": "[web]\na\n", "inv/group_vars/web.yml": "v: i\nw: i\n", "inv/group_vars/all.yml": "x: i\ny: i\n", "inv/host_vars/a.yml": "z: i\n", "work/group_vars/web.yml": "v: w\ny: w\n", "work/group_vars/all.yml": "x: w\nw: all\n", "work/host_vars/a.yml": "z: w\n"}, ("inv/hosts",), "work"),
    Case("the inventory's directory is the working directory", {"hosts": "[web]\na\n", "group_vars/web.yml": "v: 1\n"}),
    Case("keys twice in variable files", {"hosts": "[web]\na\n", "group_vars/web.yml": "v: {k: 1, k: 2}\nw: 1\nw: 2\n", "host_vars/a.json": '{"x": {"k": 1, "k": 2}}'}),
    Case("a vaulted value in a file", {"hosts": "[web]\na\n", "group_vars/web.yml": "s: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  33\nv: 1\n"}),
    Case("a variable that is a mapping is replaced, not merged", {"hosts": "[web]\na m={'a':1}\n", "group_vars/web.yml": "m: {b: 2}\n", "host_vars/a.yml": "m: {c: 3}\n"}),
    Case("two sources", {"one": "[web]\na v=1 w=1\n[web:vars]\nx=1\n", "two": "[web]\nb\na v=2\n[web:vars]\nx=2\ny=2\n"}, ("one", "two")),
    Case("two sources the other way", {"one": "[web]\na v=1 w=1\n[web:vars]\nx=1\n", "two": "[web]\nb\na v=2\n[web:vars]\nx=2\ny=2\n"}, ("two", "one")),
    Case("a second source fills the first's group", {"one": "[web]\na\n", "two.yml": "all: {children: {p: {children: {web: {vars: {v: 1}}}}}}\n"}, ("one", "two.yml")),
    Case("vars for a group of an earlier source", {"one": "[web]\na\n", "two": "[web:vars]\nv=1\n"}, ("one", "two")),
    Case("children of an earlier source", {"one": "[web]\na\n", "two": "[p:children]\nweb\n[p:vars]\nv=1\n"}, ("one", "two")),
    Case("a host that a later source groups", {"one": "a\nb\n", "two": "[web]\na\n"}, ("one", "two")),
    Case("variable files of two sources", {"x/one": "[web]\na\n", "x/group_vars/web.yml": "v: x\nw: x\n", "y/two": "[web]\na\n[db]\na\n", "y/group_vars/web.yml": "v: y\n", "y/group_vars/db.yml": "w: y\n", "x/group_vars/db.yml": "z: x\n", "x/host_vars/a.yml": "h: x\n", "y/host_vars/a.yml": "h: y\n"}, ("x/one", "y/two")),
    Case("variable files of two sources the other way", {"x/one": "[web]\na\n", "x/group_vars/web.yml": "v: x\nw: x\n", "y/two": "[web]\na\n[db]\na\n", "y/group_vars/web.yml": "v: y\n", "y/group_vars/db.yml": "w: y\n"}, ("y/two", "x/one")),
    Case("the same source twice", {"one": "[web]\na v=1\n"}, ("one", "one")),
    Case("a directory", {"d/b.yml": "web: {hosts: {b: }}\n", "d/a": "[web]\na\n", "d/c.ini": "[db]\nc\n"}, ("d",)),
    Case("a directory's order is that of its names", {"d/10": "a v=10\n", "d/2": "a v=2\n", "d/B": "a w=B\n", "d/a": "a w=a\n"}, ("d",)),
    Case("a directory with files that are left out", {"d/hosts": "a\n", **{f"d/x{end}": "left-out\n" for end in (".pyc", ".pyo", ".swp", ".bak", "~", ".rpm", ".md", ".txt", ".rst", ".orig", ".cfg", ".retry")}, "d/.hidden": "left-out\n", "d/vars_plugins/x": "left-out\n"}, ("d",)),
    Case("a directory with variable files", {"d/hosts": "[web]\na\n", "d/group_vars/web.yml": "v: 1\n", "d/host_vars/a/x.yml": "w: 1\n"}, ("d",)),
    Case("directories in a directory", {"d/one/hosts": "[web]\na\n", "d/two/more/hosts.yml": "web: {hosts: {b: }, vars: {v: 1}}\n", "d/zero": "c\n"}, ("d",)),
    Case("variable files in a nested directory don't count", {"d/one/hosts": "[web]\na\n", "d/one/group_vars/web.yml": "v: 1\n", "d/group_vars/web.yml": "w: 1\n"}, ("d",)),
    Case("a directory and a file in it", {"d/hosts": "[web]\na\n", "d/group_vars/web.yml": "v: 1\n"}, ("d", "d/hosts")),
    Case("a list of hosts", {}, ("a,b,",)),
    Case("a list with ports and spaces", {}, ("a:22, b.example.com ,[::1]:2222,10.0.0.1:5",)),
    Case("a list of one", {}, ("localhost,",)),
    Case("a list and a file", {"hosts": "[web]\na v=1\n", "group_vars/web.yml": "w: 1\n"}, ("a,b,", "hosts")),
    Case("a file and a list", {"hosts": "[web]\na v=1\n"}, ("hosts", "a:22,b:23,")),
    Case("a list with variables beside the working directory", {"host_vars/a.yml": "v: 1\n", "group_vars/ungrouped.yml": "w: 1\n"}, ("a,b",)),
    Case("ungrouped twice, in a group called like a host", {"one.yml": "all: {hosts: {g: , h: }}\ng: {hosts: {h: }}\n", "two": "h\n"}, ("one.yml", "two")),
    Case("ungrouped twice, in nested groups called like hosts", {"one.yml": "all: {hosts: {g1: , h: , g2: }}\ng1: {hosts: {h: }, children: {g2: }}\ng2: {hosts: {h: }}\n", "two": "h\n"}, ("one.yml", "two")),
    Case("ungrouped twice, before the host that its group is called like", {"one.yml": "all: {hosts: {h: , g: }}\ng: {hosts: {h: }}\n", "two": "h\n"}, ("one.yml", "two")),
)  # fmt: skip

CORPUS = (*INI, *YAML, *SCRIPTS, *FILES)
