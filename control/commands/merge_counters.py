"""What scripts/merge_counters calls: arguments as typed in, an exit code out
(provision/exit_codes.py). 1: the replicas named differ still.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from control import merge_replicas
from control.cluster import Answer, Cluster, HostError
from control.formats import plural
from control.read_repair import replica_names
from provision.exit_codes import DONE, FAILED, UNKNOWN, CommandError, UsageError
from provision.inventory.model import Inventory
from provision.inventory.units import Typed
from provision.named_inventory import open_inventory
from provision.output import print_json, print_text

OPTIONS = ("--from", "--to", "--export", "--file", "--import")
USAGE = (
    "allowed are --from HOSTS --to HOSTS, --export HOST --file FILE, and --import FILE --to HOSTS"
)


def merge_counters(
    inventory_path: Typed,
    *,
    sources: Typed,
    targets: Typed,
    export: Typed,
    file: Typed,
    import_: Typed,
    job: Typed,
    as_json: bool,
) -> int:
    """Raises UsageError."""
    typed = zip(OPTIONS, (sources, targets, export, file, import_), strict=True)
    given = {option for option, value in typed if value is not None}
    inventory = open_inventory(inventory_path)
    work: Callable[..., int]
    if given == {"--from", "--to"}:
        givers = _names("--from", sources, inventory)
        takers = _names("--to", targets, inventory)
        work = partial(_between, givers=givers, takers=takers)
    elif given == {"--export", "--file"}:
        source, *more = _names("--export", export, inventory)
        if more:
            raise UsageError(f"--export {export}: allowed is one replica")
        work = partial(_export, source=source, path=_writable_file(file))
    elif given == {"--import", "--to"}:
        takers = _names("--to", targets, inventory)
        work = partial(_import, path=_existing_file(import_), takers=takers)
    else:
        raise UsageError(f"{', '.join(sorted(given)) or 'no option'}: {USAGE}")
    try:
        with Cluster(inventory) as cluster:
            return work(cluster, job=job or "", as_json=as_json)
    except OSError as error:
        raise CommandError(f"{error.filename or file or import_}: {error.strerror}") from error


def _between(
    cluster: Cluster, *, givers: list[str], takers: list[str], job: str, as_json: bool
) -> int:
    answer = merge_replicas.between(cluster, givers, takers, job)
    if job and not answer["jobs"]:
        raise UsageError(f"--job {job!r}: no replica that answers knows such a job")
    _print(answer, merge_replicas.between_lines(answer, givers, takers), as_json)
    if answer["unreachable"]:
        return UNKNOWN
    return DONE if answer["agreed"] else FAILED


def _export(cluster: Cluster, *, source: str, path: Path, job: str, as_json: bool) -> int:
    answer = merge_replicas.export(cluster, source, path, job)
    jobs = ", ".join(answer["jobs"])
    line = f"{jobs}: {plural(answer['dots'], 'dot')} of {source} written to {path}"
    _print(answer | {"file": str(path)}, [line], as_json)
    return DONE


def _import(cluster: Cluster, *, path: Path, takers: list[str], job: str, as_json: bool) -> int:
    results = merge_replicas.merge_file(cluster, path, takers, job)
    good = {n: result for n, result in results.items() if not isinstance(result, HostError)}
    failed = {n: result for n, result in results.items() if isinstance(result, HostError)}
    agreed = not failed and merge_replicas.agree(good)
    for error in failed.values():
        sys.stderr.write(f"{error}\n")
    answer: Answer = {"file": str(path), "agreed": agreed, "targets": dict(good)}
    answer["targets"] |= {name: {"error": error.reason} for name, error in failed.items()}
    _print(answer, merge_replicas.file_lines(path, good), as_json)
    if failed:
        return UNKNOWN
    return DONE if agreed else FAILED


def _print(answer: dict[str, Any], lines: Iterable[str], as_json: bool) -> None:
    if as_json:
        print_json(answer)
    else:
        for line in lines:
            print_text(line)


def _names(option: str, typed: Typed, inventory: Inventory) -> list[str]:
    """The replicas named, each once. Raises UsageError."""
    names = list(dict.fromkeys(replica_names(option, typed, inventory)))
    if not names:
        known = ", ".join(host.name for host in inventory.replicas)
        raise UsageError(f"{option}: name one replica or more of {known}, separated by commas")
    return names


def _writable_file(typed: Typed) -> Path:
    """Where a file may be written. Raises UsageError."""
    path = Path(typed or "")
    if not typed or path.is_dir() or not path.parent.is_dir():
        raise UsageError(f"--file {typed!r}: allowed is a file in a folder that exists")
    return path


def _existing_file(typed: Typed) -> Path:
    path = Path(typed or "")
    if not path.is_file():
        raise UsageError(f"--import {typed!r}: no such file")
    return path
