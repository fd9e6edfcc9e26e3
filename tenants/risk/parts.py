"""The parts of a large scoring: their rows, and what happens to them when a job ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from uuid import UUID

from sqlmodel import col, delete, select

from core.jobs import enqueue
from tenants.records.ids import new_uuid
from tenants.risk.models import ScorePart

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.database import TenantSession
    from core.jobs import JobEnd
    from tenants.risk.models import ScoreRun

PART: Final = "risk.score_part"
_OTHERS: Final = (
    "SELECT 1 FROM score_parts JOIN node.jobs ON jobs.id = score_parts.parent_job"
    " WHERE score_parts.run_uuid = %s AND score_parts.parent_job <> %s AND jobs.state IN ('queued', 'sent', 'running')"
)


def divided(facilities: Sequence[tuple[UUID, int]], most: int, least: int) -> list[tuple[UUID | None, UUID, int]]:
    """Divide facilities into parts of about the same number of patients.

    Args:
        facilities: each with its patients, in the order of scoring.
        most: parts at most.
        least: patients of a part, about, at least.

    Returns:
        For each part the facility before its first one, its last one, and its patients.
    """
    total = sum(patients for _, patients in facilities)
    count = max(1, min(most, len(facilities), total // least))
    ranges: list[tuple[UUID | None, UUID, int]] = []
    before: UUID | None = None
    seen = earlier = 0
    for place, (facility, patients) in enumerate(facilities, start=1):
        seen += patients
        if seen * count >= total * (len(ranges) + 1) or place == len(facilities):
            ranges.append((before, facility, seen - earlier))
            before, earlier = facility, seen
    return ranges


def add(
    session: TenantSession, run: ScoreRun, parent_job: UUID, ranges: Sequence[tuple[UUID | None, UUID, int]]
) -> None:
    """Add the parts of a run, and a job for each."""
    session.execute(delete(ScorePart).where(col(ScorePart.run_uuid) == run.uuid))
    for after, until, patients in ranges:
        part = ScorePart(
            uuid=new_uuid(),
            run_uuid=run.uuid,
            parent_job=parent_job,
            inputs=run.inputs,
            model_version=run.model_version,
            after=after,
            until=until,
            cursor_uuid=after,
            state="waiting",
            patients=patients,
        )
        session.add(part)
        session.flush()
        _enqueue(session, part)


def of_parent(session: TenantSession, parent_job: UUID) -> Sequence[ScorePart]:
    """Return the parts that a job waits for, in the order of scoring."""
    return session.exec(
        select(ScorePart).where(ScorePart.parent_job == parent_job).order_by(col(ScorePart.until))
    ).all()


def wanted_by_another(session: TenantSession, run: ScoreRun, parent_job: UUID) -> bool:
    """Return whether another job, which has not ended, waits for parts of this run."""
    with session.cursor() as cursor:
        row = cursor.execute(_OTHERS, (run.uuid, parent_job)).fetchone()
    return row is not None


def remove(session: TenantSession, parent_job: UUID) -> None:
    """Remove the parts of a job. A part that is in work stops at its next step."""
    session.execute(delete(ScorePart).where(col(ScorePart.parent_job) == parent_job))


def parent_ended(session: TenantSession, end: JobEnd) -> None:
    """Remove the parts of a discarded or cancelled job; enqueue the failed ones again if it is retried."""
    if end.decision in ("discarded", "cancelled"):
        remove(session, end.job_id)
    elif end.decision == "retried":
        for part in of_parent(session, end.job_id):
            if part.state == "failed":
                part.state = "waiting"
                session.add(part)
                _enqueue(session, part)


def part_ended(session: TenantSession, end: JobEnd) -> None:
    """Mark a part as failed when its job is given up, and as waiting when the job is retried."""
    before, after = ("waiting", "failed") if end.stalled else ("failed", "waiting")
    part = session.get(ScorePart, UUID(end.payload["part"]), with_for_update=True)
    if part is not None and part.state == before:
        part.state = after
        session.add(part)


def _enqueue(session: TenantSession, part: ScorePart) -> None:
    enqueue(session, PART, {"part": str(part.uuid)}, dedupe_key=f"{PART}:{part.uuid}")
