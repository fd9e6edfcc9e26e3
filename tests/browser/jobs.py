"""Jobs that failed for good, as operators see them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from core.database import node_session, tenant_session
from core.jobs import enqueue

if TYPE_CHECKING:
    from uuid import UUID

    from core.database import TenantRef

_DIED = "UPDATE node.jobs SET state = 'dead', attempts = 3, error = :error, finished_at = now() WHERE id = :id"


def dead_job(tenant: TenantRef) -> UUID:
    """Let a job of the tenant fail for good, and return its id."""
    with tenant_session(tenant, actor="test:1") as session:
        job_id = enqueue(session, "quality.link", {})
    with node_session(tenant.database) as session:
        session.execute(text(_DIED), {"id": job_id, "error": "ArithmeticError at linkage.py:1"})
    return job_id
