"""Which addresses this host can connect to: `python -m faults.host.probe SECONDS ADDRESS:PORT...`.

Run by the workers' user, so that it meets the same firewall rules. Prints one JSON object: by
address, "" for a connection, or the reason why there is none. All are tried at once, in SECONDS at
most. Nothing is sent.
"""

from __future__ import annotations

import errno
import json
import os
import selectors
import socket
import sys
import time


def probe(targets: list[str], seconds: float) -> dict[str, str]:
    """ "" or why not, by ADDRESS:PORT."""
    found: dict[str, str] = {}
    waiting = selectors.DefaultSelector()
    for target in targets:
        address, _, port = target.rpartition(":")
        opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        opened.setblocking(False)
        code = opened.connect_ex((address, int(port)))
        if code in (0, errno.EINPROGRESS):
            waiting.register(opened, selectors.EVENT_WRITE, target)
        else:
            found[target] = os.strerror(code)
            opened.close()
    end = time.monotonic() + seconds
    over = False
    while waiting.get_map() and not over:
        # When the time is over, check once more: on a busy machine we may not have run before.
        over = (left := end - time.monotonic()) <= 0
        for key, _ in waiting.select(max(0.0, left)):
            assert isinstance(key.fileobj, socket.socket)  # noqa: S101 - as registered
            code = key.fileobj.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            found[key.data] = os.strerror(code) if code else ""
            waiting.unregister(key.fileobj)
            key.fileobj.close()
    silent = f"no answer in {seconds:g} s"
    return {target: found.get(target, silent) for target in targets}


if __name__ == "__main__":
    print(json.dumps(probe(sys.argv[2:], float(sys.argv[1]))))
