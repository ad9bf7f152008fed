"""A restricted Jinja2 sandbox: it limits the syntax, the result size and the time of a template.

Imported only for the first template. Jinja2's own sandbox keeps a template from reaching Python, but allows
``'x' * 10**9`` and nested loops, and a sweep must not wait for either. Many allowed steps can still take long together,
so each step of a template first checks the time budget. A single step is short: a variable has at most two million
items.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Final, Protocol, cast

from jinja2 import StrictUndefined, Template, Undefined, nodes
from jinja2.exceptions import SecurityError, TemplateSyntaxError, UndefinedError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import missing
from jinja2.visitor import NodeTransformer

from fleetsweep.inventory.limits import SIZE_LIMIT, bounded, tick

_RANGE_LIMIT: Final = 1_000
_WIDE: Final = re.compile(r"%[^a-zA-Z%]*(?:\d{4}|\*)")

_NO_STATEMENTS: Final = (
    nodes.Assign, nodes.AssignBlock, nodes.With, nodes.Macro, nodes.CallBlock, nodes.FilterBlock, nodes.Block,
    nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends, nodes.Scope, nodes.Pow,
)  # fmt: skip
"""A value needs none of them. With them a template could store its results and double them at every step."""

_NO_FILTERS: Final = frozenset(
    {"center", "indent", "wordwrap", "urlize", "batch", "slice", "xmlattr", "pprint", "random", "tojson", "safe",
     "escape", "e", "forceescape", "striptags", "wordcount", "filesizeformat", "urlencode", "attr"}
)  # fmt: skip
_METHODS: Final = frozenset(
    {"split", "rsplit", "splitlines", "partition", "rpartition", "replace", "join", "upper", "lower", "title",
     "capitalize", "strip", "lstrip", "rstrip", "removeprefix", "removesuffix", "startswith", "endswith", "find",
     "count", "index", "isdigit", "isalpha", "get", "items", "keys", "values"}
)  # fmt: skip


# Filter names that no template can write.
_TICK: Final = "(tick)"
_EACH: Final = "(each)"
_CONCAT: Final = "(concat)"

_MAX_DIGITS: Final = 1_000
"""The most digits for round(): higher powers of ten take long to compute."""


class Variables(Protocol):
    """The variables that a template may use."""

    def __contains__(self, name: object, /) -> bool:
        """Return whether a name is set."""

    def look_up(self, name: str, /) -> object:
        """Return its value."""


class _Names(Context):
    """A template context that looks names up in the host's variables on access."""

    variables: Variables

    def resolve_or_missing(self, key: str) -> object:
        if key in self.vars:
            return self.vars[key]
        if key in self.variables:
            return self.variables.look_up(key)
        return self.environment.globals.get(key, missing)


class _Sandbox(ImmutableSandboxedEnvironment):
    """The sandbox, with every result checked for its size before the next step."""

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%"})
    context_class = _Names

    def __init__(self) -> None:
        super().__init__(undefined=StrictUndefined, finalize=_no_none, trim_blocks=True, optimized=False, cache_size=0)
        self.globals = {"range": _range, "dict": dict}
        self.filters = {name: _limited(name, call) for name, call in self.filters.items() if name not in _NO_FILTERS}
        self.filters |= {_TICK: _ticked, _EACH: _each, _CONCAT: _concat}
        tests = cast(dict[str, Callable[..., object]], self.tests)
        self.tests = {name: _timed(test) for name, test in tests.items()}

    def getitem(self, obj: object, argument: object) -> object:
        tick()
        return super().getitem(obj, argument)

    def getattr(self, obj: object, attribute: str) -> object:
        tick()
        return super().getattr(obj, attribute)

    def call_binop(self, context: Context, operator: str, left: object, right: object) -> object:
        tick()
        if operator == "*" and not (isinstance(left, int | float) and isinstance(right, int | float)):
            raise SecurityError("only numbers can be multiplied")
        if operator == "%" and isinstance(left, str):
            _check_width(left)
        return bounded(super().call_binop(context, operator, left, right))

    def is_safe_callable(self, obj: object) -> bool:
        if obj is _range or obj is dict:
            return True
        return isinstance(getattr(obj, "__self__", None), Iterable) and getattr(obj, "__name__", "") in _METHODS

    def call(__self, __context: Context, __obj: Callable[..., object], *args: object, **kwargs: object) -> object:
        tick()
        if isinstance(__obj, Undefined):
            __obj()
        if not __self.is_safe_callable(__obj):
            raise SecurityError(f"{getattr(__obj, '__name__', 'this')}() can't be called here")
        if isinstance(owner := getattr(__obj, "__self__", None), str):
            _check_product(__obj.__name__, (owner, *args))
        return _materialized(super().call(__context, __obj, *args, **kwargs))


def _no_none(value: object) -> object:
    """Ansible renders None inside text as nothing."""
    return "" if value is None else value


def _range(*bounds: int) -> range:
    found = range(*bounds)
    if len(found) > _RANGE_LIMIT:
        raise ValueError(f"range() of more than {_RANGE_LIMIT} numbers")
    return found


def _limited(name: str, call: Callable[..., object]) -> Callable[..., object]:
    @functools.wraps(call)
    def limited(*args: object, **kwargs: object) -> object:
        tick()
        _check_product(name, (*args, *kwargs.values()))
        return _materialized(call(*args, **kwargs))

    return limited


def _timed(call: Callable[..., object]) -> Callable[..., object]:
    @functools.wraps(call)
    def timed(*args: object, **kwargs: object) -> object:
        tick()
        return call(*args, **kwargs)

    return timed


def _ticked(value: object) -> object:
    tick()
    return value


def _each(values: Iterable[object]) -> Iterator[object]:
    """Return the items of a loop; each one checks the time budget."""
    return _ticking(iter(values))


def _ticking(values: Iterator[object]) -> Iterator[object]:
    for value in values:
        tick()
        yield value


def _concat(values: Sequence[object]) -> str:
    """Return ``a ~ b``, joined piece by piece."""
    return "".join(_pieces(str(_ticked(value)) for value in values))


class _Timing(NodeTransformer):
    """Adds the time check to the steps that Jinja2 compiles to plain Python."""

    def visit_For(self, node: nodes.For) -> nodes.For:
        self.generic_visit(node)
        node.iter = _filtered(node.iter, _EACH)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Filter:
        self.generic_visit(node)
        return _filtered(nodes.List(node.nodes, lineno=node.lineno), _CONCAT)

    def visit_Operand(self, node: nodes.Operand) -> nodes.Operand:
        self.generic_visit(node)
        node.expr = _filtered(node.expr, _TICK)
        return node


def _filtered(node: nodes.Node, name: str) -> nodes.Filter:
    return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)


def _check_product(name: str, args: tuple[object, ...]) -> None:
    """Raise SecurityError for a call whose result could have the size of one argument times another's."""
    texts = [item for item in args if isinstance(item, str)]
    if name == "format" and texts:
        _check_width(texts[0])
    if name == "replace" and len(texts) > 2 and (len(texts[0]) + 1) * len(texts[-1]) > SIZE_LIMIT:
        raise SecurityError("the result of replace() would be too large")
    if name == "sum" and any(isinstance(item, list | tuple) for item in args[1:]):
        raise SecurityError("only numbers can be summed")
    if name == "round" and any(isinstance(item, int) and abs(item) > _MAX_DIGITS for item in args[1:]):
        raise SecurityError(f"a number can be rounded to at most {_MAX_DIGITS} digits")
    if name == "join":
        sizes = [len(item) for item in args if hasattr(item, "__len__")]
        if len(sizes) > 1 and sizes[-1] * sizes[-2] > SIZE_LIMIT:
            raise SecurityError("the result of join() would be too large")


def _check_width(text: str) -> None:
    if _WIDE.search(text):
        raise SecurityError("a format can be at most 999 characters wide")


def _materialized(value: object) -> object:
    """Return the value, a generator as a list. Raises ValueError if it is larger than SIZE_LIMIT."""
    if isinstance(value, Iterator):
        value = list(islice(value, SIZE_LIMIT + 1))
    return bounded(value)


@functools.cache
def _sandbox() -> _Sandbox:
    return _Sandbox()


def render(text: str, variables: Variables) -> object:
    """Render one template; return Jinja2's undefined value if a name in it is undefined.

    May raise any other exception that a template can cause.
    """
    tick()
    template, lone = _compiled(text)
    context = template.new_context()
    assert isinstance(context, _Names)  # noqa: S101 - for the type checker: it is this sandbox's context class
    context.variables = variables
    try:
        result: object = "".join(_pieces(template.root_render_func(context)))
        if lone:
            result = _materialized(context.vars["result"])
    except UndefinedError as error:
        # Not an error yet: a default() may follow.
        return StrictUndefined(hint=error.message)
    # Jinja2 drops the last newline; Ansible restores it.
    if isinstance(result, str) and text.endswith("\n") and not (result.endswith("\n") and not lone):
        return result + "\n"
    return result


@functools.lru_cache(maxsize=256)
def _compiled(text: str) -> tuple[Template, bool]:
    """Return the compiled template, and whether it is a lone expression, which stores its value in ``result``."""
    sandbox = _sandbox()
    tree = sandbox.parse(text)
    _check(tree)
    tree = _Timing().visit(tree)
    tree.set_environment(sandbox)
    lone = _lone_expression(tree)
    if lone is not None:
        tree = nodes.Template([nodes.Assign(nodes.Name("result", "store"), lone, lineno=1)], lineno=1)
        tree.set_environment(sandbox)
    return sandbox.from_string(tree), lone is not None


def _lone_expression(tree: nodes.Template) -> nodes.Expr | None:
    """Return the expression, if the template is nothing but ``{{ expression }}``."""
    match tree.body:
        case [nodes.Output(nodes=[expression])] if not isinstance(expression, nodes.TemplateData):
            return expression
    return None


def _check(tree: nodes.Node, *, within_loop: bool = False) -> None:
    """Raise TemplateSyntaxError for syntax that a value does not need, or that could take long."""
    for node in tree.iter_child_nodes():
        if isinstance(node, _NO_STATEMENTS):
            raise TemplateSyntaxError(f"{type(node).__name__.lower()} can't be used in a variable", node.lineno)
        loop = isinstance(node, nodes.For)
        if loop and (within_loop or node.recursive):  # type: ignore[attr-defined]
            raise TemplateSyntaxError("a nested loop can't be used in a variable", node.lineno)
        _check(node, within_loop=within_loop or loop)


def _pieces(result: Iterable[str]) -> Iterator[str]:
    room = SIZE_LIMIT
    for piece in result:
        room -= len(piece)
        if room < 0:
            raise ValueError(f"a template made more than {SIZE_LIMIT} characters and items")
        yield piece
