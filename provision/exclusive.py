"""One run of provision or destroy at a time: for a cluster on this machine, and on each SSH host.

A lock goes with its process, however that ends. Hosts have one of their own because controllers on
other machines do not see this one's.
"""

from __future__ import annotations

import errno
import getpass
import shlex
import socket
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress

from provision.connect.contract import ConnectionFailed, ConnectorError
from provision.connect.hosts import Hosts
from provision.exit_codes import CommandError
from provision.inventory.model import Host

#: How long to wait for the end of another run.
ENDING_SECONDS = 2.0

# The file is removed by who has locked it; so a lock counts only on the file that is there still.
LOCK = """
while :; do
    exec 9>>{file}
    flock -w {seconds:g} 9 || {{ echo "held by $(cat {file})"; exit 0; }}
    [ "$(stat -c %i {file} 2>/dev/null)" != "$(stat -L -c %i /proc/$$/fd/9)" ] || break
done
echo {who}", process $$ on this host, since $(date '+%F %T')" >{file}
echo locked
exec sleep infinity
"""


class ProvisionError(CommandError):
    """Nothing can be done on any host; the message says why."""

    kind = "provision"


@contextmanager
def exclusive_hosts(cluster: Hosts, hosts: list[Host]) -> Iterator[None]:
    """These hosts for this run alone; those that are not reached are left out.

    The lock is held by a command on the host, which ends with the connection. Raises
    ProvisionError, with who has the lock. Namespaces are on this machine: `exclusive` is enough.
    """
    if cluster.inventory.cluster.connection == "netns":
        yield
        return
    label = cluster.inventory.cluster.name
    who = shlex.quote(f"{getpass.getuser()} on {socket.gethostname()}")

    def path(host: Host) -> str:
        return f"/run/faultline-{label}-{host.name}.lock"

    def lock(host: Host) -> Generator[str, None, None]:
        script = LOCK.format(file=path(host), seconds=ENDING_SECONDS, who=who)
        lines = cluster.connector(host).stream(script)
        for line in lines:
            if line == "locked":
                return lines
            if line.startswith("held by "):
                raise ProvisionError(
                    f"{host.name}: another provision or destroy of cluster {label} is running"
                    f" there, {line}: wait for its end"
                )
        raise ProvisionError(f"{host.name}: cannot be locked: `flock` ended without an answer")

    results = cluster.each(lock, hosts)
    held = {n: lines for n, lines in results.items() if not isinstance(lines, Exception)}
    try:
        for result in results.values():
            if isinstance(result, Exception) and not isinstance(result, ConnectionFailed):
                raise result
        yield
    except KeyboardInterrupt:
        # The connections are closed. An empty lock's file goes at the next run, or at boot.
        held.clear()
        raise
    finally:
        for name, lines in held.items():
            with suppress(ConnectorError):
                host = cluster.inventory.host(name)
                cluster.connector(host).run(f"rm -f {path(host)}")
            lines.close()


@contextmanager
def exclusive(cluster: str) -> Iterator[None]:
    """One run at a time for each cluster on this machine.

    Holds an abstract socket's name: it goes with the process, however that ends, and is no file
    that would have to be removed. A run that was killed may have left a child that has yet to
    become its program, and holds the name until it does: so the name is tried for a while.
    """
    with socket.socket(socket.AF_UNIX) as holder:
        deadline = time.monotonic() + ENDING_SECONDS
        while not _bound(holder, f"\0faultline/{cluster}"):
            if time.monotonic() > deadline:
                raise ProvisionError(
                    f"another provision or destroy of cluster {cluster} is running: wait for its"
                    " end"
                )
            time.sleep(ENDING_SECONDS / 20)
        yield


def _bound(holder: socket.socket, name: str) -> bool:
    """Whether the socket got the name; not while another has it."""
    try:
        holder.bind(name)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        return False
    return True
