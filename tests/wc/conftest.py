import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.wc.support.cluster import Cluster
from wc.backends.redis import replica, replica_set

#: More than a busy machine makes a replica late by.
PATIENCE_SECONDS = 60.0


@pytest.fixture(scope="session", autouse=True)
def _patience() -> Iterator[None]:
    """Replicas that this process itself asks are all waited for: what a test finds does not depend
    on how soon one of them got to answer. Drivers and workers are processes, and as they are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replica_set, "GRACE_SECONDS", PATIENCE_SECONDS)
        for name in ("ANSWER_SECONDS", "CONNECT_SECONDS"):
            patch.setattr(replica, name, PATIENCE_SECONDS)
        yield


@pytest.fixture
def make_cluster(tmp_path: Path) -> Iterator[Callable[..., Cluster]]:
    """Start clusters of real Redis servers with the given options; all end with the test."""
    with ExitStack() as stack:

        def make(**options: Any) -> Cluster:
            folder = tmp_path / f"cluster{len(list(tmp_path.glob('cluster*')))}"
            folder.mkdir()
            return stack.enter_context(Cluster(folder, **options))

        yield make


@pytest.fixture
def cluster(make_cluster: Callable[..., Cluster]) -> Cluster:
    """Three hosts h1, h2, h3 with a Redis each; no driver or worker is running."""
    return make_cluster()


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three hosts for all tests of a module, which keep apart by the names of their jobs."""
    with Cluster(tmp_path_factory.mktemp("servers")) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def compiled() -> ModuleType:
    """The compiled kernel; CI must have it."""
    try:
        from wc.counts import c_kernel  # noqa: PLC0415 - it may not be built
    except ImportError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"{error}: build it with `python -m provision.build.extension`")
    return c_kernel
