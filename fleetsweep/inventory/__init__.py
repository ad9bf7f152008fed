"""Read Ansible inventories into hosts."""

from fleetsweep.inventory.folding import fold
from fleetsweep.inventory.inventory import Inventory, ad_hoc, load

__all__ = ["Inventory", "ad_hoc", "fold", "load"]
