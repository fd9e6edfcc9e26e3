"""Undo an applied import: the records become as if it had never come, in steps like those of an import.

From the first step on, the run no longer counts. The people at its facilities are queued, and each step settles some of
them. A kill costs one step; another undo of the import resumes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from core import audit
from core.clock import now
from core.errors import Conflict, NotFound, phrase
from core.events import publish
from tenants.imports import repository
from tenants.imports.applying import apply, placing, settling, snapshots
from tenants.imports.applying.apply import Terms
from tenants.imports.given_up import STATE_WORDS
from tenants.records import runs
from tenants.records.locks import lock_for_import

if TYPE_CHECKING:
    from uuid import UUID

    from core.database import SessionOpener, TenantSession
    from core.telemetry.progress import ProgressCallback
    from tenants.imports.models import Import
    from tenants.records.runs import Run

_UNDONE = "UPDATE record_runs SET undone = true WHERE number = %s"
_UNREAD = "DELETE FROM unread_contacts WHERE import_uuid = %s"
_FACILITIES = "SELECT DISTINCT facility_uuid FROM record_coverage WHERE number = %s"


def begin(session: TenantSession, import_uuid: UUID) -> Import:
    """Exclude the import's run, and queue the people whose records depend on it. A repeated call resumes.

    Raises:
        NotFound: there is no such import.
        Conflict: it wrote nothing, is still running, or was made by a release that stored no runs.
    """
    lock_for_import(session)
    row = repository.find(session, import_uuid, lock=True)
    if row is None:
        message = "there is no such import"
        raise NotFound(message)
    if row.state in ("undoing", "undone"):
        return row
    if row.state != "done":
        message = phrase("the import is {what}: only one that is done can be undone", what=STATE_WORDS[row.state])
        raise Conflict(message, remedy="wait for its end, or cancel it while it writes no records")
    run = runs.find(session, import_uuid)
    if run is None:
        message = "this import was made by an earlier release, which stored no statements of each import"
        raise Conflict(message, remedy="import a corrected list with a later data date")
    with session.cursor() as cursor:
        cursor.execute(_UNDONE, (run.number,))
        cursor.execute(_UNREAD, (import_uuid,))
        snapshots.take_out(session, run)
        places = [each[0] for each in cursor.execute(_FACILITIES, (run.number,)).fetchall()]
    settling.redate(session, places)
    placing.forget(session, import_uuid)
    settling.queue_all(session, run)
    row.state, row.step = "undoing", "updating records"
    session.add(row)
    session.flush()
    audit.record(session, "import:records:undo", "import", import_uuid)
    return row


def finish(open_session: SessionOpener, import_uuid: UUID, progress: ProgressCallback) -> None:
    """Settle everybody in the queue, and end the undoing."""
    settled = 0
    while True:
        with open_session() as session:
            row = repository.find(session, import_uuid, lock=True)
            if row is None or row.state != "undoing" or row.data_date is None:
                return
            publish(session, "records.written", {"import_id": row.uuid})
            step_count = apply.publish_changes(session, Terms(row.uuid, row.source, row.data_date, 0))
            # Events of people whom only this import named wait again: their people are settled in turn.
            step_count = step_count or placing.move(session, row.uuid, row.source).placements
            if not step_count:
                _end(session, row, _run(session, import_uuid))
                return
        settled += step_count
        progress(settled, None, "updating records")


def _end(session: TenantSession, row: Import, run: Run) -> None:
    with session.cursor() as cursor:
        facilities = [each[0] for each in cursor.execute(_FACILITIES, (run.number,)).fetchall()]
    row.state, row.step, row.finished_at, row.error, row.failure = "undone", "", now(), None, None
    session.add(row)
    session.flush()
    audit.record(session, "import:records:undone", "import", row.uuid)
    publish(
        session, "imports.completed", {"import_id": row.uuid, "data_date": row.data_date, "facility_ids": facilities}
    )


def _run(session: TenantSession, import_uuid: UUID) -> Run:
    run = runs.find(session, import_uuid)
    if run is None:
        message = "an import that is being undone has a run"
        raise RuntimeError(message)
    return run
