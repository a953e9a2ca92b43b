"""`fab status`: arguments as typed in, an exit code out. 1: a host or a replica does not answer."""

from __future__ import annotations

import time

from rich.console import Console
from rich.live import Live

from control import job_start, options, status_tables
from control.cluster import Cluster
from control.cluster_status import gather
from provision.commands import open_inventory
from provision.exit_codes import DONE, FAILED
from provision.inventory.units import Typed
from provision.output import print_json

#: The default of `--every`, as typed.
WATCH_SECONDS = "2"


def status(inventory_path: Typed, *, job: Typed, watch: bool, every: Typed, as_json: bool) -> int:
    inventory = open_inventory(inventory_path)
    pause = options.EVERY.option("--every", every or WATCH_SECONDS)
    with Cluster(inventory) as cluster:
        if job:
            job_start.require(cluster, job)
        found = gather(cluster, job or "")
        if as_json and not watch:
            print_json(found)
        elif as_json:
            while True:
                print_json(found)
                time.sleep(pause)
                found = gather(cluster, job or "")
        elif watch:
            with Live(status_tables.render(found), auto_refresh=False) as live:
                while True:
                    time.sleep(pause)
                    live.update(status_tables.render(gather(cluster, job or "")), refresh=True)
        else:
            Console().print(status_tables.render(found))
    healthy = all(host["processes"] for host in found["hosts"].values()) and all(
        replica["reachable"] for replica in found["replicas"].values()
    )
    return DONE if healthy else FAILED
