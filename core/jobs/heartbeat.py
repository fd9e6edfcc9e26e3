"""Heartbeats of workers, and the age of the queue: the first figures an operator needs when nothing moves.

Every few seconds, each worker writes a row to every data database that it serves. It deletes the row when it stops. The
database's clock counts, because the clocks of machines may differ.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from psycopg.rows import class_row

from core import telemetry
from core.database import DEFAULT_DATABASE, databases, node_session, psycopg_connection

if TYPE_CHECKING:
    from threading import Event

    import psycopg

BEAT_SECONDS = 5.0
"""Seconds between two heartbeats of a worker."""

ALIVE = timedelta(seconds=30)
"""A worker without a heartbeat for this long counts as gone. A busy database delays a heartbeat for less than this."""

_FORGOTTEN = timedelta(days=1)
_BEAT = """
INSERT INTO node.workers (id, host, process, threads) VALUES (%s, %s, %s, %s)
ON CONFLICT (id) DO UPDATE SET seen_at = now()
"""

log = telemetry.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class LiveWorker:
    """A worker with a recent heartbeat.

    Attributes:
        process: its process number on ``host``.
        threads: jobs that it runs at a time.
    """

    id: UUID
    host: str
    process: int
    threads: int
    started_at: datetime
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class QueueAge:
    """The jobs of one kind that are due or running.

    Attributes:
        waiting: jobs that are due and that no worker has taken.
        oldest_seconds: how long the oldest of them has been due; 0 if none waits.
        running: jobs that a worker runs now.
    """

    kind: str
    waiting: int
    oldest_seconds: float
    running: int


class Heartbeat:
    """The heartbeat of one worker in one data database.

    Args:
        worker_id: the worker's id, the same in every database that it serves.
        threads: jobs that it runs at a time.
        database: the database of the row.
    """

    def __init__(self, worker_id: UUID, threads: int, database: str = DEFAULT_DATABASE) -> None:
        self._id, self._threads, self._database = worker_id, threads, database

    def run(self, stopping: Event) -> None:
        """Beat until ``stopping``, then delete the row. If the database is unavailable or new, try again."""
        first = True
        while first or not stopping.wait(BEAT_SECONDS):
            first = False
            try:
                self.beat()
            except Exception as error:  # noqa: BLE001 - the next beat tries again, whatever the error is
                log.warning("heartbeat not written", database=self._database, error=type(error).__name__)
        try:
            self.end()
        except Exception as error:  # noqa: BLE001 - a row that stays counts as gone soon
            log.warning("row of a stopped worker not deleted", database=self._database, error=type(error).__name__)

    def beat(self) -> None:
        """Write one heartbeat.

        Raises:
            Unavailable: the database is not there.
        """
        with node_session(self._database) as session:
            connection = psycopg_connection(session)
            connection.execute(_BEAT, (self._id, socket.gethostname(), os.getpid(), self._threads))
            connection.execute("DELETE FROM node.workers WHERE seen_at < now() - %s", (_FORGOTTEN,))

    def end(self) -> None:
        """Delete the row of a worker that has stopped.

        Raises:
            Unavailable: the database is not there.
        """
        with node_session(self._database) as session:
            psycopg_connection(session).execute("DELETE FROM node.workers WHERE id = %s", (self._id,))


def live_workers(database: str = DEFAULT_DATABASE) -> list[LiveWorker]:
    """Return the live workers of a data database, in the order in which they started.

    Raises:
        Unavailable: the database is not there.
    """
    with node_session(database) as session:
        cursor = psycopg_connection(session).cursor(row_factory=class_row(LiveWorker))
        return cursor.execute(
            "SELECT id, host, process, threads, started_at, seen_at FROM node.workers"
            " WHERE seen_at > now() - %s ORDER BY started_at, id",
            (ALIVE,),
        ).fetchall()


def threads_alive(connection: psycopg.Connection[object]) -> int:
    """Return the number of jobs that all live workers of a data database run at a time."""
    row = connection.execute(
        "SELECT coalesce(sum(threads), 0)::int FROM node.workers WHERE seen_at > now() - %s", (ALIVE,)
    ).fetchone()
    return int(str(row[0])) if isinstance(row, tuple) else 0


def queue_age(database: str | None = None) -> list[QueueAge]:
    """Return how long jobs have been waiting, by kind, in one data database or in all.

    A job waits from the instant at which it was due. Jobs that are due later do not count.

    Raises:
        Unavailable: a database is not there.
    """
    ages: dict[str, QueueAge] = {}
    for name in databases() if database is None else (database,):
        with node_session(name) as session:
            cursor = psycopg_connection(session).cursor(row_factory=class_row(QueueAge))
            for row in cursor.execute(
                """
                SELECT kind, count(*) FILTER (WHERE state <> 'running') AS waiting,
                    coalesce(extract(epoch FROM now() - min(greatest(run_after, created_at))
                        FILTER (WHERE state <> 'running')), 0)::float8 AS oldest_seconds,
                    count(*) FILTER (WHERE state = 'running') AS running
                FROM node.jobs
                WHERE state IN ('sent', 'running') OR (state = 'queued' AND run_after <= now())
                GROUP BY kind ORDER BY kind
                """
            ):
                known = ages.get(row.kind, QueueAge(row.kind, 0, 0.0, 0))
                ages[row.kind] = QueueAge(
                    row.kind,
                    known.waiting + row.waiting,
                    max(known.oldest_seconds, row.oldest_seconds),
                    known.running + row.running,
                )
    return [ages[kind] for kind in sorted(ages)]
