"""Reach a host that is a network namespace on this machine.

Commands enter it by `nsenter --net`. `ip netns exec` would also make a mount namespace with a new
/sys, which has no control groups.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

from provision.connect.contract import ConnectionFailed, Connector, RawResult
from provision.inventory.model import Host

NAMESPACES = Path("/run/netns")


def require_root() -> None:
    """Raise ConnectionFailed unless we may enter and make namespaces."""
    if os.geteuid() != 0:
        raise ConnectionFailed(
            'connection = "netns" needs root on this machine: run the command with `sudo`'
        )


class NetnsConnector(Connector):
    def __init__(self, host: Host, namespace: str) -> None:
        require_root()
        super().__init__(host)
        self.namespace = namespace
        self._running: subprocess.Popen[bytes] | None = None

    def _start(
        self, script: str, stdin: int, stderr: int, outside: bool
    ) -> subprocess.Popen[bytes]:
        path = NAMESPACES / self.namespace
        if not outside and not path.exists():
            raise ConnectionFailed(
                f"{self.host.name}: namespace {self.namespace} does not exist: run `fab provision`"
            )
        enter = [] if outside else ["nsenter", f"--net={path}", "--"]
        self._running = subprocess.Popen(
            [*enter, "sh", "-c", script],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=stderr,
            # The script sets the rest: a host must not get the controller's variables.
            env={"HOME": "/root"},
            cwd="/",
            start_new_session=True,  # a process group of its own, which is killed as a whole
        )
        return self._running

    def _execute(
        self, script: str, stdin: bytes | None, timeout: float | None, outside: bool
    ) -> RawResult | None:
        source = subprocess.DEVNULL if stdin is None else subprocess.PIPE
        process = self._start(script, source, subprocess.PIPE, outside)
        try:
            stdout, stderr = process.communicate(stdin, timeout)
        except subprocess.TimeoutExpired:
            _kill(process)
            return None
        except BaseException:
            _kill(process)
            raise
        return RawResult(process.returncode, stdout, stderr)

    def _follow(self, script: str) -> Iterator[str | int]:
        process = self._start(script, subprocess.DEVNULL, subprocess.STDOUT, outside=False)
        assert process.stdout is not None  # noqa: S101 - narrows the type
        try:
            for line in process.stdout:
                yield line.decode("utf-8", "replace").rstrip("\n")
            yield process.wait()
        finally:
            _kill(process)

    def close(self) -> None:
        process = self._running
        if process is not None and process.returncode is None:
            # The thread that started it waits in communicate(), and reaps it.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def _kill(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
