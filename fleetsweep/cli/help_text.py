"""The end of the top-level help text: examples, and the exit codes."""

from __future__ import annotations

from typing import Final

from fleetsweep.exit_codes import INTERRUPTED, MEANINGS, SIGNAL

EXAMPLES: Final = """\b
Examples:
  fleetsweep audit -i inventory.yml             survey the fleet
  fleetsweep sweep -i inventory.yml --dry-run   what a sweep would remove
  fleetsweep sweep -i inventory.yml -l 'ci*'    survey, ask, remove, verify
  fleetsweep audit --host admin@runner-1:2222   one box, no inventory
  fleetsweep audit --local                      this machine
"""


def exit_code_rows() -> tuple[tuple[str, str], ...]:
    """Return each exit code and its meaning, in the order of their numbers."""
    codes = ((str(code), MEANINGS[code]) for code in sorted(MEANINGS))
    return (*codes, (f"{SIGNAL}+N", f"stopped by signal N, such as {INTERRUPTED} after Ctrl-C"))


def epilog() -> str:
    """Return the text that the top-level help ends with."""
    rows = exit_code_rows()
    width = max(len(code) for code, _ in rows)
    lines = "".join(f"  {code.ljust(width)}  {meaning}\n" for code, meaning in rows)
    return f"{EXAMPLES}\n\b\nExit codes:\n{lines}"
