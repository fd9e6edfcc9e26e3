"""What answers and the language model cost each tenant, and how long they take, from the ledger: for operators."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from core.clock import now
from core.database import databases, node_session, psycopg_connection
from core.tenancy import list_tenants
from tenants.knowledge import costs, egress, questions

if TYPE_CHECKING:
    from datetime import datetime

DAYS: Final = 30
_USE: Final = """
SELECT t.id, count(*) FILTER (WHERE u.meter = %(questions)s),
    count(*) FILTER (WHERE u.meter = %(questions)s AND u.dimensions ->> 'outcome' = 'none'),
    count(*) FILTER (WHERE u.meter = %(seconds)s),
    count(*) FILTER (WHERE u.meter = %(seconds)s AND u.dimensions ->> 'outcome' = 'failed'),
    count(*) FILTER (WHERE u.meter = %(blocked)s),
    coalesce(sum(u.value) FILTER (WHERE u.meter = %(tokens)s), 0)::bigint,
    coalesce(sum(u.value) FILTER (WHERE u.meter = %(cost)s), 0),
    percentile_disc(0.5) WITHIN GROUP (ORDER BY u.value) FILTER (WHERE u.meter = %(seconds)s),
    percentile_disc(0.95) WITHIN GROUP (ORDER BY u.value) FILTER (WHERE u.meter = %(seconds)s)
FROM unnest(%(tenants)s::uuid[]) AS t (id) CROSS JOIN unnest(%(meters)s::text[]) AS m (name)
JOIN node.usage_events u ON u.tenant_id = t.id AND u.meter = m.name AND u.recorded_at >= %(since)s
GROUP BY t.id
"""


@dataclass(frozen=True, slots=True)
class AiUse:
    """What one tenant used.

    Attributes:
        slug, name: of the tenant.
        questions: that were asked.
        unanswered: those that the guidelines do not answer.
        calls: of the language model.
        failed: calls without an answer.
        blocked: questions that the tenant's policy did not let leave.
        tokens: that the language model read and wrote.
        cost: US dollars, by the installation's price list.
        median_seconds, slow_seconds: time of a call, and of the slowest in twenty; None without a call.
    """

    slug: str
    name: str
    questions: int
    unanswered: int
    calls: int
    failed: int
    blocked: int
    tokens: int
    cost: Decimal
    median_seconds: float | None
    slow_seconds: float | None


def by_tenant(days: int = DAYS) -> list[AiUse]:
    """Return what each tenant used in the last days, the most expensive first; tenants that used nothing are left out.

    Raises:
        Unavailable: a data database cannot be reached.
    """
    since = now() - timedelta(days)
    uses = [use for database in databases() for use in _of_database(database, since)]
    return sorted(uses, key=lambda use: (-use.cost, -use.tokens, -use.questions, use.slug))


def _of_database(database: str, since: datetime) -> list[AiUse]:
    tenants = {tenant.id: tenant for tenant in list_tenants() if tenant.database == database}
    values = {
        "tenants": list(tenants),
        "since": since,
        "questions": questions.METER,
        "blocked": egress.METER,
        "tokens": costs.TOKENS,
        "cost": costs.COST,
        "seconds": costs.SECONDS,
    }
    values["meters"] = [values[name] for name in ("questions", "blocked", "tokens", "cost", "seconds")]
    with node_session(database) as session, psycopg_connection(session).cursor() as cursor:
        rows = cursor.execute(_USE, values).fetchall()
    return [
        AiUse(
            tenants[row[0]].slug,
            tenants[row[0]].name,
            *row[1:8],
            *(None if seconds is None else float(seconds) for seconds in row[8:]),
        )
        for row in rows
    ]
