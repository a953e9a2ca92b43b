"""Operations: generators that compare one thing a host should have with facts, and yield actions.

Each yields the actions that bring the thing about, or a NoOp with the reason for doing nothing, or
raises Refused. None touches a host or a clock, so the same generator serves `--check`, the real run
and tests by data.
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from provision.host.actions import Action, Command, NoOp, Put, Refused
from provision.host.fact_commands import PYTHON, unused_script
from provision.host.facts import Facts
from provision.host.layout import MARK

# Hosts that share a machine change it one at a time. The lock is on a folder that every machine
# has, so that no lock file is left behind.
MACHINE_LOCK = "flock /var/lib"
APT_SECONDS = 600
# apt waits for the lock of dpkg, not for those of its lists and archives, which a machine's daily
# update holds for minutes.
APT = """
apt() {
    polls=0
    until errors=$(apt-get -q -o DPkg::Lock::Timeout=300 -o Acquire::Retries=2 "$@" 2>&1); do
        polls=$((polls + 1))
        case $errors in *'Could not get lock'*) [ $polls -lt 240 ] && sleep 1 && continue ;; esac
        echo "$errors" >&2
        return 1
    done
}
"""
APT_INSTALL = """
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d
# Keep Debian from starting a stock Redis on the port ours will use.
if [ ! -e $policy ] || grep -qs 'faultline' $policy; then
    printf '#!/bin/sh\\n# faultline: no service starts meanwhile\\nexit 101\\n' >$policy
    chmod 755 $policy
    trap 'rm -f $policy' EXIT
fi
apt update && apt install -y --no-install-recommends {names} || exit 1
{after}
"""


def packages(facts: Facts, names: Iterable[str]) -> Iterator[Action]:
    """Debian packages are installed, and the services they bring are kept from starting."""
    missing = [name for name in names if name not in facts.packages]
    if not missing:
        yield NoOp("packages are installed")
        return
    after = ":"
    if facts.systemd and "redis-server" in missing:
        after = "systemctl disable --quiet redis-server || :"
    script = APT + APT_INSTALL.format(names=" ".join(missing), after=after)
    yield Command(
        f"install {', '.join(missing)}",
        f"{MACHINE_LOCK} sh -c {shlex.quote(script)}",
        outside=True,
        timeout=APT_SECONDS,
    )


def cluster_user(facts: Facts, name: str, comment: str) -> Iterator[Action]:
    """A system user is there; its comment marks it as the cluster's, to be removed with it.

    Raises Refused for one of that name without the comment: it is somebody else's.
    """
    user = facts.users.get(name)
    if user and user.comment != comment:
        raise Refused(
            f"user {name} is there and provision did not make it (its comment is"
            f' "{user.comment}", not "{comment}"): choose another cluster name, or remove the user'
        )
    if user:
        yield NoOp(f"user {name} exists")
        return
    # A group of that name is left where a user was removed by hand.
    create = f"""
id -u {name} >/dev/null 2>&1 && exit 0
group=--user-group
if line=$(getent group {name}); then
    group='--gid {name}'
    if [ -n "${{line##*:}}" ]; then
        echo "there is a group {name}, with members ${{line##*:}}: remove it (groupdel {name})" >&2
        exit 1
    fi
fi
useradd --system $group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin \\
    --comment {shlex.quote(comment)} {name}
"""
    yield Command(f"create user {name}", f"{MACHINE_LOCK} sh -c {shlex.quote(create)}")


def existing_user(facts: Facts, name: str) -> Iterator[Action]:
    """A user made by somebody else is there: it is never created or removed."""
    if name not in facts.users:
        raise Refused(
            f'[workers] user = "{name}": no such user on this host: create it, or leave the key'
            " out and the cluster makes its own"
        )
    if facts.users[name].uid == "0":
        raise Refused(
            f'[workers] user = "{name}": is root on this host (its number is 0), and workers must'
            " not be: name another user, or leave the key out"
        )
    yield NoOp(f"user {name} exists")


def base_folder(facts: Facts, path: str) -> Iterator[Action]:
    """The folder of all clusters is there. A file in it marks it as made, and removable, by us.

    Raises Refused where others than root could put another folder in its place.
    """
    if facts.exposed:
        raise Refused(
            f"data folder {path}: others than root may change {', '.join(sorted(facts.exposed))},"
            " and root would work on what they put there: choose another `data`, or take their"
            " right to write away"
        )
    if path in facts.paths:
        yield NoOp(f"{path} exists")
        return
    yield Command(f"create {path}", f"{MACHINE_LOCK} sh -c {shlex.quote(_marked(path))}")


def cluster_folder(facts: Facts, base: str, path: str) -> Iterator[Action]:
    """A cluster's folder is there. Its base is made again if another cluster just removed it."""
    for action in marked_folder(facts, path):
        if isinstance(action, Command):
            script = f"{_marked(base)} && {action.command}"
            yield replace(action, command=f"{MACHINE_LOCK} sh -c {shlex.quote(script)}")
        else:
            yield action


def marked_folder(facts: Facts, path: str) -> Iterator[Action]:
    """A folder of ours is there, with the mark without which `destroy` would not touch it.

    Raises Refused for one that provision did not make.
    """
    if path in facts.foreign:
        raise Refused(
            f"{path} is there and has no {MARK} in it: provision did not make it, and touches"
            " nothing in it: move it away, or choose another `data` folder or cluster name"
        )
    mark = f"touch {path}/{MARK}"
    (action,) = directory(facts, path, "root", "root", 0o755)
    if isinstance(action, Command):
        yield replace(action, command=f"{action.command} && {mark}")
    elif f"{path}/{MARK}" not in facts.paths:
        yield Command(f"mark {path} as made by provision", mark)
    else:
        yield action


def _marked(base: str) -> str:
    make = f"mkdir -p {base} && chmod 755 {base} && touch {base}/{MARK}"
    return f"{{ [ -d {base} ] || {{ {make}; }}; }}"


def directory(facts: Facts, path: str, owner: str, group: str, mode: int) -> Iterator[Action]:
    current = facts.paths.get(path)
    if current and current.kind != "directory":
        raise Refused(f"{path} is a {current.kind}, not a directory: move it away, run it again")
    if current and (current.mode, current.owner, current.group) == (f"{mode:o}", owner, group):
        yield NoOp(f"{path} is right")
        return
    why = f"owner and mode of {path}" if current else f"create {path}"
    yield Command(why, f"install -d -o {owner} -g {group} -m {mode:o} {path}")


def file(
    facts: Facts,
    path: str,
    content: bytes | Callable[[], bytes],
    *,
    sha256: str | None = None,
    owner: str = "root",
    group: str = "root",
    mode: int = 0o644,
    secret: bool = False,
    notify: tuple[str, ...] = (),
) -> Iterator[Action]:
    """A file has exactly this content, owner and mode.

    A secret that the controller need not have is given as a function, with its content's `sha256`:
    the function is called only when the host lacks the file.
    """
    if isinstance(content, bytes):
        sha256 = hashlib.sha256(content).hexdigest()
    current = facts.paths.get(path)
    if current and current.kind == "directory":
        raise Refused(f"{path} is a directory, not a file: move it away, run it again")
    if not current or current.kind != "file" or current.sha256 != sha256:
        why = f"change {path}" if current else f"create {path}"
        whole = content if isinstance(content, bytes) else content()
        yield Put(why, path, whole, owner, group, mode, secret, notify)
    elif (current.mode, current.owner, current.group) == (f"{mode:o}", owner, group):
        yield NoOp(f"{path} is right")
    else:
        quoted = shlex.quote(path)
        yield Command(
            f"owner and mode of {path}",
            f"chown {owner}:{group} {quoted} && chmod {mode:o} {quoted}",
        )


def link(facts: Facts, path: str, target: str) -> Iterator[Action]:
    """A symbolic link points to `target`; a link is replaced atomically."""
    current = facts.paths.get(path)
    if current and current.kind == "directory":
        raise Refused(f"{path} is a directory, not a link: move it away, run it again")
    if current and current.target == target:
        yield NoOp(f"{path} points to {target}")
        return
    new = f"{path}.new"
    yield Command(f"point {path} to {target}", f"ln -sfn {target} {new} && mv -fT {new} {path}")


def set_aside(path: str) -> Iterator[Action]:
    """What Redis saved, and cannot read any more, is not in its way; it is kept."""
    yield Command(
        f"set the damaged {path} aside: Redis starts without, and its peers fill it",
        f"[ ! -e {path} ] || mv -T {path} {path}.damaged-$(date +%Y%m%d-%H%M%S)",
    )


def environment(facts: Facts, name: str, content: bytes, folder: str, run: str) -> Iterator[Action]:
    """The Python environment `name` is installed below `folder`, from a bundle sent to `run`."""
    target = f"{folder}/{name}"
    if name in facts.environments:
        yield NoOp(f"{target} is installed")
        return
    bundle = f"{run}/environment.pyz"
    yield Put(f"send the Python environment {name}", bundle, content)
    # The installation that a killed run began may end first, and remove the bundle.
    script = f"[ -e {target}/.complete ] || {PYTHON} -I {bundle} {target} && rm -f {bundle}"
    yield Command(f"install {target}", f"flock {folder} sh -c {shlex.quote(script)}", timeout=300)


def unused_environments(facts: Facts, cluster_folder: str, current: str) -> Iterator[Action]:
    """No Python environment is left that no host links to and no process runs from.

    With stale facts any other environment may be unused, which the command itself then finds out.
    """
    others = facts.environments - {current}
    if not (others if facts.stale else facts.unused_environments):
        yield NoOp("no environment is unused")
        return
    script = f"{unused_script(cluster_folder)} | sed 's#^#{cluster_folder}/env/#' | xargs -r rm -rf"
    yield Command(
        "remove environments no longer used",
        f"flock {cluster_folder}/env sh -c {shlex.quote(script)}",
    )


def port_is_free(facts: Facts, folder: str, address: str, port: int) -> Iterator[Action]:
    """Only processes of this data folder listen on the port of Redis. Raises Refused otherwise."""
    addresses = {address, "0.0.0.0", "*", "[::]"}  # noqa: S104 - compared with, not bound to
    for listener in facts.listeners:
        if listener.address in addresses and not f"{listener.folder}/".startswith(f"{folder}/"):
            raise Refused(
                f"port {port} on {listener.address} is taken by {listener.process}, which is not"
                " ours: stop it, or choose another [redis] port"
            )
    yield NoOp(f"port {port} is ours to use")
