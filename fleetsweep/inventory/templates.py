"""Render ``{{ … }}`` in the few variables that fleetsweep needs, in Jinja2's sandbox.

A template sees its own host: the host's variables (themselves templates, perhaps), ``inventory_hostname``,
``inventory_hostname_short``, ``group_names`` and ``omit``. A lone ``{{ x }}`` keeps the type of x, as in Ansible;
everything else becomes text.

Many people may write to an inventory, so time and memory of a template are limited: see ``jinja.py``. That module,
and Jinja2 with it, is imported only for the first template.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from fleetsweep.errors import InventoryError
from fleetsweep.inventory.limits import HOST_LIMIT_S, Lazy, OutOfTimeError, RenderTime, bounded
from fleetsweep.inventory.values import AmbiguousOrigin, UnsafeText, VaultValue

DEPTH_LIMIT: Final = 20
"""Nested references from template to template."""

TEXT_LIMIT: Final = 4_000
"""Characters of one template."""

RENDER_LIMIT: Final = 2_000
"""Templates rendered for one host."""

_MARK: Final = re.compile(r"\{\{|\{%|\{#")


class TemplateTimeoutError(InventoryError):
    """The templates of a host, or of all hosts, took too long."""


class _Omit:
    def __str__(self) -> str:
        raise ValueError("omit replaces a whole value, not a part of it")


OMIT: Final = _Omit()
"""The value of ``omit``: the variable counts as unset."""


def is_template(value: object) -> bool:
    """Return whether the value, or one inside it, is a template."""
    if isinstance(value, str):
        return _MARK.search(value) is not None and not isinstance(value, UnsafeText)
    if isinstance(value, dict):
        return any(map(is_template, value.values()))
    return isinstance(value, list) and any(map(is_template, value))


class Variables:
    """One host's variables, rendered on access."""

    def __init__(
        self,
        host: str,
        variables: Mapping[str, object],
        origins: Mapping[str, str],
        groups: tuple[str, ...],
        where: str,
        time: RenderTime | None = None,
    ) -> None:
        """``time`` is the time budget that all hosts share; each host may use HOST_LIMIT_S of it."""
        self._time = RenderTime(HOST_LIMIT_S, f"the templates of {host}", time)
        self._host = host
        self._raw = variables
        self._origins = origins
        self._where = where
        self._magic: Mapping[str, object] = {
            "inventory_hostname": host,
            "inventory_hostname_short": host.partition(".")[0],
            "group_names": list(groups),
            "omit": OMIT,
        }
        self._rendered: dict[str, object] = {}
        self._rendering: list[str] = []
        self._renderings = 0

    def __contains__(self, name: object) -> bool:
        return name in self._magic or name in self._raw

    def origin(self, name: str) -> str:
        """Return the ``path:line`` that set the variable."""
        return self._origins.get(name, self._where)

    def get(self, name: str) -> object:
        """Return the variable's value, rendered; None if it is unset or omitted. Raises InventoryError."""
        if isinstance(self._origins.get(name), AmbiguousOrigin):
            self._refuse_ambiguous(name)
        value = self._raw.get(name)
        if value is None:
            return None
        if isinstance(value, VaultValue):
            raise InventoryError(
                self.origin(name),
                f"{name} of {self._host} is encrypted with Ansible Vault: fleetsweep needs the plain value",
            )
        if not is_template(value):
            return value
        try:
            with self._entered(name):
                rendered = plain(self.lazy(value))
        except InventoryError:
            raise
        # A template may raise anything; report it as this variable's error.
        except Exception as error:
            kind = TemplateTimeoutError if isinstance(error, OutOfTimeError) else InventoryError
            raise kind(self.origin(name), f"{name} of {self._host} can't be rendered: {_reason(error)}") from None
        return None if rendered is OMIT else rendered

    def _refuse_ambiguous(self, name: str) -> None:
        origin = self._origins.get(name)
        if isinstance(origin, AmbiguousOrigin):
            raise InventoryError(str(origin), f"{name} of {self._host}: {origin.reason}: remove one")

    def look_up(self, name: str) -> object:
        """Return the value of a name in a template: a magic variable, or a variable whose templates render lazily."""
        if name in self._magic:
            return self._magic[name]
        if name not in self._rendered:
            self._refuse_ambiguous(name)
            value = self._raw[name]
            if isinstance(value, VaultValue):
                raise ValueError(f"{name} ({self.origin(name)}) is encrypted with Ansible Vault")
            if isinstance(value, str) and is_template(value):
                with self._entered(name):
                    value = self.lazy(value)
            elif is_template(value):
                value = self.lazy(value)
            self._rendered[name] = value
        return self._rendered[name]

    def lazy(self, value: object) -> object:
        """Return the value rendered, or, for a container with templates, one that renders items on access."""
        if isinstance(value, VaultValue):
            raise ValueError("a value in it is encrypted with Ansible Vault")  # noqa: TRY004 - to Jinja2 a value
        if not is_template(value):
            return value
        if isinstance(value, dict):
            return _LazyMapping(value, self)
        if isinstance(value, list):
            return _LazySequence(value, self)
        self._renderings += 1
        if len(str(value)) > TEXT_LIMIT:
            raise ValueError(f"a template of more than {TEXT_LIMIT} characters")
        if self._renderings > RENDER_LIMIT or len(self._rendering) > 2 * DEPTH_LIMIT:
            raise ValueError("its templates refer to too many others")
        from fleetsweep.inventory.jinja import render

        with self._entered(str(value)), self._time:
            return bounded(render(str(value), self))

    @contextmanager
    def _entered(self, name: str) -> Iterator[None]:
        if name in self._rendering:
            loop = [*self._rendering[self._rendering.index(name) :], name]
            # Name variables only: a template's text may hold a password.
            names = " > ".join(item[:80] for item in loop if item in self)
            raise ValueError("it refers to itself" + (f": {names}" if names else ""))
        self._rendering.append(name)
        try:
            yield
        finally:
            self._rendering.pop()


class _LazyMapping(Mapping[object, object], Lazy):
    def __init__(self, raw: Mapping[object, object], variables: Variables) -> None:
        self._raw = raw
        self._variables = variables

    def __getitem__(self, key: object) -> object:
        return self._variables.lazy(self._raw[key])

    def __iter__(self) -> Iterator[object]:
        return iter(self._raw)

    def __len__(self) -> int:
        return len(self._raw)


class _LazySequence(Sequence[object], Lazy):
    def __init__(self, raw: Sequence[object], variables: Variables) -> None:
        self._raw = raw
        self._variables = variables

    def __getitem__(self, index: int | slice) -> object:  # type: ignore[override]
        if isinstance(index, slice):
            return _LazySequence(self._raw[index], self._variables)
        return self._variables.lazy(self._raw[index])

    def __len__(self) -> int:
        return len(self._raw)


def plain(value: object) -> object:
    """Return the value in builtin types, fully rendered. Raises ValueError for anything but data."""
    if isinstance(value, str):
        return str(value)
    if value is None or value is OMIT or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return bounded({plain(key): plain(item) for key, item in value.items()})
    if isinstance(value, Sequence | set | frozenset):
        return bounded([plain(item) for item in value])
    # For an undefined value this raises UndefinedError, which names it.
    str(value)
    raise ValueError(f"the result is a {type(value).__name__}, not data")


def _reason(error: Exception) -> str:
    kind = type(error).__name__
    if kind == "UndefinedError":
        return (
            f"{error} (a template sees its host's own variables, inventory_hostname, inventory_hostname_short and "
            "group_names: set what it needs for this host)"
        )
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if kind.startswith("Template") or kind == "SecurityError":
        return str(getattr(error, "message", error))
    return str(error) if isinstance(error, ValueError) else f"{kind}: {error}"
