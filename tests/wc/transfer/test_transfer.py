"""Export and import between real Redis servers: what a file brings is what a repair would."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.wc.driver.test_job import write_files
from tests.wc.replication.test_compaction import JOB, ORIGINS, Bench, content, total
from tests.wc.support.cluster import REPOSITORY, Cluster, eventually
from wc.backends.api import Unavailable
from wc.backends.redis.job_registry import RedisJobRegistry
from wc.backends.redis.keys import JobKeys
from wc.counts import delta
from wc.jobs import manifest
from wc.jobs.manifest import InputFile, Manifest
from wc.jobs.spec import JobSpec
from wc.transfer.export import export
from wc.transfer.merge import merge_file
from wc.transfer.records import read
from wc.transfer.state_file import StateError

SPEC = JobSpec(JOB, "/x", "whitespace", "strict", 1, 1, ORIGINS, True, 1.0)
PACKED = manifest.pack(Manifest(10, [InputFile("/x", 400, 1, "none", False)], 1))
NAMES = ("h1", "h2", "h3")


class Transfers(Bench):
    """A bench with files that its replicas' states go to and come from."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        super().__init__(cluster, folder)
        self.folder = folder
        for name in NAMES:
            # As on a host: its archive is in the job's folder.
            (folder / "jobs" / name).mkdir(parents=True)
            (folder / "jobs" / name / JOB).symlink_to(folder / name)

    def export(self, name: str, job: str = "") -> Path:
        path = self.folder / f"from-{name}.sqlite"
        export(self.replicas.by_name[name], job, path)
        return path

    def merge(self, path: Path, *names: str, host: str = "h1", job: str = "") -> dict[str, Any]:
        return merge_file(self.replicas, names, path, job, self.folder / "jobs" / host)["targets"]

    def lose_all(self) -> None:
        for name in NAMES:
            self.lose(name)

    def state(self, name: str) -> Any:
        """All that a file carries of a replica: its status without what is local, and the value."""
        store = self.store(name)
        status = store.status(ORIGINS)
        origins = {
            origin: (
                o.total,
                o.revision,
                o.retracted_total,
                o.copied_revision,
                o.applied,
                o.retracted,
                o.retracted_unapplied,
                o.digest,
            )
            for origin, o in status.origins.items()
        }
        return origins, store.dead(), self.value(name)

    def everything(self, name: str) -> dict[bytes, Any]:
        """Every key of a replica."""
        client: Any = self.cluster.client(name)
        return {key: client.dump(key) for key in client.keys("*")}


@pytest.fixture
def bench(cluster: Cluster, tmp_path: Path) -> Iterator[Transfers]:
    for node in cluster.nodes:
        RedisJobRegistry(cluster.client(node.name)).open(SPEC)
    made = Transfers(cluster, tmp_path)
    yield made
    made.replicas.close()


def fill(bench: Transfers, case: str) -> None:
    """Dots 1..30 of h1 and 1..8 of h2 on all replicas, in the form that the case names."""
    bench.apply(range(1, 9), origin="h2")
    if case == "dead splits":
        bench.apply(range(1, 29))
        for name in NAMES:
            bench.store(name).bury("h1", {29: {"error": "not UTF-8"}, 30: {"error": "gone"}})
    elif case == "retractions":
        bench.apply(range(1, 31))
        bench.retract([2, 17, 35])
    elif case == "bases":
        bench.apply(range(1, 21))
        bench.compact()
        bench.apply(range(21, 31))
    elif case == "bases and retractions":
        bench.apply(range(1, 11))
        bench.retract([3])
        bench.compact()  # left out of the base
        bench.retract([4])  # inside the base
        bench.apply(range(11, 31))
        bench.retract([15])
    else:
        bench.apply(range(1, 31))
    for name in NAMES:
        store = bench.store(name)
        store.seal("h1", 1, 40, 3)
        store.keep_manifest("h1", 1, PACKED)


CASES = ("dots", "dead splits", "retractions", "bases", "bases and retractions")


@pytest.mark.parametrize("case", CASES)
def test_all_memories_lost(bench: Transfers, case: str) -> None:
    # Given a job's state in some form, and one replica of it in a file
    fill(bench, case)
    before = bench.state("h2")
    path = bench.export("h2")
    # If all replicas lose everything; and the file is merged into one, which is repaired
    bench.lose_all()
    told = bench.merge(path, "h1")
    assert (told["h1"]["left"], bench.state("h1")) == (0, before)
    bench.cluster.ask(bench.cluster.node("h1"), "repair")
    # Expect all to hold what they held
    assert [bench.state(name) for name in NAMES] == [before] * 3
    assert [spec.name for spec in RedisJobRegistry(bench.cluster.client("h3")).jobs()] == [JOB]


@pytest.mark.parametrize("case", CASES)
def test_merged_again_nothing_changes(bench: Transfers, case: str) -> None:
    # Given a file that a replica took, and one that had it all before
    fill(bench, case)
    path = bench.export("h1")
    bench.lose("h3")
    bench.merge(path, "h3")
    before = [bench.everything(name) for name in NAMES]
    # If it is merged again into all; expect nothing new, down to the last key
    told = bench.merge(path, *NAMES)
    assert [(t["copied"], t["left"]) for t in told.values()] == [(0, 0)] * 3
    assert [bench.everything(name) for name in NAMES] == before


def test_two_partial_replicas_into_a_third(bench: Transfers) -> None:
    # Given different, overlapping dots on two replicas, and others on the third
    bench.apply(range(1, 21), "h1")
    bench.apply(range(11, 31), "h2")
    bench.apply([31], "h3")
    bench.retract([5], "h1")
    bench.retract([25], "h2")
    # If both are merged into the third, by files
    for name in ("h1", "h2"):
        assert bench.merge(bench.export(name), "h3")["h3"]["left"] == 0
    # Expect the union, and the same from a direct merge
    assert bench.value("h3") == total(range(1, 32), [5, 25])
    bench.lose("h3")
    options = ("--source", "h1", "--source", "h2", "--target", "h3")
    told = bench.cluster.ask(bench.cluster.node("h2"), "repair", *options)
    assert bench.value("h3") == total(range(1, 31), [5, 25])
    # The target has all; the sources still differ from each other and from it
    assert (told["left"], told["agreed"], told["unreachable"]) == (0, False, [])
    assert bench.value("h1") == total(range(1, 21), [5])


def test_a_merge_of_named_replicas_agrees_though_another_differs(bench: Transfers) -> None:
    bench.apply(range(1, 5), "h1")
    bench.apply([9], "h2")
    told = bench.cluster.ask(bench.cluster.node("h1"), "repair", "--source", "h1", "--target", "h3")
    assert (told["agreed"], told["converged"], told["unreachable"]) == (True, False, [])


def test_a_file_meets_bases_that_go_differently_far(bench: Transfers) -> None:
    # Given a file whose base goes to 10, and replicas that went on since, or stayed behind
    bench.apply(range(1, 11))
    bench.retract([4])
    bench.compact("h1")
    path = bench.export("h1")
    bench.apply(range(11, 16))
    bench.retract([5], "h2", "h3")
    bench.compact("h2")
    bench.lose("h3")
    bench.apply([2, 3], "h3")
    bench.retract([3], "h3")
    # If it is merged into all of them
    told = bench.merge(path, *NAMES)
    # Expect each to have the union of what it had and the file has
    assert all(t["left"] == 0 for t in told.values())
    assert bench.value("h1") == total(range(1, 16), [4])
    assert bench.value("h2") == total(range(1, 16), [4, 5])
    assert bench.value("h3") == total(range(1, 11), [3, 4])
    bench.repair()
    assert [bench.value(n) for n in NAMES] == [total(range(1, 16), [3, 4, 5])] * 3
    assert len(bench.digests()) == 1


def test_a_mark_inside_the_targets_base_needs_counts_from_elsewhere(bench: Transfers) -> None:
    # Given a file in which a dot is left out of the base, so that its counts are nowhere in it
    bench.apply(range(1, 11))
    bench.compact("h3")
    bench.retract([4], "h1", "h2")
    for name in NAMES:
        assert bench.store(name).dot_sets("h1").through == (10 if name == "h3" else 0)
    told = bench.merge(bench.export("h1"), "h3")
    # Expect a mark with its counts in the file to be merged into the base
    assert (told["h3"]["copied"], told["h3"]["left"]) == (1, 0)
    assert bench.value("h3") == total(range(1, 11), [4])
    # Given bases everywhere that left a dot out, and a replica that went back to before
    bench.compact()
    bench.retract([6])
    bench.compact()
    path = bench.export("h1")
    bench.lose("h3")
    bench.apply(range(1, 11), "h3")
    bench.cluster.client("h3").delete(bench.store("h3").keys.retracted("h1"))
    held, base = bench.store("h1").base("h1")
    full = delta.pack(total(range(1, 11)))
    assert base is not None
    digest = bench.store("h3").status(ORIGINS).origins["h1"].digest
    bench.store("h3").rebase("h1", full, 10, b"", digest)
    bench.store("h3").trim("h1", range(1, 100))
    # If the file is merged where no archive knows the dots: expect to be told that some are left
    nowhere = merge_file(bench.replicas, ["h3"], path, "", bench.folder / "nowhere")["targets"]
    assert (nowhere["h3"]["copied"], nowhere["h3"]["left"]) == (0, 2)
    assert bench.value("h3") == total(range(1, 11))
    # If a host's archive has them; expect them to be merged
    told = bench.merge(path, "h3", host="h1")
    assert (told["h3"]["copied"], told["h3"]["left"]) == (2, 0)
    assert bench.value("h3") == total(range(1, 11), [4, 6])
    assert bench.store("h3").dot_sets("h1").retracted == held.retracted
    assert len(bench.digests()) == 1


def test_taken_back_here_and_inside_the_base_of_the_file(bench: Transfers) -> None:
    # Given a file with a base, and a replica that has retracted a dot which that base contains
    bench.apply(range(1, 11))
    bench.compact("h1")
    path = bench.export("h1")
    bench.lose_all()
    bench.store("h2").retract("h1", [(7, delta.pack(content(7)))])
    # If no archive knows its counts; expect the base not to be taken, and that to be told
    nowhere = merge_file(bench.replicas, ["h2"], path, "", bench.folder / "nowhere")["targets"]
    assert nowhere["h2"]["left"] == 10
    assert bench.value("h2") == {}
    # If one does; expect all but that dot
    assert bench.merge(path, "h2")["h2"]["left"] == 0
    assert bench.value("h2") == total(range(1, 11), [7])


def test_the_base_moves_on_while_it_is_exported(
    bench: Transfers, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given dots above a base
    bench.apply(range(1, 11))
    bench.compact()
    bench.apply(range(11, 21))
    expected = bench.state("h1")
    # If the replica folds them right after its base was written
    from wc.transfer.export import _Origin  # noqa: PLC0415 - only here

    plain = _Origin._write_base
    moved: list[int | None] = []

    def base(self: _Origin, held: Any) -> bool:
        done = plain(self, held)
        if not moved:
            moved.extend(bench.compact("h1"))
        return done

    monkeypatch.setattr(_Origin, "_write_base", base)
    path = bench.export("h1")
    assert moved == [10]
    # Expect the file to have all of them nevertheless
    bench.lose_all()
    assert bench.merge(path, "h2")["h2"]["left"] == 0
    assert bench.state("h2") == expected


def test_damage_in_the_middle(bench: Transfers) -> None:
    # Given a file with a damaged delta
    bench.apply(range(1, 31))
    path = bench.export("h1")
    data = path.read_bytes()
    at = data.index(b"only-21")
    path.write_bytes(data[:at] + b"X" + data[at + 1 :])
    # If it is merged; expect the table's name, and nothing to be merged
    bench.lose_all()
    with pytest.raises(
        StateError, match=r"state file damaged: table, rows and sum were \('deltas', 30, "
    ):
        bench.merge(path, "h1")
    assert bench.everything("h1") == {}
    # If the whole file is merged then; expect all
    path.write_bytes(data)
    assert bench.merge(path, "h1")["h1"]["copied"] == 30
    assert bench.value("h1") == total(range(1, 31))


def test_cut_off_anywhere(bench: Transfers) -> None:
    # Given a file, and its beginnings
    fill(bench, "bases and retractions")
    before = bench.state("h1")
    path = bench.export("h1")
    data = path.read_bytes()
    bench.lose_all()
    for length in range(0, len(data), len(data) // 9):
        path.write_bytes(data[:length])
        # If one is merged; expect an error each time, and nothing to be merged
        with pytest.raises(StateError, match="state file"):
            bench.merge(path, "h1")
    assert bench.everything("h1") == {}
    path.write_bytes(data)
    assert bench.merge(path, "h1")["h1"]["left"] == 0
    assert bench.state("h1") == before


def test_an_import_killed_in_the_middle(bench: Transfers, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a file of every kind of record, and for each of them an import that ends just there
    fill(bench, "bases and retractions")
    bench.store("h1").bury("h1", {31: {"error": "gone"}})
    before = bench.state("h1")
    path = bench.export("h1")
    records = list(read(path))
    for count in range(1, len(records)):
        bench.lose_all()
        with monkeypatch.context() as killed:
            killed.setattr("wc.transfer.merge.read", lambda _, n=count: iter(records[:n]))
            bench.merge(path, "h2")
        # If the file is merged again; expect what it has, as if nothing had happened
        assert bench.merge(path, "h2")["h2"]["left"] == 0
        assert bench.state("h2") == before


def test_what_is_refused(bench: Transfers) -> None:
    # Given a file of a job
    bench.apply([1], "h1")
    path = bench.export("h1")
    # If the target has another job of that name; expect nothing to be merged
    for name in ("h2", "h3"):
        bench.lose(name)
    other = JobSpec(JOB, "/y", "letters", "strict", 1, 1, ORIGINS, True, 2.0)
    RedisJobRegistry(bench.cluster.client("h2")).learn([other])
    with pytest.raises(StateError, match="job fold on replica h2 is not the one"):
        bench.merge(path, "h2")
    assert bench.value("h2") == {}
    # If a job, a target or an export is asked for that there is not; expect what there is
    with pytest.raises(StateError, match="no job 'nope' in the state file; there are: fold"):
        bench.merge(path, "h3", job="nope")
    with pytest.raises(StateError, match="target 'h9': allowed are the replicas h1, h2, h3"):
        bench.merge(path, "h9")
    with pytest.raises(StateError, match="no job 'nope' on replica h1; the latest are: fold"):
        bench.export("h1", "nope")
    with pytest.raises(StateError, match=r"away/x.sqlite: cannot be written: No such file"):
        export(bench.replicas.by_name["h1"], "", bench.folder / "away" / "x.sqlite")
    # If a replica is away while it is exported; expect the file of before, and nothing beside it
    before = path.read_bytes()
    bench.cluster.node("h1").kill_redis()
    with pytest.raises(Unavailable):
        bench.export("h1")
    assert path.read_bytes() == before
    assert [p.name for p in bench.folder.glob("from-*")] == ["from-h1.sqlite"]


def test_one_job_of_several(bench: Transfers) -> None:
    # Given two jobs
    bench.apply(range(1, 4))
    other = JobSpec("other", "/y", "whitespace", "strict", 1, 1, ("h1",), True, 2.0)
    RedisJobRegistry(bench.cluster.client("h1")).learn([other])
    both = bench.export("h1")
    assert export(bench.replicas.by_name["h1"], JOB, bench.folder / "one.sqlite")["jobs"] == [JOB]
    bench.lose_all()
    # If one is merged; expect that one only
    assert bench.merge(both, "h2", job=JOB)["h2"]["digests"].keys() == {JOB}
    assert [spec.name for spec in RedisJobRegistry(bench.cluster.client("h2")).jobs()] == [JOB]


def test_a_job_moves_to_another_cluster(
    make_cluster: Callable[..., Cluster], tmp_path: Path
) -> None:
    # Given a job that was counted on one cluster, compacted there, and exported
    write_files(tmp_path / "in", 6, 2000)
    first, second = make_cluster(compact_after_seconds=0.0), make_cluster()
    first.start()
    first.submit("moved", f"{tmp_path}/in/*.txt", split_bytes=20_000)
    first.wait("moved")
    client, keys = first.client("h1"), JobKeys("moved")
    eventually(lambda: client.exists(keys.base("h1")), "h1 compacts what is at rest")
    path = tmp_path / "state.sqlite"
    first.ask(first.node("h1"), "export", "--out", str(path))
    # If it is merged into one replica of another, which has drivers and nobody who counts
    for node in second.nodes:
        second.spawn(node, "driver")
    second.ask(second.node("h2"), "import", "--file", str(path), "--target", "h2")
    # Expect that to know the job as its own, and to publish it on every replica
    second.wait("moved")
    assert second.counts("moved") == first.counts("moved")
    assert all(second.counts("moved"))


def test_the_commands_on_a_host(bench: Transfers) -> None:
    # Given a job on one replica
    bench.apply(range(1, 4), "h1")
    h1, h2 = bench.cluster.node("h1"), bench.cluster.node("h2")
    path = bench.folder / "state.sqlite"
    # If it is exported and imported by the commands; expect their figures
    saved = bench.cluster.ask(h1, "export", "--out", str(path))
    assert saved == {"replica": "h1", "jobs": [JOB], "dots": 3, "bytes": path.stat().st_size}
    assert path.stat().st_mode & 0o777 == 0o600
    told = bench.cluster.ask(h2, "import", "--file", str(path), "--target", "h2")
    digest = bench.store("h1").status(ORIGINS).digest
    assert told == {
        "jobs": [JOB],
        "targets": {"h2": {"copied": 3, "left": 0, "digests": {JOB: digest}}},
    }
    # If the file is none; expect a message and exit code 1
    path.write_text(json.dumps({"no": "database"}))
    command = [sys.executable, "-m", "wc", "import", "--config", str(h2.config_path)]
    done = subprocess.run(
        [*command, "--file", str(path)], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("not a state file")
