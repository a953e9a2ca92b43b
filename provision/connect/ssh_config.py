"""How a host is reached by SSH: the inventory, and what it leaves open from the ssh_config files.

OpenSSH itself resolves these (`ssh -G`), with all its patterns, includes and tokens. Where there is
no `ssh` there is no ssh_config either.
"""

from __future__ import annotations

import getpass
import re
import shlex
import subprocess
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from provision.connect.known_hosts import name_of
from provision.inventory.model import Host

CONFIG = """
Include {home}/.ssh/config
Include /etc/ssh/ssh_config
Match all
User root
"""
SECONDS = 30


@dataclass(frozen=True)
class Target:
    """Where sshd answers, and how to log in there.

    `name`: how known_hosts has the host. `keys`: files with private keys, to be tried in turn.
    `agent`: whether the agent's keys are tried besides. `proxy_command`: "" for none.
    """

    address: str
    port: int
    user: str
    name: str
    keys: tuple[str, ...]
    agent: bool
    proxy_command: str


@lru_cache(maxsize=256)
def target(host: Host) -> Target:
    """Raises ValueError, with OpenSSH's words, when it does not accept its configuration."""
    given = {"Port": host.port, "User": host.user, "ProxyCommand": host.proxy_command}
    options = [f"-o{key}={value}" for key, value in given.items() if value]
    try:
        done = subprocess.run(
            ["ssh", "-G", "-F", "/dev/stdin", *options, "--", host.ssh_address],
            input=CONFIG.format(home=Path.home()),
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )
    except FileNotFoundError:
        lines = []
    else:
        if done.returncode != 0:
            raise ValueError(f"ssh -G {host.ssh_address}: {done.stderr.strip()}")
        lines = [line.split(" ", 1) for line in done.stdout.splitlines() if " " in line]
    config = dict(lines)
    address = config.get("hostname", host.ssh_address)
    port = int(config.get("port", host.port or 22))
    user = config.get("user", host.user or "root")
    alias = config.get("hostkeyalias", "none")
    name = alias if alias != "none" else name_of(address, port)
    tokens = {
        "%": "%",
        "d": str(Path.home()),
        "h": address,
        "n": host.ssh_address,
        "p": str(port),
        "r": user,
        "u": getpass.getuser(),
    }
    files = [
        str(Path(_expand(value, tokens)).expanduser())
        for key, value in lines
        if key == "identityfile"
    ]
    return Target(
        address=address,
        port=port,
        user=user,
        name=name,
        keys=tuple(file for file in files if Path(file).is_file()),
        agent=config.get("identitiesonly", "no") == "no",
        proxy_command=_expand(_proxy_command(config) or host.proxy_command, tokens),
    )


def _proxy_command(config: dict[str, str]) -> str:
    """The command of ProxyCommand, or the one that OpenSSH makes of ProxyJump; "" for neither."""
    *before, last = config.get("proxyjump", "none").split(",")
    if last != "none":
        first = f"-J {shlex.quote(','.join(before))} " if before else ""
        url = last if last.startswith("ssh://") else f"ssh://{last}"
        return f"ssh -o BatchMode=yes {first}-W [%h]:%p {shlex.quote(url)}"
    command = config.get("proxycommand", "none")
    return command if command != "none" else ""


def _expand(text: str, tokens: dict[str, str]) -> str:
    """OpenSSH leaves these to who opens the connection."""
    return re.sub("%(.)", lambda match: tokens.get(match[1], match[0]), text)
