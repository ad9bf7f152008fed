"""Where a command looks if no option names it: the inventory and the state directory."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

from fleetsweep.errors import UsageError

SAMPLES: Final = Path("inventory/SAMPLES.md")
"""A file that marks ``./inventory`` as samples, which are used only when named."""


_EXAMPLE_NAMES: Final = re.compile(r"(?:^|\.)example(?:\.com|\.net|\.org)?\.?$", re.IGNORECASE)
_EXAMPLE_NETWORKS: Final = ("192.0.2.", "198.51.100.", "203.0.113.", "2001:db8:")


def is_for_examples(address: str) -> bool:
    """Return whether a name or an address is reserved for examples: RFC 2606, RFC 5737, RFC 3849."""
    return bool(_EXAMPLE_NAMES.search(address)) or address.lower().startswith(_EXAMPLE_NETWORKS)


def named_sources(given: tuple[str, ...]) -> tuple[str, ...]:
    """Return the inventories: given, else the environment's, else ``./inventory``. Raises UsageError for an empty one.

    A directory of samples is not used unless it is named: in this project's checkout it is ``./inventory``.
    """
    sources = given or inventory_sources(os.environ.get("FLEETSWEEP_INVENTORY", ""))
    if not all(source.strip() for source in sources):
        raise UsageError("-i/--inventory is empty: is a variable in it unset?")
    return sources or (("inventory",) if Path("inventory").exists() and not SAMPLES.exists() else ())


def inventory_sources(text: str) -> tuple[str, ...]:
    """Return the sources in $FLEETSWEEP_INVENTORY, between commas as in $ANSIBLE_INVENTORY; none if it is empty.

    With a comma at its end it is one list of hosts. Raises UsageError for an empty source.
    """
    if not text.strip():
        return ()
    if text.rstrip().endswith(","):
        return (text.strip(),)
    sources = tuple(source.strip() for source in text.split(","))
    if not all(sources):
        raise UsageError(f"FLEETSWEEP_INVENTORY: {text[:100]!r} has an empty source between its commas")
    return sources


def state_directory(given: str | None) -> Path:
    """Return the state directory that is given, or the platform's."""
    if given:
        return Path(given)
    import platformdirs

    return Path(platformdirs.user_state_dir("fleetsweep"))
