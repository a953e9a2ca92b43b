"""Read repair, started from the controller on a host that reaches all replicas, if there is one."""

from __future__ import annotations

from control.cluster import Answer, Cluster, HostError
from control.formats import plural, size, span
from provision.exit_codes import UsageError
from provision.inventory.model import Inventory


def replica_names(option: str, typed: str | None, inventory: Inventory) -> list[str]:
    """The replicas named in `h1,h2`; [] if none are. Raises UsageError."""
    names = [name.strip() for name in (typed or "").split(",") if name.strip()]
    known = [host.name for host in inventory.replicas]
    for name in names:
        if name not in known:
            raise UsageError(f"{option} {name!r}: allowed are the replicas {', '.join(known)}")
    return names


def read_repair(
    cluster: Cluster, job: str, sources: list[str], targets: list[str], *, check: bool
) -> Answer:
    """Compare the replicas and copy what is missing. Raises HostError.

    A host that is cut off from others repairs what it reaches; so hosts are asked in turn until one
    reaches all replicas. Returns the last answer, with the figures of all hosts summed.
    """
    words = ["repair", "--job", job, *(["--check"] if check else [])]
    for name in sources:
        words += ["--source", name]
    for name in targets:
        words += ["--target", name]
    total: Answer | None = None
    failed: HostError | None = None
    for host in cluster.inventory.replicas:
        try:
            answer = cluster.ask(host, *words, timeout=None)
        except HostError as error:
            failed = failed or error
            continue
        if total is not None:
            # Several hosts repaired what each reaches: their figures add up to one repair.
            for key in ("missing", "copied", "bytes", "rounds", "seconds"):
                answer[key] += total[key]
        total = answer
        # Deltas that are missing although all replicas answer may be in another host's archive.
        if not answer["unreachable"] and (check or not answer["left"]):
            break
    if total is None:
        assert failed is not None  # an inventory has a replica  # noqa: S101
        raise failed
    return total


def repair_lines(answer: Answer, *, check: bool) -> list[str]:
    """What a read repair did, in lines for people."""
    jobs = ", ".join(answer["jobs"]) or "no job yet"
    did = "would copy" if check else "copied"
    count = answer["missing"] if check else answer["copied"]
    found = [
        f"{jobs}: compared {plural(answer['compared'], 'dot')}, {answer['missing']:,} missing, "
        f"{did} {count:,}, {size(answer['bytes'])}, {plural(answer['rounds'], 'round')}, "
        f"{span(answer['seconds'])}"
    ]
    if answer["unreachable"]:
        found.append(
            f"unreachable: {', '.join(answer['unreachable'])}; repair again when it is back"
        )
    if disputed := answer.get("disputed"):  # an earlier version does not tell
        found.append(
            f"the replicas have different counts of the same splits: {', '.join(disputed)}; "
            "their origins' drivers have these counted again"
        )
    found.append("all replicas hold the same" if answer["converged"] else "replicas differ")
    return found
