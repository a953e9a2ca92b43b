"""Do the same on several hosts at once, each in its thread; one that fails stops no other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from provision.connect.contract import Connector

T = TypeVar("T")


def each(
    connectors: Mapping[str, Connector], names: Iterable[str], work: Callable[[str], T]
) -> dict[str, T | Exception]:
    """`work(name)` for all names; results, or what was raised, by name in the order given.

    Ctrl-C closes all connectors, so that the threads' commands end, and is raised again.
    """
    names = list(names)
    if not names:
        return {}
    results: dict[str, T | Exception] = {}
    with ThreadPoolExecutor(len(names), thread_name_prefix="host") as pool:
        futures = {name: pool.submit(work, name) for name in names}
        try:
            for name, future in futures.items():
                error = future.exception()
                if error is None:
                    results[name] = future.result()
                elif isinstance(error, Exception):
                    results[name] = error
                else:
                    raise error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for connector in connectors.values():
                connector.close()
            raise
    return results
