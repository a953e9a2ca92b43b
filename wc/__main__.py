"""What a host can be asked about jobs: one JSON object (or a stream of them) on standard output.

These are the commands that `fab` runs on hosts, as the workers' user; a person may run them
there too. Exit codes: 0 done, 1 the request cannot be met (the message says why), 2 wrong usage.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import redis

from wc import audit, config, globs, inputs, jobspec, manifest, state
from wc.config import Config
from wc.exporting import export
from wc.importing import merge_file
from wc.inputs import InputError
from wc.jobfiles import JobFolder
from wc.jobspec import JobSpec, SpecError
from wc.manifest import InputFile, Manifest, ManifestError
from wc.read_repair import read_repair
from wc.registry import Registry
from wc.replicas import Replica, ReplicaSet, Unavailable
from wc.store import JobStore
from wc.top import top
from wc.watch import watch

Answer = dict[str, Any]


class NoSuchJob(Exception):
    """The job asked for is not known here."""


def _own(cfg: Config) -> Replica:
    """This host's replica; where it has none (mode `single`), the one there is."""
    address = next((r for r in cfg.replicas if r.name == cfg.host), cfg.replicas[0])
    return Replica(address, "driver", cfg.password("driver"))


def _spec(replica: Replica, name: str) -> JobSpec:
    """The named job, or the latest one if no name is given."""
    jobs = replica.call(lambda client: Registry(client).jobs())
    for spec in reversed(jobs):
        if name in ("", spec.name):
            return spec
    known = ", ".join(spec.name for spec in jobs[-5:]) or "none yet"
    raise NoSuchJob(f"no job {name!r} here; the latest are: {known}" if name else "no job yet")


def _plan(cfg: Config, options: argparse.Namespace) -> Answer:
    files = inputs.expand(options.input, options.tokenizer, none_ok=options.none_ok)
    return {
        "host": cfg.host,
        "bytes": sum(file.size for file in files),
        "files": [[f.path, f.size, f.mtime_ns, f.compression, f.whole] for f in files],
    }


def _job(cfg: Config, options: argparse.Namespace) -> Answer:
    """The named or latest job's specification; {} if there is none."""
    # What is on this disk is known even before its driver has told a Redis.
    spec = JobFolder(cfg.jobs / options.job).spec() if options.job else None
    try:
        spec = spec or _spec(_own(cfg), options.job)
    except NoSuchJob:
        return {}
    return json.loads(spec.to_json())  # type: ignore[no-any-return]


def _prepare(cfg: Config, _: argparse.Namespace) -> Answer:
    request = json.load(sys.stdin)
    spec = jobspec.from_json(json.dumps(request["spec"]))
    folder = JobFolder(cfg.jobs / spec.name)
    files = Manifest(spec.split_bytes, [InputFile(*row) for row in request["files"]])
    folder.prepare(spec, files)
    return {"job": spec.name, "splits": files.total, "bytes": files.total_bytes}


def _activate(cfg: Config, options: argparse.Namespace) -> Answer:
    folder = JobFolder(cfg.jobs / options.job)
    if options.revision is None:
        folder.activate(options.created)
    else:
        folder.activate_revision(options.revision)
    return {"job": options.job}


def _files(cfg: Config, options: argparse.Namespace) -> Answer:
    """The files that this origin counts; with an input pattern, those that match."""
    files = JobFolder(cfg.jobs / options.job).manifest()
    wanted = globs.matcher(options.input) if options.input else None
    return {
        "host": cfg.host,
        "revision": files.revision,
        "files": [
            [f.path, f.size, f.mtime_ns, f.compression, f.whole]
            for f in files.live
            if wanted is None or wanted(f.path)
        ],
    }


def _revise(cfg: Config, options: argparse.Namespace) -> Answer:
    """Prepare a revision of this origin's files."""
    request = json.load(sys.stdin)
    folder = JobFolder(cfg.jobs / options.job)
    before = folder.manifest()
    added = [InputFile(*row) for row in request["files"]]
    after = before.revised(int(request["revision"]), request["gone"], added)
    folder.prepare_revision(after)
    return {
        "job": options.job,
        "counted": after.total - before.total,
        "taken_back": len(after.retracted()) - len(before.retracted()),
    }


def _retry_dead(cfg: Config, options: argparse.Namespace) -> Answer:
    """Give this origin's dead splits another chance; its driver puts them back."""
    spec = _spec(_own(cfg), options.job)
    replicas = ReplicaSet(cfg, "driver")
    found = replicas.call_all(lambda client, _: JobStore(client, spec.name).revive(cfg.host))
    away = sorted(replicas.by_name.keys() - found.keys())
    if away:
        raise Unavailable(", ".join(away), "no answer; all replicas must forget the failures")
    revived = max(found.values(), default=0)
    folder = JobFolder(cfg.jobs / spec.name)
    if folder.outcome() is not None:
        # Every driver looks again, as the result is no longer what was published.
        folder.reopen()
    return {"job": spec.name, "revived": revived}


def _repair(cfg: Config, options: argparse.Namespace) -> Answer:
    replicas = ReplicaSet(cfg, "driver")
    return read_repair(
        replicas,
        options.job,
        sources=options.source or None,
        targets=options.target or None,
        check=options.check,
        jobs=cfg.jobs,
    )


def _export(cfg: Config, options: argparse.Namespace) -> Answer:
    return export(_own(cfg), options.job, Path(options.out))


def _import(cfg: Config, options: argparse.Namespace) -> Answer:
    replicas, targets = ReplicaSet(cfg, "driver"), options.target or [_own(cfg).name]
    return merge_file(replicas, targets, Path(options.file), options.job, cfg.jobs)


def _top(cfg: Config, options: argparse.Namespace) -> Answer:
    replica = _own(cfg)
    spec = _spec(replica, options.job)
    answer: Answer = {"host": replica.name}
    if options.repair:
        replicas = ReplicaSet(cfg, "driver")
        answer["repair"] = read_repair(replicas, spec.name, jobs=cfg.jobs)
        replicas.close()
    return answer | replica.call(lambda c: top(c, spec, options.limit))


def _recount(cfg: Config, options: argparse.Namespace) -> Answer:
    spec = _spec(_own(cfg), options.job)

    def tell(done: int) -> None:
        print(json.dumps({"done": done}), flush=True)

    if options.origin in ("", cfg.host):
        files = JobFolder(cfg.jobs / spec.name).manifest()
    else:
        copy = _own(cfg).call(lambda c: JobStore(c, spec.name).files(options.origin))
        if copy is None:
            raise NoSuchJob(f"no manifest of {options.origin} here")
        files = manifest.unpack(copy[1])
    return audit.recount(files, spec, Path(options.out), tell)


def _compare(cfg: Config, options: argparse.Namespace) -> Answer:
    replica = _own(cfg)
    spec = _spec(replica, options.job)
    expected = audit.read_expected(Path(options.expected))
    return {"host": cfg.host} | replica.call(
        lambda client: audit.compare(client, spec, expected, options.limit)
    )


def _state(cfg: Config, options: argparse.Namespace) -> Answer:
    return state.look(cfg, _own(cfg), options.job)


def _watch(cfg: Config, options: argparse.Namespace) -> Iterator[Answer]:
    yield from watch(cfg, options.job, _own(cfg))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m wc",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example: python -m wc top --config etc/wc.json --limit 20",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Any, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.add_argument("--config", type=Path, required=True, help="the host's wc.json")
        sub.set_defaults(run=run)
        return sub

    plan = command("plan", _plan, "expand and check an input glob")
    plan.add_argument("--input", required=True)
    plan.add_argument("--tokenizer", default="whitespace")
    plan.add_argument("--none-ok", action="store_true", help="no match is no error")
    command("prepare", _prepare, "make a job durable here: {spec, files} on standard input")
    for name, run, text in (
        ("job", _job, "a job's specification"),
        ("activate", _activate, "start a prepared job, or a prepared revision of its files"),
        ("files", _files, "the files of a job that this origin counts"),
        ("revise", _revise, "prepare new files: {revision, gone, files} on standard input"),
        ("retry-dead", _retry_dead, "try this origin's given-up splits again"),
        ("state", _state, "this host's replica, and a job as it has it"),
        ("top", _top, "a job's most frequent words"),
        ("recount", _recount, "count an origin's inputs serially, into a file"),
        ("compare", _compare, "compare this replica with expected counts, word by word"),
    ):
        sub = command(name, run, text)
        sub.add_argument("--job", default="", help="the job's name (default: the latest)")
        if run in (_top, _compare):
            sub.add_argument("--limit", type=int, default=10)
        if run is _recount:
            sub.add_argument("--out", required=True, help="where the counts go, as JSON")
            sub.add_argument("--origin", default="", help="count the files of another origin")
        if run is _activate:
            sub.add_argument("--revision", type=int, help="of the files (default: the job itself)")
            sub.add_argument("--created", type=float, help="only the job that was created then")
        if run is _files:
            sub.add_argument("--input", default="", help="only the files that this glob matches")
        if run is _top:
            sub.add_argument("--repair", action="store_true", help="bring replicas together first")
        if run is _compare:
            sub.add_argument("--expected", required=True, help="the counts to expect, as JSON")
    mend = command("repair", _repair, "copy what some replicas lack and others have")
    mend.add_argument("--job", default="", help="the job's name (default: all jobs)")
    mend.add_argument("--source", action="append", help="copy from this replica (repeatable)")
    mend.add_argument("--target", action="append", help="copy to this replica (repeatable)")
    mend.add_argument("--check", action="store_true", help="compare only")
    save = command("export", _export, "write what this replica has to a file")
    save.add_argument("--out", required=True, help="the file, appearing when it is whole")
    merge = command("import", _import, "merge such a file into replicas")
    merge.add_argument("--file", required=True, help="written by export")
    merge.add_argument("--target", action="append", help="merge into this replica (repeatable)")
    for sub in (save, merge):
        sub.add_argument("--job", default="", help="the job's name (default: all jobs)")
    follow = command("watch", _watch, "follow a job until it has ended here, a line a look")
    follow.add_argument("--job", required=True)
    return parser


def main(argv: list[str] | None = None) -> int:
    options = _parser().parse_args(argv)
    try:
        answer = options.run(config.load(options.config), options)
        for line in answer if isinstance(answer, Iterator) else [answer]:
            print(json.dumps(line), flush=True)
    except (
        audit.CannotTell,
        config.ConfigError,
        InputError,
        ManifestError,
        NoSuchJob,
        SpecError,
        Unavailable,
        ValueError,
        redis.RedisError,
        FileNotFoundError,
    ) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
