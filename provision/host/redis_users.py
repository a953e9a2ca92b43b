"""The commands that each Redis user may call, from which `users.acl` is rendered.

admin is for provisioning, and for people who are root on a host. Workers claim, read and commit;
drivers may also fill queues, publish, remove jobs and load the function library. Neither may
flush, configure or shut down a server, or access keys that are not a job's.
"""

from __future__ import annotations

USERS = ("admin", "driver", "worker")

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

SINCE = {"client|setinfo": (7, 2, 0)}  # Redis does not start with an unknown command in its ACL


def commands(user: str, redis: tuple[int, ...]) -> list[str]:
    """ACL rules for a user, on a server of the version `redis` (major, minor, patch)."""
    names = (WORKER if user == "worker" else WORKER + DRIVER).split()
    return [f"+{name}" for name in names if redis >= SINCE.get(name, ())]
