"""What the controller asks the hosts of a cluster: `python -m wc ...` there, answers in JSON.

Jobs live on the hosts. The programs run as the workers' user; the controller needs no way to
Redis and holds no password.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from provision.connect.contract import CommandFailed, ConnectorError
from provision.connect.hosts import Hosts
from provision.host.layout import FORMAT
from provision.inventory.model import Host

Answer = dict[str, Any]
T = TypeVar("T")

#: How long an ordinary answer may take; counting again may take as long as it takes.
ANSWER_SECONDS = 120.0


class HostError(ConnectorError):
    """A host was not reached, or refused; the message names it and says why."""

    def __init__(self, host: str, reason: object) -> None:
        self.host, self.reason = host, str(reason).removeprefix(f"{host}: ")
        super().__init__(f"{host}: {self.reason}")


class Cluster(Hosts):
    """The hosts of a cluster, and the `python -m wc` commands there."""

    def ask(
        self,
        host: Host,
        *words: str,
        stdin: str | None = None,
        timeout: float | None = ANSWER_SECONDS,
        as_root: bool = False,
    ) -> Answer:
        """The answer of ``python -m wc WORDS`` on one host. Raises HostError.

        It runs as the workers' user, or as root, whom no cut link concerns. `timeout` in seconds.
        """
        try:
            result = self.connector(host).run(
                self._command(host, *words),
                user=None if as_root else self.inventory.worker_user,
                stdin=stdin,
                check=False,
                timeout=timeout,
            )
        except ConnectorError as error:
            raise HostError(host.name, error) from error
        if result.exit_code != 0:
            raise HostError(host.name, _reason(result.stderr, result.exit_code))
        answer: Answer = json.loads(result.stdout.splitlines()[-1])
        return answer

    def stream(self, host: Host, *words: str) -> Iterator[Answer]:
        """The answers of a command that gives many, as they come. Raises HostError."""
        lines = self.connector(host).stream(
            self._command(host, *words), user=self.inventory.worker_user
        )
        try:
            for line in lines:
                if line.startswith("{"):
                    yield json.loads(line)
        except CommandFailed as error:
            # The last line of the program is the reason; nobody needs to see its command line.
            reason = _reason(error.result.stderr, error.result.exit_code)
            raise HostError(host.name, reason) from error
        except ConnectorError as error:
            raise HostError(host.name, error) from error

    def on_all(
        self, work: Callable[[Host], T], hosts: Iterable[Host] | None = None
    ) -> dict[str, T | HostError]:
        """As ``each``, but only a host's ConnectorError is its answer, as a HostError.

        Raises any other exception.
        """
        found: dict[str, T | HostError] = {}
        for name, result in self.each(work, hosts).items():
            if not isinstance(result, Exception):
                found[name] = result
            elif isinstance(result, ConnectorError):
                found[name] = result if isinstance(result, HostError) else HostError(name, result)
            else:
                raise result
        return found

    def first(self, work: Callable[[Host], T], hosts: Iterable[Host] | None = None) -> T:
        """The answer of the first host that gives one. Raises the first HostError otherwise."""
        failed: HostError | None = None
        for host in self.inventory.hosts if hosts is None else hosts:
            try:
                return work(host)
            except HostError as error:
                failed = failed or error
        assert failed is not None  # an inventory has hosts  # noqa: S101
        raise failed

    def _command(self, host: Host, *words: str) -> str:
        folder = self.inventory.folder(host)
        program = [f"{folder}/env/bin/python", "-m", "wc", words[0]]
        line = shlex.join([*program, "--config", f"{folder}/etc/wc.json", *words[1:]])
        return f"FAULTLINE_FORMAT={FORMAT} {line}"


def _reason(stderr: str, exit_code: int) -> str:
    text = stderr.strip()
    no_program = "No such file or directory" in text and "/env/bin/python" in text
    if no_program or "unknown user" in text or ("user" in text and "does not exist" in text):
        return "is not provisioned (run: fab provision)"
    if exit_code == 2 and text.startswith("usage: python -m wc"):
        wrong = text.splitlines()[-1].partition("error: ")[2]
        return f"its programs are of another version than this one ({wrong}): run `fab provision`"
    if text.startswith("Traceback"):
        return text.splitlines()[-1]
    return text or f"exit code {exit_code} without a message"
