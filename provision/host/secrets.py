"""The passwords of the cluster's Redis users: made once, kept on its hosts only, the same on all.

Facts have their SHA-256, which is also what Redis' ACL file has. A password itself passes through
the controller only when a host lacks one that another host has. None is made while any host has
one. When hosts differ, the password that most of them have is kept.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from provision.host.facts import Facts
from provision.host.redis_users import USERS

RANDOM_BYTES = 32


class Secrets:
    """A password for each user. Safe for threads.

    `hashes` are those of the passwords that hosts have: SHA-256 in hexadecimal, by user. The other
    users get new passwords. `fetch(user, hash)` reads a password from a host that has it.
    """

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
        """The user's password, fetched at the first need.

        Raises what `fetch` raises, and ValueError when the file has changed since the facts.
        """
        with self._lock:
            if user not in self._values:
                value = self._fetch(user, self.hashes[user])
                if hashlib.sha256(value).hexdigest() != self.hashes[user]:
                    raise ValueError(f"the {user} secret changed while it was read: run it again")
                self._values[user] = value
            return self._values[user]


def majority_hashes(
    facts_by_host: Mapping[str, Facts], path_of: Callable[[str, str], str]
) -> dict[str, str]:
    """SHA-256 by user, as most hosts have it; a user whose secret no host has is left out.

    `facts_by_host` is in the inventory's order, which decides a draw; `path_of(host, user)` is the
    path of a secret's file.
    """
    empty = hashlib.sha256(b"").hexdigest()
    hashes = {}
    for user in USERS:
        files = [facts.paths.get(path_of(host, user)) for host, facts in facts_by_host.items()]
        votes = Counter(file.sha256 for file in files if file and file.sha256 not in ("", empty))
        if votes:
            hashes[user] = votes.most_common(1)[0][0]
    return hashes


def missing_secrets(hashes: Mapping[str, str], facts: Iterable[Facts]) -> list[str]:
    """The users whose password a host that does not answer may have, as none of these `facts` has.

    A user that no ACL file here has, though there is one, is new with this version, and has no
    password yet.
    """
    files = [fact.redis_users for fact in facts if fact.redis_users]
    known = frozenset().union(*files) if files else frozenset(USERS)
    return [user for user in USERS if user not in hashes and user in known]
