"""Limits for a comparison with Ansible, written by hand for each rule, with the difference, if any.

Other tests read from here which differences these cases exercise.
"""

from __future__ import annotations

FLEET = """\
gate
[ci]
web-01 ansible_host=10.0.0.1
web-02
web-03
[db]
db-[1:4].example.com
[arm]
arm-1
Arm-2
10.1.0.[1:3]
[drained]
[runners:children]
ci
arm
[eu]
db-[1:4].example.com
web-02
spare
"""

# A group that is named before its members, a host with a group's name, IPv6, a host that a glob matches twice.
ODD = """\
[web]
web-1
web-2
[all-in-one]
box.example.com
[box.example.com]
other
[both]
x1
[both:children]
web
[x1]
x2
[addresses]
fe80::1
::1
2001:db8::a
[late:children]
early
[early]
e1
[zz]
e2
e1
"""

# The order in which hosts are first named is not the order of "all".
TURNED = """\
[b]
h1
h3
[a]
h2
h1
[a:children]
b
"""

SINGLE = "localhost ansible_connection=local\n"

# Ansible follows groups level by level through sets: whose children come first differs from run to run.
BRANCHES = """\
[left:children]
left-end
[right:children]
right-end
[left-end]
l
[right-end]
r
[both:children]
left
right
"""

INVENTORIES = {"fleet": FLEET, "odd": ODD, "turned": TURNED, "single": SINGLE}

FILES = {
    "two": "web-01\narm-1\n",
    "windows": "web-01\r\n\r\n  db \r\n",
    "narrow": "ci\n&eu\n",
    "without": "!db\n!arm\n",
    "globs": "web-*\n~db-[12]\nci[0]\n",
    "blank": "\n  \n\n",
    "empty": "",
    "comment": "# the web\nweb-01\n",
    "commas": "web-01,web-02\narm-1\n",
    "nested": "@two\narm-1\n",
    "all": "all\n",
    "unknown": "nobody\n",
    "away": "ci\n!localhost\n",
    "twice": "web-01\nweb-01\n",
}

NO_DIFFERENCE = {
    "fleet": """
        all * ungrouped gate ci db arm runners eu web-01 Arm-2 spare 10.1.0.2 db-2.example.com
        web-* web* *-01 *-1* db-?.example.com db-[12].example.com db-[!12].example.com db* *.example.com [a]rm-1
        [wd]* ?rm-1 ?rm-? Arm* *eu* e* ru* un* r*s ci* w*[0] 10.* 10.1.0.? *.*
        ~web ~web-0[12] ~web.*2 ~db-[13]\\.example ~(web|db)-.*1 ~ci ~run ~(?i)ARM ~[Aa]rm-\\d ~10\\. ~.+example.com
        ~^web-01$ ~gate\\Z
        ci[0] ci[1] ci[-1] ci[-3] ci[0:0] ci[0:1] ci[1:2] ci[0:2] ci[1:] ci[0:] ci[2:] ci[0:99] ci[-0] runners[0]
        runners[3:5] runners[-1] all[0] all[-1] all[2:4] web-*[0] web-*[-1] db*[1:2] eu[0] eu[1:3] c*[1:] *[0] *[3:6]
        web-01[0] web-0*[00] ungrouped[0]
        ci,db ci,web-01 web-01,ci db,ci web-01,web-02,web-01 db-4.example.com,db-1.example.com arm,ci,db,gate
        ci:db web-01:arm arm:ci:db ci:db:gate db-1.example.com:gate ci[0]:db[1] ci[0:1]:db web-*:db*
        ci[0:1],db[1:2] ci[0]:ci[-1]
        ci,!web-01 !web-01,ci ci:!web-01 !ci !ci,!db all,!ci all:!ci:!db !ci:!db runners,!ci ci,!eu eu,!ci !web-* !*-01
        !~web all,!~db-[12] !ci[0] ci,!ci[0] ci:!ci[1:] runners:!ci[0:1] ci,!drained all:!drained
        ci,&eu &eu,ci ci:&eu runners:&eu &ci,&eu &eu eu,&ci &web-* ci,&web-02 ci:&~web-02 ci,&ci[0] ci:&ci[0:1] &ci
        runners,&ci,!web-01 !web-01,&ci,runners runners:&ci:!web-01 all,&eu,!db eu,db,&runners,!drained
        !localhost ci,!localhost all:!localhost !127.0.0.1,!::1 ci,!web-01,!localhost ci:!localhost @away
        ci,db,&eu,!web-02 arm,!10.1.0.2 &web-02 !10.1.0.* ci,drained
        @two @windows @narrow @without @globs @all @twice @two,db db,@two @two,!web-01 @two:db @narrow,!web-01
    """,
    "odd": """
        web web-1 web* web*[0] web*[0:2] web*[-1] web*[2:] web*[1:3] both both[0] both[1:] x1 x* x1,web x1[0] !x1
        both,!x1 web,!localhost
        both,&web-1 !web-1 ~x ~web ~web,!web-2 box.example.com !box.example.com all-in-one addresses fe80::1 ::1
        2001:db8::a addresses,!fe80::1 fe80::1,web-1 !::1 &::1 fe80* ~fe80 ~2001 late early late,&zz zz zz[0] early[0]
        e* e? e?[0] all[0:3] zz:!e1 zz,!e1 addresses[0] addresses[1:2]
    """,
    "turned": "all a b h? h?[0] h?[1] h*[0:1] a[0] a[-1] b[0] ?[0] ?[2:4] all[0] all[1:] *[0] [ab] ~[ab] ~h h1,a a,!b",
    "single": "all localhost * loc* ~local localhost[0] all,&localhost",
}

# By the id of the difference. Limits with blanks are in WITH_BLANKS.
DIFFERENT = {
    "empty-limit": {"fleet": ", ,, : :::", "odd": ", ,, :"},
    "empty-term": {
        "fleet": "ci, ,ci ci,,db ci: :ci ,!ci @two, ci:::db !ci:",
        "odd": "*::* ~.*:: web::x1",
    },
    "empty-file": {"fleet": "@blank @empty"},
    "unmatched-term": {
        "fleet": """
            nobody nobody,ci ci,nobody ci,!nobody ci,&nobody all:!nobody nobody:ci CI Web-01 web eb-01 web-1 web-01.
            nob* ci,nob* ~nob ci,!~nob ~rm-1 [ci] *.EXAMPLE.com [!a-z]*,zz* web-01:22 ci:22 ci,22
            localhost ci,localhost 127.0.0.1 ::1 ci,!!db ci,&!db ci,!&db ci,!@two
            web-[1:3] nobody[0] ~ci[0],~db[0:1] ci[],db ci[a],db ci[1:2:3],db ci[-1:],db web-0[1:3] ci[0:-1],db
            ~web-0{1,2},ci @comment @commas @nested @unknown ci[0],nobody[0] @two,nobody
        """,
        "odd": "x1,!x2,!web-3 2001:* ?:* web-1:x",
    },
    "nothing-selected": {
        "fleet": """
            drained ci,!ci !all all,!* ci,&db-1.example.com ci,&db,!web-01 web-01,!ci &drained ci:!ci ci,!web-*
            all,!ungrouped,!ci,!db,!arm,!eu drained,!drained ci,&~db
        """,
        "odd": "both,&x1",
    },
    "subscript-of-nothing": {"fleet": "ci[3:] ci[7:9] ci,db[9:] drained[0],ci ci,!drained[1:2]"},
    "backward-subscript": {"fleet": "ci[1:0] ci[2:1],db db,!ci[2:0]"},
    "dash-subscript": {"fleet": "ci[0-1] web-*[0-1] db,!ci[0-1] ci[1-] ci[0-0]"},
    "unbalanced-bracket": {"fleet": "ci[ ci[0 ci] all:!ci[ ci:db[0:1 ]ci ~web-[0"},
    "matches-all": {
        "fleet": "a* *l al* ?l? ~a ~.l a*[0] db,a* [a]* ~(web|al) &a* ci,!a*",
        "odd": "a* all* ~all web:a*",
    },
    "matches-anything": {"fleet": "~ ~.* ~a* ~web| ~(web)? &~.* ci,~ ~^ ~|ci ci:~x* ~.*b?"},
    "regex-warning": {"fleet": "~[[w]eb"},
}

WITH_BLANKS: list[tuple[str, str, str | None]] = [
    ("fleet", "", "empty-limit"),
    ("fleet", " ", "empty-limit"),
    ("fleet", " , ", "empty-limit"),
    ("fleet", "\t", "empty-limit"),
    ("fleet", " : :", "empty-limit"),
    ("fleet", "ci: :db", "empty-term"),
    ("fleet", "ci, ,db", "empty-term"),
    ("fleet", "a b,ci", "unmatched-term"),
    ("fleet", "ci db,arm", "unmatched-term"),
    ("fleet", "ci, !web-01", None),
    ("fleet", " ci , db ", None),
    ("fleet", " ci", None),
    ("fleet", "ci db", None),
    ("fleet", "ci : db", None),
    ("fleet", "ci !web-01", None),
    ("fleet", "web-01 ", None),
    ("fleet", "ci[0:1] db[0]", None),
    ("fleet", "ci\ndb", None),
    ("fleet", "web-01\n", None),
    ("odd", " fe80::1", "empty-term"),
]

# Ansible refuses them too.
REFUSED_BY_BOTH = {
    "fleet": """
        ci[3] ci[-4] ci[99] ci,db[4] all[99] web-*[3] ci,!ci[5] ci:&ci[3] @missing @missing,ci ci,@missing @
        ~( ~web-(0 ~* ~[z-a] ~(?P<x ! & ci,! ci,& ci:! ~+ ~a{2}{3} ci[9999999999]
    """,
    "odd": "web[2] x1[1] fe80::1,! ~) @missing",
}

CASES: list[tuple[str, str, str | None]] = [
    *((name, text, None) for name, block in NO_DIFFERENCE.items() for text in block.split()),
    *(
        (name, text, difference)
        for difference, blocks in DIFFERENT.items()
        for name, block in blocks.items()
        for text in block.split()
    ),
    *WITH_BLANKS,
    *((name, text, None) for name, block in REFUSED_BY_BOTH.items() for text in block.split()),
]

# Two differences have tests of their own.
EXERCISED = frozenset({difference for *_, difference in CASES if difference} | {"several-limits", "group-order"})
