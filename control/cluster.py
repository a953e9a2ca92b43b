"""The hosts of one cluster, as the controller asks them things: in parallel, answers in JSON.

Jobs live on the hosts. A question is a command line there (``python -m wc ...``), run as
the workers' user; the controller needs no way to Redis and holds no password.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from types import TracebackType
from typing import Any, TypeVar

from provision.connect.contract import CommandFailed, Connector, ConnectorError
from provision.connect.factory import connect
from provision.inventory.model import Host, Inventory

Answer = dict[str, Any]
T = TypeVar("T")

#: How long an ordinary question may take; counting again may take as long as it takes.
ANSWER_SECONDS = 120.0


class HostError(ConnectorError):
    """A host was not reached, or refused; the message names it and says why."""

    def __init__(self, host: str, reason: str) -> None:
        super().__init__(f"{host}: {reason}")
        self.host = host
        self.reason = reason


class Cluster:
    """Connections to all hosts, opened at the first question, closed together."""

    def __init__(self, inventory: Inventory) -> None:
        self.inventory = inventory
        self._stack = ExitStack()
        self._connectors: dict[str, Connector] = {}
        self._pool = ThreadPoolExecutor(max(1, len(inventory.hosts)), thread_name_prefix="host")

    def __enter__(self) -> Cluster:
        for host in self.inventory.hosts:
            self._connectors[host.name] = self._stack.enter_context(connect(self.inventory, host))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._pool.shutdown(wait=kind is None, cancel_futures=True)
        self._stack.close()

    @property
    def hosts(self) -> tuple[Host, ...]:
        return self.inventory.hosts

    def connector(self, host: Host) -> Connector:
        return self._connectors[host.name]

    def command(self, host: Host, *words: str) -> str:
        """The command line of ``python -m wc WORDS`` on a host."""
        folder = self.inventory.folder(host)
        program = [f"{folder}/env/bin/python", "-m", "wc", words[0]]
        return shlex.join([*program, "--config", f"{folder}/etc/wc.json", *words[1:]])

    def ask(
        self,
        host: Host,
        *words: str,
        stdin: str | None = None,
        timeout: float | None = ANSWER_SECONDS,
        as_root: bool = False,
    ) -> Answer:
        """The answer of ``python -m wc WORDS`` on one host. Raises HostError.

        It runs as the workers' user, or as root, whom no cut link concerns.
        """
        try:
            result = self.connector(host).run(
                self.command(host, *words),
                user=None if as_root else self.inventory.worker_user,
                stdin=stdin,
                check=False,
                timeout=timeout,
            )
        except ConnectorError as error:
            raise HostError(host.name, str(error).removeprefix(f"{host.name}: ")) from error
        if result.exit_code != 0:
            raise HostError(host.name, _reason(result.stderr, result.exit_code))
        answer: Answer = json.loads(result.stdout.splitlines()[-1])
        return answer

    def follow(self, host: Host, *words: str) -> Iterator[Answer]:
        """The answers of a command that gives many, as they come. Raises HostError."""
        lines = self.connector(host).stream(
            self.command(host, *words), user=self.inventory.worker_user
        )
        try:
            for line in lines:
                if line.startswith("{"):
                    yield json.loads(line)
        except CommandFailed as error:
            # What the program said last is the reason; its command line is ours to know.
            reason = _reason(error.result.stderr, error.result.exit_code)
            raise HostError(host.name, reason) from error
        except ConnectorError as error:
            raise HostError(host.name, str(error).removeprefix(f"{host.name}: ")) from error

    def on_all(
        self, work: Callable[[Host], T], hosts: Iterable[Host] | None = None
    ) -> dict[str, T | HostError]:
        """Run ``work`` for several hosts in parallel; a host's HostError is its answer."""

        def attempt(host: Host) -> T | HostError:
            try:
                return work(host)
            except HostError as error:
                return error

        chosen = list(self.hosts if hosts is None else hosts)
        return {
            host.name: answer
            for host, answer in zip(chosen, self._pool.map(attempt, chosen), strict=True)
        }

    def first(self, work: Callable[[Host], T], hosts: Iterable[Host] | None = None) -> T:
        """The answer of the first host that gives one. Raises the first HostError otherwise."""
        failed: HostError | None = None
        for host in self.hosts if hosts is None else hosts:
            try:
                return work(host)
            except HostError as error:
                failed = failed or error
        assert failed is not None  # an inventory has hosts  # noqa: S101
        raise failed


def answers(found: dict[str, T | HostError]) -> dict[str, T]:
    """All answers; raises the first HostError among them."""
    good: dict[str, T] = {}
    for name, answer in found.items():
        if isinstance(answer, HostError):
            raise answer
        good[name] = answer
    return good


def _reason(stderr: str, exit_code: int) -> str:
    text = stderr.strip()
    if "No such file or directory" in text and "/env/bin/python" in text:
        return "is not provisioned (run: fab provision)"
    if "unknown user" in text or ("user" in text and "does not exist" in text):
        return "is not provisioned (run: fab provision)"
    if text.startswith("Traceback"):
        return text.splitlines()[-1]
    return text or f"exit code {exit_code} without a message"
