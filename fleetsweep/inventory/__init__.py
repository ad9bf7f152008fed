"""Read Ansible inventories into hosts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from fleetsweep.runtime.lazy import lazy_names

if TYPE_CHECKING:
    from fleetsweep.inventory.ansible_cfg import AnsibleConfig
    from fleetsweep.inventory.folding import fold
    from fleetsweep.inventory.inventory import Inventory, ad_hoc, load, names_in

__all__ = ["AnsibleConfig", "Inventory", "ad_hoc", "fold", "load", "names_in"]

_MODULES: Final[Mapping[str, str]] = {
    "AnsibleConfig": "ansible_cfg",
    "Inventory": "inventory",
    "ad_hoc": "inventory",
    "fold": "folding",
    "load": "inventory",
    "names_in": "inventory",
}

__getattr__ = lazy_names(__name__, _MODULES)
