"""The options that were given to the running command, as words of another command line."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import click

from fleetsweep.cli.command import SectionOption
from fleetsweep.cli.params import DIR, FILE


@dataclass(frozen=True, slots=True)
class Given:
    """One value of an option, None for a flag. ``is_path`` is whether it names a file or a directory."""

    parameter: str
    flag: str
    value: str | None
    is_path: bool

    @property
    def word(self) -> str:
        """The option as one word, a path made absolute."""
        if self.value is None:
            return self.flag
        return f"{self.flag}={self.absolute if self.is_path else self.value}"

    @property
    def absolute(self) -> str:
        """The value as an absolute path."""
        return os.path.abspath(os.path.expanduser(self.value or ""))  # noqa: PTH100, PTH111 - Path keeps ..


def given(context: click.Context, names: Collection[str] | None = None) -> Iterator[Given]:
    """Yield the options that were given, by the command line or the environment, in the order of the help text."""
    for parameter in context.command.params:
        name = parameter.name or ""
        source = context.get_parameter_source(name)
        if source not in {click.core.ParameterSource.COMMANDLINE, click.core.ParameterSource.ENVIRONMENT}:
            continue
        if isinstance(parameter, click.Argument) or (names is not None and name not in names):
            continue
        flag = max(parameter.opts, key=len)
        value = context.params[name]
        if isinstance(value, bool):
            if value:
                yield Given(name, flag, None, False)
            continue
        for each in value if parameter.multiple and not _once(parameter) else (value,):
            yield Given(
                name, flag, f"{each:g}s" if isinstance(each, float) else str(each), parameter.type in {FILE, DIR}
            )


def _once(parameter: click.Parameter) -> bool:
    return isinstance(parameter, SectionOption) and parameter.once
