"""Templates in the variables that fleetsweep needs: what they see, and how little they may take."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest

from fleetsweep.errors import InventoryError
from fleetsweep.inventory.host_vars import to_host
from fleetsweep.inventory.limits import SIZE_LIMIT, RenderTime
from fleetsweep.inventory.templates import DEPTH_LIMIT, TEXT_LIMIT, Variables
from fleetsweep.inventory.values import UnsafeText, VaultValue
from fleetsweep.inventory.yaml_text import parse

NAME = "web-1.example.com"


def rendered(text: object, **variables: object) -> object:
    return Variables(NAME, {"v": text, **variables}, {"v": "hosts:3"}, ("linux", "web"), "hosts:1").get("v")


def refused(text: object, **variables: object) -> str:
    with pytest.raises(InventoryError) as caught:
        rendered(text, **variables)
    message = str(caught.value)
    assert message.startswith(f"hosts:3: v of {NAME} can't be rendered: ")
    return message


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{{ n }}", 22),
        ("{{ 22 }}", 22),
        ("{{ s }}", "22"),
        ("{{ f }}", 1.5),
        ("{{ t }}", True),
        ("{{ none }}", None),
        ("{{ xs }}", [1, "a"]),
        ("{{ n }}{{ s }}", "2222"),
        ("a{{ n }}", "a22"),
        ("a{{ nothing }}b", "ab"),
        ("{{ n }}\n", 22),
        ("{{ s }}\n", "22\n"),
        ("{# why #}x", "x"),
        ("{% if t %}\na{% else %}b{% endif %}", "a"),
        ("{{ '{{ s }}' }}", "{{ s }}"),
    ],
)
def test_a_lone_expression_keeps_its_type_and_anything_else_is_text(text: str, value: object) -> None:
    found = rendered(text, n=22, s="22", f=1.5, t=True, xs=[1, "a"], nothing=None)
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize(
    "text",
    [
        "v: !unsafe '{{ n }}'",
        "v: '{{ w }}'\nw: !unsafe '{{ n }}'",
        "v: '{{ w.k[0] }}'\nw: !unsafe {k: ['{{ n }}']}",
        "v: '{{ w[0].k }}'\nw: !unsafe [{k: '{{ n }}'}]",
        "v: '{{ w.k }}'\nw: !unsafe {<<: {k: '{{ n }}'}}",
        '{"v": {"__ansible_unsafe": "{{ n }}"}}',
    ],
)
def test_text_that_is_marked_unsafe_is_never_rendered(text: str) -> None:
    value = parse(text, "hosts").value
    assert isinstance(value, dict)
    found = rendered(value.pop("v"), **value)
    assert (type(found) in {str, UnsafeText}, found) == (True, "{{ n }}")


def test_other_values_marked_unsafe_and_a_template_beside_one_are_what_they_were() -> None:
    value = parse("v: ['{{ n }}', !unsafe '{{ n }}', !unsafe 5, !unsafe yes]\nn: x", "hosts").value
    assert isinstance(value, dict)
    assert rendered(value["v"], n="x") == ["x", "{{ n }}", 5, True]


def test_a_template_sees_its_host() -> None:
    assert rendered("{{ inventory_hostname }} {{ inventory_hostname_short }}") == f"{NAME} web-1"
    assert rendered("{{ group_names }}") == ["linux", "web"]
    assert rendered("{{ inventory_hostname.split('.')[0] | upper }}") == "WEB-1"


def test_variables_lead_to_variables_and_to_their_items() -> None:
    assert rendered("{{ a }}", a="{{ b }}1", b="{{ c }}", c="x") == "x1"
    assert rendered("{{ net.host }}", net={"host": "{{ net.base }}.x", "base": "q"}) == "q.x"
    assert rendered("{{ names | join('-') }}", names=["{{ a }}", "b"], a="x") == "x-b"
    assert rendered("{{ net }}", net={"a": ["{{ n }}"], "b": {"c": "{{ n }}"}}, n=1) == {"a": [1], "b": {"c": 1}}
    assert rendered(["{{ n }}", "^ws-"], n="^job-") == ["^job-", "^ws-"]


def test_only_what_is_taken_out_of_a_container_has_to_be_defined() -> None:
    assert rendered("{{ xs[0] }}", xs=["{{ inventory_hostname_short }}", "{{ nowhere }}"]) == "web-1"
    assert "'nowhere' is undefined" in refused("{{ xs }}", xs=["{{ nowhere }}"])


def test_default_and_omit_work_as_in_ansible() -> None:
    assert rendered("{{ nowhere | default(22) }}") == 22
    assert rendered("{{ a | default('d') }}", a="{{ nowhere }}") == "d"
    assert rendered("{{ nowhere | default(omit) }}") is None
    assert to_host("a", {"ansible_user": "{{ u | default(omit) }}"}, {}, (), "hosts:1", "unix:///x").user is None


@pytest.mark.parametrize(
    "text", ["{{ nowhere }}", "{{ hostvars.a.b }}", "{{ lookup('pipe', 'id') }}", "{{ groups.web }}", "{{ a.b.c }}"]
)
def test_what_is_undefined_is_an_error_of_that_host_that_says_what_there_is(text: str) -> None:
    message = refused(text, a={})
    assert "undefined" in message or "has no attribute" in message
    assert "group_names" in message


def test_a_template_that_leads_to_itself_is_shown_as_a_loop() -> None:
    assert "refers to itself: v > v" in refused("{{ v }}")
    assert "refers to itself: a > b" in refused("{{ a }}", a="{{ b }}", b="{{ a }}")
    chain: dict[str, object] = {f"a{number}": f"{{{{ a{number + 1} }}}}" for number in range(DEPTH_LIMIT + 1)}
    assert "too many others" in refused("{{ a0 }}", **chain, **{f"a{DEPTH_LIMIT + 1}": 1})


@pytest.mark.parametrize(
    "text",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ n.__class__ }}",
        "{{ ''['__class__'] }}",
        "{{ xs.append(1) }}",
        "{{ ''.format.__globals__ }}",
        "{{ '{0.__class__}'.format(1) }}",
        "{{ self._TemplateReference__context }}",
        "{{ [].__getattribute__('x') }}",
        "{{ range }}",
        "{{ xs | map(attribute='__class__') | list }}",
        "{% include '/etc/passwd' %}",
        "{% import '/etc/passwd' as x %}",
        "{{ n | attr('__class__') }}",
    ],
)
def test_a_template_does_not_reach_python_or_a_file(text: str) -> None:
    refused(text, n=1, xs=[1])


LONG = "a" * 60_000
DOUBLING = {f"a{number}": f"{{{{ [{','.join([f'a{number - 1}'] * 10)}] }}}}" for number in range(1, 15)} | {"a0": "x"}


@pytest.mark.parametrize(
    "text",
    [
        "{{ 'a' * 1000000000 }}",
        "{{ [0] * 1000000000 }}",
        "{{ 10 ** 10 ** 10 }}",
        "{{ 'a' | center(1000000000) }}",
        "{{ 'a'.ljust(1000000000) }}",
        "{{ '%1000000000d' % 1 }}",
        "{{ '%*d' % (1000000000, 1) }}",
        "{{ '%1000000000d' | format(1) }}",
        "{{ '{:1000000000}'.format(1) }}",
        "{{ range(1000000000) | list }}",
        "{{ range(10000) | list }}",
        "{% for a in range(999) %}{% for b in range(999) %}{{ a }}{% endfor %}{% endfor %}",
        "{% for a in range(9) recursive %}{{ loop(range(9)) }}{% endfor %}",
        "{% set a = [1, 1] %}{{ a }}",
        "{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}",
        "{{ long | replace('', long) }}",
        "{{ long.replace('a', long) }}",
        "{{ long | join(long) }}",
        "{{ long.join(long) }}",
        "{{ long ~ long }}",
        "{{ long + long }}",
        "{{ [long, long] }}",
        "{{ a14 }}",
        "{{ a5 | string }}",
        "{{ a5 | string | length }}",
        "{{ " + "(" * 1500 + "1" + ")" * 1500 + " }}",
        "{{ " + "-" * 3000 + "1 }}",
        "{{ " + "[" * 1500 + "]" * 1500 + " }}",
        "{{ 1 / 0 }}",
        "{{ n",
        "{{ n | ipaddr }}",
        "{# x",
        "x" * TEXT_LIMIT + "{{ n }}",
    ],
)
def test_a_template_that_is_wrong_or_takes_much_is_an_error_and_takes_little(text: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    message = refused(text, long=LONG, n=1, **DOUBLING)
    assert len(message) < 1000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024


def test_a_vaulted_value_is_an_error_only_where_it_is_needed() -> None:
    secret = VaultValue("$ANSIBLE_VAULT;1.1;AES256\n6162")
    assert to_host("a", {"db_password": secret, "ansible_user": "ci"}, {}, (), "hosts:1", "unix:///x").user == "ci"
    assert rendered("{{ n }}", n=1, secret=secret) == 1
    for variables in ({"ansible_user": secret}, {"fleetsweep_cap": secret}, {"ansible_user": "{{ s }}", "s": secret}):
        with pytest.raises(InventoryError, match=r"(ansible_user|fleetsweep_cap) of a .*Vault") as caught:
            to_host("a", variables, {}, (), "hosts:1", "unix:///x")
        assert "6162" not in str(caught.value)
    assert "Vault" in refused("{{ box.key }}", box={"key": secret, "other": "{{ n }}"}, n=1)
    assert "Vault" in refused("{{ box }}", box={"key": secret, "other": "{{ n }}"}, n=1)
    assert "not data" in refused("{{ box.key }}", box={"key": secret})


def test_what_a_template_makes_may_be_long_up_to_its_limit() -> None:
    assert len(str(rendered("{{ long }}{{ long }}", long="a" * (SIZE_LIMIT // 2 - 1)))) == SIZE_LIMIT - 2


def test_jinja_is_not_imported_until_a_template_is_met() -> None:
    program = (
        "import sys\n"
        "from fleetsweep.inventory.host_vars import to_host\n"
        "to_host('a', {'ansible_user': 'x', 'other': '{{ y }}'}, {}, (), 'hosts:1', 'unix:///x')\n"
        "assert 'jinja2' not in sys.modules\n"
        "to_host('a', {'ansible_user': '{{ y }}', 'y': 'x'}, {}, (), 'hosts:1', 'unix:///x')\n"
        "assert 'jinja2' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


# Time

BIG = [number % 4 for number in range(20_000)]


@pytest.mark.parametrize(
    "template",
    [
        "{% for i in range(1000) %}{{ big | sort | first }}{% endfor %}",
        "{% for i in range(1000) %}{{ big | map('string') | map('int') | list | length }}{% endfor %}",
        "{% for i in big %}{{ 'x' if 'q' in big and i is not in(big) else '' }}{% endfor %}",
        "{{ big | select('in', texts) | list | length }}",
        "{% for i in big %}{{ '' if big[1:] == big[2:] else '' }}{% endfor %}",
        "{% for i in big %}{% if i == big | max %}{{ '' }}{% endif %}{% endfor %}",
    ],
)
def test_the_templates_of_one_host_end_whatever_they_do(template: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fleetsweep.inventory.templates.HOST_LIMIT_S", 0.2)
    variables = {"v": template, "big": BIG, "texts": [str(item) for item in BIG]}
    with pytest.raises(InventoryError) as caught:
        Variables("web-1", variables, {"v": "hosts:3"}, (), "hosts:1").get("v")
    assert str(caught.value) == ("hosts:3: v of web-1 can't be rendered: the templates of web-1 took more than 0.2 s")


@pytest.mark.parametrize(
    "template",
    ["{{ lists | sum(start=[]) | length }}", "{{ 5 | round(1000000000, 'floor') }}", "{{ 5 | round(-1000000000) }}"],
)
def test_one_step_that_would_take_for_ever_is_not_begun(template: str) -> None:
    variables = {"v": template, "lists": [[item] for item in BIG]}
    with pytest.raises(InventoryError, match="can't be rendered"):
        Variables("web-1", variables, {}, (), "hosts:1").get("v")


def test_hosts_that_each_take_a_little_less_than_they_may_share_a_bound() -> None:
    template = "{% for i in range(1000) %}{{ big | sort | first }}{% endfor %}"
    shared = RenderTime(0.3, "the templates of all hosts")
    for _ in range(2):
        with pytest.raises(InventoryError, match=r"the templates of all hosts took more than 0\.3 s"):
            Variables("web-1", {"v": template, "big": BIG}, {}, (), "hosts:1", shared).get("v")


def test_templates_that_look_at_the_clock_make_what_they_made_before() -> None:
    variables = {
        "v": "{% for i in xs %}{{ loop.index }}/{{ loop.length }}{{ i ~ '-' ~ n }}{% else %}none{% endfor %}",
        "w": "{% for i in [] %}{{ i }}{% else %}none{% endfor %}{{ 'y' if n in xs and 'q' not in xs and 1 < 2 <= 2 }}",
        "x": "{{ xs ~ none ~ true }}",
        "xs": ["a", "b"],
        "n": "b",
    }
    read = Variables("web-1", variables, {}, (), "hosts:1")
    assert [read.get(name) for name in "vwx"] == ["1/2a-b2/2b-b", "noney", "['a', 'b']NoneTrue"]
