"""Commands whose options are fields of dataclasses, and whose help shows them in titled sections.

A command is a function whose annotations name its option groups: ``def audit(targets: TargetOptions, ...) -> int``.
``Annotated[Group, only("a", "b")]`` takes some of a group's options; the other fields keep their defaults.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import Field, fields, is_dataclass
from typing import Final, TypeVar, get_args, get_type_hints

import click

G = TypeVar("G")
OnRefusal = Callable[["Command", click.Context, list[str], click.BadParameter], None]
"""Called with the command, its context, the words of its command line, and what is wrong with one of them."""

SECTIONS: Final = (
    "Targets", "Runs", "Leaks", "Hold", "Schedule", "Gate", "Connection", "Which containers", "Guards", "Removal",
    "Output", "Notification", "Journal",
)  # fmt: skip
"""The titles of a help text's sections, in order."""

_FLAG_COLUMN: Final = 27
"""Characters for an option's names, so that the sections of a help text are aligned."""


class SectionOption(click.Option):
    """An option with the title of its section in the help text.

    One that may be given ``once`` is refused with a second value. Of others that are not repeatable the last value
    counts, so that an alias can be overridden.
    """

    def __init__(self, names: Sequence[str], section: str, *, once: bool = False, **attributes: object) -> None:
        make: Callable[..., None] = super().__init__
        make(names, **attributes, **({"multiple": True} if once else {}))
        self.section = section
        self.once = once

    def process_value(self, ctx: click.Context, value: object) -> object:
        """Return the value; of an option that may be given once, the one that it has. Raises BadParameter."""
        found: object = super().process_value(ctx, value)
        if not self.once or not isinstance(found, tuple):
            return found
        if len(set(found)) > 1:
            raise click.BadParameter(f"it is given {len(found)} times: give one value", ctx, self)
        return found[0] if found else None


def option(section: str, *names: str, help: str, **attributes: object) -> Mapping[str, object]:
    """Return a field's metadata: its option's section and names, and what else click is to know of it.

    The field's default is the option's. A default of False makes it a flag, one of () makes it repeatable. ``once``
    refuses a second value.
    """
    return {"section": section, "names": names, "click": {"help": help, **attributes}}


def only(*names: str) -> frozenset[str]:
    """Take these fields of a group: for the annotation of a command's parameter."""
    return frozenset(names)


def from_values(group: type[G], values: Mapping[str, object]) -> G:
    """Return a group made of the values that click gives; fields without a value keep their defaults."""
    make: Callable[..., G] = group
    return make(**{name: values[name] for name in _fields(group) if values.get(name) is not None})


def command(
    *arguments: click.Argument, epilog: str, on_refusal: OnRefusal | None = None
) -> Callable[[Callable[..., int]], Command]:
    """Make a function a command: its option groups become options, its docstring the help text."""

    def decorate(function: Callable[..., int]) -> Command:
        groups: dict[str, tuple[type[object], frozenset[str]]] = {}
        for name, hint in get_type_hints(function, include_extras=True).items():
            group, *extras = get_args(hint) or (hint,)
            if is_dataclass(group) and isinstance(group, type):
                chosen = [extra for extra in extras if isinstance(extra, frozenset)]
                groups[name] = (group, chosen[0] if chosen else frozenset(_fields(group)))

        def callback(**values: object) -> int:
            taken = {name: {key: values.pop(key) for key in keys} for name, (_, keys) in groups.items()}
            return function(**{name: from_values(groups[name][0], taken[name]) for name in groups}, **values)

        options = [
            _option(field) for group, keys in groups.values() for name, field in _fields(group).items() if name in keys
        ]
        made = Command(
            function.__name__,
            callback=callback,
            params=[*arguments, *options],
            help=inspect.getdoc(function),
            epilog=epilog,
        )
        made.on_refusal = on_refusal
        return made

    return decorate


def _fields(group: type[object]) -> dict[str, Field[object]]:
    return {field.name: field for field in fields(group)} if is_dataclass(group) else {}


def _option(field: Field[object]) -> SectionOption:
    attributes = dict(field.metadata["click"])
    if "choices" in attributes:
        attributes["type"] = click.Choice([str(choice) for choice in attributes.pop("choices")])
    if field.default is False:
        attributes["is_flag"] = True
    elif field.default == ():
        attributes["multiple"] = True
    elif not attributes.get("required") and not attributes.get("once"):
        attributes.setdefault("default", field.default)
    return SectionOption([*field.metadata["names"], field.name], field.metadata["section"], **attributes)


class Command(click.Command):
    """A command that shows its options in sections. ``on_refusal`` is called with a value that was refused."""

    on_refusal: OnRefusal | None = None

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the command line. A value that is refused is handed to ``on_refusal`` before its error is raised."""
        words = [*args]
        try:
            return super().parse_args(ctx, args)
        except click.BadParameter as error:
            if self.on_refusal is not None and not ctx.resilient_parsing:
                self.on_refusal(self, ctx, words, error)
            raise

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, one section after the other."""
        for title, records in self.sections(ctx).items():
            with formatter.section(title):
                formatter.write_dl([(names.ljust(_FLAG_COLUMN), text) for names, text in records])

    def sections(self, ctx: click.Context) -> dict[str, list[tuple[str, str]]]:
        """Return the names and the help of the options by the title of their section, in the order of the help."""
        found: dict[str, list[tuple[str, str]]] = {title: [] for title in (*SECTIONS, "Help")}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                found[parameter.section if isinstance(parameter, SectionOption) else "Help"].append(record)
        return {title: records for title, records in found.items() if records}
