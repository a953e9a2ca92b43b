"""A host's configuration for its driver and workers: etc/wc.json, written by provisioning.

The file contains no secret, only the paths of files that do.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from wc.core.versions import FORMAT


class ConfigError(Exception):
    """The configuration file is missing, unreadable or incomplete."""


class ReplicaAddress(msgspec.Struct, frozen=True):
    """Where one replica answers; ``name`` is its host's name."""

    name: str = msgspec.field(name="host")
    host: str = msgspec.field(name="address")
    port: int


class Config(msgspec.Struct, frozen=True):
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
    # With defaults, for a file that an older version wrote.
    repair_interval_seconds: float = 5.0
    repair_bytes_per_second: int = 8 << 20

    def password(self, user: str) -> str:
        """The Redis password of ``user``: admin, driver or worker.

        Raises ConfigError, which names the file and never its content.
        """
        path = self.secrets[user]
        try:
            return path.read_text().strip()
        except OSError as error:
            raise ConfigError(f"{path}: cannot read the {user} secret: {error.strerror}") from None


class _Version(msgspec.Struct, frozen=True):
    """Which provision wrote the file. A version before there were formats wrote the first."""

    format: int = 1
    version: str = "unknown"


def load(path: Path) -> Config:
    """Read a configuration file. Raises ConfigError, also for one of a later format."""
    try:
        written = msgspec.json.decode(path.read_bytes(), type=_Version)
        if written.format > FORMAT:
            raise ConfigError(
                f"{path}: is of format {written.format}, which faultline {written.version} wrote;"
                f" these programs read up to {FORMAT}: run `fab provision` of that version"
            )
        # Paths are the one type here that JSON has not.
        return msgspec.json.decode(
            path.read_bytes(), type=Config, dec_hook=lambda _, raw: Path(raw)
        )
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise ConfigError(f"{path}: {error}; run `fab provision` again") from None
