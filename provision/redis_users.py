"""What each Redis user may do. `users.acl` is rendered from this.

admin is for provisioning and repair by hand, as root on a host. Workers claim, read and commit;
drivers may besides fill queues, publish, drop what is finished and load the function library.
Neither can flush, configure or shut down a server, or see keys that are not a job's.
"""

from __future__ import annotations

USERS = ("admin", "driver", "worker")

WORKER = """
    ping hello auth client|setinfo client|setname fcall fcall_ro xreadgroup xread xrange xlen xack
    xdel xpending xclaim xautoclaim xinfo hget hmget hset hsetnx hincrby hdel hlen hexists hgetall
    hkeys hstrlen getbit setbit bitcount bitpos get set getrange strlen exists type smembers
    sismember scard zrevrange zrange zcard zscore zmscore time info multi exec discard watch
    unwatch memory|usage
"""
DRIVER = """
    xadd xgroup xtrim sadd srem zadd zrem zincrby del unlink rename expire pexpire hscan zscan
    function|load function|list function|dump function|stats lastsave
"""

LATER = {"client|setinfo": (7, 2, 0)}  # an ACL file naming an unknown command stops Redis


def commands(user: str, redis: tuple[int, ...]) -> list[str]:
    """The rules for `user` on a server of version `redis`, as (major, minor, patch)."""
    names = (WORKER if user == "worker" else WORKER + DRIVER).split()
    return [f"+{name}" for name in names if redis >= LATER.get(name, ())]
