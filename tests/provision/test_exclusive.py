"""One run at a time for each cluster, by a socket's name that ends with the process."""

from __future__ import annotations

import socket
import threading

import pytest

from provision.exclusive import ProvisionError, exclusive
from tests.netns import unique_name


def test_a_second_run_is_refused() -> None:
    name = unique_name()
    refused = pytest.raises(ProvisionError, match=f"destroy of cluster {name} is running")
    with exclusive(name), refused, exclusive(name):
        pass
    # Expect another cluster, and the next run, not to be kept from anything
    with exclusive(name), exclusive(unique_name()):
        pass


def test_what_a_killed_run_leaves_for_a_moment_is_waited_for() -> None:
    # Given the name in the hands of somebody who lets go of it soon, as the child of a killed run
    name = unique_name()
    with socket.socket(socket.AF_UNIX) as holder:
        holder.bind(f"\0faultline/{name}")
        threading.Timer(0.05, holder.close).start()
        # If the next run begins; expect it not to be refused
        with exclusive(name):
            pass
