"""Runs the relay, the sealer and the heartbeat of each data database, also of one added while the worker runs."""

from __future__ import annotations

from functools import partial
from threading import Thread
from typing import TYPE_CHECKING, Any

from uuid_utils.compat import uuid7

from core import telemetry
from core.audit.sealer import Sealer
from core.database import databases
from core.errors import AppError
from core.events import wakes
from core.events.operator_events import JOBS, changed
from core.jobs import job_metrics
from core.jobs.heartbeat import Heartbeat
from core.jobs.relay import Relay
from core.settings import get_settings
from core.tenancy import list_tenants

if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import Event
    from uuid import UUID

    from core.jobs.broker import DramatiqMessages

FIGURES_SECONDS = 10.0
"""Time between two readings of the queue for its metrics."""

LOOK_SECONDS = 5.0
"""Time between two searches for new data databases."""

log = telemetry.get_logger(__name__)


class Attendance:
    """Gives every data database its threads in this process.

    Args:
        messages: the messages that relays send and this process receives.
        run: handles a message about a job of a database; calls its last argument after each job that it runs.
        stopping: ends all threads.
        threads: jobs that this process runs at a time.
    """

    def __init__(
        self,
        messages: DramatiqMessages,
        run: Callable[[UUID, str, Callable[[], None]], Any],
        stopping: Event,
        *,
        threads: int,
    ) -> None:
        self._messages, self._handle, self._stopping = messages, run, stopping
        self._worker_id, self._worker_threads = uuid7(), threads
        self._attended: set[str] = set()
        self._relays: dict[str, Relay] = {}
        self._threads: list[Thread] = []
        self._looking = Thread(target=self._keep_looking, name="iit-databases", daemon=True)
        listening = (messages.client, self._wake, stopping)
        self._waking = Thread(target=wakes.listen_for_wakes, args=listening, name="iit-wakes", daemon=True)

    def prepare(self) -> None:
        """Subscribe to messages about the present databases. Call this before the worker starts."""
        self._names = databases()
        self._messages.serve(self._run, self._names)

    def start(self) -> None:
        """Start the threads of the databases that are there, and search for new ones from time to time."""
        for name in self._names:
            self._attend(name)
        self._looking.start()
        self._waking.start()

    def join(self, timeout: float) -> None:
        """Wait for the threads to end, each for ``timeout`` seconds at most. Set ``stopping`` first."""
        self._wake()
        self._looking.join(timeout)
        self._waking.join(timeout)
        for thread in self._threads:
            thread.join(timeout)

    def look(self) -> list[str]:
        """Start the threads of databases that were added since the last call, and return their names."""
        added = [name for name in databases() if name not in self._attended]
        if added:
            self._messages.serve(self._run, added)
        for name in added:
            self._attend(name)
        return added

    def _run(self, job_id: UUID, database: str) -> None:
        """Handle a message. Let the relay look at once after each job that ends, because another one may start."""

        def wake() -> None:
            relay = self._relays.get(database)
            if relay is not None:
                relay.wake()
            changed(JOBS)

        try:
            self._handle(job_id, database, wake)
        finally:
            wake()

    def _attend(self, database: str) -> None:
        settings = get_settings()
        sealer = Sealer(
            list_tenants, database, every=settings.audit_seal_seconds, anchor_every=settings.audit_anchor_seconds
        )
        heartbeat = Heartbeat(self._worker_id, self._worker_threads, database)
        relay = Relay(self._messages, database=database, threads=self._worker_threads)
        self._relays[database] = relay
        works = [("relay", relay.run), ("sealer", sealer.run), ("heartbeat", heartbeat.run)]
        if settings.metrics_port is not None:
            works.append(("figures", partial(_refresh, database)))
        for name, work in works:
            thread = Thread(target=work, args=(self._stopping,), name=f"iit-{name}-{database}", daemon=True)
            self._threads.append(thread)
            thread.start()
        self._attended.add(database)

    def _wake(self) -> None:
        self._messages.announce()
        for relay in list(self._relays.values()):
            relay.wake()

    def _keep_looking(self) -> None:
        while not self._stopping.wait(LOOK_SECONDS):
            try:
                for name in self.look():
                    log.info("serving a data database", database=name)
            except AppError as error:
                log.warning("data databases cannot be listed", error=type(error).__name__)


def _refresh(database: str, stopping: Event) -> None:
    """Read the figures of the queue at intervals, so that no question of Prometheus waits for the database."""
    while not stopping.wait(FIGURES_SECONDS):
        try:
            job_metrics.refresh(database)
        except AppError as error:
            log.warning("figures of the queue not read", database=database, error=type(error).__name__)
