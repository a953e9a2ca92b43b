"""Every command a person types: parse, call, print. `fab -l` lists them, `fab --help NAME` tells.

Exit codes: 0 done; 1 a check failed or a job is incomplete; 2 wrong usage or could not tell.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from fabric import Connection, task
from invoke.exceptions import Exit

from provision import commands as hosts

INVENTORY = {"inventory": "the cluster (default: $FAULTLINE_INVENTORY, or inventory.toml here)"}
LIMIT = {"limit": "only these hosts: h1,h2"}
JSON = {"json": "one JSON object on standard output, messages on standard error"}


def finish(call: Callable[[], int]) -> None:
    """Turn a command's exit code, or its error, into ours. FAULTLINE_DEBUG=1 shows tracebacks."""
    try:
        code = call()
    except hosts.UsageError as error:
        raise Exit(str(error), code=2) from None
    except KeyboardInterrupt:
        raise Exit("interrupted: run it again to finish", code=130) from None
    except Exception as error:
        if os.environ.get("FAULTLINE_DEBUG") == "1":
            raise
        message = f"{type(error).__name__}: {error} (FAULTLINE_DEBUG=1 shows where)"
        raise Exit(message, code=2) from None
    sys.stdout.flush()
    if code:
        raise Exit(code=code)


@task(
    name="provision",
    help={
        **INVENTORY,
        **LIMIT,
        **JSON,
        "check": "tell what would change, change nothing",
        "diff": "show how files differ",
    },
)
def provision_task(
    c: Connection,
    inventory: str | None = None,
    limit: str | None = None,
    check: bool = False,
    diff: bool = False,
    json: bool = False,
) -> None:
    """Bring the hosts to the wanted state; run it again and nothing changes.

    Example: fab provision --check --diff --limit h1,h2
    """
    finish(lambda: hosts.provision(inventory, limit, check=check, diff=diff, as_json=json))


@task(
    name="destroy",
    help={**INVENTORY, **LIMIT, **JSON, "yes": "do not ask"},
)
def destroy_task(
    c: Connection,
    inventory: str | None = None,
    limit: str | None = None,
    yes: bool = False,
    json: bool = False,
) -> None:
    """Remove what provision made, and nothing else. Packages stay.

    Example: fab destroy --yes
    """
    finish(lambda: hosts.destroy(inventory, limit, yes=yes, as_json=json))
