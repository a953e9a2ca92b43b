"""From a host of the inventory to its connector."""

from __future__ import annotations

from provision.connect.contract import Connector
from provision.connect.netns import NetnsConnector
from provision.inventory.model import Host, Inventory


def connect(inventory: Inventory, host: Host) -> Connector:
    """A connector to a host. The connection opens at the first use, which may raise
    ConnectionFailed; for namespaces without root that is raised here."""
    if inventory.cluster.connection == "netns":
        return NetnsConnector(host, inventory.namespace(host))
    # Fabric and paramiko take longer to import than a command on namespaces takes.
    from provision.connect.ssh import SshConnector  # noqa: PLC0415

    return SshConnector(host, inventory.cluster.known_hosts)
