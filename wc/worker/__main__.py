"""`python -m wc.worker`: one worker process of a host."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
from pathlib import Path

from wc.core import config as configuration
from wc.core import logs
from wc.counts import kernel
from wc.worker import daemon
from wc.worker.daemon import Worker

log = logging.getLogger(__name__)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m wc.worker",
        description=daemon.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="exit codes: 0 asked to stop, or the job is settled; 2 bad configuration\n"
        "example: python -m wc.worker --config etc/wc.json --index 0",
    )
    parser.add_argument("--config", type=Path, required=True, help="the host's wc.json")
    parser.add_argument("--index", type=int, default=0, help="which worker of the host this is")
    parser.add_argument("--job", help="work on this job only, and exit when it is settled")
    options = parser.parse_args(argv)
    logs.start()
    try:
        worker = Worker(configuration.load(options.config), options.index)
    except configuration.ConfigError as error:
        print(error, file=sys.stderr)
        return 2

    def stop(*_: object) -> None:
        worker.stopping = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGUSR1, worker.crash.reload)
    log.info("%s: ready, %s kernel", worker.name, kernel.KERNEL)
    worker.run(options.job)
    worker.crash.at("before-exit")
    worker.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
