"""Dramatiq, used only to carry a job's id to a free worker.

Its middleware for retries, delays, time limits and dead letters is not added, because the job's row handles all of
that.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

import dramatiq
import redis

from core.events.signals import send_signals
from core.jobs.prompt_broker import PromptBroker
from core.resilience import guarded
from core.resilience.dependencies import REDIS_JOBS
from core.resilience.errors import NOT_CALLED
from core.services import ensure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

NAMESPACE = "iit:jobs"
ACTOR = "run"


class Messages(Protocol):
    """The destination of the relay's messages."""

    def send(self, job_id: UUID, database: str) -> None:
        """Send a message that this job needs attention."""

    def waiting(self, database: str) -> int:
        """Return how many messages about jobs of the database no worker has received."""

    def forgot(self, epoch: str) -> bool:
        """Return whether all earlier messages are lost."""

    def signal(self, tenant_ids: Iterable[UUID]) -> None:
        """Signal that these tenants have new events."""


class DramatiqMessages:
    """Messages through Redis, with one queue for each data database, named like the database."""

    def __init__(self, client: redis.Redis | None = None) -> None:
        self.client = client or redis.Redis.from_url(
            ensure().redis_url, socket_timeout=REDIS_JOBS.timeout, socket_connect_timeout=REDIS_JOBS.timeout / 2
        )
        self._broker = PromptBroker(client=self.client, namespace=NAMESPACE, middleware=[])
        self.broker: dramatiq.Broker = self._broker

    def send(self, job_id: UUID, database: str) -> None:
        """Send the message.

        Raises:
            redis.RedisError: Redis is not there, or failed so often that it is not asked now.
        """
        try:
            with _guarded():
                self.broker.enqueue(
                    dramatiq.Message(
                        queue_name=database, actor_name=_actor(database), args=(str(job_id),), kwargs={}, options={}
                    )
                )
        except dramatiq.errors.BrokerError as error:
            raise redis.ConnectionError(str(error)) from error
        self._broker.announce(database)

    def waiting(self, database: str) -> int:
        """Return how many messages no worker has received.

        Raises:
            redis.RedisError: as ``send``.
        """
        with _guarded():
            return int(str(self.client.llen(f"{NAMESPACE}:{database}")))

    def forgot(self, epoch: str) -> bool:
        """Return whether Redis was emptied since the last call: each call sets a mark if it is missing.

        Raises:
            redis.RedisError: as ``send``.
        """
        with _guarded():
            return bool(self.client.set(f"{NAMESPACE}:epoch", epoch, nx=True))

    def announce(self) -> None:
        """Let the consumers of this process look soon, because messages of another process may follow."""
        self._broker.announce(*self.broker.queues)

    def signal(self, tenant_ids: Iterable[UUID]) -> None:
        """Signal the events; see ``core.events.signals``."""
        send_signals(self.client, tenant_ids)

    def serve(self, run: Callable[[UUID, str], Any], names: Iterable[str]) -> None:
        """Make the broker call ``run(job_id, database)`` for each message, in the threads of a Dramatiq worker.

        Each database is named once, before the worker starts or while it runs.
        """
        for database in names:

            @dramatiq.actor(actor_name=_actor(database), queue_name=database, broker=self.broker)
            def call(job_id: str, database: str = database) -> None:
                run(UUID(job_id), database)


class LocalMessages:
    """Messages in this process, for running jobs without a worker (commands, tests)."""

    def __init__(self) -> None:
        self.sent: list[tuple[UUID, str]] = []

    def send(self, job_id: UUID, database: str) -> None:
        """Keep the message."""
        self.sent.append((job_id, database))

    def waiting(self, database: str) -> int:
        """Return how many messages are there."""
        return sum(name == database for _, name in self.sent)

    def forgot(self, epoch: str) -> bool:  # noqa: ARG002 - as the protocol says
        """Return False: nothing is lost while this process lives."""
        return False

    def signal(self, tenant_ids: Iterable[UUID]) -> None:
        """Do nothing: readers find the events."""


@contextmanager
def _guarded() -> Iterator[None]:
    try:
        with guarded(REDIS_JOBS):
            yield
    except NOT_CALLED as error:
        raise redis.ConnectionError(error.detail) from None


def _actor(database: str) -> str:
    return f"{ACTOR}.{database}"
