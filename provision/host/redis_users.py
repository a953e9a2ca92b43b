"""The commands that each Redis user may call, from which `users.acl` is rendered.

admin is for provisioning, and for people who are root on a host. Workers claim, read and commit;
drivers may also fill queues, publish, remove jobs and load the function library. Neither may
flush, configure or shut down a server, or access keys that are not a job's. A reader is a person or
their program: it reads what is published, and nothing else.
"""

from __future__ import annotations

USERS = ("admin", "driver", "worker", "reader")
#: Those of the host's programs.
PROGRAMS = ("driver", "worker")

# Redis checks the calls of a function as calls of its caller, so these commands are listed too.
WORKER = """
    ping hello auth client|setinfo fcall fcall_ro time get smembers
    xreadgroup xread xrange xack xdel xpending xclaim
    hget hmget hgetall hkeys hset hsetnx hdel hincrby setbit getbit getrange bitcount
    multi exec exists lpush ltrim lrange
"""
DRIVER = """
    xadd xlen xgroup|create sadd srem sismember set setrange hexists unlink rename strlen
    expire memory|usage zadd zmscore zrange zrevrange info function|load function|list
"""
READER = """
    ping hello auth client|setinfo client|setname multi exec discard
    zrange zrevrange zrangebyscore zrevrangebyscore zscore zmscore zcard zcount zrank zrevrank zscan
    get hget hmget hgetall hkeys hlen exists type
"""

SINCE = {"client|setinfo": (7, 2, 0)}  # Redis does not start with an unknown command in its ACL


def commands(user: str, redis: tuple[int, ...]) -> list[str]:
    """ACL rules for a user, on a server of the version `redis` (major, minor, patch)."""
    names = {"worker": WORKER, "driver": WORKER + DRIVER, "reader": READER}[user]
    return [f"+{name}" for name in names.split() if redis >= SINCE.get(name, ())]
