"""The watch over models between two trainings: a job and its schedule that look for drift, bias and lost parity."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from core.errors import FieldError, Invalid
from core.jobs import Retry, enqueue, job
from core.jobs.registry import payload_check
from tenants.cohort.presenting import as_of_day

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from core.database import TenantSession
    from core.jobs import JobContext

WATCH = "risk.watch"
SNAPSHOT = "risk.snapshot"


@job(WATCH, retry=Retry(3))
def watch(ctx: JobContext, payload: dict[str, Any]) -> None:  # noqa: ARG001 - it looks at all that is known
    """Look for drift and bias, and compare online with offline values."""
    from tenants.risk.bias import service as bias
    from tenants.risk.drift import service as drift
    from tenants.risk.feature_store import parity

    drift.look(ctx.tenant, ctx.session)
    bias.look(ctx.session)
    parity.look(ctx.tenant, ctx.session)


def enqueue_watch(session: TenantSession, due: datetime) -> None:  # noqa: ARG001 - of every schedule
    """Enqueue the watch."""
    enqueue(session, WATCH, {}, dedupe_key=WATCH)


@payload_check(SNAPSHOT)
def check_snapshot(payload: dict[str, Any]) -> None:
    """Check the edited payload of a snapshot: it names a day.

    Raises:
        Invalid: it does not.
    """
    try:
        date.fromisoformat(payload["as_of"])
    except (KeyError, TypeError, ValueError) as error:
        raise Invalid("the payload is not valid", errors=[FieldError("payload.as_of", "is not a day")]) from error


@job(SNAPSHOT, retry=Retry(3))
def take_snapshot(ctx: JobContext, payload: dict[str, Any]) -> None:
    """Store the features of everybody as known on a day."""
    from tenants.risk.feature_store import snapshots

    snapshots.take(ctx.tenant, ctx.session, date.fromisoformat(payload["as_of"]))


def request_snapshot(session: TenantSession, as_of: date | None) -> UUID:
    """Enqueue a snapshot of a day, today if None; return the job."""
    day = as_of_day(session, as_of).isoformat()
    return enqueue(session, SNAPSHOT, {"as_of": day}, dedupe_key=f"{SNAPSHOT}:{day}")
