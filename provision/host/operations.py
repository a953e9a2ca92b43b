"""Operations: generators that compare one wanted thing with the facts and yield actions.

Each yields what is missing, or a NoOp with the reason for doing nothing. They touch no host and
no clock, so the same generator serves `--check`, the real run, and tests by data.
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from provision.host.actions import Action, Command, NoOp, Put, Refused
from provision.host.fact_commands import PYTHON, unused_script
from provision.host.facts import Facts

# Several hosts of a cluster may share a machine; what they do to it is done one at a time. The
# lock is on a directory that is always there, so it leaves nothing behind.
MACHINE_LOCK = "flock /var/lib"
APT_SECONDS = 600
APT_INSTALL = """
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d
# Keep Debian from starting a stock Redis on the port ours will use.
if [ ! -e $policy ] || grep -qs 'faultline' $policy; then
    printf '#!/bin/sh\\n# faultline: no service starts meanwhile\\nexit 101\\n' >$policy
    chmod 755 $policy
    trap 'rm -f $policy' EXIT
fi
apt='apt-get -q -o DPkg::Lock::Timeout=300 -o Acquire::Retries=2'
$apt update && $apt install -y --no-install-recommends {names} || exit 1
{after}
"""


def packages(facts: Facts, names: Iterable[str]) -> Iterator[Action]:
    """Debian packages, installed when missing; services they bring are kept from starting."""
    missing = [name for name in names if name not in facts.packages]
    if not missing:
        yield NoOp("packages are installed")
        return
    after = ":"
    if facts.systemd and "redis-server" in missing:
        after = "systemctl disable --quiet redis-server || :"
    script = APT_INSTALL.format(names=" ".join(missing), after=after)
    yield Command(
        f"install {', '.join(missing)}",
        f"{MACHINE_LOCK} sh -c {shlex.quote(script)}",
        outside=True,
        timeout=APT_SECONDS,
    )


def own_user(facts: Facts, name: str, comment: str) -> Iterator[Action]:
    """A system user of ours, recognised by its comment so that only ours are ever removed."""
    if name in facts.users:
        yield NoOp(f"user {name} exists")
        return
    create = (
        f"id -u {name} >/dev/null 2>&1 || useradd --system --user-group --no-create-home"
        " --home-dir /nonexistent --shell /usr/sbin/nologin"
        f" --comment {shlex.quote(comment)} {name}"
    )
    yield Command(f"create user {name}", f"{MACHINE_LOCK} sh -c {shlex.quote(create)}")


def named_user(facts: Facts, name: str) -> Iterator[Action]:
    """A user somebody else made: used, never created or removed. Refused when missing."""
    if name not in facts.users:
        raise Refused(
            f'[workers] user = "{name}": no such user on this host: create it, or leave the key'
            " out and the cluster makes its own"
        )
    yield NoOp(f"user {name} exists")


def base_folder(facts: Facts, path: str) -> Iterator[Action]:
    """The folder clusters live in. A mark tells later that we made it, and may remove it."""
    if path in facts.paths:
        yield NoOp(f"{path} exists")
        return
    yield Command(f"create {path}", f"{MACHINE_LOCK} sh -c {shlex.quote(_marked(path))}")


def cluster_folder(facts: Facts, base: str, path: str) -> Iterator[Action]:
    """A cluster's folder below that one, which another cluster's end may just have taken away."""
    for action in directory(facts, path, "root", "root", 0o755):
        if isinstance(action, Command):
            script = f"{_marked(base)} && {action.command}"
            yield replace(action, command=f"{MACHINE_LOCK} sh -c {shlex.quote(script)}")
        else:
            yield action


def _marked(base: str) -> str:
    make = f"mkdir -p {base} && chmod 755 {base} && touch {base}/.faultline"
    return f"{{ [ -d {base} ] || {{ {make}; }}; }}"


def directory(facts: Facts, path: str, owner: str, group: str, mode: int) -> Iterator[Action]:
    found = facts.paths.get(path)
    if found is not None and found.kind != "directory":
        raise Refused(f"{path} is a {found.kind}, not a directory: move it away, run it again")
    wanted = (f"{mode:o}", owner, group)
    if found is not None and (found.mode, found.owner, found.group) == wanted:
        yield NoOp(f"{path} is as wanted")
        return
    why = f"create {path}" if found is None else f"owner and mode of {path}"
    yield Command(why, f"install -d -o {owner} -g {group} -m {mode:o} {path}")


def file(
    facts: Facts,
    path: str,
    content: bytes,
    *,
    owner: str = "root",
    group: str = "root",
    mode: int = 0o644,
    secret: bool = False,
    notify: tuple[str, ...] = (),
) -> Iterator[Action]:
    """A file with exactly this content, owner and mode."""
    yield from _file(
        facts, path, digest(content), lambda: content, owner, group, mode, secret, notify
    )


def secret_file(
    facts: Facts,
    path: str,
    sha256: str,
    content: Callable[[], bytes],
    *,
    owner: str,
    group: str,
    notify: tuple[str, ...] = (),
) -> Iterator[Action]:
    """A file for its owner's eyes only; `content` is called only when the host needs it."""
    yield from _file(facts, path, sha256, content, owner, group, 0o600, True, notify)


def _file(
    facts: Facts,
    path: str,
    sha256: str,
    content: Callable[[], bytes],
    owner: str,
    group: str,
    mode: int,
    secret: bool,
    notify: tuple[str, ...],
) -> Iterator[Action]:
    found = facts.paths.get(path)
    if found is not None and found.kind == "directory":
        raise Refused(f"{path} is a directory, not a file: move it away, run it again")
    is_file = found is not None and found.kind == "file"
    same_content = is_file and found is not None and found.sha256 == sha256
    wanted = (f"{mode:o}", owner, group)
    if same_content and found is not None and (found.mode, found.owner, found.group) == wanted:
        yield NoOp(f"{path} is as wanted")
    elif same_content:
        quoted = shlex.quote(path)
        yield Command(
            f"owner and mode of {path}",
            f"chown {owner}:{group} {quoted} && chmod {mode:o} {quoted}",
        )
    else:
        why = f"create {path}" if found is None else f"change {path}"
        yield Put(why, path, content(), owner, group, mode, secret, notify)


def link(facts: Facts, path: str, target: str) -> Iterator[Action]:
    """A symbolic link, replaced in one step."""
    found = facts.paths.get(path)
    if found is not None and found.kind == "directory":
        raise Refused(f"{path} is a directory, not a link: move it away, run it again")
    if found is not None and found.target == target:
        yield NoOp(f"{path} points to {target}")
        return
    aside = f"{path}.new"
    yield Command(f"point {path} to {target}", f"ln -sfn {target} {aside} && mv -fT {aside} {path}")


def environment(facts: Facts, name: str, content: bytes, folder: str, run: str) -> Iterator[Action]:
    """The Python environment `name` below `folder`, installed from its bundle by way of `run`."""
    target = f"{folder}/{name}"
    if name in facts.environments:
        yield NoOp(f"{target} is installed")
        return
    carried = f"{run}/environment.pyz"
    yield Put(f"send the Python environment {name}", carried, content)
    # What a killed run began may end meanwhile, and take the bundle away: then all is done.
    script = f"[ -e {target}/.complete ] || {PYTHON} -I {carried} {target} && rm -f {carried}"
    yield Command(f"install {target}", f"flock {folder} sh -c {shlex.quote(script)}", timeout=300)


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def unused_environments(facts: Facts, cluster_folder: str, current: str) -> Iterator[Action]:
    """Environments no host is linked to and no process runs from are removed.

    When the facts are stale, what is unused is found out on the host at that moment.
    """
    others = facts.environments - {current}
    if not (others if facts.stale else facts.unused):
        yield NoOp("no environment is unused")
        return
    script = f"{unused_script(cluster_folder)} | sed 's#^#{cluster_folder}/env/#' | xargs -r rm -rf"
    yield Command(
        "remove environments no longer used",
        f"flock {cluster_folder}/env sh -c {shlex.quote(script)}",
    )
