"""The labs' way: counting in Python, and a pipeline of ZINCRBY, one for each word of each file.

A Redis server of its own, reached through a socket in a temporary folder; processes take files and
send each file's counts as one pipeline. The result is the server's sorted set.
"""

from __future__ import annotations

import multiprocessing
import subprocess
import tempfile
import time
from collections import Counter
from functools import partial
from pathlib import Path

import redis
from answer import TOP, Answer, answer, main

KEY = "words"
START_SECONDS = 10.0
SETTINGS = ("--port", "0", "--save", "", "--appendonly", "no", "--logfile", "/dev/null")
#: Words that are read back at a time.
SLICE = 100_000


def one(socket: str, path: str) -> None:
    with open(path, "rb") as file:
        counts = Counter(file.read().decode().split())
    with redis.Redis(unix_socket_path=socket) as client, client.pipeline(False) as pipeline:
        for word, n in counts.items():
            pipeline.zincrby(KEY, n, word)
        pipeline.execute()


def result(client: redis.Redis) -> Answer:
    """As it stands in the server: its order is that of an answer."""
    total = 0
    distinct = client.zcard(KEY)
    for first in range(0, distinct, SLICE):
        total += sum(
            int(n) for _, n in client.zrange(KEY, first, first + SLICE - 1, withscores=True)
        )
    top = client.zrevrange(KEY, 0, TOP - 1, withscores=True)
    return answer(distinct, total, [(word.decode(), n) for word, n in top])


def count(paths: list[str], workers: int) -> Answer:
    with tempfile.TemporaryDirectory(prefix="faultline-labs-") as folder:
        socket = f"{folder}/redis.sock"
        server = subprocess.Popen(
            ["redis-server", "--unixsocket", socket, *SETTINGS],
            cwd=folder,
            stdout=subprocess.DEVNULL,
        )
        try:
            deadline = time.monotonic() + START_SECONDS
            while not Path(socket).exists() and time.monotonic() < deadline:
                time.sleep(0.01)
            with multiprocessing.Pool(workers) as pool:
                for _ in pool.imap_unordered(partial(one, socket), paths):
                    pass
            return result(redis.Redis(unix_socket_path=socket))
        finally:
            server.kill()
            server.wait()


if __name__ == "__main__":
    main(count)
