"""Manual pages from the command line's own help: fleetsweep(1), and one page a command.

The format is man(7). A page has no date, so that two builds give the same bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import click

from fleetsweep import __version__
from fleetsweep.cli import SUMMARIES, cli
from fleetsweep.cli.command import Command
from fleetsweep.cli.help_text import EXAMPLES, exit_code_rows
from fleetsweep.model.policy_flags import Flags, option_name
from fleetsweep.policy.settings import environment_variable

PROGRAM: Final = "fleetsweep"

_SPECIAL: Final = {
    "\\": r"\e", "-": r"\-", '"': r"\(dq", "'": r"\(aq", "`": r"\(ga", "^": r"\(ha", "~": r"\(ti",
}  # fmt: skip
"""What groff would change, or print as another character than the one that was typed."""


def pages() -> dict[str, str]:
    """Return the text of each page by its file's name."""
    top = click.Context(cli, info_name=PROGRAM, help_option_names=["-h", "--help"])
    return {
        f"{PROGRAM}.1": "\n".join(_program(top)) + "\n",
        **{f"{PROGRAM}-{name}.1": "\n".join(_command(top, name)) + "\n" for name in sorted(SUMMARIES)},
    }


def _program(ctx: click.Context) -> Iterator[str]:
    summary, *rest = _paragraphs(cli.help or "")
    yield from _head(PROGRAM, summary)
    yield from (".SH SYNOPSIS", rf".B {PROGRAM}", r"[\fIOPTIONS\fR] \fICOMMAND\fR [\fIARGS\fR]...")
    yield from _description(rest)
    yield ".SH COMMANDS"
    for name, text in sorted(SUMMARIES.items()):
        yield from (".TP", rf"\fB{_escape(f'{PROGRAM}-{name}')}\fR(1)", _escape(text))
    options = [record for option in cli.get_params(ctx) if (record := option.get_help_record(ctx))]
    yield from (".SH OPTIONS", *_definitions(options))
    yield from (".SH ENVIRONMENT", *_definitions(sorted(_variables(ctx).items())))
    yield from (".SH EXIT STATUS", *_definitions(list(exit_code_rows())))
    yield from _examples(EXAMPLES)
    yield from _see_also(*(f"{PROGRAM}-{name}" for name in sorted(SUMMARIES)))


def _variables(top: click.Context) -> dict[str, str]:
    """Return the environment variables that set an option or a policy's setting, and what each sets."""
    found: dict[str, dict[str, None]] = {}
    for name in Flags.__dataclass_fields__.keys() - {"dry_run"}:
        found[environment_variable(name)] = {option_name(name): None}
    for name in SUMMARIES:
        command = cli.get_command(top, name)
        for option in command.params if command else ():
            for variable in re.findall(r"\$([A-Z_]+)", getattr(option, "help", None) or ""):
                found.setdefault(variable, {})[option.opts[-1]] = None
    values = {
        variable: f"The value of {', '.join(options)}, if it is not given." for variable, options in found.items()
    }
    return {
        **values,
        "WS_MAX_AGE_HOURS": "The max age in hours.",
        "SAFETY_CAP": "The value of --cap, if it is not given.",
    }


def _command(top: click.Context, name: str) -> Iterator[str]:
    command = cli.get_command(top, name)
    if not isinstance(command, Command):
        raise TypeError(f"{name} is no command of ours")
    ctx = click.Context(command, info_name=name, parent=top)
    summary, *rest = _paragraphs(command.help or "")
    yield from _head(f"{PROGRAM}-{name}", summary)
    usage = " ".join(command.collect_usage_pieces(ctx))
    yield from (".SH SYNOPSIS", rf".B {PROGRAM} {_escape(name)}", _escape(usage))
    yield from _description(rest)
    yield ".SH OPTIONS"
    for title, records in command.sections(ctx).items():
        yield from (f".SS {_escape(title)}", *_definitions(records))
    yield from _examples(command.epilog or "")
    yield from (".SH EXIT STATUS", rf"\fB{PROGRAM}\fR(1) has the table.")
    yield from _see_also(PROGRAM)


def _head(name: str, summary: str) -> Iterator[str]:
    yield f'.TH "{_escape(name.upper())}" "1" "" "{PROGRAM} {__version__}" "{PROGRAM} manual"'
    # No hyphenation, and no justified lines.
    yield from (".nh", ".ad l", ".SH NAME")
    yield rf"{_escape(name)} \- {_escape(summary[0].lower() + summary[1:].rstrip('.'))}"


def _description(paragraphs: list[str]) -> Iterator[str]:
    yield ".SH DESCRIPTION"
    for text in paragraphs:
        yield from (".PP", _escape(text))


def _definitions(records: list[tuple[str, str]]) -> Iterator[str]:
    for names, text in records:
        yield from (".TP", rf"\fB{_escape(names.strip())}\fR", _escape(text))


def _examples(epilog: str) -> Iterator[str]:
    """Yield the examples, which click marks with a backspace, as they were typed."""
    lines = epilog.removeprefix("\b\n").removeprefix("Examples:\n").strip("\n").split("\n")
    if any(lines):
        yield from (".SH EXAMPLES", ".nf", *(_escape(line.removeprefix("  ")) for line in lines), ".fi")


def _see_also(*names: str) -> Iterator[str]:
    yield ".SH SEE ALSO"
    yield ", ".join(rf"\fB{_escape(name)}\fR(1)" for name in names)


def _paragraphs(text: str) -> list[str]:
    """Return the paragraphs of a help text, each on one line."""
    return [" ".join(each.split()) for each in re.split(r"\n\s*\n", text.replace("\b", "")) if each.strip()]


def _escape(text: str) -> str:
    """Return the text as man(7) prints it: the characters as typed, so that a command can be pasted."""
    text = "".join(_SPECIAL.get(letter, letter) for letter in text)
    return rf"\&{text}" if text.startswith(".") else text
