"""Split an Exec line into words as systemd does, and have a real systemd split it."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from pathlib import Path

_ESCAPES = {"n": "\n", "t": "\t", "s": " ", "\\": "\\", '"': '"', "'": "'"}


def words(line: str) -> list[str]:
    """Return the words of an Exec line's value, by systemd.service(5): quotes, escapes, specifiers, variables."""
    found: list[str] = []
    current: str | None = None
    quote = ""
    position = 0
    while position < len(line):
        letter = line[position]
        position += 1
        if letter == "\\":
            current = (current or "") + _ESCAPES[line[position]]
            position += 1
        elif quote:
            quote, current = ("", current) if letter == quote else (quote, (current or "") + letter)
        elif letter in "'\"":
            quote, current = letter, current or ""
        elif letter == " ":
            found += [] if current is None else [current]
            current = None
        else:
            current = (current or "") + letter
    assert not quote
    found += [] if current is None else [current]
    first, *rest = [_literal(word, "%") for word in found]
    return [first, *(_literal(word, "$") for word in rest)]


def _literal(word: str, mark: str) -> str:
    """Return the word with doubled marks made single. A single mark would be a specifier or a variable."""
    assert mark not in word.replace(mark * 2, ""), word
    return word.replace(mark * 2, mark)


def read_by_systemd(unit: str) -> list[str]:
    """Return the words of a unit's ExecStart as a real systemd splits them, before variable expansion."""
    with tempfile.TemporaryDirectory(prefix="fsu-", dir="/tmp") as name:
        directory = Path(name)
        directory.chmod(0o755)
        (directory / "probe.service").write_text(unit)
        # It refuses to run tests as root; as another user it only parses and prints the unit.
        done = subprocess.run(
            ["/lib/systemd/systemd", "--test", "--system", "--unit=probe.service"],
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
            user="nobody",
            group="nogroup",
            extra_groups=[],
            cwd="/",
            env={"PATH": os.environ["PATH"], "HOME": "/", "XDG_RUNTIME_DIR": name, "SYSTEMD_UNIT_PATH": f"{name}:"},
        )
    dump = done.stdout[done.stdout.index("-> Unit probe.service:") :]
    line = re.search(r"^\s*Command Line: (.*)$", dump, re.MULTILINE)
    assert line is not None, done.stderr
    # It prints words that need it in double quotes, with backslash escapes.
    printed = re.findall(r'"((?:[^"\\]|\\.)*)"|(\S+)', line[1])
    return [re.sub(r"\\(.)", r"\1", quoted) if quoted else plain for quoted, plain in printed]
