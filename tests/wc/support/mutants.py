"""Planted bugs: small changes of the function library or of Python that random histories must
catch. If one survives, the histories have grown too tame, or the check too weak."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from types import SimpleNamespace
from typing import Any

from wc.backends.redis import functions


@dataclass(frozen=True)
class LuaBug:
    """``old``, which stands once in the library, becomes ``new``."""

    name: str
    old: str
    new: str

    def source(self) -> str:
        """The changed library. Raises ValueError if what is to be changed has changed itself."""
        text = functions.source()
        found = len(re.findall(re.escape(self.old), text))
        if found != 1:
            raise ValueError(f"{self.name}: {self.old!r} is there {found} times, 1 expected")
        return text.replace(self.old, self.new)


@dataclass(frozen=True)
class PythonBug:
    """``attribute`` of ``where``, a module or "module:Class", becomes ``wrong`` of what it was."""

    name: str
    where: str
    attribute: str
    wrong: Callable[[Any], Any]

    def target(self) -> Any:
        module, _, owner = self.where.partition(":")
        found = import_module(module)
        return getattr(found, owner) if owner else found


LUA = (
    LuaBug(
        "a duplicate is applied again",
        "    result[i] = redis.call('SETBIT', r.applied, seq, 1) == 0\n",
        "    redis.call('SETBIT', r.applied, seq, 1)\n    result[i] = true\n",
    ),
    LuaBug(
        "the digest does not cover the content",
        "(origin .. '/' .. seq .. '/' .. string.sub(delta, SUM_FIRST, SUM_LAST))",
        "(origin .. '/' .. seq .. '/')",
    ),
    LuaBug(
        "the digest does not cover what is retracted",
        "  redis.call('SETBIT', r.retracted, seq, 1)\n"
        "  note_digest(r, origin, mark_digest(origin, seq))\n",
        "  redis.call('SETBIT', r.retracted, seq, 1)\n",
    ),
    LuaBug(
        "a dot that is retracted does not look for itself in the base",
        "  if tonumber(seq) <= through then\n    if delta == '' then",
        "  if false then\n    if delta == '' then",
    ),
    LuaBug(
        "a dot that comes after its retraction stays counted as void",
        "        redis.call('HINCRBY', r.voids, origin, -1)\n      end\n      if deaths",
        "      end\n      if deaths",
    ),
    LuaBug(
        "a dot inside a new base stays counted as void",
        "      if redis.call('GETBIT', r.applied, seq) == 0 then\n"
        "        redis.call('HINCRBY', r.voids, origin, -1)\n      end\n",
        "",
    ),
    LuaBug(
        "a new base forgets what is retracted here and is inside it",
        "    redis.call('HSET', r.negatives, seq, delta)\n  end\n  redis.call('RENAME'",
        "  end\n  redis.call('RENAME'",
    ),
    LuaBug(
        "a new base does not tell what it left out",
        "    if redis.call('SETBIT', r.retracted, seq, 1) == 0 then",
        "    if false then",
    ),
    LuaBug(
        "a new base does not set the bits of what it covers",
        "    set_up_to(r.applied, through)\n",
        "",
    ),
    LuaBug(
        "whole bytes of a bitmap are one too few",
        "string.rep('\\255', bytes - 1)",
        "string.rep('\\255', bytes - 2)",
    ),
    LuaBug(
        "a new base counts in the digest what was there before",
        "note_digest(r, origin, xor_hex(present, digest))",
        "note_digest(r, origin, digest)",
    ),
    LuaBug(
        "a base that goes less far is accepted",
        "  if through < old_through or (through == old_through and excluded == old_excluded) then",
        "  if through == old_through and excluded == old_excluded then",
    ),
    LuaBug(
        "what the base covers and what it does not is forgotten alike",
        "    if tonumber(args[i]) <= through then\n      trimmed",
        "    if true then\n      trimmed",
    ),
    LuaBug(
        "an applied split can be given up elsewhere",
        "and not is_settled(keys[2], keys[3], args[i]) then\n      new",
        "and not is_settled(nil, keys[3], args[i]) then\n      new",
    ),
    LuaBug(
        "who died in an earlier attempt is dead again",
        "    if died >= attempt and died >= known",
        "    if died >= known",
    ),
    LuaBug(
        "an applied split can be given up by its queue",
        "  if is_settled(keys[6], keys[5], args[2]) then",
        "  if is_settled(nil, keys[5], args[2]) then",
    ),
    LuaBug(
        "an applied split can be given up when it is taken over",
        "          if not is_settled(applied, retracted, seq) then",
        "          if not is_settled(nil, retracted, seq) then",
    ),
    LuaBug(
        "a late success leaves the split given up",
        "      if deaths then\n"
        "        redis.call('HDEL', r.dead, origin .. '/' .. seq)\n      end\n",
        "",
    ),
    LuaBug(
        "an older revision seals",
        "elseif not known or tonumber(known) < tonumber(args[2]) then",
        "else",
    ),
    LuaBug(
        "a split that is retracted is put in the queue again",
        "    if not is_settled(keys[2], keys[3], args[i]) then\n      redis.call('XADD'",
        "    if redis.call('GETBIT', keys[2], args[i]) == 0 then\n      redis.call('XADD'",
    ),
)

PYTHON = (
    PythonBug(
        "repair copies what is applied, and not what is retracted",
        "wc.replication.read_repair:Repair",
        "_copy_marks",
        lambda _: lambda *_: None,
    ),
    PythonBug(
        "repair copies to the first replica that lacks a dot",
        "wc.replication.read_repair:Repair",
        "_lacks",
        lambda right: lambda *args: dict(list(right(*args).items())[:1]),
    ),
    PythonBug(
        "compaction folds what one replica has",
        "wc.replication.compaction",
        "bitmap",
        lambda right: SimpleNamespace(**vars(right) | {right.intersection.__name__: right.union}),
    ),
    PythonBug(
        "a view goes on over a base that it has not seen",
        "wc.replication.merged_view:View",
        "_covers",
        lambda _: lambda *_: True,
    ),
    PythonBug(
        "a base is taken as it is, whatever the taker has retracted",
        "wc.replication.read_repair:Repair",
        "_contents",
        lambda _: lambda *_: {},
    ),
)
