"""A temporary file on a host, by which a command there and the controller exchange much at once.

It is in a folder of the workers' user, who may at any moment put a link in its place. So that user
writes, reads and removes it, and never root.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from control.cluster import Cluster
from provision.connect.contract import Connector, ConnectorError
from provision.inventory.model import Host

REMOVE_SECONDS = 30


@dataclass(frozen=True)
class HostFile:
    """`put` and `get` raise ConnectorError."""

    connector: Connector
    user: str
    path: str

    def put(self, content: bytes) -> None:
        self.connector.put(content, self.path, user=self.user, mode=0o600, timeout=None)

    def get(self) -> bytes:
        return self.connector.get(self.path, user=self.user, timeout=None)


@contextmanager
def host_file(cluster: Cluster, host: Host, purpose: str) -> Iterator[HostFile]:
    """A path that nobody else uses; what is there at the end is removed, also after a failure."""
    path = f"{cluster.inventory.folder(host)}/jobs/{purpose}-{secrets.token_hex(4)}.tmp"
    file = HostFile(cluster.connector(host), cluster.inventory.worker_user, path)
    try:
        yield file
    finally:
        # Also what a killed program was writing. If the host does not answer, the error that
        # brought us here already says so.
        with contextlib.suppress(ConnectorError):
            command = f"rm -f {path} {path}.part {path}.*.new"
            file.connector.run(command, user=file.user, timeout=REMOVE_SECONDS)
