"""Admission: which due jobs the relay sends next. Tenants take turns; pauses, limits and priorities decide within one.

The statement walks through the groups of waiting jobs (tenant, kind, priority) by jumping in the index, and looks at
no more jobs of a group than may run. So a tenant's backlog, whatever its length, costs no more than a few rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from core.database import execute_prepared, platform_session, psycopg_connection
from core.jobs.bounds import LEADS, PLATFORM_ID, PLATFORM_ROLE, RANKS
from core.jobs.registry import kinds

if TYPE_CHECKING:
    from uuid import UUID

    import psycopg

_LEAD: Final = " ".join(
    f"WHEN {RANKS[name]} THEN interval '{lead.total_seconds():.0f} s'" for name, lead in LEADS.items()
)
_PAUSED: Final = """EXISTS (
    SELECT FROM unnest(%(paused_roles)s::text[], %(paused_kinds)s::text[]) AS paused (role, kind)
    WHERE (paused.role IS NULL OR paused.role = {jobs}.tenant_role)
        AND (paused.kind IS NULL OR paused.kind = {jobs}.kind)
)"""

ADMIT: Final = f"""
WITH RECURSIVE groups AS (  -- who has anything queued, by jumping through the index
    (
        SELECT tenant_role, kind, priority FROM node.jobs WHERE state = 'queued'
        ORDER BY tenant_role, kind, priority LIMIT 1
    )
    UNION ALL
    SELECT further.tenant_role, further.kind, further.priority FROM groups CROSS JOIN LATERAL (
        SELECT jobs.tenant_role, jobs.kind, jobs.priority FROM node.jobs
        WHERE jobs.state = 'queued'
            AND (jobs.tenant_role, jobs.kind, jobs.priority) > (groups.tenant_role, groups.kind, groups.priority)
        ORDER BY jobs.tenant_role, jobs.kind, jobs.priority LIMIT 1
    ) AS further
), busy AS (
    SELECT tenant_role, kind, count(*) AS jobs FROM node.jobs WHERE state IN ('sent', 'running') GROUP BY 1, 2
), limits AS (
    SELECT * FROM unnest(%(roles)s::text[], %(kinds)s::text[], %(numbers)s::int[], %(ranks)s::int[])
        AS limits (role, kind, number, rank)
), bounded AS (
    SELECT groups.tenant_role, groups.kind, groups.priority, CASE groups.priority {_LEAD} END AS lead,
        coalesce((SELECT sum(busy.jobs) FROM busy WHERE busy.tenant_role = groups.tenant_role), 0) AS of_tenant,
        coalesce((
            SELECT busy.jobs FROM busy WHERE busy.tenant_role = groups.tenant_role AND busy.kind = groups.kind
        ), 0) AS of_kind,
        least(%(most)s, coalesce((
            SELECT limits.number FROM limits WHERE limits.role = groups.tenant_role AND limits.kind IS NULL
        ), %(per_tenant)s)) AS tenant_limit,
        (
            SELECT limits.number FROM limits
            WHERE limits.kind = groups.kind AND (limits.role IS NULL OR limits.role = groups.tenant_role)
            ORDER BY limits.rank LIMIT 1
        ) AS kind_limit
    FROM groups
    WHERE (%(role)s::text IS NULL OR groups.tenant_role = %(role)s) AND NOT {_PAUSED.format(jobs="groups")}
), due AS (
    SELECT bounded.*, waiting.id, waiting.run_after, waiting.run_after + bounded.lead AS ordered
    FROM bounded CROSS JOIN LATERAL (
        SELECT id, run_after FROM node.jobs
        WHERE state = 'queued' AND jobs.tenant_role = bounded.tenant_role AND jobs.kind = bounded.kind
            AND jobs.priority = bounded.priority AND run_after <= now() AND (deadline IS NULL OR deadline > now())
        ORDER BY run_after, id LIMIT bounded.tenant_limit
    ) AS waiting
), of_kinds AS (
    SELECT *, of_kind + row_number() OVER (PARTITION BY tenant_role, kind ORDER BY ordered, id) AS kind_place FROM due
), turns AS (
    SELECT id, run_after, tenant_limit,
        of_tenant + row_number() OVER (PARTITION BY tenant_role ORDER BY ordered, id) AS turn
    FROM of_kinds WHERE kind_limit IS NULL OR kind_place <= kind_limit
), chosen AS (
    SELECT id, row_number() OVER (ORDER BY turn, run_after, id) AS place FROM turns WHERE turn <= tenant_limit
    ORDER BY turn, run_after, id
    LIMIT greatest(0, %(window)s - (SELECT count(*) FROM node.jobs WHERE state = 'sent'))
)
UPDATE node.jobs SET state = 'sent', sent_at = now() + chosen.place * interval '1 us', sends = 1, updated_at = now()
FROM chosen WHERE jobs.id = chosen.id AND jobs.state = 'queued'
RETURNING jobs.id, jobs.sent_at, jobs.suspicion > 0 OR jobs.kind <> ALL(%(known)s::text[])
"""  # noqa: S608 - constants

# A worker that takes such a job at this moment has it: the row is locked, and no longer ``sent``.
_RECALL: Final = f"""
UPDATE node.jobs SET state = 'queued', updated_at = now() WHERE id IN (
    SELECT id FROM node.jobs WHERE state = 'sent' AND (%(role)s::text IS NULL OR tenant_role = %(role)s)
        AND {_PAUSED.format(jobs="jobs")}
    FOR UPDATE SKIP LOCKED
)
"""  # noqa: S608 - constants

_RULES: Final = """
SELECT r.what, CASE WHEN r.tenant_id = %(platform)s THEN %(role)s ELSE t.role_name END, r.kind, r.number FROM (
    SELECT 'pause' AS what, tenant_id, kind, NULL::int AS number FROM platform.job_pauses
    UNION ALL SELECT 'limit', tenant_id, kind, at_once FROM platform.job_limits
) AS r LEFT JOIN platform.tenants t ON t.id = r.tenant_id
WHERE r.tenant_id IS NULL OR r.tenant_id = %(platform)s OR t.id IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class Rules:
    """What operators and the kinds decide about the order of jobs.

    Attributes:
        pauses: pairs of ``tenant_role`` and kind; None stands for all.
        limits: ``tenant_role``, kind and number. The first that fits a job's tenant and kind counts.
    """

    pauses: list[tuple[str | None, str | None]]
    limits: list[tuple[str | None, str | None, int]]


@dataclass(frozen=True, slots=True)
class Turn:
    """A job that has been marked as sent.

    Attributes:
        by_message: whether only a message of its own starts it: it is a suspect, or of a kind that is not known here.
    """

    id: UUID
    by_message: bool


def rules(connection: psycopg.Connection[Any] | None = None) -> Rules:
    """Return the pauses and limits of operators, and the limits of the kinds.

    Args:
        connection: a transaction in the control database; one of its own when None.

    Raises:
        Unavailable: the control database is not there.
    """
    if connection is None:
        with platform_session() as session:
            return rules(psycopg_connection(session))
    rows = execute_prepared(connection, _RULES, {"platform": PLATFORM_ID, "role": PLATFORM_ROLE}).fetchall()
    pauses = [(role, kind) for what, role, kind, _ in rows if what == "pause"]
    limits = [(role, kind, number) for what, role, kind, number in rows if what == "limit"]
    limits.sort(key=lambda limit: (limit[0] is None, limit[1] is None))
    limits.extend((None, name, kind.at_once) for name, kind in kinds().items() if kind.at_once is not None)
    return Rules(pauses, limits)


def admit(
    connection: psycopg.Connection[Any], rules_: Rules, *, role: str | None, per_tenant: int, most: int, window: int
) -> list[Turn]:
    """Mark the next due jobs as sent, and return them in the order in which they start.

    Paused jobs whose message no worker has received wait again.

    Args:
        connection: a transaction in ``node``.
        rules_: what operators and kinds decide.
        role: only this tenant's jobs; all tenants' when None.
        per_tenant: jobs of one tenant that may be under way or running, unless an operator set another number.
        most: jobs of one tenant that may be under way or running, whatever an operator set.
        window: messages that may be under way.
    """
    paused: dict[str, object] = {
        "role": role,
        "paused_roles": [role_ for role_, _ in rules_.pauses],
        "paused_kinds": [kind for _, kind in rules_.pauses],
    }
    if rules_.pauses:
        connection.execute(_RECALL.encode(), paused)
    values = {
        **paused,
        "roles": [role_ for role_, _, _ in rules_.limits],
        "kinds": [kind for _, kind, _ in rules_.limits],
        "numbers": [number for _, _, number in rules_.limits],
        "ranks": list(range(len(rules_.limits))),
        "per_tenant": per_tenant,
        "most": most,
        "window": window,
        "known": list(kinds()),
    }
    rows = execute_prepared(connection, ADMIT, values).fetchall()
    return [Turn(job_id, by_message) for job_id, _, by_message in sorted(rows, key=itemgetter(1))]
