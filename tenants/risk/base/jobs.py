"""The jobs of base models: a partner gives its sums, and calibrates the base model that it started from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from core.jobs import Retry, enqueue, job

if TYPE_CHECKING:
    from datetime import datetime

    from core.database import TenantSession
    from core.jobs import JobContext

GIVE: Final = "risk.give_sums"
RECALIBRATE: Final = "risk.recalibrate"


@job(GIVE, retry=Retry(2))
def give_sums(ctx: JobContext, payload: dict[str, Any]) -> None:  # noqa: ARG001 - the tenant's settings decide
    """Store noisy sums for a base model."""
    from tenants.risk.base import service

    service.give(ctx.session)


@job(RECALIBRATE, retry=Retry(3))
def recalibrate(ctx: JobContext, payload: dict[str, Any]) -> None:  # noqa: ARG001 - the serving model
    """Calibrate the serving base model on the outcomes of today."""
    from tenants.risk.base import service

    service.recalibrate(ctx.tenant, ctx.session)


def enqueue_recalibration(session: TenantSession, due: datetime) -> None:  # noqa: ARG001 - of every schedule
    """Enqueue the calibration of a base model."""
    enqueue(session, RECALIBRATE, {}, dedupe_key=RECALIBRATE)
