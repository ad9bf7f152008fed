"""What ``fleetsweep hosts`` prints: the selected hosts and the source of each value. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final

from fleetsweep.inventory.host_vars import unused
from fleetsweep.inventory.redact import MASK, masked
from fleetsweep.inventory.values import VaultValue, jsonable
from fleetsweep.model.host import Host
from fleetsweep.model.policy_flags import option_name
from fleetsweep.policy.rules import Policy
from fleetsweep.policy.settings import described
from fleetsweep.report import printable
from fleetsweep.report.escape import well_formed
from fleetsweep.report.fit import Column, Cut, fit, lay_out, name_column, number_column, omitted_line, text_column

Details = Mapping[str, tuple[Policy, Mapping[str, str]]]
"""By host name: the host's policy, and the source of each setting by its name in Policy."""

_COLUMNS: Final = (
    name_column("HOST"),
    name_column("ADDRESS"),
    number_column("PORT"),
    Column("USER", cut=Cut.MIDDLE, least=6),
    Column("CONNECTION", rank=2),
    name_column("ENGINE", rank=1),
    Column("GROUPS", cut=Cut.END, least=10, rank=3),
)
_DETAIL_COLUMNS: Final = (Column("", cut=Cut.WRAP, least=16), text_column(""), Column("", cut=Cut.WRAP, least=16))
_DETAIL_INDENT: Final = "    "
_VALUE: Final = 120
"""Characters shown of one value."""


def render_hosts(hosts: Sequence[Host], style: str, details: Details | None = None, width: int | None = None) -> str:
    """Return the hosts as ``table`` or ``json``, ending with one newline; with ``details``, each value's source."""
    return _json(hosts, details) if style == "json" else _table(hosts, details, width)


def list_hosts(hosts: Sequence[Host]) -> str:
    """Return the names as Ansible's ``--list-hosts`` prints them."""
    return "".join([f"  hosts ({len(hosts)}):\n", *(f"    {printable(host.name)}\n" for host in hosts)])


def _table(hosts: Sequence[Host], details: Details | None, width: int | None) -> str:
    rows = [
        (
            printable(host.name),
            printable(host.address),
            str(host.port or 22),
            printable(host.user or "-"),
            host.connection.value,
            printable(host.engine),
            printable(",".join(host.groups) or "-"),
        )
        for host in hosts
    ]
    columns, fitted = fit(_COLUMNS, rows, width)
    head, *lines = lay_out(columns, fitted)
    shown = [head]
    for host, line in zip(hosts, lines, strict=True):
        shown.append(line)
        if details is not None:
            shown += _detail_lines(host, *details[host.name], width)
    return "\n".join([*shown, *omitted_line(_COLUMNS, columns, width)]) + "\n"


def _detail_lines(host: Host, policy: Policy, sources: Mapping[str, str], width: int | None) -> list[str]:
    room = None if width is None else width - len(_DETAIL_INDENT)
    ignored = dict(unused(host.variables))
    rows = [
        (
            printable(name),
            _shown(value),
            printable(_origin(host, name) + (f" (unused: {ignored[name]})" if name in ignored else "")),
        )
        for name, value in masked(host.variables).items()
    ]
    settings = [(setting, value, printable(source)) for setting, value, source in _settings(policy, sources)]
    lines = []
    for title, part in (("variables", rows), ("settings", settings)):
        if part:
            _, *shown = lay_out(*fit(_DETAIL_COLUMNS, part, room))
            lines += [f"  {title}", *(_DETAIL_INDENT + line for line in shown)]
    return lines


def _origin(host: Host, name: str) -> str:
    return host.origins.get(name, "-")


def _shown(value: object) -> str:
    if isinstance(value, VaultValue):
        return "(vaulted)"
    return MASK if value == MASK else printable(json.dumps(plain(value), ensure_ascii=False), _VALUE)


def _settings(policy: Policy, sources: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Return each setting: the name of its flag, its value as that flag takes it, and its source."""
    return [
        (option_name(name).removeprefix("--"), printable(value or "none", _VALUE), sources[name])
        for name, value in described(policy).items()
    ]


def _json(hosts: Sequence[Host], details: Details | None) -> str:
    listed = []
    for host in hosts:
        item: dict[str, object] = {
            "name": well_formed(host.name),
            "address": well_formed(host.address),
            "port": host.port or 22,
            "user": host.user and well_formed(host.user),
            "connection": host.connection.value,
            "groups": [well_formed(group) for group in host.groups],
            "vars": plain(masked(host.variables)),
        }
        if details is not None:
            settings = _settings(*details[host.name])
            item["origins"] = plain(dict(host.origins))
            item["settings"] = {
                name: {"value": value, "source": well_formed(source)} for name, value, source in settings
            }
        listed.append(item)
    # One host a line, for grep. Indented output would use json's slow Python encoder.
    return "[" + ",".join("\n" + json.dumps(item, allow_nan=False) for item in listed) + "\n]\n"


def plain(value: object) -> object:
    """Return a variable's value with its type where JSON has that type, else as text."""
    if isinstance(value, Mapping):
        return {well_formed(str(key)): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    if isinstance(value, (VaultValue, date)):
        return jsonable(value)
    # Python refuses to print thousands of digits, and JSON has no infinity.
    writable = not isinstance(value, int) or value.bit_length() < 10_000
    if writable and (value is None or isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))):
        return value
    return well_formed(str(value)) if writable else "too large a number"
