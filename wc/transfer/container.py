"""The container of a state file: a tar of named members, with a head and an end. No Redis here.

The end is a member too, and says how many there are: so a file that was cut between two members is
recognised. Members are read one after the other and never unpacked onto a disk.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

VERSION = 1
HEAD, END = "state.json", "end.json"
SUM_BYTES = 16


class StateError(ValueError):
    """The file is not a state file, or damaged, or truncated; the message names the member."""


class MemberWriter:
    """Writes members to ``out``. A file without ``close`` is refused when read. Raises OSError."""

    def __init__(self, out: BinaryIO, replica: str) -> None:
        self._tar: Any = tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT)  # noqa: SIM115
        self._count = 0
        self.document(HEAD, {"format": VERSION, "replica": replica})

    def document(self, name: str, content: dict[str, Any]) -> None:
        """A member that is JSON, with a checksum."""
        self.add(name, json.dumps({"sum": _sum(content), "content": content}).encode())

    def add(self, name: str, data: bytes) -> None:
        """A member whose bytes have a checksum of their own."""
        member = tarfile.TarInfo(name)
        member.size = len(data)
        self._tar.addfile(member, io.BytesIO(data))
        self._tar.members = []  # it would remember every member
        self._count += 1

    def close(self) -> None:
        self.document(END, {"members": self._count})
        self._tar.close()


def members(path: Path) -> Iterator[tuple[str, bytes]]:
    """Name and content of each member between head and end, which are checked here.

    Raises StateError, after the members before the damage; OSError if it cannot be read.
    """
    last, count = "", 0
    with path.open("rb") as file:
        length = os.fstat(file.fileno()).st_size
        try:
            tar: Any = tarfile.open(fileobj=file, mode="r:")  # noqa: SIM115 - `file` is closed
        except (tarfile.TarError, ValueError) as error:
            raise StateError(f"not a state file: {error}") from None
        while True:
            try:
                member = tar.next()
            except (tarfile.TarError, ValueError) as error:
                raise damaged(f"after {last}", error) from None
            if member is None:
                raise StateError(
                    f"state file truncated or damaged: after member {last} no other can be read, "
                    f"and {END} did not come yet"
                )
            tar.members = []  # it would remember every member
            last, data = member.name, _data(tar, member, length)
            if count == 0:
                _require_head(last, data)
            elif last == END:
                _require_end(data, count)
                return
            else:
                yield last, data
            count += 1


def content(data: bytes) -> dict[str, Any]:
    """The content of a document. Raises ValueError, KeyError, TypeError."""
    document = json.loads(data)
    found = document["content"]
    if not isinstance(found, dict) or document["sum"] != _sum(found):
        raise StateError("its checksum does not match")
    return found


def damaged(member: str, error: Exception) -> StateError:
    reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
    return StateError(f"state file damaged at member {member}: {reason}")


def _sum(found: dict[str, Any]) -> str:
    text = json.dumps(found, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=SUM_BYTES).hexdigest()


def _data(tar: tarfile.TarFile, member: tarfile.TarInfo, length: int) -> bytes:
    if member.offset_data + member.size > length:
        raise damaged(member.name, StateError("truncated: the file ends inside it"))
    stream = tar.extractfile(member) if member.isreg() else None
    if stream is None:
        raise damaged(member.name, StateError("not a plain file"))
    return stream.read()


def _require_head(name: str, data: bytes) -> None:
    if name != HEAD:
        raise StateError(f"not a state file: it begins with member {name} and not {HEAD}")
    try:
        version = content(data)["format"]
    except (ValueError, KeyError, TypeError) as error:
        raise damaged(HEAD, error) from None
    if version != VERSION:
        raise StateError(
            f"state file of format {version!r} (member {HEAD}): this reads {VERSION}; "
            "run `fab provision` from the version that wrote it, then merge the file again"
        )


def _require_end(data: bytes, count: int) -> None:
    try:
        expected = content(data)["members"]
        if expected != count:
            raise StateError(f"{expected} members were written, {count} are there")
    except (ValueError, KeyError, TypeError) as error:
        raise damaged(END, error) from None
