"""The host keys that ``fleetsweep doctor --learn-keys`` asks about."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from fleetsweep.inventory import fold
from fleetsweep.model.host_key import KeysToLearn, UnknownKey
from fleetsweep.report.escape import printable
from fleetsweep.report.fit import wrap, wrap_command

HEADING: Final = "These host keys are not in known_hosts. Compare each with the box's own:"
SHOW_KEYS: Final = "for key in /etc/ssh/ssh_host_*_key.pub; do ssh-keygen -l -f $key; done"
_TYPES: Final = {"ssh-ed25519": "ED25519", "ssh-rsa": "RSA"}
_NAMES_LIMIT: Final = 240


def render_unknown_keys(found: KeysToLearn, width: int | None = None) -> str:
    """Return one line a key, machines with the same key on one line, and the machines whose key can't be saved.

    Lines are wrapped to ``width`` cells.
    """
    groups: dict[tuple[str, str], list[UnknownKey]] = defaultdict(list)
    for key in found.keys:
        groups[key.key_type, key.fingerprint].append(key)
    lines = [
        f"{printable(fingerprint)} {_short(key_type):7} {_names(keys)}"
        for (key_type, fingerprint), keys in groups.items()
    ]
    for (_, fingerprint), keys in groups.items():
        machines = len({key.name for key in keys})
        if machines > 1:
            lines.append(
                f"{printable(fingerprint)} is on {machines} machines: if they are clones, give each its own key"
            )
    lines += [f"{printable(name)}: not offered: {printable(reason)}" for name, reason in found.refused]
    wrapped = [piece for line in lines for piece in wrap(line, width, "    ")]
    heading = [*wrap(HEADING, width), *wrap_command(SHOW_KEYS, width, "  ", "    ")] if groups else []
    return "\n".join([*heading, *wrapped]) + "\n"


def _short(key_type: str) -> str:
    """Return a key's type as ssh-keygen -l prints it."""
    return "ECDSA" if key_type.startswith("ecdsa-") else _TYPES.get(key_type, printable(key_type))


def _names(keys: Sequence[UnknownKey]) -> str:
    """Return the hosts by their names in the inventory, and the bastions by theirs in known_hosts."""
    bastions = [f"bastion {fold([key.name for key in keys if not key.host])}"] if not all(k.host for k in keys) else []
    hosts = fold([key.host for key in keys if key.host])
    return printable(", ".join(filter(None, [*bastions, hosts])), _NAMES_LIMIT)
