"""The guide can be typed from top to bottom, and prints what it says.

Typed is what it indents by four blanks, a block at a time in one shell, and what follows `$ ` in
its fenced blocks, whose next lines are the output: there `...` is anything, numbers are any
numbers, and `^C` is typed once the command has printed what stands before it. Everything must exit
with 0. The cluster, the text and the folders are this test's.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.netns import CHECKOUT, netns_cluster, poll

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1500)]

GUIDE = CHECKOUT / "docs/guide.md"
SECONDS = 600
NUMBER = re.compile(r"\d[\d,.]*( (?:B|kB|MB|GB|s|min|h|d)\b)?")


@dataclass
class Typed:
    """A block that is typed, at this line of the guide; None: its output is not told."""

    line: int
    script: str
    output: str | None = None


def typed(text: str) -> Iterator[Typed]:
    """What the guide says to type, in order."""
    block: Typed | None = None
    fenced = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("```"):
            if block:
                yield block
            block, fenced = None, not fenced
        elif fenced and line.startswith("$ "):
            if block:
                yield block
            block = Typed(number, line.removeprefix("$ "), "")
        elif fenced and block:
            block.output = f"{block.output}{line}\n"
        elif not fenced and line.startswith("    "):
            block = block or Typed(number, "")
            block.script += line.removeprefix("    ") + "\n"
        elif not fenced and block:
            yield block
            block = None


def pattern(output: str) -> re.Pattern[str]:
    """What output of that kind matches, but for white space, as the guide folds long lines."""
    parts = []
    for part in output.replace("...", " \0 ").split("\0"):
        words = " ".join(part.split())
        literal = NUMBER.split(words)[::2]
        parts.append(NUMBER.pattern.join(re.escape(text) for text in literal))
    return re.compile(r"\s?.*?\s?".join(parts), re.DOTALL)


def test_patterns() -> None:
    shown = "job big: started\n...\ndone, 42 splits in 1.5 s (2 MB/s)\n"
    assert pattern(shown).search("job big: started done, 7 splits in 9 min (31.0 kB/s)")
    assert not pattern(shown).search("job big: started done, 7 parts in 9 min (31.0 kB/s)")
    assert pattern("h1: ...").search("h1: why")


def run(block: Typed, folder: Path, environment: dict[str, str]) -> str:
    """What the block prints, white space made single. The test fails unless it exits with 0."""
    before, interrupted, _ = (block.output or "").partition("^C\n")
    printed = folder / "printed"
    with printed.open("w") as out:
        shell = subprocess.Popen(
            ["bash", "-e", "-s"],
            cwd=CHECKOUT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        assert shell.stdin
        shell.stdin.write(block.script if not interrupted else f"exec {block.script}")
        shell.stdin.close()
        if interrupted:
            poll(lambda: pattern(before).search(" ".join(printed.read_text().split())), SECONDS)
            os.killpg(shell.pid, signal.SIGINT)
        code = shell.wait(SECONDS)
    text = " ".join(printed.read_text().split())
    wanted = 130 if interrupted else 0
    assert code == wanted, f"{GUIDE.name}:{block.line}: exit code {code}\n{block.script}\n{text}"
    return text


def test_the_guide_is_typed_from_top_to_bottom(tmp_path: Path, public_folder: Path) -> None:
    corpus = public_folder / "kjv"
    corpus.mkdir()
    for number in range(4):  # 4 MB, with more than 1,000 different words
        words = (f"the of word{(number + 1) * i % 9973}" for i in range(65_000))
        (corpus / f"{number}.txt").write_text("\n".join(words))
    with netns_cluster(tmp_path) as cluster:
        own = {
            "/var/tmp/": f"{public_folder}/",  # before paths that begin so
            "/var/lib/faultline-corpora/kjv": str(corpus),
            "/var/lib/faultline/lab": f"/var/lib/faultline/{cluster.name}",
            "fl-lab": f"fl-{cluster.name}",
            "cluster lab": f"cluster {cluster.name}",
            "state.sqlite": f"{tmp_path}/state.sqlite",
        }
        environment = os.environ | {
            "FAULTLINE_INVENTORY": str(cluster.path),
            "COLUMNS": "200",  # tables fold no names
        }
        environment["PATH"] = f"{CHECKOUT}/.venv/bin:{environment['PATH']}"
        text = GUIDE.read_text()
        for name, path in own.items():
            text = text.replace(name, path)
        blocks = list(typed(text))
        assert len(blocks) > 30
        wrong = []
        for block in blocks:
            printed = run(block, tmp_path, environment)
            expected = (block.output or "").replace("^C\n", "")
            if not pattern(expected).search(printed):
                where = f"{GUIDE.name}:{block.line}: {block.script}"
                wrong.append(f"{where}\nprints\n{printed}\nnot\n{expected}")
        assert not wrong, "\n".join(wrong)
        assert not list(public_folder.glob("words*"))
