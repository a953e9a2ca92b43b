"""A process that has imported what the host's commands need, and forks a child for each of them.

Starting Python and importing Redis' client takes ten times as long as most commands take. A child
of this process runs the same code with the same rights (docs/adr/0023). Whoever asks proves by the
socket's mode that it may; when the server does not run, commands run without it.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import os
import signal
import socket
import sys
import threading
import traceback
from contextlib import suppress

from wc.cli import fork_client, main

#: Commands that may wait for the server.
BACKLOG = 64


def serve(path: str) -> None:
    """Answer for ever at a socket that only this user, and root, may use."""
    with suppress(FileNotFoundError):
        os.unlink(path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
        os.umask(0o177)
        listening.bind(path)
        os.umask(0o022)
        listening.listen(BACKLOG)
        print(f"{path}: ready", flush=True)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for children
        gc.freeze()  # memory that no child's collector touches stays shared
        while True:
            client, _ = listening.accept()
            with client:
                if os.fork() == 0:
                    listening.close()
                    os._exit(_child(client))


def _child(client: socket.socket) -> int:
    """Run the client's command, in a session of its own: it outlives the server. The exit code."""
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        client.send(fork_client.identity())
        line, files, _, _ = socket.recv_fds(client, fork_client.LONGEST, 3)
    except OSError:
        line = b""
    if not line:
        return 0  # the client has gone, or is of another identity
    for standard, file in enumerate(files):
        os.dup2(file, standard)
        os.close(file)
    threading.Thread(target=_end_with, args=(client,), daemon=True).start()
    os.chdir("/")
    code = 1
    try:
        code = main.main(line.decode(errors="surrogateescape").split("\0"))
        sys.stdout.flush()
    except SystemExit as end:  # argparse's
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    with suppress(OSError):  # the client has gone this moment
        client.send(bytes([code]))
    return code


def _end_with(client: socket.socket) -> None:
    """Wait until the client has gone; kill this process then."""
    client.recv(1)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="python -m wc.cli.fork_server",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example: python -m wc.cli.fork_server --config etc/wc.json",
    )
    parser.add_argument("--config", required=True, help="the host's wc.json")
    for module in ("file_commands", "replica_commands", "replica_progress"):
        importlib.import_module(f"wc.cli.{module}")
    serve(fork_client.socket_path(parser.parse_args().config))
