"""The loop that drafts and issues what is due, tenant by tenant."""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING, Final

from sqlalchemy import text

from billing.invoices.issuing import advance
from billing.plans.service import Act
from core.clock import now
from core.database import platform_session

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from uuid import UUID

    from billing.invoices.models import Invoice

SYSTEM: Final = Act("system:billing", "system")

_TENANTS: Final = text("SELECT DISTINCT tenant_id FROM platform.subscriptions ORDER BY tenant_id")


def issue_due(stopping: Event) -> None:
    """Draft and issue what is due, for all tenants. An error of one tenant does not stop the others.

    Raises:
        ExceptionGroup: some tenants failed; the loop reports it and tries again.
    """
    errors: list[Exception] = []
    for tenant_id in subscribers():
        if stopping.is_set():
            return
        try:
            for _ in issue_for(tenant_id, now()):
                if stopping.is_set():
                    return
        except Exception as error:  # noqa: BLE001 - raised with the others below
            errors.append(error)
    if errors:
        message = "invoices of some partners could not be drafted or issued"
        raise ExceptionGroup(message, errors)


def subscribers() -> list[UUID]:
    """Return the tenants that have or had a subscription."""
    with platform_session() as session:
        return list(session.execute(_TENANTS).scalars())


def issue_for(tenant_id: UUID, moment: datetime, act: Act = SYSTEM) -> Iterator[Invoice]:
    """Yield the documents of a tenant that were drafted or issued, each after its own transaction."""
    while True:
        with platform_session() as session:
            document = advance(session, tenant_id, now=moment, act=act)
        if document is None:
            return
        yield document
