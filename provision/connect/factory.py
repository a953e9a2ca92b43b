"""From a host of the inventory to its connector."""

from __future__ import annotations

from provision.connect.contract import Connector
from provision.connect.netns import NetnsConnector
from provision.connect.ssh import SshConnector
from provision.inventory.model import Host, Inventory


def connect(inventory: Inventory, host: Host) -> Connector:
    """A connector to a host. The connection opens at the first use, which may raise
    ConnectionFailed; for namespaces without root that is raised here."""
    if inventory.cluster.connection == "netns":
        return NetnsConnector(host, inventory.namespace(host))
    return SshConnector(host, inventory.cluster.known_hosts)
