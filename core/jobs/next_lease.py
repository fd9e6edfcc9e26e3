"""The lease of the next job, in one round trip: of the jobs that the relay has sent, the one that it sent first.

A thread that has ended a job takes its next one here, without a message. What may start, and in which order, only the
relay decides (``admission``): it has marked these jobs as sent, in the order of ``sent_at``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from uuid import UUID, uuid4

from core.database import DEFAULT_DATABASE, RoundTripError, TenantRef, node_at_once
from core.database.scope import FENCES, fence_number
from core.jobs.leases import BESIDE_OTHERS, Lease
from core.jobs.registry import as_array, kind_of, lengths_of_leases

if TYPE_CHECKING:
    from collections.abc import Collection

_COLUMNS: Final = ("id", "slug", "name", "schema_name", "role_name", "database", "state", "time_zone")
_PAIRS: Final = ", ".join(f"'{name}', tenants.{name}" for name in _COLUMNS)
_TENANT: Final = f"(SELECT jsonb_build_object({_PAIRS}) FROM platform.tenants WHERE tenants.role_name = tenant_role)"  # noqa: S608 - constants
# A tenant that is being moved writes nothing: whoever does not get its fence ends the job in a step, which says so.
_STATEMENT: Final = """
WITH settled AS MATERIALIZED (
    SELECT set_config('synchronous_commit', 'off', true) AS flushed,
        %(ended)s::uuid IS NOT NULL AND (
            %(number)s::int IS NULL OR pg_try_advisory_xact_lock_shared(%(space)s::int, %(number)s::int)
        ) AS ending
), finished AS (
    UPDATE node.jobs SET
        state = 'done', lease_token = NULL, lease_until = NULL, finished_at = now(), updated_at = now(), result = NULL,
        result_until = NULL
    FROM settled
    WHERE settled.ending AND jobs.id = %(ended)s::uuid AND lease_token = %(ended_token)s::uuid AND state = 'running'
        AND (deadline IS NULL OR deadline > now())
        AND NOT EXISTS (SELECT FROM node.job_cancellations WHERE job_cancellations.job_id = jobs.id)
    RETURNING jobs.id
), taken AS (
    UPDATE node.jobs SET
        state = 'running', lease_token = %(token)s::uuid, deliveries = deliveries + 1, updated_at = now(),
        started_at = coalesce(started_at, now()), lease_until = now() + (
            SELECT known.lease FROM unnest(%(kinds)s::text[], %(leases)s::interval[]) AS known (kind, lease)
            WHERE known.kind = jobs.kind
        )
    WHERE id = (
        SELECT id FROM node.jobs
        WHERE %(token)s::uuid IS NOT NULL AND state = 'sent' AND suspicion <= %(up_to)s
            AND kind = ANY(%(kinds)s::text[]) AND tenant_role <> ALL(%(full)s::text[])
        ORDER BY id = %(first)s::uuid DESC NULLS LAST, sent_at, id LIMIT 1 FOR UPDATE SKIP LOCKED
    )
    RETURNING id, tenant_role, kind, payload, attempts, request_id, traceparent,
        extract(epoch FROM deadline - now())::float8 AS seconds, {tenant} AS tenant
)
SELECT EXISTS (SELECT FROM finished), taken.* FROM settled LEFT JOIN taken ON settled.flushed = 'off'
"""
_WITH_TENANT, _ALONE = _STATEMENT.format(tenant=_TENANT), _STATEMENT.format(tenant="NULL::jsonb")


@dataclass(frozen=True, slots=True)
class Wish:
    """Which job a thread may take next.

    Attributes:
        database: the data database of the job.
        full: roles of tenants that have their full share of this process.
        first: a job that goes before all others; None if the order alone decides.
    """

    database: str
    full: Collection[str] = ()
    first: UUID | None = None


def take_next(wish: Wish) -> Lease | None:
    """Take the lease of the next job; None if there is none that may run beside others in this process.

    Suspect jobs, and kinds that this process does not know, wait for their own message.

    Raises:
        RoundTripError: the job was not taken, or the answer was lost. Then its lease runs out.
        DatabaseUnavailable: the database cannot be reached.
    """
    return _run(wish, {})[1]


def finish_and_take(lease: Lease, tenant: TenantRef | None, wish: Wish | None) -> tuple[bool, Lease | None]:
    """Mark a job done whose function has ended without that, and take the lease of the next one, in one transaction.

    The transaction does not wait for the disk: if a crash of the server undoes it, the job's function runs again, as
    after a crash between the function's last step and its end.

    Args:
        lease: the job.
        tenant: its owner; None is the platform.
        wish: which job to take; None for none.

    Returns:
        Whether the job is marked. If not, the lease is lost, the job is late or cancelled, or the database does not
        answer: try in a step, which finds out. And the next lease, if there is one.
    """
    if tenant is not None and tenant.database != lease.database:
        return False, None
    ending: dict[str, object] = {"ended": lease.job_id, "ended_token": lease.token}
    if tenant is not None:
        ending |= {"space": FENCES, "number": fence_number(tenant.role_name)}
    try:
        return _run(wish or Wish(lease.database), ending, taking=wish is not None)
    except RoundTripError:
        return False, None


def _run(wish: Wish, ending: dict[str, object], *, taking: bool = True) -> tuple[bool, Lease | None]:
    names, lengths = lengths_of_leases()
    token = uuid4() if taking else None
    values = {
        "ended": None,
        "ended_token": None,
        "space": None,
        "number": None,
        **ending,
        "token": token,
        "kinds": names,
        "leases": lengths,
        "up_to": BESIDE_OTHERS,
        "full": as_array(wish.full),
        "first": wish.first,
    }
    query = _WITH_TENANT if wish.database == DEFAULT_DATABASE else _ALONE
    ((finished, job_id, *row),) = node_at_once(wish.database, query, values)
    if token is None or job_id is None:
        return finished, None
    role, kind, payload, attempts, request_id, traceparent, seconds, tenant = row
    owner = None if tenant is None else TenantRef(**{**tenant, "id": UUID(tenant["id"])})
    bounds = kind_of(kind)
    return finished, Lease(
        job_id, token, wish.database, role, bounds, payload, attempts, request_id, traceparent, seconds, owner
    )
