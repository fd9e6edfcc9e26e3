"""The thread by which a process shares its breakers: it reads what operators forced, and writes its own states.

It also writes what the process did in the last minute, for ``iit top`` and the operators' page.

While the control database is away, what was forced stays as it was last read.
"""

from __future__ import annotations

import os
import socket
from contextlib import contextmanager
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from psycopg.types.json import Jsonb
from uuid_utils.compat import uuid7

from core.database import DEFAULT_DATABASE, node_session, psycopg_connection
from core.metrics.window import Window
from core.resilience.instances import force, instances
from core.telemetry import get_logger

if TYPE_CHECKING:
    from collections.abc import Iterator

    from core.resilience.breaker import Forced

Role = Literal["api", "worker"]

EVERY_SECONDS: Final = 2.0
"""Seconds between two rounds, and the longest time until a process knows what an operator forced."""

WRITTEN_EVERY: Final = 5
"""Rounds after which the states are written even if none changed."""

JOIN_SECONDS: Final = 5.0

_OVERRIDES: Final = "SELECT target, state FROM platform.breaker_overrides"
_WRITE: Final = """
INSERT INTO platform.process_reports (id, role, host, process, instances, figures) VALUES (%s, %s, %s, %s, %s, %s)
ON CONFLICT (id) DO UPDATE SET instances = excluded.instances, figures = excluded.figures, seen_at = now()
"""
_SWEEP: Final = "DELETE FROM platform.process_reports WHERE seen_at < now() - interval '1 hour'"
_END: Final = "DELETE FROM platform.process_reports WHERE id = %s"

log = get_logger(__name__)


class Sharing:
    """Shares the breakers of this process.

    Args:
        role: what the process does.
    """

    def __init__(self, role: Role) -> None:
        self._id, self._role = uuid7(), role
        self._written: list[dict[str, Any]] | None = None
        self._rounds = 0
        self._wrote = False
        self._window = Window()

    def run(self, stopping: Event) -> None:
        """Share until ``stopping``, then delete what was written. If the database is away, try again."""
        failed = False
        while not stopping.wait(EVERY_SECONDS if self._rounds else EVERY_SECONDS / 4):
            self._rounds += 1
            try:
                self.share()
            except Exception as error:  # noqa: BLE001 - the next round tries again, whatever the error is
                if not failed:
                    log.warning("states of connections are not shared", error=type(error).__name__)
                failed = True
            else:
                failed = False
        if self._wrote:
            try:
                with node_session(DEFAULT_DATABASE) as session:
                    psycopg_connection(session).execute(_END, (self._id,))
            except Exception as error:  # noqa: BLE001 - a row that stays is not shown for long
                log.warning("report of a stopped process not deleted", error=type(error).__name__)

    def share(self) -> None:
        """Do one round.

        Raises:
            Unavailable: the control database is not there.
        """
        states = described()
        with node_session(DEFAULT_DATABASE) as session:
            connection = psycopg_connection(session)
            rows = connection.execute(_OVERRIDES).fetchall()
            if states != self._written or self._rounds % WRITTEN_EVERY == 0:
                figures = Jsonb(self._window.figures())
                values = (self._id, self._role, socket.gethostname(), os.getpid(), Jsonb(states), figures)
                connection.execute(_WRITE, values)
                connection.execute(_SWEEP)
                self._wrote = True
        self._written = states
        force({str(target): cast("Forced", state) for target, state in rows})


def described() -> list[dict[str, Any]]:
    """Return the state of each instance that this process has called, as it is stored."""
    return [
        {
            "dependency": instance.dependency.name,
            "instance": instance.name,
            "state": instance.breaker.state,
            "calls": instance.calls,
            "failures": instance.failures,
            "rejected": instance.rejected,
            "latency_ms": round(instance.latency_ms, 2),
            "last_error": instance.last_error,
            "last_error_at": instance.last_error_at,
        }
        for instance in instances()
    ]


@contextmanager
def sharing(role: Role) -> Iterator[None]:
    """Share the breakers of this process while the block runs."""
    stopping = Event()
    thread = Thread(target=Sharing(role).run, args=(stopping,), name="iit-connections", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join(JOIN_SECONDS)
