"""`fab status`: arguments as typed in, an exit code out. 1: a host or a replica does not answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
        found = gather(cluster, job or "")
        with _screen(watch, as_json) as show:
            show(found)
            while watch:
                time.sleep(pause)
                show(gather(cluster, job or ""))
    healthy = all(host["processes"] for host in found["hosts"].values()) and all(
        replica["reachable"] for replica in found["replicas"].values()
    )
    return DONE if healthy else FAILED


@contextmanager
def _screen(watch: bool, as_json: bool) -> Iterator[Callable[[dict[str, Any]], None]]:
    """What shows a status: as JSON, as tables, or as tables each in the place of those before."""
    if as_json:
        yield print_json
        return
    # Programs need no tables, and rich takes long to import.
    from rich.console import Console  # noqa: PLC0415
    from rich.live import Live  # noqa: PLC0415

    from control.status_tables import render  # noqa: PLC0415

    if not watch:
        yield lambda found: Console().print(render(found))
        return
    with Live(auto_refresh=False) as live:
        yield lambda found: live.update(render(found), refresh=True)
