"""Letting go of what is old: kind by kind, in batches that are each a transaction. Run again, it does nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from core import audit, blobs
from core.clock import now, today
from core.database import tenant_session
from core.errors import FieldError, Invalid
from core.features import features, resolve
from core.retention.settings import Retention, RetentionRun
from core.telemetry.tracebacks import describe
from core.tenancy import list_tenants
from core.tenancy import settings as tenant_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from threading import Event

    from core.database import TenantRef, TenantSession
    from core.features import Kept

FEWEST_DAYS: Final = 30
MOST_DAYS: Final = 36_500
ACTOR: Final = "system:retention"


@dataclass(frozen=True, slots=True)
class Let:
    """What one run let go, rows by kind; and how many expired blobs."""

    rows: dict[str, int]
    blobs: int


def kinds() -> dict[str, Kept]:
    """Every kind that a room registered, by name.

    Raises:
        RuntimeError: two rooms register one kind.
    """
    found: dict[str, Kept] = {}
    for feature in features():
        for name, kept in feature.retention.items():
            if name in found:
                message = f"two rooms register the retention of {name!r}"
                raise RuntimeError(message)
            found[name] = kept
    return found


def days_of(session: TenantSession) -> dict[str, int]:
    """Days by kind, as they hold for the tenant."""
    said = tenant_settings.get(session, Retention).days
    return {name: said.get(name, kept.days) for name, kept in kinds().items()}


def put(session: TenantSession, days: Mapping[str, int]) -> None:
    """Change days of some kinds.

    Raises:
        Invalid: a kind is not known, or its days are not 30 to 36,500.
    """
    known = kinds()
    wrong = [
        FieldError(f"days.{name}", "is no kind", f"choose among {', '.join(known)}")
        for name in days
        if name not in known
    ]
    wrong += [
        FieldError(f"days.{name}", f"{value} days cannot be kept", f"give {FEWEST_DAYS} to {MOST_DAYS}")
        for name, value in days.items()
        if name in known and not FEWEST_DAYS <= value <= MOST_DAYS
    ]
    if wrong:
        raise Invalid("the retention cannot be changed", remedy=wrong[0].remedy, errors=wrong)
    present = tenant_settings.get(session, Retention)
    tenant_settings.put(session, Retention(days={**present.days, **days}))
    audit.record(session, "cli:retention:update", "retention", None, {"days": dict(days)})


def run(tenant: TenantRef, *, actor: str = ACTOR, told: Callable[[str, int], None] | None = None) -> Let:
    """Let go of everything of this tenant that is older than its days."""
    with tenant_session(tenant, actor=actor, readonly=True) as session:
        days = days_of(session)
    rows: dict[str, int] = {}
    for name, kept in kinds().items():
        function, rows[name] = resolve(kept.function), 0
        before = now() - timedelta(days=days[name])
        while True:
            with tenant_session(tenant, actor=actor) as session:
                gone = function(session, before)
            rows[name] += gone
            if told is not None:
                told(name, gone)
            if not gone:
                break
    purged = blobs.purge(tenant)
    with tenant_session(tenant, actor=actor) as session:
        tenant_settings.put(session, RetentionRun(day=today(tenant.time_zone)))
        if any(rows.values()):
            audit.record(session, "system:retention:run", "retention", None, {"rows": rows})
    return Let(rows, purged.days)


def run_due(stopping: Event) -> dict[str, str]:
    """Run for each active tenant for which it has not run today; slug -> why, of those for which it failed.

    Whatever it is, it is that tenant's: one that lags behind a migration, say, has not the tables that a kind reads.
    """
    failed: dict[str, str] = {}
    for tenant in list_tenants():
        if stopping.is_set():
            break
        if tenant.state != "active":
            continue
        try:
            with tenant_session(tenant, actor=ACTOR, readonly=True) as session:
                last = tenant_settings.get(session, RetentionRun).day
            if last != today(tenant.time_zone):
                run(tenant)
        except Exception as error:  # noqa: BLE001 - as said above
            failed[tenant.slug] = describe(error)
    return failed
