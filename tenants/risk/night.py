"""The night of a tenant: scores everybody, then issues the lists of the day. A schedule runs it."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from core import telemetry
from core.errors import Invalid
from core.jobs import Retry, enqueue, job
from tenants.risk.jobs import score_ended
from tenants.risk.staleness import day_to_score

if TYPE_CHECKING:
    from core.database import TenantSession
    from core.jobs import JobContext

NIGHT: Final = "risk.night"

log = telemetry.get_logger(__name__)


def enqueue_night(session: TenantSession, due: datetime) -> None:
    """Enqueue the night of the day on which the schedule was due."""
    day = due.astimezone(ZoneInfo(session.tenant.time_zone)).date().isoformat()
    enqueue(session, NIGHT, {"as_of": day}, dedupe_key=f"{NIGHT}:{day}")


@job(NIGHT, retry=Retry(5), on_end=score_ended)
def night(ctx: JobContext, payload: dict[str, Any]) -> None:
    """Score everybody as of a day, and issue its lists. Does nothing if the records end too early for the day."""
    from tenants.risk import repository, spread, worklist

    as_of = date.fromisoformat(payload["as_of"])
    with ctx.session() as session:
        try:
            day_to_score(session, as_of)
        except Invalid as error:
            log.info("no night: the records end too early", as_of=as_of.isoformat(), error=error.detail)
            return
        run = repository.run_of(session, as_of)
        scored = run is not None and run.state == "done" and run.started_by == ctx.actor
    if not scored:  # else an earlier try scored, and stopped while it issued the lists
        spread.score(ctx, as_of)
    for kind in worklist.KINDS:
        with ctx.session() as session:
            order = worklist.order_for(session, kind, as_of)
        worklist.issue(ctx.tenant, ctx.session, order)
