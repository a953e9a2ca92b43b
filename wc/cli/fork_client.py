"""Having a command run by the host's fork server (wc/cli/fork_server.py).

Imports next to nothing, as that is what it is for.
"""

from __future__ import annotations

import os
import socket
import sys
from contextlib import suppress

#: The server's socket, beside the jobs of its host.
NAME = ".commands"
#: Seconds to wait for the server, which may be stopped. Then the command runs without it.
GREETING_SECONDS = 2.0
#: A command line that the server takes is shorter than this, bytes.
LONGEST = 1 << 17


def socket_path(config: str) -> str:
    """The socket of the host whose configuration, FOLDER/etc/wc.json, that is."""
    return os.path.join(os.path.dirname(os.path.dirname(config)), "jobs", NAME)


def identity() -> bytes:
    """As whom this process runs, and which code: the server and its client must be the same."""
    return os.fsencode(f"{os.getuid()} {os.path.realpath(sys.prefix)}")


def run(words: list[str]) -> int | None:
    """The exit code of `python -m wc WORDS`; None if no server of the same identity answers.

    The command runs in a child of the server, with the standard input and output of this process.
    It is killed when this process ends first.
    """
    if "--config" not in words[:-1]:
        return None
    path = socket_path(words[words.index("--config") + 1])
    line = "\0".join(words).encode(errors="surrogateescape")
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
        try:
            server.settimeout(GREETING_SECONDS)
            server.connect(path)
            if server.recv(LONGEST) != identity() or len(line) >= LONGEST:
                return None
        except OSError:
            return None
        # From here on the command may have begun: there is no way back.
        server.settimeout(None)
        with suppress(ConnectionError):  # the server's child was killed
            socket.send_fds(server, [line], [0, 1, 2])
            if code := server.recv(1):
                return code[0]
    sys.stderr.write("the command was killed\n")
    return 1
