"""Tables of jobs, in ``node``: a job's row owns its state, attempts, delay, lease and fairness.

What operators pause and limit is in the control database, so that it holds in every data database and outlives a move.
"""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, DateTime, Index, SmallInteger, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field
from uuid_utils.compat import uuid7

from core.clock import now
from core.database import NodeBase, PlatformBase

STAMP: Any = DateTime(timezone=True)
ALIVE = "state IN ('queued', 'sent', 'running')"


class Job(NodeBase, table=True):
    """Work to be done for one tenant, or for the platform (``bounds.PLATFORM_ROLE`` and ``PLATFORM_ID``).

    States: ``queued`` waits for ``run_after`` and its tenant's turn. ``sent`` has a message under way. ``running`` is
    leased by a worker. ``done``, ``dead`` (see ``DeadLetter``), ``discarded`` and ``cancelled`` are final.

    Attributes:
        payload: what to do, sealed; see ``core.jobs.payloads``.
        priority: 0 is high, 1 normal, 2 low; see ``core.jobs.bounds``.
        deadline: a job that has not ended by then is given up.
        result: what ``finish`` stored, sealed; readable until ``result_until``.
        attempts: tries that ended in an error.
        deliveries: times that a worker took it, the killed ones included.
        suspicion: 0: the job runs beside others. 1: its worker vanished, so it runs in a process of its own. 2: that
        process vanished too, so the worker runs nothing else beside it.
        interruptions: times that it died while nothing ran beside it, or exceeded its time limit.
        sends: messages sent since it was last due.
        lease_token: a process that knows it has the lease, until ``lease_until``.
        error: kind and place of the last error, without its values.
        failures: the first and the last failure since the job was queued or retried; see ``core.jobs.failures``.
        traceparent: the span that enqueued it, as the W3C writes it.
    """

    __tablename__: ClassVar[str] = "jobs"
    __table_args__ = (
        CheckConstraint(
            "state IN ('queued', 'sent', 'running', 'done', 'dead', 'discarded', 'cancelled')", name="state"
        ),
        CheckConstraint("priority BETWEEN 0 AND 2", name="priority"),
        CheckConstraint("(state = 'running') = (lease_token IS NOT NULL AND lease_until IS NOT NULL)", name="lease"),
        Index(
            "ix_jobs_waiting",
            "tenant_role",
            "kind",
            "priority",
            "run_after",
            "id",
            postgresql_where=text("state = 'queued'"),
        ),
        Index("ix_jobs_deadline", "deadline", postgresql_where=text(f"deadline IS NOT NULL AND {ALIVE}")),
        Index("ix_jobs_result_until", "result_until", postgresql_where=text("result_until IS NOT NULL")),
        Index("ix_jobs_sent", "sent_at", postgresql_where=text("state = 'sent'")),
        Index("ix_jobs_running", "lease_until", postgresql_where=text("state = 'running'")),
        Index("ix_jobs_tenant_role_id", "tenant_role", "id"),
        Index("ix_jobs_ended", "finished_at", postgresql_where=text("state IN ('done', 'discarded', 'cancelled')")),
        Index(
            "uq_jobs_dedupe_key",
            "tenant_role",
            "kind",
            "dedupe_key",
            unique=True,
            postgresql_where=text(f"dedupe_key IS NOT NULL AND {ALIVE}"),
        ),
        {
            "info": {
                "tenant": "SELECT, INSERT, UPDATE (state, run_after, lease_token, lease_until, progress_done, "
                "progress_total, progress_note, result, result_until, finished_at, updated_at, error)"
            }
        },
    )

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    tenant_id: UUID
    tenant_role: str = Field(sa_type=Text)
    kind: str = Field(sa_type=Text)
    payload: dict[str, Any] = Field(sa_type=JSONB)
    dedupe_key: str | None = Field(default=None, sa_type=Text)
    state: str = Field(default="queued", sa_type=Text, sa_column_kwargs={"server_default": text("'queued'")})
    priority: int = Field(default=1, sa_type=SmallInteger, sa_column_kwargs={"server_default": text("1")})
    run_after: datetime = Field(default_factory=now, sa_type=STAMP)
    deadline: datetime | None = Field(default=None, sa_type=STAMP)
    attempts: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    max_attempts: int
    deliveries: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    suspicion: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    interruptions: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    sends: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    sent_at: datetime | None = Field(default=None, sa_type=STAMP)
    lease_token: UUID | None = None
    lease_until: datetime | None = Field(default=None, sa_type=STAMP)
    progress_done: int | None = Field(default=None, sa_type=BigInteger)
    progress_total: int | None = Field(default=None, sa_type=BigInteger)
    progress_note: str | None = Field(default=None, sa_type=Text)
    error: str | None = Field(default=None, sa_type=Text)
    failures: dict[str, Any] | None = Field(default=None, sa_type=JSONB)
    requested_by: str = Field(sa_type=Text)
    request_id: str | None = Field(default=None, sa_type=Text)
    traceparent: str | None = Field(default=None, sa_type=Text)
    created_at: datetime = Field(default_factory=now, sa_type=STAMP, sa_column_kwargs={"server_default": text("now()")})
    updated_at: datetime = Field(default_factory=now, sa_type=STAMP, sa_column_kwargs={"server_default": text("now()")})
    started_at: datetime | None = Field(default=None, sa_type=STAMP)
    finished_at: datetime | None = Field(default=None, sa_type=STAMP)
    result: dict[str, Any] | None = Field(default=None, sa_type=JSONB)
    result_until: datetime | None = Field(default=None, sa_type=STAMP)


class JobCancellation(NodeBase, table=True):
    """The request to cancel a job that runs, until its next step or the relay heeds it.

    It is not a column of the job, because an open step locks the job's row.
    """

    __tablename__: ClassVar[str] = "job_cancellations"
    __table_args__ = ({"info": {"app": "SELECT, INSERT, DELETE", "tenant": "SELECT, INSERT"}},)

    job_id: UUID = Field(primary_key=True)
    tenant_id: UUID
    tenant_role: str = Field(sa_type=Text)
    requested_by: str = Field(sa_type=Text)
    requested_at: datetime = Field(sa_type=STAMP, sa_column_kwargs={"server_default": text("now()")})


class InboxMessage(NodeBase, table=True):
    """A message whose effect is in the database; see ``core.jobs.inbox``.

    Attributes:
        source: who sends such messages, such as ``stripe``.
        message_id: the sender's id of the message.
    """

    __tablename__: ClassVar[str] = "inbox"
    __table_args__ = (
        Index("ix_inbox_received_at", "received_at"),
        {"info": {"app": "SELECT, INSERT, DELETE", "tenant": "SELECT, INSERT"}},
    )

    tenant_role: str = Field(primary_key=True, sa_type=Text)
    source: str = Field(primary_key=True, sa_type=Text)
    message_id: str = Field(primary_key=True, sa_type=Text)
    tenant_id: UUID
    received_at: datetime = Field(sa_type=STAMP, sa_column_kwargs={"server_default": text("now()")})


class JobPause(PlatformBase, table=True):
    """Jobs that do not start: those of a tenant, of a kind, or of a kind of a tenant.

    Attributes:
        target: names both; see ``core.jobs.scopes``.
        tenant_id: NULL for all tenants; ``bounds.PLATFORM_ID`` for the platform's own jobs.
        kind: NULL for all kinds.
        reason: why, for other operators; never a person's data.
    """

    __tablename__: ClassVar[str] = "job_pauses"

    target: str = Field(primary_key=True, sa_type=Text)
    tenant_id: UUID | None = None
    kind: str | None = Field(default=None, sa_type=Text)
    reason: str = Field(sa_type=Text)
    set_by: str = Field(sa_type=Text)
    set_at: datetime = Field(sa_type=STAMP, sa_column_kwargs={"server_default": text("now()")})


class JobLimit(PlatformBase, table=True):
    """How many jobs of a tenant, of a kind, or of a kind of a tenant are under way or running at a time.

    Attributes:
        at_once: the number, for each tenant; the other attributes are those of ``JobPause``.
    """

    __tablename__: ClassVar[str] = "job_limits"
    __table_args__ = (CheckConstraint("at_once >= 1", name="at_once"),)

    target: str = Field(primary_key=True, sa_type=Text)
    tenant_id: UUID | None = None
    kind: str | None = Field(default=None, sa_type=Text)
    at_once: int
    reason: str = Field(sa_type=Text)
    set_by: str = Field(sa_type=Text)
    set_at: datetime = Field(sa_type=STAMP, sa_column_kwargs={"server_default": text("now()")})


class DeadLetter(NodeBase, table=True):
    """A job that failed for good. An operator looks at it, then retries or discards it.

    Attributes:
        failures: the job's first and last failure, with the frames of the last.
        resolution_reason: why an operator discarded it.
    """

    __tablename__: ClassVar[str] = "dead_letters"
    __table_args__ = (
        CheckConstraint("reason IN ('attempts', 'interruptions', 'refused', 'deadline')", name="reason"),
        CheckConstraint("resolution IN ('retried', 'discarded')", name="resolution"),
        CheckConstraint("(resolution IS NULL) = (resolved_at IS NULL)", name="resolved"),
        Index("ix_dead_letters_open", "died_at", postgresql_where=text("resolution IS NULL")),
        Index("ix_dead_letters_job_id", "job_id"),
    )

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    job_id: UUID
    tenant_id: UUID
    tenant_role: str = Field(sa_type=Text)
    kind: str = Field(sa_type=Text)
    payload: dict[str, Any] = Field(sa_type=JSONB)
    reason: str = Field(sa_type=Text)
    error: str | None = Field(default=None, sa_type=Text)
    failures: dict[str, Any] | None = Field(default=None, sa_type=JSONB)
    attempts: int
    deliveries: int
    died_at: datetime = Field(default_factory=now, sa_type=STAMP, sa_column_kwargs={"server_default": text("now()")})
    resolution: str | None = Field(default=None, sa_type=Text)
    resolved_at: datetime | None = Field(default=None, sa_type=STAMP)
    resolved_by: str | None = Field(default=None, sa_type=Text)
    resolution_reason: str | None = Field(default=None, sa_type=Text)


class DeadLetterLevel(NodeBase, table=True):
    """How many open dead letters of a tenant, or of the platform, the last event of their growth was about.

    Attributes:
        level: the threshold of that event; 0 after the letters have become fewer.
    """

    __tablename__: ClassVar[str] = "dead_letter_levels"

    tenant_role: str = Field(primary_key=True, sa_type=Text)
    tenant_id: UUID
    level: int
    changed_at: datetime = Field(default_factory=now, sa_type=STAMP, sa_column_kwargs={"server_default": text("now()")})


class Worker(NodeBase, table=True):
    """A sign of life of a worker; see ``core.jobs.heartbeat``.

    Attributes:
        process: its process number on ``host``.
        threads: jobs that it runs at a time.
    """

    __tablename__: ClassVar[str] = "workers"

    id: UUID = Field(primary_key=True)
    host: str = Field(sa_type=Text)
    process: int
    threads: int
    started_at: datetime = Field(default_factory=now, sa_type=STAMP, sa_column_kwargs={"server_default": text("now()")})
    seen_at: datetime = Field(default_factory=now, sa_type=STAMP, sa_column_kwargs={"server_default": text("now()")})
