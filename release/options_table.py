"""The table of every option in docs/configuration.md, from the command line itself.

``python -m release.options_table`` (``make docs-table``) writes it between its markers on the page.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import click

from fleetsweep.cli import SUMMARIES, cli
from fleetsweep.cli.command import SECTIONS, SectionOption
from fleetsweep.model.policy_flags import Flags, option_name
from fleetsweep.policy.settings import environment_variable

PAGE: Final = Path(__file__).parents[1] / "docs" / "configuration.md"
BEGIN: Final = "<!-- options -->"
END: Final = "<!-- end options -->"

_OLDER_NAMES: Final = {"max_age": "`WS_MAX_AGE_HOURS` in hours", "cap": "`SAFETY_CAP`"}
_IN_NO_INVENTORY: Final = {"fleet_cap", "dry_run"}


@dataclass(slots=True)
class _Row:
    """An option and what it means; ``commands`` take it."""

    section: str
    names: str
    meaning: str
    default: str = ""
    environment: list[str] = field(default_factory=list)
    inventory: str = ""
    commands: list[str] = field(default_factory=list)

    def cells(self) -> tuple[str, ...]:
        others = [name for name in SUMMARIES if name not in self.commands]
        commands = f"all but {', '.join(others)}" if len(others) < len(self.commands) else ", ".join(self.commands)
        where = (", or ".join(self.environment), self.inventory, self.default)
        return (self.section, self.names, self.meaning, *where, commands)


def table() -> str:
    """Return the table, in the order of the help's sections."""
    head = ("about", "option", "meaning", "environment", "inventory", "default", "commands")
    lines = [head, ("---",) * len(head), *(row.cells() for row in _rows())]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _rows() -> list[_Row]:
    rows: dict[tuple[str, str], _Row] = {}
    top = click.Context(cli, info_name="fleetsweep")
    for name in sorted(SUMMARIES):
        command = cli.get_command(top, name)
        for option in _options(command):
            row = _row(option, click.Context(command, parent=top)) if command else None
            if row is not None:
                rows.setdefault((row.names, row.meaning), row).commands.append(name)
    return sorted(rows.values(), key=lambda row: SECTIONS.index(row.section))


def _options(command: click.Command | None) -> Iterator[SectionOption]:
    return (option for option in (command.params if command else ()) if isinstance(option, SectionOption))


def _row(option: SectionOption, ctx: click.Context) -> _Row | None:
    record = option.get_help_record(ctx)
    if record is None:
        return None
    # The end of a help text has what other columns show: [$FLEETSWEEP_INVENTORY; default: ./inventory]
    found = re.search(r" *\[((?:\$|default: |required)[^\]]*)\]$", record[1])
    text, end = (record[1][: found.start()], found[1]) if found else (record[1], "")
    default = re.search(r"default: (.*)", end)
    row = _Row(option.section, f"`{_escape(record[0])}`", _escape(text), _code(default[1]) if default else "")
    row.environment = [f"`{variable}`" for variable in re.findall(r"\$([A-Z_]+)", end)]
    setting = option.name if option.name in Flags.__dataclass_fields__ else None
    if setting is not None and option_name(setting) in option.opts:
        if setting != "dry_run":
            row.environment.append(f"`{environment_variable(setting)}`")
        if setting in _OLDER_NAMES:
            row.environment.append(_OLDER_NAMES[setting])
        row.inventory = "" if setting in _IN_NO_INVENTORY else f"`fleetsweep_{setting}`"
    return row


def _code(text: str) -> str:
    """Return one word as code, and more as they are."""
    return _escape(text) if " " in text else f"`{_escape(text)}`"


def _escape(text: str) -> str:
    return text.replace("|", r"\|").replace("<", "&lt;")


def page(text: str) -> str:
    """Return a page's text with the table between its markers. Raises ValueError without them."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page has no {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
