"""The tables and keys of an inventory, with what each allows and its default."""

from __future__ import annotations

from provision.inventory import fields

DEFAULT_DATA = "/var/lib/faultline"
NAME = r"[a-z][a-z0-9-]{0,11}"
NAME_ALLOWED = "1 to 12 of a-z, 0-9 and -, starting with a letter"

TABLES: dict[str, dict[str, fields.Field]] = {
    "cluster": {
        "name": fields.text(NAME, NAME_ALLOWED),
        "connection": fields.choice("netns", "ssh"),
        "subnet": fields.network("198.18.0.0/24"),
        "known_hosts": fields.text(r".+", "a path", default="~/.ssh/known_hosts"),
    },
    "redis": {
        "port": fields.number(1, 65535, default=6379),
        "replication": fields.choice(
            "crdt",
            "single",
            default="crdt",
            also='; "wait" and "raft" are not supported by this version',
        ),
        "durability": fields.choice("none", "checkpoint", "aof", default="checkpoint"),
        "checkpoint_seconds": fields.number(1, 86400, default=10),
        "max_memory": fields.size("auto", least=16 << 20),
        "compact_after": fields.number(0, 86400, default=30),
        "compact_bytes": fields.size(256 << 20, least=1 << 20),
    },
    "repair": {
        "interval_seconds": fields.number(0, 86400, default=5),
        "bytes_per_second": fields.size(8 << 20),
    },
    "workers": {
        "per_host": fields.number(1, 256, default=2),
        "lease_seconds": fields.number(1, 3600, default=5),
        "max_deliveries": fields.number(1, 1000, default=10),
        "write_quorum": fields.number(1, 64, default=1),
        "user": fields.text(r"([a-z_][a-z0-9_-]{0,31})?", "the name of a system user", default=""),
    },
    "job": {
        "tokenizer": fields.text(r"[a-z][a-z0-9_-]*", "the name of a tokenizer", "whitespace"),
        "encoding_errors": fields.choice("strict", "replace", default="strict"),
        "split_size": fields.size("auto"),
        "top": fields.number(0, 1_000_000, default=10),
        "shared_files": fields.boolean(default=None),
        "adopt_after": fields.number(1, 86400, default=10),
    },
}
HOST = {"name": fields.text(NAME, NAME_ALLOWED), "address": fields.address()}
# A namespace's name is fl-<cluster>-<host>: without a hyphen in the host it can be read back.
NETNS_HOST = HOST | {"name": fields.text(r"[a-z][a-z0-9]{0,11}", "1 to 12 of a-z and 0-9")}
SSH_ONLY = {
    "user": fields.text(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}", "a login name", default=""),
    "port": fields.number(1, 65535, default=0),
    "identity_file": fields.text(r".+", "a path", default=""),
    "proxy_command": fields.text(r".+", "a command line", default=""),
    "ssh_address": fields.text(r"[A-Za-z0-9.:_-]+", "an address or host name", default=""),
    "data": fields.absolute_path(default=DEFAULT_DATA),
}
SSH_HOST = HOST | SSH_ONLY
