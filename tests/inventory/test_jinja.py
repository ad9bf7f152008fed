"""The sandbox: what one template may do, and what it returns."""

from __future__ import annotations

import pytest
from jinja2 import Undefined
from jinja2.exceptions import SecurityError, TemplateSyntaxError

from fleetsweep.inventory.jinja import render


class Names(dict[str, object]):
    """Variables without templates in them."""

    def look_up(self, name: str, /) -> object:
        return self[name]


def test_a_lone_expression_keeps_its_type() -> None:
    assert render("{{ xs }}", Names(xs=[1, 2])) == [1, 2]
    assert render("{{ xs | map('string') }}", Names(xs=[1, 2])) == ["1", "2"]


def test_text_keeps_its_last_newline() -> None:
    assert render("a{{ n }}\n", Names(n=1)) == "a1\n"


def test_an_undefined_name_is_undefined_until_a_default_is_given() -> None:
    assert isinstance(render("{{ no }}", Names()), Undefined)
    assert render("{{ no | default('x') }}", Names()) == "x"


@pytest.mark.parametrize(
    "text",
    [
        "{% set a = 1 %}",
        "{% macro m() %}{% endmacro %}",
        "{% include 'x' %}",
        "{{ 2 ** 9 }}",
        "{% for a in x %}{% for b in x %}{% endfor %}{% endfor %}",
    ],
)
def test_statements_that_a_value_does_not_need_are_refused(text: str) -> None:
    with pytest.raises(TemplateSyntaxError, match="can't be used in a variable"):
        render(text, Names(x=[1]))


@pytest.mark.parametrize(
    "text",
    ["{{ 'x' * 9 }}", "{{ '%09999d' % 1 }}", "{{ s.replace('a', s) }}", "{{ s.format(1) }}", "{{ ''.__class__() }}"],
)
def test_an_operation_that_could_grow_or_reach_python_is_refused(text: str) -> None:
    # An unsafe attribute is undefined until it is used.
    with pytest.raises(SecurityError):
        str(render(text, Names(s="a" * 9999)))


def test_a_range_is_short() -> None:
    assert render("{{ range(3) | list }}", Names()) == [0, 1, 2]
    with pytest.raises(ValueError, match=r"range\(\) of more than 1000 numbers"):
        render("{{ range(1001) | list }}", Names())
