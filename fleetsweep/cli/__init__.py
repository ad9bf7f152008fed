"""The command line: the group of commands. A command's module is imported when the command is used.

So ``fleetsweep --help`` loads click and this module alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Final

import click

from fleetsweep import __version__
from fleetsweep.cli.help_text import epilog
from fleetsweep.exit_codes import INCOMPLETE

SUMMARIES: Final[Mapping[str, str]] = {
    "audit": "Survey the fleet and report; send only GET requests.",
    "baseline": "Save what is there before a job.",
    "doctor": "Check each phase of reaching each host, with the remedy.",
    "explain": "Print each rule's verdict on one CONTAINER.",
    "gate": "Print a proxy's configuration that lets only fleetsweep's requests pass.",
    "history": "List past runs, the newest first.",
    "hold": "Keep a container for a while, with a reason.",
    "hosts": "Print the selected hosts and how they are reached.",
    "report": "Write the fleet's state and history as an HTML page.",
    "schedule": "Print units or workflows that run it every hour.",
    "show": "Show one past run, or one container that runs removed.",
    "sweep": "Survey, ask, remove, and verify the removal.",
    "teardown": "Remove what a job left: by baseline or by run label.",
}
"""Each command's first line of help: its module in ``commands`` is loaded only to run it or to print the rest."""


class _LazyGroup(click.Group):
    """A group that imports a command's module when the command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands."""
        return sorted(SUMMARIES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command by its name."""
        if cmd_name not in SUMMARIES:
            return None
        command = getattr(import_module(f"fleetsweep.cli.commands.{cmd_name}"), cmd_name)
        assert isinstance(command, click.Command)  # noqa: S101 - for the type checker
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands' first lines, without importing their modules."""
        with formatter.section("Commands"):
            formatter.write_dl(sorted(SUMMARIES.items()))

    def invoke(self, ctx: click.Context) -> object:
        """Return the command's exit code. A reader that closes the pipe is no bug, for which click's 1 would stand."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            return INCOMPLETE


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog=epilog(),
)
@click.version_option(__version__, prog_name="fleetsweep")
def cli() -> None:
    """Remove leaked CI containers from a fleet of Docker boxes, over SSH.

    Reads an Ansible inventory, connects to each box's Docker socket through its sshd, decides which containers are
    orphans, refuses to act where a guard trips, removes them, and verifies that they are gone.
    """
