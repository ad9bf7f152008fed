"""The shell commands that the program's own texts hold, read from its source."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import fleetsweep

SOURCE: Final = Path(fleetsweep.__file__).parent

PROGRAMS: Final = (
    "ssh-keyscan ssh-keygen ssh-copy-id ssh-add getent usermod useradd gpasswd groupadd systemctl journalctl "
    "timedatectl loginctl chmod chown chgrp mkdir rmdir rm mv cp namei visudo podman ulimit curl apt apt-get kill "
    "puttygen umount mount setfacl sysctl touch df du ps cat tee sed"
)
AMBIGUOUS: Final = "sshd ssh ls ss docker install"
"""Programs that are words of messages, too, unless an option follows."""

COMMAND: Final = re.compile(
    rf"(?<![\w./$-])(?:(?:{PROGRAMS.replace(' ', '|')}) (?=[-~/{{$'\"a-zA-Z])"
    rf"|(?:{AMBIGUOUS.replace(' ', '|')}) (?=-|ssh://)|sudo (?=-u|[a-z]+ -|sshd)|pip install|-m pip"
    r"|uptime$|timedatectl$|echo \"\{user\})"
)
"""A program with an argument, where it can begin a command."""


def printed_commands() -> dict[str, str]:
    """Return each text of the source that holds a command, an f-string as it is written, with its file.

    Docstrings and the help texts of options are not among them.
    """
    found: dict[str, str] = {}
    for path in sorted(SOURCE.rglob("*.py")):
        tree = ast.parse(path.read_text())
        skipped = {inner for node in _unprinted(tree) for inner in ast.walk(node)}
        skipped |= {part for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant | ast.JoinedStr) and node not in skipped:
                text = _text(node)
                if COMMAND.search(text):
                    found[text] = str(path.relative_to(SOURCE))
    return found


def _unprinted(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield docstrings and other texts that stand alone, the help texts, and the examples of commands."""
    for node in ast.walk(tree):
        if (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)) or (
            isinstance(node, ast.keyword) and node.arg in {"help", "epilog"}
        ):
            yield node
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if isinstance(target, ast.Name) and target.id in {"EPILOG", "EXAMPLES"}:
                yield node


def _text(node: ast.Constant | ast.JoinedStr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    return "".join(
        str(part.value) if isinstance(part, ast.Constant) else f"{{{ast.unparse(part).strip('{}')}}}"
        for part in node.values
    )
