"""`scripts/cut_sets`: arguments as typed in, an exit code out (provision/exit_codes.py).

1: some set is not exact; 2: wrong usage, or of some set it could not be told.
"""

from __future__ import annotations

import argparse
import random
import secrets
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from experiments.cuts import campaign, own_cluster, report
from experiments.cuts.report import Coverage
from experiments.cuts.trial import EXACT, Trial, words
from faults.network import topology
from faults.network.topology import Cuts
from provision.exit_codes import UsageError, exit_code
from provision.inventory.model import Inventory
from provision.named_inventory import open_inventory
from provision.output import end_when_unread, print_json

SEED = 1
#: Enough hosts for a quorum, and few enough for all sets of links.
FEWEST_HOSTS, MOST_HOSTS = 2, 3


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    end_when_unread()
    return exit_code(lambda: _run(options), as_json=options.json)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=report.COMMAND,
        description="Cut every set of links between workers and Redis servers, each in the middle "
        "of a job; heal, repair, and compare every count. Three hosts have 511 such sets, each of "
        "which takes about 3 s on two idle cores. Needs root. Makes a cluster for it, and destroys "
        "it at the end.",
        epilog="exit codes: 0 all exact; 1 some set is not; 2 wrong usage or could not tell; "
        "130 interrupted. example: scripts/cut_sets --only 40 --seed 7",
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--classes", action="store_true", help="one set of each class, hosts alike")
    which.add_argument("--links", help="this set only, such as h1:h1,h2:h3")
    parser.add_argument("--only", type=int, metavar="N", help="the first N of the shuffled sets")
    parser.add_argument(
        "--seed", type=int, default=SEED, help=f"of order and words (default {SEED})"
    )
    parser.add_argument(
        "--keep-going", action="store_true", help="do not stop at the first failure"
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--inventory", help="a provisioned cluster of namespaces to use, and leave")
    where.add_argument("--name", help="the name of the cluster to make (default: by chance)")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write a page of Markdown")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    return parser


def _run(options: argparse.Namespace) -> int:
    if options.only is not None and options.only < 1:
        raise UsageError(f"--only {options.only}: allowed is a whole number from 1 on")
    if options.report and not options.report.absolute().parent.is_dir():
        raise UsageError(f"--report {options.report}: its folder does not exist")
    out = sys.stderr if options.json else sys.stdout

    def print_line(line: str) -> None:
        out.write(f"{line}\n")
        out.flush()

    existing = _existing_cluster(options)
    names = [host.name for host in existing.hosts] if existing else list(own_cluster.NAMES)
    chosen, sets = _chosen_sets(options, names)
    coverage = Coverage(len(sets), chosen, options.seed)
    with nullcontext(existing) if existing else _own_cluster(options, print_line) as inventory:
        print_line(f"{chosen}, in the order of --seed {options.seed}")
        try:
            _try_all(inventory, sets, options, coverage, print_line)
        finally:
            for line in report.summary(coverage):
                print_line(line)
    if options.report:
        options.report.write_text(report.page(coverage))
    if options.json:
        print_json(coverage.as_dict())
    return coverage.code


def _try_all(
    inventory: Inventory,
    sets: Sequence[Cuts],
    options: argparse.Namespace,
    coverage: Coverage,
    print_line: Callable[[str], None],
) -> None:
    def retried(trial: Trial) -> None:
        coverage.retried += 1
        print_line(f"  {words(trial.links)}: the job was over before the links were cut: once more")

    with campaign.inputs(options.seed) as folder, campaign.slow_all_workers(inventory):
        begun = time.monotonic()
        for trial in campaign.trials(inventory, folder, sets, retried):
            coverage.trials.append(trial)
            coverage.seconds = time.monotonic() - begun
            print_line(report.progress(coverage, trial))
            if trial.verdict != EXACT and not options.keep_going:
                return


def _own_cluster(
    options: argparse.Namespace, print_line: Callable[[str], None]
) -> AbstractContextManager[Inventory]:
    name = options.name or f"cuts-{secrets.token_hex(3)}"
    print_line(f"making cluster {name}, which is destroyed at the end")
    return own_cluster.own_cluster(name)


def _existing_cluster(options: argparse.Namespace) -> Inventory | None:
    """The cluster of --inventory. Raises UsageError where trials are not possible."""
    if not options.inventory:
        return None
    inventory = open_inventory(options.inventory)
    if inventory.cluster.connection != "netns":
        raise UsageError("--inventory: allowed are hosts that are namespaces, which share files")
    if not FEWEST_HOSTS <= len(inventory.hosts) <= MOST_HOSTS:
        allowed = f"allowed are {FEWEST_HOSTS} to {MOST_HOSTS}"
        raise UsageError(f"--inventory: {len(inventory.hosts)} hosts: {allowed}")
    if len(inventory.replicas) != len(inventory.hosts):
        raise UsageError("--inventory: a host without a Redis: every host needs one")
    return inventory


def _chosen_sets(options: argparse.Namespace, hosts: list[str]) -> tuple[str, list[Cuts]]:
    """The choice in words, and the sets. Raises UsageError."""
    if options.links:
        return f"--links {options.links}", [_links(options.links, hosts)]
    if options.classes:
        words, sets = "one set of each class, up to renaming hosts", topology.link_classes(hosts)
    else:
        words, sets = "all sets", list(topology.every_link_set(hosts))
    random.Random(options.seed).shuffle(sets)  # noqa: S311 - to be repeated
    if options.only is not None and options.only < len(sets):
        return f"{options.only} of {len(sets)} ({words})", sets[: options.only]
    return words, sets


def _links(typed: str, hosts: list[str]) -> Cuts:
    known = {f"{a}:{b}": (a, b) for a, b in topology.links(hosts)}
    try:
        return frozenset(known[name.strip()] for name in typed.split(","))
    except KeyError as error:
        raise UsageError(f"--links {error}: allowed are {', '.join(known)}") from None
