"""`python -m wc.driver`: the driver of one origin."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
from pathlib import Path

from wc.core import config as configuration
from wc.core import logs
from wc.driver import daemon
from wc.driver.daemon import Driver

log = logging.getLogger(__name__)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m wc.driver",
        description=daemon.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="exit codes: 0 asked to stop; 2 bad configuration\n"
        "example: python -m wc.driver --config etc/wc.json",
    )
    parser.add_argument("--config", type=Path, required=True, help="the host's wc.json")
    options = parser.parse_args(argv)
    logs.start()
    try:
        driver = Driver(configuration.load(options.config))
    except configuration.ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: driver.stop.set())
    signal.signal(signal.SIGINT, lambda *_: driver.stop.set())
    log.info("%s: ready", driver.config.host)
    driver.serve()
    return 0


if __name__ == "__main__":
    sys.exit(main())
