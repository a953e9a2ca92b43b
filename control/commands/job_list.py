"""`fab jobs`, `delete-job` and `cancel-job`: arguments as typed in, an exit code out.

1: a host does not answer, so its part of the list is missing.
"""

from __future__ import annotations

from control import options
from control.cluster import Cluster
from control.formats import age, plural, size
from control.jobs import job_list, job_start
from provision.exit_codes import DONE, FAILED, UsageError
from provision.inventory.units import Typed
from provision.named_inventory import open_inventory
from provision.output import print_json, print_text


def jobs(inventory_path: Typed, *, as_json: bool) -> int:
    with Cluster(open_inventory(inventory_path)) as cluster:
        listing = job_list.ask(cluster)
    if as_json:
        print_json({"jobs": listing.jobs, "unreachable": listing.unreachable})
    elif listing.jobs:
        _print_table(listing)
    else:
        print_text("no job yet; start one: fab start-job --input '/path/*.txt'")
    if not as_json:
        for host, reason in listing.unreachable.items():
            print_text(f"{host}: {reason}")
    return FAILED if listing.unreachable else DONE


def _print_table(listing: job_list.Listing) -> None:
    # Programs need no tables, and rich takes long to import.
    from rich import box  # noqa: PLC0415
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    table.add_column("job", overflow="fold")
    table.add_column("state", no_wrap=True)
    for column in ("files", "bytes", "words", "age", "in a Redis"):
        table.add_column(column, justify="right", no_wrap=True)
    for job in listing.jobs:
        table.add_row(
            job["name"],
            job["state"],
            f"{job['files']:,}",
            size(job["bytes"]),
            "-" if job["words"] is None else f"{job['words']:,}",
            age(job["age"]),
            size(max(job["memory"].values())),
        )
    Console().print(table)


def delete_job(
    inventory_path: Typed,
    *,
    job: Typed,
    older_than: Typed,
    all_but: Typed,
    dry_run: bool,
    as_json: bool,
) -> int:
    inventory = open_inventory(inventory_path)
    if [job, older_than, all_but].count(None) != 2:
        raise UsageError(
            "say which jobs, by one of --job NAME, --older-than 7d (that ended, and were started "
            "before), --all-but 10 (that ended, but for the latest)"
        )
    least = None if older_than is None else options.AGE.option("--older-than", older_than)
    newest = None if all_but is None else options.ROWS.option("--all-but", all_but)
    with Cluster(inventory) as cluster:
        if job is None:
            listing = job_list.ask(cluster)
            names = job_list.choose(listing, least, newest)
        else:
            names = [job_start.require(cluster, job)["name"]]
            listing = job_list.ask(cluster)
            job_list.require_state(listing, names[0], running=False)
        later = {} if dry_run or not names else job_list.delete(cluster, listing, names)
    _report("would delete" if dry_run else "deleted", names, later, as_json=as_json)
    return DONE


def cancel_job(inventory_path: Typed, *, job: Typed, as_json: bool) -> int:
    inventory = open_inventory(inventory_path)
    if not job:
        raise UsageError("--job is missing: name the job to end, --job NAME")
    with Cluster(inventory) as cluster:
        name = job_start.require(cluster, job)["name"]
        listing = job_list.ask(cluster)
        job_list.require_state(listing, name, running=True)
        later = job_list.delete(cluster, listing, [name])
    _report("ended and deleted", [name], later, as_json=as_json)
    return DONE


def _report(done: str, names: list[str], later: dict[str, str], *, as_json: bool) -> None:
    if as_json:
        print_json(
            {"deleted": [] if done == "would delete" else names, "jobs": names, "later": later}
        )
        return
    print_text(f"{done}: {plural(len(names), 'job')}" + (f": {', '.join(names)}" if names else ""))
    for host, reason in later.items():
        print_text(f"{host} will do so once it is back ({reason})")
