"""Checks that are bounded in time: a server that hangs must not hang who asks about it.

Each check runs in a thread of its own. A thread that does not end is left alone, and its check is not started again
until it has ended: however often somebody asks, one thread and one connection hang.
"""

from __future__ import annotations

import time
from contextvars import copy_context
from threading import Lock, Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_threads: dict[str, Thread] = {}
_lock = Lock()


def within(seconds: float, name: str, function: Callable[[], object]) -> None:
    """Run a check in a thread of its own.

    Args:
        seconds: how long to wait for it.
        name: of the check; one thread of each name runs at a time.
        function: the check.

    Raises:
        TimeoutError: it, or an earlier one of its name, did not end in time.
        Exception: whatever the check raised.
    """
    until = time.monotonic() + seconds
    errors: list[BaseException] = []

    def work() -> None:
        try:
            function()
        except BaseException as error:  # noqa: BLE001 - raised again by the caller
            errors.append(error)

    earlier = _threads.get(name)
    if earlier is not None:
        earlier.join(max(0.0, until - time.monotonic()))
    thread = Thread(target=copy_context().run, args=(work,), name=f"iit-check-{name}", daemon=True)
    with _lock:
        earlier = _threads.get(name)
        if earlier is not None and earlier.is_alive():
            raise TimeoutError
        _threads[name] = thread
        thread.start()
    thread.join(max(0.0, until - time.monotonic()))
    if thread.is_alive():
        raise TimeoutError
    if errors:
        raise errors[0]


def settle(seconds: float) -> None:
    """Wait for the checks that still run, before the pools are closed: they may have a connection.

    Args:
        seconds: how long to wait for all of them.
    """
    until = time.monotonic() + seconds
    with _lock:
        threads = list(_threads.values())
        _threads.clear()
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
