"""scripts/quickstart, interrupted and run again: the second run finishes what the first began."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp

import pytest

from provision.host import namespaces
from tests.netns import CHECKOUT, netns_cluster

pytestmark = pytest.mark.cluster


@pytest.fixture
def text() -> Iterator[Path]:
    """A folder that the workers may read."""
    folder = Path(mkdtemp(dir="/var/tmp"))
    folder.chmod(0o755)
    (folder / "a.txt").write_text("to be or not to be\n" * 1000)
    yield folder
    shutil.rmtree(folder)


def test_interrupted_and_run_again(tmp_path: Path, text: Path) -> None:
    """Given a run interrupted while it makes the hosts, and one terminated while it counts. Expect
    the next to make, count and prove, and nothing to be left once the hosts are destroyed."""
    with netns_cluster(tmp_path, hosts=2) as cluster:

        def start() -> subprocess.Popen[str]:
            return subprocess.Popen(
                [CHECKOUT / "scripts/quickstart", text],
                env={**os.environ, "FAULTLINE_INVENTORY": str(cluster.path)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )

        for mark, number in (("create the namespace", signal.SIGINT), ("Counting", signal.SIGTERM)):
            with start() as run:
                assert run.stdout is not None
                shown = next((line for line in run.stdout if mark in line), None)
                assert shown, f"it ended with {run.wait()} before it said {mark}"
                os.killpg(run.pid, number)
                run.communicate()
                assert run.returncode in (-number, 128 + number)
        with start() as run:
            shown = run.communicate()[0]
        assert run.returncode == 0, shown
        assert "recounted serially" in shown
        cluster.fab("destroy", "--yes")
        assert not namespaces.of_cluster(cluster.name)
        assert not cluster.folder("h1").parent.exists()
        assert not [
            user for user in pwd.getpwall() if user.pw_name.startswith(f"fl-{cluster.name}")
        ]
