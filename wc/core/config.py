"""A host's configuration for its driver and workers: etc/wc.json, written by provisioning.

The file contains no secret, only the paths of files that do.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

#: Defaults of the anti-entropy settings, for a file that an older version wrote.
REPAIR_SECONDS, REPAIR_BYTES = 5.0, 8 << 20


class ConfigError(Exception):
    """The configuration file is missing, unreadable or incomplete."""


@dataclass(frozen=True)
class ReplicaAddress:
    """Where one replica answers; ``name`` is its host's name."""

    name: str
    host: str
    port: int


@dataclass(frozen=True)
class Config:
    """One host's view of the cluster. Times in seconds; ``repair_interval_seconds`` 0 is never."""

    cluster: str
    host: str
    jobs: Path
    replicas: tuple[ReplicaAddress, ...]
    origins: tuple[str, ...]
    secrets: dict[str, Path]
    lease_seconds: float
    max_deliveries: int
    write_quorum: int
    shared_files: bool
    adopt_after_seconds: float
    compact_after_seconds: float
    compact_bytes: int
    repair_interval_seconds: float
    repair_bytes_per_second: int

    def password(self, user: str) -> str:
        """The Redis password of ``user``: admin, driver or worker.

        Raises ConfigError, which names the file and never its content.
        """
        path = self.secrets[user]
        try:
            return path.read_text().strip()
        except OSError as error:
            raise ConfigError(f"{path}: cannot read the {user} secret: {error.strerror}") from None


def load(path: Path) -> Config:
    """Read a configuration file. Raises ConfigError."""
    try:
        raw = json.loads(path.read_text())
        return Config(
            cluster=raw["cluster"],
            host=raw["host"],
            jobs=Path(raw["jobs"]),
            replicas=tuple(
                ReplicaAddress(r["host"], r["address"], int(r["port"])) for r in raw["replicas"]
            ),
            origins=tuple(raw["origins"]),
            secrets={user: Path(file) for user, file in raw["secrets"].items()},
            lease_seconds=float(raw["lease_seconds"]),
            max_deliveries=int(raw["max_deliveries"]),
            write_quorum=int(raw["write_quorum"]),
            shared_files=bool(raw["shared_files"]),
            adopt_after_seconds=float(raw["adopt_after_seconds"]),
            compact_after_seconds=float(raw["compact_after_seconds"]),
            compact_bytes=int(raw["compact_bytes"]),
            repair_interval_seconds=float(raw.get("repair_interval_seconds", REPAIR_SECONDS)),
            repair_bytes_per_second=int(raw.get("repair_bytes_per_second", REPAIR_BYTES)),
        )
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except KeyError as error:
        raise ConfigError(f"{path}: {error} is missing; run `fab provision` again") from None
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{path}: {error}; run `fab provision` again") from None
