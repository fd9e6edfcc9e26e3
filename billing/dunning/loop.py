"""The loop that takes the steps against overdue invoices and sends their letters, tenant by tenant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from billing.dunning.letters import send_due
from billing.dunning.service import candidates, take_steps
from billing.invoices.loop import SYSTEM, for_each
from core.clock import now
from core.database import platform_session

if TYPE_CHECKING:
    from threading import Event
    from uuid import UUID


def look(stopping: Event) -> None:
    """Take the steps that are due, for all tenants. An error of one tenant does not stop the others.

    Raises:
        ExceptionGroup: some tenants failed; the loop reports it and tries again.
    """
    with platform_session() as session:
        tenants = candidates(session, now())
    for_each(tenants, _take, stopping, "steps against overdue invoices of some partners could not be taken")


def _take(tenant_id: UUID) -> None:
    with platform_session() as session:
        take_steps(session, tenant_id, now=now(), act=SYSTEM)
    send_due(tenant_id)
