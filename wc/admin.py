"""Bringing one host's Redis into service: wait until it answers, load the function library.

Run as root on the host, which alone may read the admin's secret. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import redis

from wc import config as configuration
from wc import library
from wc.config import Config
from wc.replicas import Replica, Unavailable

POLL_SECONDS = 0.05


def _own_replica(config: Config) -> Replica:
    for address in config.replicas:
        if address.name == config.host:
            return Replica(address, "admin", config.password("admin"))
    raise configuration.ConfigError(f"host {config.host} has no Redis")


def check(config: Config) -> dict[str, Any]:
    """Whether the host's Redis answers, and which library version it has."""
    replica = _own_replica(config)
    answer: dict[str, Any] = {"ping": False, "library": None, "wanted": library.version()}
    try:
        answer["library"] = replica.call(library.loaded_version)
        answer["ping"] = True
    except (Unavailable, redis.RedisError) as error:
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
            changed = replica.call(library.load)
            if changed:
                replica.call(lambda client: client.save())
            return {"changed": changed, "library": library.version()}
        except Unavailable:
            if time.monotonic() > deadline:
                raise
            time.sleep(POLL_SECONDS)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m wc.admin",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="exit codes: 0 done; 1 Redis does not answer; 2 bad configuration\n"
        "example: python -m wc.admin load --config etc/wc.json --wait 10",
    )
    parser.add_argument("action", choices=("check", "load"))
    parser.add_argument("--config", type=Path, required=True, help="the host's wc.json")
    parser.add_argument("--wait", type=float, default=10.0, help="seconds to wait for Redis")
    options = parser.parse_args(argv)
    try:
        config = configuration.load(options.config)
        answer = check(config) if options.action == "check" else load(config, options.wait)
    except configuration.ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    except (Unavailable, redis.RedisError) as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main())
