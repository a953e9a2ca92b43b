"""The inventory that a command works on. Apart from the commands about hosts, which import more."""

from __future__ import annotations

import os
from pathlib import Path

from provision.build.cache import DATA
from provision.inventory.model import Inventory, load
from provision.inventory.units import Typed


def open_inventory(path: Typed) -> Inventory:
    """The inventory named, or FAULTLINE_INVENTORY's, or inventory.toml in the current folder, or
    the one beside the fabfile.

    Raises InventoryError.
    """
    here = Path("inventory.toml")
    default = here if here.is_file() else DATA / "inventory.toml"
    return load(path or os.environ.get("FAULTLINE_INVENTORY") or default)
