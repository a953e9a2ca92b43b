"""`fab status`: arguments as typed in, an exit code out. 1: a host or a replica does not answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from control import options
from control.cluster import Cluster
from control.cluster_status import gather
from control.jobs import job_start
from provision.exit_codes import DONE, FAILED
from provision.inventory.units import Typed
from provision.named_inventory import open_inventory
from provision.output import print_json

#: The default of `--every`, as typed.
WATCH_SECONDS = "2"


def status(inventory_path: Typed, *, job: Typed, watch: bool, every: Typed, as_json: bool) -> int:
    inventory = open_inventory(inventory_path)
    pause = options.EVERY.option("--every", every or WATCH_SECONDS)
    with Cluster(inventory) as cluster:
        if job:
            job = str(job_start.require(cluster, job)["name"])
        if watch:
            # Ctrl-C is how one ends this.
            with suppress(KeyboardInterrupt), _screen(as_json) as show:
                while True:
                    show(gather(cluster, job or ""))
                    time.sleep(pause)
            return DONE
        found = gather(cluster, job or "")
    if as_json:
        print_json(found)
    else:
        # Programs need no tables, and rich takes long to import.
        from rich.console import Console  # noqa: PLC0415

        from control import status_tables  # noqa: PLC0415

        Console().print(status_tables.render(found))
    healthy = all(host["processes"] for host in found["hosts"].values()) and all(
        replica["reachable"] for replica in found["replicas"].values()
    )
    return DONE if healthy else FAILED


@contextmanager
def _screen(as_json: bool) -> Iterator[Callable[[dict[str, Any]], None]]:
    """What shows one status after another: an object each, or each in the place of the last."""
    if as_json:
        yield print_json
        return
    from rich.live import Live  # noqa: PLC0415 - as above

    from control import status_screen  # noqa: PLC0415

    with Live(auto_refresh=False) as live:
        yield lambda found: live.update(status_screen.render(found), refresh=True)
