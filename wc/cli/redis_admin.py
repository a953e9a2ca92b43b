"""Bringing one host's Redis into service, and keeping what it holds over a restart.

Run as root on the host, which alone may read the admin's secret. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import pwd
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from wc.backends.api import Rejected, Unavailable
from wc.backends.redis import functions
from wc.backends.redis.replica import Replica
from wc.core import config as configuration
from wc.core.config import Config

POLL_SECONDS = 0.05


def _own_replica(config: Config) -> Replica:
    for address in config.replicas:
        if address.name == config.host:
            return Replica(address, "admin", config.password("admin"))
    raise configuration.ConfigError(f"host {config.host} has no Redis")


def check(config: Config) -> dict[str, Any]:
    """Whether the host's Redis answers, and which library version it has."""
    replica = _own_replica(config)
    answer: dict[str, Any] = {"ping": False, "library": None, "needed": functions.version()}
    try:
        answer["library"] = functions.loaded_version(replica.client)
        answer["ping"] = True
    except (Unavailable, Rejected) as error:
        answer["error"] = str(error)
    return answer


def load(config: Config, wait_seconds: float) -> dict[str, Any]:
    """Load the library where its version differs, and save, so that a crash does not lose it.

    Raises Unavailable if Redis does not answer within ``wait_seconds``.
    """
    deadline = time.monotonic() + wait_seconds
    while True:
        # A new client each time: a circuit breaker would make us wait for its probe.
        replica = _own_replica(config)
        try:
            changed = functions.load(replica.client)
            if changed:
                _save(replica, deadline)
            return {"changed": changed, "library": functions.version()}
        except Unavailable:
            if time.monotonic() > deadline:
                raise
            time.sleep(POLL_SECONDS)


def keep(config: Config, durability: str, wait_seconds: float) -> dict[str, Any]:
    """Put what Redis holds where one started with ``durability`` will look for it.

    Redis with an append-only file does not read the last checkpoint, not even the first
    time: restarted into it, it would be empty. So the file is written while the old one
    still runs. A Redis that is down has nothing to keep. Raises Unavailable on time-out.
    """
    replica = _own_replica(config)
    try:
        if durability == "aof":
            replica.client.config_set("appendonly", "yes")
            deadline = time.monotonic() + wait_seconds
            while not _append_only_file_is_written(replica):
                if time.monotonic() > deadline:
                    raise Unavailable(replica.name, f"no append-only file after {wait_seconds:g} s")
                time.sleep(POLL_SECONDS)
        else:
            _save(replica, time.monotonic() + wait_seconds)
    except Unavailable:
        if check(config)["ping"]:
            raise
        return {"kept": False}
    return {"kept": True}


def convert(
    config: Config, durability: str, server: list[str], user: str, wait_seconds: float
) -> dict[str, Any]:
    """`keep`, also of a Redis that is down: for that it is started as it was, and ended again.

    Started at once with the other form, it would find nothing, and in time write that over what it
    had. ``server`` is its command line of before, run as ``user``. Raises Unavailable if it does
    not start, and then nothing has changed.
    """
    answer = keep(config, durability, wait_seconds)
    if answer["kept"]:
        return answer
    group = pwd.getpwnam(user).pw_gid
    # What it says goes where a person sees it if it does not start.
    with subprocess.Popen(
        server, user=user, group=group, extra_groups=[], stdout=sys.stderr
    ) as process:
        try:
            deadline = time.monotonic() + wait_seconds
            # Another that supervisord starts meanwhile is of the same form: one of them ends.
            while not check(config)["ping"]:
                if time.monotonic() > deadline:
                    raise Unavailable(config.host, f"no answer from {shlex.join(server)}")
                time.sleep(POLL_SECONDS)
            return keep(config, durability, wait_seconds)
        finally:
            process.terminate()


def _save(replica: Replica, deadline: float) -> None:
    """Save, after the background save that may be going on and lacks the latest change."""
    while True:
        try:
            replica.client.save()
            return
        except Rejected as error:
            if "already in progress" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(POLL_SECONDS)


def _append_only_file_is_written(replica: Replica) -> bool:
    info: Any = replica.client.info("persistence")
    busy = info["aof_rewrite_in_progress"] or info["aof_rewrite_scheduled"]
    return bool(info["aof_enabled"]) and not busy and info["aof_last_bgrewrite_status"] == "ok"


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m wc.cli.redis_admin",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="exit codes: 0 done; 1 Redis does not answer; 2 bad configuration\n"
        "example: python -m wc.cli.redis_admin load --config etc/wc.json --wait 10",
    )
    parser.add_argument("action", choices=("check", "load", "keep", "convert"))
    parser.add_argument("--config", type=Path, required=True, help="the host's wc.json")
    parser.add_argument("--wait", type=float, default=10.0, help="seconds to wait for Redis")
    parser.add_argument(
        "--durability",
        default="checkpoint",
        choices=("none", "checkpoint", "aof"),
        help="with keep and convert: how the restarted Redis will be configured",
    )
    parser.add_argument("--redis-config", help="with convert: the redis.conf of before")
    parser.add_argument("--user", help="with convert: who Redis runs as")
    options = parser.parse_args(argv)
    try:
        config = configuration.load(options.config)
        if options.action == "check":
            answer = check(config)
        elif options.action == "keep":
            answer = keep(config, options.durability, options.wait)
        elif options.action == "convert":
            server = ["/usr/bin/redis-server", options.redis_config]
            answer = convert(config, options.durability, server, options.user, options.wait)
        else:
            answer = load(config, options.wait)
    except configuration.ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    except (Unavailable, Rejected) as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main())
