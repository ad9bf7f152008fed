"""The settings of Ansible's configuration that are not read, for ``hosts -v``, ``doctor`` and a missing inventory."""

from __future__ import annotations

from collections.abc import Sequence

from fleetsweep.inventory.ansible_cfg import Unread
from fleetsweep.report.escape import printable


def render_unread(settings: Sequence[Unread]) -> str:
    """Return one line a setting: what it sets, and what to write for fleetsweep. Empty without settings."""
    if not settings:
        return ""
    lines = ["Ansible's configuration is not read. What it sets, and what to write instead:"]
    for where in dict.fromkeys(each.where for each in settings):
        lines.append(f"  {printable(where)}")
        lines += [
            f"    {each.name}{f' = {printable(each.value)}' if each.value else ''}: {printable(each.instead)}"
            for each in settings
            if each.where == where
        ]
    return "\n".join(lines) + "\n"
