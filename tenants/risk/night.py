"""The night of a tenant: scores everybody, then issues the lists of the day. A schedule runs it."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from core import telemetry
from core.clock import now
from core.database import after_commit
from core.errors import Invalid
from core.jobs import Retry, enqueue, job
from core.metrics import Counter
from tenants.risk.jobs import score_ended
from tenants.risk.staleness import day_to_score

if TYPE_CHECKING:
    from core.database import TenantRef, TenantSession
    from core.jobs import JobContext, JobEnd

NIGHT: Final = "risk.night"
NIGHTS: Final = Counter("iit_nights_total", "Nights by when the lists of their day were ready.", ("outcome",))
READY_BY: Final = time(6)
"""When trackers open the lists of the day, in the tenant's time zone: the objective of the platform."""
LONGEST: Final = timedelta(hours=4)
"""How long a night may take that a tenant lets begin too late to be ready by then."""

log = telemetry.get_logger(__name__)


def enqueue_night(session: TenantSession, due: datetime) -> None:
    """Enqueue the night of the day on which the schedule was due."""
    day = due.astimezone(ZoneInfo(session.tenant.time_zone)).date().isoformat()
    enqueue(session, NIGHT, {"as_of": day, "due": due.isoformat()}, dedupe_key=f"{NIGHT}:{day}")


def night_ended(session: TenantSession, end: JobEnd) -> None:
    """Do what follows when the job of a night is given up or tried again."""
    score_ended(session, end)
    if end.decision == "given_up":
        after_commit(session, partial(NIGHTS.add, "failed"))


@job(NIGHT, retry=Retry(5), on_end=night_ended)
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
    NIGHTS.add("late" if now() > ready_by(ctx.tenant, as_of, payload.get("due")) else "on_time")


def ready_by(tenant: TenantRef, as_of: date, due: str | None) -> datetime:
    """Return when the lists of a day are to be ready.

    Args:
        tenant: whose lists; its time zone counts.
        as_of: their day.
        due: when the schedule wanted the night to begin, in ISO 8601; None for a job that does not say it.
    """
    morning = datetime.combine(as_of, READY_BY, ZoneInfo(tenant.time_zone))
    return morning if due is None else max(morning, datetime.fromisoformat(due) + LONGEST)
