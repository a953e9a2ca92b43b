"""A background call: it runs in a thread while its caller prepares the next one."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor


class BackgroundCall:
    """Runs calls one at a time. What a call raises, the next ``run`` or ``wait`` raises."""

    def __init__(self, name: str) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._last: Future[None] | None = None

    def run(self, work: Callable[[], None]) -> None:
        """Start ``work`` as soon as the call before it has ended."""
        self.wait()
        self._last = self._pool.submit(work)

    def wait(self) -> None:
        """Return when nothing is running."""
        last, self._last = self._last, None
        if last is not None:
            last.result()

    def close(self) -> None:
        self._pool.shutdown()
