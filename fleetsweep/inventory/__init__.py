"""Read Ansible inventories into hosts."""

from fleetsweep.inventory.ansible_cfg import AnsibleConfig
from fleetsweep.inventory.folding import fold
from fleetsweep.inventory.inventory import Inventory, ad_hoc, load, names_in

__all__ = ["AnsibleConfig", "Inventory", "ad_hoc", "fold", "load", "names_in"]
