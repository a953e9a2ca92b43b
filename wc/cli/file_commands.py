"""The commands of `python -m wc` that ask the host's disk alone.

Nothing here imports Redis' client, which takes longer than all else that these answers do.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

from wc.cli.follow import watch
from wc.core.config import Config
from wc.core.printable import printable
from wc.inputs import expand, globs, split_reader
from wc.inputs.expand import InputError
from wc.jobs import plan_progress
from wc.jobs.folder import JobFolder
from wc.jobs.manifest import InputFile, ManifestError
from wc.jobs.planning import entries_of, first_manifest
from wc.jobs.spec import JobSpec, SpecError

Answer = dict[str, Any]

#: Errors that refuse a request; the message says why.
REFUSALS = (InputError, ManifestError, SpecError, ValueError, FileNotFoundError)


def _plan(cfg: Config, options: argparse.Namespace) -> Answer:
    gc.disable()  # it takes longer than all else where files are many, and finds nothing
    with plan_progress.writing(cfg.jobs) as progress:
        files = expand.expand_all(
            options.input.split("\n"),
            options.tokenizer,
            none_ok=options.none_ok,
            progress=progress,
        )
    return {
        "host": cfg.host,
        "bytes": sum(file.size for file in files),
        "files": [file[:-1] for file in files],
    }


def _planning(cfg: Config, _: argparse.Namespace) -> Answer:
    return {"files": plan_progress.read(cfg.jobs)}


def _request(*needed: str) -> Answer:
    """The JSON object on standard input. Raises ValueError, which says what is wrong with it."""
    gc.disable()  # as for the plan
    try:
        request = json.load(sys.stdin)
    except ValueError as error:
        raise ValueError(f"standard input is no JSON: {error}") from None
    if not isinstance(request, dict) or not request.keys() >= set(needed):
        raise ValueError(f"standard input is no JSON object with {', '.join(needed)}")
    return request


def _prepare(cfg: Config, options: argparse.Namespace) -> Answer:
    request = _request("spec", "files")
    spec = JobSpec.from_json(json.dumps(request["spec"]))
    folder = JobFolder(cfg.jobs / spec.name)
    files = first_manifest(request, spec.split_bytes)
    folder.prepare(spec, files, request.get("peers", {}), activate=options.activate)
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
    matchers = [globs.matcher(pattern) for pattern in options.input.split("\n")]
    return {
        "host": cfg.host,
        "revision": files.revision,
        "files": [
            f[:-1]
            for f in files.live
            if not options.input or any(matches(f.path) for matches in matchers)
        ],
    }


def _revise(cfg: Config, options: argparse.Namespace) -> Answer:
    """Prepare a revision of this origin's files."""
    request = _request("revision", "retracted", "files")
    folder = JobFolder(cfg.jobs / options.job)
    before = folder.manifest()
    _require_unchanged(before.recounted(request["retracted"]), options.job)
    added = entries_of(request, before.split_bytes)
    after = before.revise(int(request["revision"]), request["retracted"], added)
    folder.prepare_revision(after)
    return {
        "job": options.job,
        "counted": after.total - before.total,
        "retracted_splits": len(after.retracted()) - len(before.retracted()),
    }


def _require_unchanged(files: list[InputFile], job: str) -> None:
    """Refuse a revision that recounts files which are not there as they were counted."""
    for file in files:
        try:
            split_reader.require_unchanged(file.path, file)
        except OSError as error:
            reason = error if isinstance(error, split_reader.InputChanged) else error.strerror
            raise InputError(
                f"{printable(file.path)} shares a split with a file to be retracted and would be "
                f"counted again, but is not there as it was counted ({reason}); first "
                f"`fab start-job --update --name {job}`, which retracts what changed or is gone"
            ) from None


def _watch(cfg: Config, options: argparse.Namespace) -> Iterator[Answer]:
    yield from watch(cfg, options.job)


ANSWERS: dict[str, Callable[[Config, argparse.Namespace], Answer | Iterator[Answer]]] = {
    "plan": _plan,
    "planning": _planning,
    "prepare": _prepare,
    "activate": _activate,
    "files": _files,
    "revise": _revise,
    "watch": _watch,
}
