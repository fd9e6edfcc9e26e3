"""The jobs of follow-up."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

from core import audit
from core.jobs import Retry, job
from core.tenancy import settings as tenant_settings
from tenants.followup import learning, list_size, sharing
from tenants.followup.settings import FollowUpSettings

if TYPE_CHECKING:
    from core.jobs import JobContext

_STEP_DAYS: Final = 31
_STEP_PEOPLE: Final = 500


@job(learning.LEARN_JOB, priority="low")
def learn(ctx: JobContext, payload: dict[str, Any]) -> None:
    """Compute results again, each list, month and group of people in its own transaction, then what sizes catch.

    The payload's ``whole`` asks for all of them; without it, those that follow from changed records.
    """
    whole = bool(payload.get("whole"))
    with ctx.session() as session:
        lists = learning.lists_to_learn(session) if whole else learning.lists_due(session)
        days = learning.days_to_learn(session) if whole else learning.interventions_due(session)
    changed, people = 0, 1
    while people:
        with ctx.session() as session:
            people, rows = learning.learn_waiting(session, _STEP_PEOPLE)
        changed += rows
    for number, worklist in enumerate(lists):
        with ctx.session() as session:
            changed += learning.learn_list(session, worklist)
            ctx.progress(number, len(lists), "looking at what became of people")
    begin, end = days or (date.max, date.min)
    while begin <= end:
        with ctx.session() as session:
            changed += learning.learn_interventions(session, begin, begin + timedelta(days=_STEP_DAYS - 1))
        begin += timedelta(days=_STEP_DAYS)
    with ctx.session() as session:
        list_size.store(session)
    with ctx.session() as session:
        audit.record(session, "job:followup:learn", "followup", None, {"changed": changed})
        ctx.finish(session)


@job(sharing.SHARE_JOB, retry=Retry(5))
def share(ctx: JobContext, _payload: dict[str, Any]) -> None:
    """Share out the newest lists among the officers, unless the tenant has stopped it meanwhile."""
    with ctx.session() as session:
        if tenant_settings.get(session, FollowUpSettings).share_out:
            shared = sharing.share_out(session)
            audit.record(session, "job:followup:share", "followup", None, asdict(shared))
        ctx.finish(session)
