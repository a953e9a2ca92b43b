"""Hosts that go away for good, or come back with nothing: the job ends, and all catch up."""

from __future__ import annotations

import json
import shutil
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tests.wc.driver.test_job import write_files
from tests.wc.driver.test_revisions import revise, row
from tests.wc.support.cluster import Cluster, Node, eventually, kill
from wc.backends.redis.keys import JobKeys
from wc.backends.redis.result_store import RedisResultStore
from wc.jobs.folder import JobFolder

ORIGINS = ("h1", "h2", "h3")


def destroy(node: Node) -> None:
    """Everything on a host dies at once."""
    for process in node.processes:
        kill(process)
    node.processes.clear()
    node.kill_redis()


def applied(cluster: Cluster, name: str, job: str) -> int:
    return RedisResultStore(cluster.client(name), job).status(ORIGINS).applied


def end_without(cluster: Cluster, job: str, gone: str) -> list[dict[str, object]]:
    nodes = [node for node in cluster.nodes if node.name != gone]
    return [
        eventually(lambda n=node: cluster.outcome(n, job), f"{job} ends on {node.name}")
        for node in nodes
    ]


def begin_anew(cluster: Cluster, node: Node, half: str = "") -> None:
    """Start a destroyed host as a new machine: without data, workers, jobs; ``half`` a one."""
    shutil.rmtree(node.folder / "jobs")
    (node.folder / "jobs" / half).mkdir(parents=True)
    node.start_redis()
    cluster.load(node)
    cluster.spawn(node, "driver")


def test_a_host_destroyed_in_the_middle_of_a_job(cluster: Cluster, tmp_path: Path) -> None:
    # Given a job in its middle
    expected = write_files(tmp_path / "in", 60, 5_000)
    for node in cluster.nodes:
        cluster.spawn(node, "driver")
    cluster.submit("lost", f"{tmp_path}/in/*.txt", split_bytes=100_000)
    cluster.count_slowly()
    workers = [cluster.spawn(node, "worker") for node in cluster.nodes]
    eventually(lambda: applied(cluster, "h1", "lost") > 5, "some splits are applied")
    for worker in workers:  # the job stays in its middle, on a machine of any speed
        worker.send_signal(signal.SIGSTOP)
    victim = cluster.node("h2")
    # If a host is gone for good: Redis, driver, workers
    destroy(victim)
    for worker in (workers[0], workers[2]):
        worker.send_signal(signal.SIGCONT)
    outcomes = end_without(cluster, "lost", "h2")
    # Expect the others to have done its part as well, and exactly
    assert all(outcome["complete"] and outcome["away"] == ["h2"] for outcome in outcomes)
    assert cluster.counts_of("lost", ["h1", "h3"]) == [expected] * 2

    # If it comes back as a new machine: no data, no jobs, not even the function library
    begin_anew(cluster, victim)
    # Expect it to get the job back from its peers, and to publish the same
    eventually(lambda: cluster.outcome(victim, "lost"), "h2 has the job again")
    assert cluster.counts("lost") == [expected] * 3
    assert cluster.ask(victim, "files", "--job", "lost")["files"]


def test_a_host_that_lost_its_disk_needs_no_worker(cluster: Cluster, tmp_path: Path) -> None:
    # Given a job that has ended
    expected = write_files(tmp_path / "in", 12, 2_000)
    for node in cluster.nodes:
        cluster.spawn(node, "driver")
    workers = [cluster.spawn(node, "worker") for node in cluster.nodes]
    cluster.submit("had", f"{tmp_path}/in/*.txt", split_bytes=100_000)
    for node in cluster.nodes:
        eventually(lambda node=node: cluster.outcome(node, "had"), f"{node.name} ends the job")
    # If a host loses all it had, and no worker looks at what its driver enqueues again
    for worker in (workers[0], workers[2]):
        kill(worker)
    victim = cluster.node("h2")
    destroy(victim)
    begin_anew(cluster, victim)
    # Expect it to take from its peers what they have, and to know that the job ended before
    outcome = eventually(lambda: cluster.outcome(victim, "had"), "h2 has the job again")
    assert cluster.counts("had") == [expected] * 3
    assert outcome["first"] == {}


def cut(cluster: Cluster, lonely: str) -> Callable[[], None]:
    """Let what starts from now on reach no Redis across a partition that isolates a host; what is
    returned ends that, for what starts then."""
    whole = {node: node.config_path.read_text() for node in cluster.nodes}
    for node, text in whole.items():
        config = json.loads(text)
        for replica in config["replicas"]:
            if (replica["host"] == lonely) != (node.name == lonely):
                replica["port"] = 1
        node.config_path.write_text(json.dumps(config))

    def heal() -> None:
        for node, text in whole.items():
            node.config_path.write_text(text)

    return heal


def restart(cluster: Cluster) -> None:
    for node in cluster.nodes:
        for process in node.processes:
            kill(process)
    cluster.start()


def test_both_sides_of_a_partition_end_a_job_that_begins_under_it(
    make_cluster: Callable[..., Cluster], tmp_path: Path
) -> None:
    # Given hosts that are cut off from each other before anything was told
    cluster = make_cluster(adopt_after_seconds=1.0)
    expected = write_files(tmp_path / "in", 12, 2_000)
    heal = cut(cluster, "h3")
    cluster.start()
    # If a job begins; expect each side to end it by itself, as all was planned on both
    cluster.submit("sides", f"{tmp_path}/in/*.txt", split_bytes=50_000)
    assert [o["away"] for o in cluster.wait("sides")] == [["h3"], ["h3"], ["h1", "h2"]]
    assert cluster.counts("sides") == [expected] * 3
    # If a revision begins under it as well; expect it not to be called done where its files are
    # not known
    new = tmp_path / "in/new.txt"
    new.write_text("new words")
    revise(cluster, "sides", 1, {"h3": {"files": [row(new)]}})
    for node in cluster.nodes[:2]:
        eventually(lambda n=node: "revision 1 are not known here" in n.log(), "the driver tells")
        assert cluster.outcome(node, "sides") is None
    # Expect that once they reach each other, the same dots were the same
    heal()
    restart(cluster)
    cluster.wait("sides")
    assert cluster.counts("sides") == [Counter(expected) + Counter(new=1, words=1)] * 3


def test_what_a_replica_knows_beside_dots_is_repaired_by_its_own_driver(
    cluster: Cluster, tmp_path: Path
) -> None:
    # Given a job that has ended, and a replica with all dots that was not told how many there are
    expected = write_files(tmp_path / "in", 6, 100)
    cluster.start()
    cluster.submit("told", f"{tmp_path}/in/*.txt")
    cluster.wait("told")
    keys, client = JobKeys("told"), cluster.client("h3")
    client.hdel(keys.manifest, "h1", "h1/revision", "h1/retracted")
    client.hdel(keys.files, "h1", "h1/revision")
    # If its driver runs the job again, and the others' do not
    JobFolder(cluster.node("h3").folder / "jobs/told").reopen()
    # Expect the job to end there, with the manifest that was missing
    eventually(lambda: cluster.outcome(cluster.node("h3"), "told"), "h3 ends the job")
    assert client.hget(keys.files, "h1/revision") == b"0"
    assert cluster.counts("told") == [expected] * 3


def test_a_higher_quorum_waits_for_it(make_cluster: Callable[..., Cluster], tmp_path: Path) -> None:
    # Given a job that wants all three replicas to have each split, and one that is down
    cluster = make_cluster(adopt_after_seconds=60.0)
    expected = write_files(tmp_path / "in", 6, 100)
    node = cluster.node("h3")
    node.kill_redis()
    for n in cluster.nodes[:2]:
        cluster.spawn(n, "driver")
        cluster.spawn(n, "worker")
    cluster.submit("quorum", f"{tmp_path}/in/*.txt", write_quorum=3)
    eventually(
        lambda: "waiting for 3" in cluster.nodes[0].log(), "h1's worker says what it waits for"
    )
    # Expect that no lease has ended: nothing counts as done
    assert cluster.client("h1").xlen(JobKeys("quorum").tasks("h1")) == 2
    # If the third comes
    node.start_redis()
    cluster.load(node)
    cluster.spawn(node, "driver")
    cluster.spawn(node, "worker")
    # Expect the job to end
    cluster.wait("quorum")
    assert cluster.counts("quorum") == [expected] * 3
