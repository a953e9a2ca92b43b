"""A change of durability restarts Redis into another file: what it holds has to be there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.netns import netns_cluster, poll

pytestmark = pytest.mark.cluster


def test_results_survive_every_change_of_durability(tmp_path: Path) -> None:
    # Given a counted job on a single replica, whose input is gone: it could not be counted again
    tmp_path.chmod(0o755)
    folder = Path(f"/var/tmp/{tmp_path.name}-durability")
    folder.mkdir()
    text = folder / "a.txt"
    text.write_text("one two two three three three " * 1000)
    try:
        with netns_cluster(tmp_path, hosts=1, redis={"durability": "checkpoint"}) as cluster:
            cluster.fab("provision")
            cluster.fab("start-job", "--input", f"{folder}/*.txt", "--name", "kept")
            text.unlink()
            before = cluster.json("top")
            assert before["words"][0] == ["three", 3000]
            for durability in ("aof", "none", "aof", "checkpoint"):
                # If the inventory's durability changes
                cluster.edit(lambda document, d=durability: document["redis"].update(durability=d))
                pid = cluster.programs("h1")["redis"]
                cluster.fab("provision")
                # Expect Redis to have been restarted, with all it held
                assert cluster.programs("h1")["redis"] != pid
                assert cluster.json("top") == before
            # If it changes while Redis is down, or all of the host's programs. Expect the same
            control = f"env/bin/supervisorctl -c {cluster.folder('h1')}/etc/supervisord.conf"
            for durability, what in (("aof", "stop redis"), ("checkpoint", "shutdown")):
                cluster.edit(lambda document, d=durability: document["redis"].update(durability=d))
                cluster.connector("h1").run(f"{cluster.folder('h1')}/{control} {what}")
                poll(lambda: "redis" not in cluster.programs("h1"))
                cluster.fab("provision")
                poll(lambda: "redis" in cluster.programs("h1"))
                assert cluster.json("top") == before
    finally:
        text.unlink(missing_ok=True)
        folder.rmdir()
