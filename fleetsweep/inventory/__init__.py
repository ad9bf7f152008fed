"""Ansible inventories, read into hosts."""

from fleetsweep.inventory.folding import fold
from fleetsweep.inventory.inventory import Inventory, ad_hoc, load
from fleetsweep.inventory.sources import Groups

__all__ = ["Groups", "Inventory", "ad_hoc", "fold", "load"]
