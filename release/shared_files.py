"""The files that a wheel installs below ``share/``."""

from __future__ import annotations

from typing import Final

from click.shell_completion import ShellComplete, get_completion_class

from fleetsweep.cli import cli
from release.manual import PROGRAM, pages

_COMPLETIONS: Final = {
    "bash": f"share/bash-completion/completions/{PROGRAM}",
    "zsh": f"share/zsh/site-functions/_{PROGRAM}",
    "fish": f"share/fish/vendor_completions.d/{PROGRAM}.fish",
}


def shared_files() -> dict[str, str]:
    """Return the text of each file by its path below the prefix that the wheel is installed in."""
    manual = {f"share/man/man1/{name}": text for name, text in pages().items()}
    return {**manual, **{path: completion(shell) for shell, path in _COMPLETIONS.items()}}


def completion(shell: str) -> str:
    """Return the file that a shell reads to complete the command."""
    found = get_completion_class(shell)
    if found is None:
        raise ValueError(f"click completes nothing in {shell}")
    # The base class's method: Bash's own one starts a Bash to check its version.
    return ShellComplete.source(found(cli, {}, PROGRAM, f"_{PROGRAM.upper()}_COMPLETE"))
