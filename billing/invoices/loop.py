"""The loop that drafts, issues and mails what is due, tenant by tenant."""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING, Final

from sqlalchemy import text

from billing.invoices.issuing import advance
from billing.invoices.letters import send_due
from billing.plans.service import Act
from core.clock import now
from core.database import platform_session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime
    from uuid import UUID

    from billing.invoices.models import Invoice

SYSTEM: Final = Act("system:billing", "system")

_TENANTS: Final = text("SELECT DISTINCT tenant_id FROM platform.subscriptions ORDER BY tenant_id")


def issue_due(stopping: Event) -> None:
    """Draft, issue and mail what is due, for all tenants. An error of one tenant does not stop the others.

    Raises:
        ExceptionGroup: some tenants failed; the loop reports it and tries again.
    """

    def issue(tenant_id: UUID) -> None:
        for _ in issue_for(tenant_id, now()):
            if stopping.is_set():
                return
        send_due(tenant_id)

    for_each(subscribers(), issue, stopping, "invoices of some partners could not be drafted, issued or mailed")


def for_each(tenants: Iterable[UUID], act: Callable[[UUID], object], stopping: Event, message: str) -> None:
    """Do the same for tenant after tenant, until ``stopping`` is set. An error of one does not stop the others.

    Args:
        tenants: the tenants.
        act: what to do for one of them.
        stopping: set when the process ends.
        message: of the group of errors.

    Raises:
        ExceptionGroup: it failed for some tenants.
    """
    errors: list[Exception] = []
    for tenant_id in tenants:
        if stopping.is_set():
            return
        try:
            act(tenant_id)
        except Exception as error:  # noqa: BLE001 - raised with the others below
            errors.append(error)
    if errors:
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
