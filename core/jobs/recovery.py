"""What the relay looks for beside due jobs: lost messages, vanished workers, deadlines that passed, cancellations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.jobs import endings

if TYPE_CHECKING:
    from datetime import timedelta
    from uuid import UUID

    import psycopg

_BATCH = 500

# They start in the order of ``sent_at``, which says whose turn it is.
_RESEND = """
WITH lost AS MATERIALIZED (
    SELECT id, sent_at FROM node.jobs
    WHERE state = 'sent' AND (%(role)s::text IS NULL OR tenant_role = %(role)s)
        AND (%(all)s OR sent_at < now() - %(after)s::interval * least(power(2, sends - 1), 32))
    ORDER BY sent_at LIMIT CASE WHEN %(all)s THEN NULL ELSE %(batch)s::int END FOR UPDATE SKIP LOCKED
), turns AS MATERIALIZED (
    SELECT id, row_number() OVER (ORDER BY sent_at, id) AS place FROM lost
)
UPDATE node.jobs SET sent_at = now() + turns.place * interval '1 us', sends = sends + 1, updated_at = now()
FROM turns WHERE jobs.id = turns.id
RETURNING jobs.id
"""

# Those that would be dead are left to ``endings``, where each gets a transaction that informs its feature.
_REAP = f"""
UPDATE node.jobs SET {endings.VANISH}
WHERE id IN (
    SELECT id FROM node.jobs
    WHERE state = 'running' AND lease_until < now() AND (%(role)s::text IS NULL OR tenant_role = %(role)s)
        AND NOT (suspicion >= 2 AND interruptions + 1 >= %(most)s)
    LIMIT %(batch)s FOR UPDATE SKIP LOCKED
)
RETURNING id
"""  # noqa: S608 - constants

_LAST = """
SELECT id FROM node.jobs
WHERE state = 'running' AND lease_until < now() AND (%(role)s::text IS NULL OR tenant_role = %(role)s)
    AND suspicion >= 2 AND interruptions + 1 >= %(most)s
LIMIT %(batch)s FOR UPDATE SKIP LOCKED
"""

_LATE = """
SELECT id FROM node.jobs
WHERE deadline <= now() AND state IN ('queued', 'sent') AND (%(role)s::text IS NULL OR tenant_role = %(role)s)
LIMIT %(batch)s FOR UPDATE SKIP LOCKED
"""

_CANCELLED = """
SELECT jobs.id FROM node.job_cancellations JOIN node.jobs ON jobs.id = job_cancellations.job_id
WHERE jobs.state IN ('queued', 'sent') AND (%(role)s::text IS NULL OR jobs.tenant_role = %(role)s)
LIMIT %(batch)s FOR UPDATE OF jobs SKIP LOCKED
"""

# A job without a message waits for a thread that ends another one; where none does, a message makes one look. A suspect
# has its own message: a second one would queue it again while its process starts.
_STRAY = """
SELECT id FROM node.jobs
WHERE state = 'sent' AND suspicion = 0 AND sent_at < now() - interval '1 s'
    AND (%(role)s::text IS NULL OR tenant_role = %(role)s)
ORDER BY sent_at LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Repairs:
    """Jobs that need something else than admission.

    Attributes:
        resent: their messages may be lost; each needs another one.
        reaped: their workers vanished; they are queued again.
        vanished: their processes died too often, alone; each is to be given up.
        late: their deadlines passed while they waited; each is to be given up.
        cancelled: they wait, and somebody cancelled them; each is to be ended.
        stray: at most one, which was sent a while ago, perhaps without a message.
    """

    resent: list[UUID]
    reaped: list[UUID]
    vanished: list[UUID]
    late: list[UUID]
    cancelled: list[UUID]
    stray: list[UUID]


NOTHING = Repairs([], [], [], [], [], [])


def recover(
    connection: psycopg.Connection[Any], *, role: str | None, resend_after: timedelta, resend_all: bool
) -> Repairs:
    """Find such jobs; queue those of vanished workers again, and note that the messages are sent again.

    Args:
        connection: a transaction in ``node``. It locks the jobs that are found.
        role: only this tenant's jobs; all tenants' when None.
        resend_after: time after which a message counts as lost; longer after each message.
        resend_all: whether all messages are lost.
    """
    chosen: dict[str, object] = {
        "role": role,
        "all": resend_all,
        "after": resend_after,
        "batch": _BATCH,
        "most": endings.MAX_INTERRUPTIONS,
    }
    statements = (_RESEND, _REAP, _LAST, _LATE, _CANCELLED, _STRAY)
    with connection.pipeline():
        cursors = [connection.execute(statement.encode(), chosen) for statement in statements]
    return Repairs(*([row[0] for row in cursor.fetchall()] for cursor in cursors))
