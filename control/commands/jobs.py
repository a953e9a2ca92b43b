"""`fab start-job`, `retract` and `retry-dead`: arguments as typed in, an exit code out.

1: some splits are dead, so the job is incomplete. With ``as_json`` standard output is one JSON
object; everything else goes to standard error.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any, TextIO

from control import options, progress_bar
from control.cluster import Answer, Cluster, HostError
from control.commands.results import top_words
from control.formats import plural
from control.jobs import input_patterns, job_list, job_start, revise_job
from control.jobs.job_progress import follow
from control.jobs.job_results import figures, outdated_line, revision_line, summary_lines
from control.jobs.job_start import Request
from control.jobs.revise_job import Revision
from provision.exit_codes import DONE, FAILED, INTERRUPTED, Interrupted, UsageError
from provision.inventory.model import Inventory
from provision.inventory.units import Typed, count
from provision.named_inventory import open_inventory
from provision.output import print_json, print_text


def start_job(
    inventory_path: Typed,
    *,
    top: Typed,
    no_wait: bool,
    replace: bool,
    as_json: bool,
    **typed: Any,
) -> int:
    """The options of `job_request` besides these."""
    inventory = open_inventory(inventory_path)
    limit = inventory.job.top if top is None else options.WORDS.option("--top", top)
    request = job_request(inventory, **typed)
    if replace and (typed["update"] or not request.name or not request.input):
        raise UsageError(
            "--replace: it needs --name NAME and --input '/path/*.txt', and no --update: the job "
            "of that name is deleted, and these files are counted anew"
        )
    if typed["update"]:
        return _revise(
            inventory,
            lambda cluster: revise_job.update(cluster, request),
            limit=limit,
            no_wait=no_wait,
            as_json=as_json,
        )
    out = sys.stderr if as_json else sys.stdout
    begun: list[str] = []
    with Cluster(inventory) as cluster:
        delete = partial(_delete_ended, cluster, out) if replace else None
        try:
            job = job_start.start(
                cluster, request, begun.append, delete, lambda text: print_text(text, out)
            )
            known = "attached to it" if job.attached else "started"
            if request.name not in ("", job.name):
                known += f" (a deleted job was named {request.name}; --job finds this one by it)"
            print_text(f"job {job.name}: {known}", out)
            if no_wait:
                answer: Answer = {"job": job.name, "attached": job.attached}
                more, outdated = _files_since(cluster, request, job)
                if as_json:
                    print_json(answer | more)
                return FAILED if outdated else DONE
            # The hosts work meanwhile.
            from control.word_table import print_words  # noqa: PLC0415

            with progress_bar.reporter(out) as report:
                progress = follow(cluster, job.spec, report, anew=not job.attached)
        except KeyboardInterrupt:
            if not begun:  # nothing has started on any host
                raise
            return _interrupted(out, begun[0], as_json)
        answer = _first_words(cluster, job.name, limit)
        complete = all(outcome["complete"] for outcome in progress.outcomes.values())
        if job.attached and progress.had_ended:
            print_text(f"job {job.name}: it had ended before, and counted nothing now", out)
        for text in summary_lines(job.spec, progress):
            print_text(text, out)
        answer |= {"complete": complete, "attached": job.attached} | figures(job.spec, progress)
        more, outdated = _files_since(cluster, request, job)
        if as_json:
            print_json(answer | more)
        elif limit:
            print_words(answer["words"])
    return DONE if complete and not outdated else FAILED


def _delete_ended(cluster: Cluster, out: TextIO, name: str) -> None:
    """Delete a job that has ended. Raises JobError, HostError."""
    listing = job_list.ask(cluster)
    job_list.require_state(listing, name, running=False)
    later = job_list.delete(cluster, listing, [name])
    print_text(f"job {name}: deleted, to be counted anew", out)
    for host, reason in later.items():
        print_text(f"{host} will delete it once it is back ({reason})", out)


def _files_since(cluster: Cluster, request: Request, job: job_start.Job) -> tuple[Answer, bool]:
    """Of a job that was there before: {"files": how the files asked for differ from those that it
    counts, or None if a host does not say}, and whether they do. That is said on standard error.
    """
    if not job.attached or not request.input:
        return {}, False
    try:
        changes = revise_job.changes_since(cluster, job.spec)
    except HostError as error:
        print_text(
            f"job {job.name}: whether its files have changed is not known: {error}", sys.stderr
        )
        return {"files": None}, False
    outdated = changes != Revision()
    if outdated:
        print_text(outdated_line(job.name, changes), sys.stderr)
    files = {key: vars(changes)[key] for key in ("new", "changed", "deleted")}
    return {"files": files}, outdated


def _first_words(cluster: Cluster, job: str, limit: int) -> Answer:
    """As `top_words`, but a limit of 0 gives no word, and EVERY_WORD all, as 0 does on a host."""
    answer = top_words(cluster, job, 0 if limit == options.EVERY_WORD else max(1, limit))
    return answer | {"words": answer["words"][:limit]}


def job_request(
    inventory: Inventory,
    *,
    inputs: Sequence[str] | None,
    name: Typed,
    tokenizer: Typed,
    encoding_errors: Typed,
    split_size: Typed,
    local: bool,
    no_speculation: bool,
    write_quorum: Typed,
    workers: Typed,
    publish: Typed,
    update: bool,
) -> Request:
    """The options of `start-job`, checked, with the inventory's defaults. Raises UsageError."""
    if update and not name:
        raise UsageError("--update: name the job whose files have changed, --name NAME")
    if update and publish:
        raise UsageError(
            "--publish: a job keeps what it was started with; leave it out of --update"
        )
    if not inputs and not name:
        raise UsageError("--input is missing: name the files to count, --input '/path/*.txt'")
    if local and inventory.cluster.connection == "netns":
        raise UsageError("--local: the hosts of this cluster are one machine, and share its files")
    if workers is not None and (local or not inventory.job.shared_files):
        raise UsageError("--workers: each host counts its own files here, so all are needed")
    every = inventory.workers.per_host * len(inventory.hosts)
    defaults = inventory.job
    return Request(
        input=input_patterns.joined(inputs or ()),
        name=name or "",
        tokenizer=options.TOKENIZER.option("--tokenizer", tokenizer or defaults.tokenizer),
        encoding_errors=options.ENCODING_ERRORS.option(
            "--encoding-errors", encoding_errors or defaults.encoding_errors
        ),
        split_size=options.SPLIT_SIZE.option(
            "--split-size", str(defaults.split_size) if split_size is None else split_size
        ),
        shared=defaults.shared_files and not local,
        speculate=not no_speculation,
        write_quorum=(
            0  # the inventory's
            if write_quorum is None
            else count(1, len(inventory.replicas)).option("--write-quorum", write_quorum)
        ),
        workers=0 if workers is None else count(1, every).option("--workers", workers),
        publish=None if publish is None else options.PUBLISH.option("--publish", publish),
    )


def _interrupted(out: TextIO, job: str, as_json: bool) -> int:
    """After Ctrl-C: the job goes on. Raises Interrupted with `as_json`."""
    message = (
        f"job {job} goes on without us; come back with `fab start-job --name {job}`,"
        " or look with `fab status`"
    )
    if as_json:
        raise Interrupted(message) from None
    print_text(f"\n{message}", out)
    return INTERRUPTED


def _revise(
    inventory: Inventory,
    change: Callable[[Cluster], tuple[Answer, Revision]],
    *,
    limit: int,
    no_wait: bool,
    as_json: bool,
) -> int:
    """Revise a job's files, and follow it until every replica has the new counts."""
    out = sys.stderr if as_json else sys.stdout
    with Cluster(inventory) as cluster:
        spec, changes = change(cluster)
        name = spec["name"]
        print_text(revision_line(name, changes), out)
        answer: Answer = {"job": name, "files": asdict(changes)}
        complete = True
        if not no_wait:
            with progress_bar.reporter(out) as report:
                progress = follow(cluster, spec, report, anew=False)
            complete = all(outcome["complete"] for outcome in progress.outcomes.values())
            answer |= _first_words(cluster, name, limit) | {"complete": complete}
            state = "up to date" if complete else "incomplete (fab status names the dead splits)"
            print_text(f"job {name}: {state}", out)
        if as_json:
            print_json(answer)
        elif limit and not no_wait:
            from control.word_table import print_words  # noqa: PLC0415 - as above

            print_words(answer["words"])
    return DONE if complete else FAILED


def retract(
    inventory_path: Typed,
    *,
    inputs: Sequence[str] | None,
    job: Typed,
    no_wait: bool,
    as_json: bool,
) -> int:
    inventory = open_inventory(inventory_path)
    if not inputs:
        raise UsageError("--input is missing: name the files to retract, --input '/path/*.txt'")
    patterns = input_patterns.joined(inputs)
    return _revise(
        inventory,
        lambda cluster: revise_job.retract(cluster, job or "", patterns),
        limit=0,
        no_wait=no_wait,
        as_json=as_json,
    )


def retry_dead(inventory_path: Typed, *, job: Typed, as_json: bool) -> int:
    inventory = open_inventory(inventory_path)
    with Cluster(inventory) as cluster:
        spec, revived = job_start.retry_dead(cluster, job or "")
    name = spec["name"]
    if as_json:
        print_json({"job": name, "revived": revived})
    elif revived:
        print_text(
            f"job {name}: {plural(revived, 'split is', 'splits are')} tried again; "
            f"`fab start-job --name {name}` follows"
        )
    else:
        print_text(f"job {name}: no split is dead")
    return DONE
