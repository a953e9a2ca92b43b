"""scripts/soak: jobs and faults by chance, through the commands that a person types."""

from __future__ import annotations

import argparse
import secrets
import shutil
import sys
import tempfile
import time
from pathlib import Path
from random import Random

from tests.netns import write_inventory
from tests.soak.commands import Commands, Finding
from tests.soak.leftovers import leftovers
from tests.soak.rounds import Soak

EPILOG = """example:
  scripts/soak --seconds 3600 --seed 7

A round begins, updates or retracts jobs, breaks things meanwhile, heals them, waits until every job
is done, and verifies it. At the end the cluster is destroyed, and nothing of it may be left.

exit codes: 0 no finding; 1 a finding: a wrong count, a job that was not done in time, a command
that failed, or something left behind; 2 wrong usage."""


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/soak",
        description="Jobs and faults by chance on a cluster of its own; every count is verified.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--seconds", type=int, default=600, help="how long (default: 600)")
    parser.add_argument("--seed", type=int, help="makes the same choices again (default: any)")
    parser.add_argument(
        "--keep", action="store_true", help="after a finding, leave the cluster as it is"
    )
    return parser.parse_args()


def main() -> int:
    given = options()
    seed = secrets.randbits(32) if given.seed is None else given.seed
    folder = Path(tempfile.mkdtemp(prefix="faultline-soak-", dir="/var/tmp"))
    folder.chmod(0o755)  # the workers read the input
    name = f"soak-{secrets.token_hex(3)}"
    hosts = [{"name": f"h{n}", "address": f"198.18.0.{n}"} for n in (1, 2, 3)]
    cluster = write_inventory(
        folder / "soak.toml",
        {
            "cluster": {"name": name, "connection": "netns"},
            "redis": {"durability": "checkpoint", "checkpoint_seconds": 5},
            "workers": {"per_host": 2, "lease_seconds": 3},
            "job": {"adopt_after": 10},
            "hosts": hosts,
        },
    )
    commands = Commands(cluster, time.monotonic())
    commands.say(f"seed {seed}, inventory {cluster.path}, {given.seconds} s")
    soak = Soak(commands, Random(seed), folder / "input")
    finding: Finding | None = None
    try:
        commands.fab("provision")
        while commands.seconds() < given.seconds:
            soak.round()
    except Finding as found:
        finding = found
    except KeyboardInterrupt:
        commands.say("interrupted")
        given.keep = False
    if finding is None or not given.keep:
        try:
            commands.fab("destroy", "--yes")
            if left := leftovers(name, folder):
                raise Finding("left behind by destroy:\n  " + "\n  ".join(left))
            shutil.rmtree(folder)
        except Finding as found:
            finding = finding or found
    commands.say(soak.summary())
    if finding:
        commands.say(f"FINDING (seed {seed}, round {soak.rounds}): {finding}")
    return 1 if finding else 0


sys.exit(main())
