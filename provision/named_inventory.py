"""The inventory that a command works on. Apart from the commands about hosts, which import more."""

from __future__ import annotations

import os

from provision.build.cache import DATA
from provision.inventory.model import Inventory, load
from provision.inventory.units import Typed


def open_inventory(path: Typed) -> Inventory:
    """The inventory named, or FAULTLINE_INVENTORY's, or the one beside the fabfile.

    Raises InventoryError.
    """
    return load(path or os.environ.get("FAULTLINE_INVENTORY") or DATA / "inventory.toml")
