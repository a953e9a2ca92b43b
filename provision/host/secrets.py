"""The cluster's passwords: made once, kept only on its hosts, the same on all of them.

Facts carry their SHA-256, which is also what Redis' ACL file wants; a password itself passes
through the controller only when a host lacks one that another has. None is made while any host
has one. Should hosts disagree, the one most of them have wins.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections import Counter
from collections.abc import Callable, Mapping

from provision.host.facts import Facts
from provision.host.redis_users import USERS

RANDOM_BYTES = 32


class Secrets:
    """`hashes` by user; `value(user)` is made or fetched at first need. Safe for threads."""

    def __init__(self, hashes: dict[str, str], fetch: Callable[[str, str], bytes]) -> None:
        self._fetch = fetch
        self._lock = threading.Lock()
        self._values: dict[str, bytes] = {}
        self.hashes = dict(hashes)
        for user in USERS:
            if user not in self.hashes:
                value = secrets.token_urlsafe(RANDOM_BYTES).encode()
                self._values[user] = value
                self.hashes[user] = hashlib.sha256(value).hexdigest()

    def value(self, user: str) -> bytes:
        """The password. Raises what fetching it from the host that has it raises."""
        with self._lock:
            if user not in self._values:
                value = self._fetch(user, self.hashes[user])
                if hashlib.sha256(value).hexdigest() != self.hashes[user]:
                    raise ValueError(f"the {user} secret changed while it was read: run it again")
                self._values[user] = value
            return self._values[user]


def agreed(found: Mapping[str, Facts], path_of: Callable[[str, str], str]) -> dict[str, str]:
    """Hashes by user, as most hosts have them; users that no host has are left out.

    `found` has facts by host name in the inventory's order, `path_of(host, user)` the file's path.
    """
    empty = hashlib.sha256(b"").hexdigest()
    result = {}
    for user in USERS:
        held = [facts.paths.get(path_of(host, user)) for host, facts in found.items()]
        votes = Counter(fact.sha256 for fact in held if fact and fact.sha256 not in ("", empty))
        if votes:
            result[user] = votes.most_common(1)[0][0]  # of equals, the first in the inventory
    return result
