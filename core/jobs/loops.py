"""Loops of the features: work that workers repeat, each loop in its own thread.

A loop runs in every worker, or in one worker of the installation: the leader, which holds a lock in a transaction of
the control database. The lock goes with the connection, so a leader that is killed is followed by another worker.
"""

from __future__ import annotations

from threading import Event, Thread
from typing import TYPE_CHECKING

from core import telemetry
from core.database import DEFAULT_DATABASE, node_session, psycopg_connection, try_lock_installation
from core.feature_registry import declared, resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import psycopg

    from core.feature_registry import Loop

LEADER_SECONDS = 2.0
"""Seconds between two tries to become the leader, and between two checks that the leader still holds the lock."""

LONGEST_PAUSE = 600.0
"""Longest pause after errors, in seconds, unless the loop's own pause is longer."""

_LOCK = 0x11_7E_10_09

log = telemetry.get_logger(__name__)


def loops() -> dict[str, Loop]:
    """The loops of all installed features by name.

    Raises:
        RuntimeError: two features declare one loop.
    """
    return declared("loop", lambda feature: ((each.name, each) for each in feature.loops))


def run_loop(loop: Loop, stopping: Event) -> None:
    """Run rounds until ``stopping`` is set. If a round raises, log the error, and pause longer before the next."""
    function: Callable[[Event], None] = resolve(loop.function)
    pause, failures = loop.first_seconds, 0
    while not stopping.wait(pause):
        with telemetry.bound(loop=loop.name):
            try:
                function(stopping)
            except Exception as error:
                failures += 1
                log.exception("a round of a loop failed", failures=failures, error=type(error).__name__)
            else:
                failures = 0
        pause = min(loop.seconds * 2**failures, max(loop.seconds, LONGEST_PAUSE))


class Loops:
    """The threads of the loops in one worker.

    Args:
        stopping: ends all of them.
        chosen: the loops; those of the installed features when None.
    """

    def __init__(self, stopping: Event, chosen: Iterable[Loop] | None = None) -> None:
        every = list(loops().values() if chosen is None else chosen)
        self._stopping = stopping
        self._led = [loop for loop in every if not loop.everywhere]
        self._threads = [_thread(loop, stopping) for loop in every if loop.everywhere]
        if self._led:
            self._threads.append(Thread(target=self._follow, name="iit-leader", daemon=True))

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def join(self, timeout: float) -> None:
        """Wait for the threads to end, each for ``timeout`` seconds at most. Set ``stopping`` first."""
        for thread in self._threads:
            thread.join(timeout)

    def _follow(self) -> None:
        """Try to become the leader until ``stopping``, also while the database is away."""
        while not self._stopping.is_set():
            try:
                with node_session(DEFAULT_DATABASE) as session:
                    connection = psycopg_connection(session)
                    if try_lock_installation(connection, _LOCK):
                        self._lead(connection)
            except Exception as error:  # noqa: BLE001 - the next try comes soon, whatever it was
                log.warning("cannot try to become the leader of the loops", error=type(error).__name__)
            self._stopping.wait(LEADER_SECONDS)

    def _lead(self, connection: psycopg.Connection[object]) -> None:
        """Run the loops while the lock is held. Before releasing it, end them or signal them to end."""
        ended = Event()
        threads = [_thread(loop, ended) for loop in self._led]
        log.info("this worker leads the loops", loops=[loop.name for loop in self._led])
        try:
            for thread in threads:
                thread.start()
            while not self._stopping.wait(LEADER_SECONDS):
                connection.execute("SELECT 1")  # raises when the connection, and the lock with it, is lost
        finally:
            ended.set()
            for thread in threads:
                thread.join()


def _thread(loop: Loop, stopping: Event) -> Thread:
    return Thread(target=run_loop, args=(loop, stopping), name=f"iit-loop-{loop.name}", daemon=True)
