"""What each Redis user may do. `users.acl` is rendered from this.

admin is for provisioning and repair by hand, as root on a host. Workers claim, read and commit;
drivers may besides fill queues, publish, drop what is finished and load the function library.
Neither can flush, configure or shut down a server, or see keys that are not a job's.
"""

from __future__ import annotations

USERS = ("admin", "driver", "worker")

# A function's own calls count as its caller's, so what the functions use is listed too.
WORKER = """
    ping hello auth client|setinfo fcall fcall_ro time get smembers
    xreadgroup xread xrange xack xdel xpending xclaim
    hget hmget hgetall hkeys hset hsetnx hdel hincrby setbit getbit getrange bitcount
    multi exec exists lpush ltrim lrange
"""
DRIVER = """
    xadd xlen xgroup|create sadd srem sismember set setrange hexists unlink rename strlen
    expire memory|usage zadd zrange zrevrange info function|load function|list
"""

LATER = {"client|setinfo": (7, 2, 0)}  # an ACL file naming an unknown command stops Redis


def commands(user: str, redis: tuple[int, ...]) -> list[str]:
    """The rules for `user` on a server of version `redis`, as (major, minor, patch)."""
    names = (WORKER if user == "worker" else WORKER + DRIVER).split()
    return [f"+{name}" for name in names if redis >= LATER.get(name, ())]
