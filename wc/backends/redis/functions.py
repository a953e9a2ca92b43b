"""The Redis function library: where its source is, and how it gets into a Redis.

The library carries its own version, the hash of its source, in a function's name
(``wc_v_HASH``), so that a replica can be asked cheaply which version it has.
"""

from __future__ import annotations

import hashlib
from importlib import resources
from typing import Any

import redis

NAME = "wc"
#: The parts in ``lua/``, in the order in which they build on each other.
PARTS = (
    "schema", "merge", "compaction", "queue", "claim", "commit", "takeover", "speculation", "job",
)  # fmt: skip


def _text() -> str:
    folder = resources.files("wc.backends").joinpath("lua")
    parts = [folder.joinpath(f"{part}.lua").read_text(encoding="utf-8") for part in PARTS]
    return "\n".join([f"#!lua name={NAME}", *parts])


def version() -> str:
    """The version this program wants, 16 hex digits."""
    return hashlib.sha256(_text().encode()).hexdigest()[:16]


def source() -> str:
    """The library's text, with the version function appended."""
    return (
        f"{_text()}\nredis.register_function({{ function_name = 'wc_v_{version()}', "
        "callback = function() return 1 end, flags = { 'no-writes' } })\n"
    )


def loaded_version(client: redis.Redis) -> str | None:
    """The version a Redis has, or None."""
    for library in client.function_list(library=NAME):
        for function in _field(library, b"functions"):
            name: str = _field(function, b"name").decode()
            if name.startswith("wc_v_"):
                return name.removeprefix("wc_v_")
    return None


def load(client: redis.Redis) -> bool:
    """Load the library if its version differs. True if it was loaded now."""
    if loaded_version(client) == version():
        return False
    client.function_load(source(), replace=True)
    return True


def is_missing(error: Exception) -> bool:
    """Whether a call failed because the Redis lost its functions (a crash before a save)."""
    return "Function not found" in str(error)


def _field(flat: Any, name: bytes) -> Any:
    """A field of FUNCTION LIST's reply, which RESP2 gives as a flat list of names and values."""
    return flat[flat.index(name) + 1]
