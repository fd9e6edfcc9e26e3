"""Decisions about extras, cached in each process: one look in a dictionary, and right within a minute."""

from __future__ import annotations

import time
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Final, Protocol, cast

from core import telemetry
from core.entitlements.decisions import ALLOWED, Decision, Extra
from core.entitlements.errors import CapReached, PaymentRequired
from core.feature_registry import features, resolve
from core.telemetry.tracebacks import describe

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from core.database import TenantRef

SECONDS: Final = 30.0
"""Time for which a process reuses decisions."""
MOST: Final = 10_000
"""Most tenants whose decisions a process stores."""

log = telemetry.get_logger(__name__)

_decisions: dict[UUID, tuple[float, Mapping[Extra, Decision]]] = {}
_lock = Lock()


class Source(Protocol):
    """Decides about the extras of a tenant; a feature registers it as ``Feature.entitlements``."""

    def __call__(self, tenant: TenantRef) -> Mapping[Extra, Decision]:
        """Return the decisions about extras; what is absent is allowed. It opens transactions of its own."""


@cache
def source() -> Source | None:
    """Return the source that a feature registers; None where no feature bills.

    Raises:
        LookupError: several features register one.
    """
    references = [feature.entitlements for feature in features() if feature.entitlements is not None]
    if len(references) > 1:
        message = f"at most one feature decides about extras, not {references}"
        raise LookupError(message)
    return cast("Source", resolve(references[0])) if references else None


def allowed(tenant: TenantRef, extra: Extra) -> Decision:
    """Return whether the tenant may use an extra now. Call it while no transaction is open.

    If the decision cannot be computed, the last one counts, and without one the extra is allowed.
    """
    known = _decisions.get(tenant.id)
    if known is None or known[0] < time.monotonic():
        known = _decided(tenant, known)
    return known[1].get(extra, ALLOWED)


def require(tenant: TenantRef, extra: Extra) -> None:
    """Raise if the tenant may not use an extra now.

    Raises:
        PaymentRequired: its plan does not include the extra, or an invoice is unpaid (402).
        CapReached: a cap of its plan is reached (429).
    """
    decision = allowed(tenant, extra)
    if decision.allowed:
        return
    if decision.status == CapReached.status:
        raise CapReached(decision.reason, remedy=decision.remedy, retry_after=decision.retry_after)
    raise PaymentRequired(decision.reason, remedy=decision.remedy)


def forget(tenant_id: UUID | None = None) -> None:
    """Let this process decide again: after a payment or a change of the plan, and in tests."""
    with _lock:
        if tenant_id is None:
            _decisions.clear()
        else:
            _decisions.pop(tenant_id, None)


def _decided(
    tenant: TenantRef, before: tuple[float, Mapping[Extra, Decision]] | None
) -> tuple[float, Mapping[Extra, Decision]]:
    decide = source()
    try:
        decisions = {} if decide is None else decide(tenant)
    except Exception as error:  # noqa: BLE001 - an extra is not refused because billing fails
        log.warning("extras were not decided", error=describe(error))
        decisions = {} if before is None else before[1]
    known = (time.monotonic() + SECONDS, decisions)
    with _lock:
        if len(_decisions) >= MOST:
            _decisions.clear()
        _decisions[tenant.id] = known
    return known
