"""A cluster of its own for measurements: provisioned from a temporary inventory, then destroyed.

Jobs run through `fab start-job --json`, as a user's would; the seconds are the job's own,
from submission to the last publication, without the start-up of `fab`.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent


class Bench:
    """One provisioned cluster, of the checkout in ``folder``."""

    def __init__(self, inventory: Path, folder: Path = REPOSITORY) -> None:
        self.inventory = inventory
        self.folder = folder

    def command(self, *words: str) -> list[str]:
        """`fab` with these words, to be run in these surroundings."""
        return [str(Path(sys.executable).with_name("fab")), *words]

    @property
    def surroundings(self) -> dict[str, Any]:
        """The keyword arguments of a process that is this cluster's `fab`."""
        environment = {**os.environ, "FAULTLINE_INVENTORY": str(self.inventory)}
        return {"cwd": self.folder, "env": environment}

    def fab(self, *words: str, check: bool = True) -> str:
        done = subprocess.run(
            self.command(*words),
            **self.surroundings,
            capture_output=True,
            text=True,
            check=False,
        )
        if check and done.returncode != 0:
            raise RuntimeError(f"fab {' '.join(words)}: {done.stderr or done.stdout}")
        return done.stdout

    def job(self, pattern: str, *words: str) -> dict[str, Any]:
        """Run a job to its end; its figures."""
        answer = self.fab("start-job", "--input", pattern, "--top", "10", "--json", *words)
        figures: dict[str, Any] = json.loads(answer.splitlines()[-1])
        if not figures["complete"]:
            raise RuntimeError(f"the job is incomplete: {figures}")
        return figures

    def states(self, job: str) -> dict[str, dict[str, Any]]:
        """The job as each host's replica has it: created, digest, published, outcome, ..."""
        from control.cluster import Cluster
        from provision.connect.hosts import answers
        from provision.inventory.model import load

        inventory = load(self.inventory)
        with Cluster(inventory) as hosts:
            found = answers(
                hosts.on_all(lambda h: hosts.ask(h, "state", "--job", job), inventory.replicas)
            )
        return {name: answer["job"] for name, answer in found.items()}


@contextmanager
def cluster(
    name: str = "bench",
    hosts: int = 3,
    *,
    first: int = 1,
    replication: str = "crdt",
    folder: Path = REPOSITORY,
    **workers: Any,
) -> Iterator[Bench]:
    """A cluster of ``hosts`` namespaces, from 198.18.0.``first`` on, with these [workers] settings.

    ``replication`` is "crdt" (a replica on every host) or "single" (on the first); ``folder`` the
    checkout that is provisioned.
    """
    lines = [f'[cluster]\nname = "{name}"\nconnection = "netns"\n']
    lines += [f'[redis]\nreplication = "{replication}"\n', "[workers]"]
    lines += [f"{key} = {json.dumps(value)}" for key, value in workers.items()]
    lines += [
        f'[[hosts]]\nname = "h{i + 1}"\naddress = "198.18.0.{first + i}"' for i in range(hosts)
    ]
    with tempfile.TemporaryDirectory(prefix="faultline-bench-") as made:
        inventory = Path(made) / "inventory.toml"
        inventory.write_text("\n".join(lines) + "\n")
        bench = Bench(inventory, folder)
        try:
            bench.fab("provision")
            yield bench
        finally:
            bench.fab("destroy", "--yes", check=False)


@contextmanager
def folder() -> Iterator[Path]:
    """A folder for inputs that the workers' user may read; removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="faultline-corpus-", dir="/var/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def text(target: Path, sizes: list[int]) -> None:
    """Write files of these sizes (bytes) of real text: this system's documentation, repeated."""
    pieces: list[bytes] = []
    total = 0
    for path in sorted(Path("/usr/share").rglob("*")):
        if total > 64_000_000:
            break
        if path.suffix in (".txt", ".md", ".py", ".pl", ".pm", ".html", "") and path.is_file():
            content = path.read_bytes()
            try:
                content.decode()
            except UnicodeDecodeError:
                continue
            pieces.append(content)
            total += len(content)
    stock = b"\n".join(pieces)
    at = 0
    for number, size in enumerate(sizes):
        with (target / f"{number:05}.txt").open("wb") as out:
            left = size
            while left:
                piece = stock[at : at + left]
                out.write(piece)
                left -= len(piece)
                at = (at + len(piece)) % len(stock)
    for path in target.iterdir():
        # A cut may fall into a character: take off what is not whole.
        path.write_bytes(path.read_bytes().decode(errors="ignore").encode())


def interleaved(
    runs: int, cases: Mapping[str, Callable[[], float]], report: Callable[[str], None] = print
) -> dict[str, list[float]]:
    """Run every case in turn, ``runs`` times, so that a machine's drift hits all alike."""
    seconds: dict[str, list[float]] = {name: [] for name in cases}
    for run in range(runs):
        for name, case in cases.items():
            seconds[name].append(case())
            report(f"  run {run + 1}: {name}: {seconds[name][-1]:.2f} s")
    return seconds


def table(seconds: Mapping[str, list[float]], base: str) -> str:
    """Medians, spread, and ratios of medians to ``base``, as Markdown."""
    reference = statistics.median(seconds[base])
    rows = ["| case | median s | min to max | ratio |", "| --- | --- | --- | --- |"]
    for name, values in seconds.items():
        median = statistics.median(values)
        spread = f"{min(values):.2f} to {max(values):.2f}"
        rows.append(f"| {name} | {median:.2f} | {spread} | {median / reference:.2f} |")
    return "\n".join(rows)


def ratios(values: Sequence[float], base: Sequence[float]) -> dict[str, float]:
    """``values`` to ``base``: the ratio of medians, and the least and greatest ratio of one run.

    Interleaved cases share a run's weather, so the ratios within runs spread less than seconds.
    """
    pairs = [value / reference for value, reference in zip(values, base, strict=True)]
    return {
        "ratio": statistics.median(values) / statistics.median(base),
        "least": min(pairs),
        "greatest": max(pairs),
    }


def machine() -> str:
    """What the figures were seen on."""
    cores = subprocess.run(["nproc"], capture_output=True, text=True, check=True).stdout.strip()
    kernel = platform.release().split("-")[0]
    return f"{date.today().isoformat()}, {cores} cores, {platform.machine()}, Linux {kernel}"
