"""Run one import from its files to the records, in steps. Each step is a transaction that moves a cursor.

A kill costs one step: the next run of the import resumes after the last committed step. The steps are
reading (rows are staged), checking (in the staging table), applying (the versioned upsert, kind by kind), clearing,
and the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID
from zoneinfo import ZoneInfo

from core import audit, metering, privacy
from core.clock import now
from core.database import SessionOpener, TenantSession, after_commit
from core.errors import AppError, Conflict, FieldError, Invalid, NotFound, phrase
from core.events import publish
from core.events.outbox import publish_after_commit
from core.metrics import Counter, Histogram
from tenants.imports import repository
from tenants.imports.applying import apply, cohort_block, steps
from tenants.imports.applying.apply import Terms
from tenants.imports.clearing import clear
from tenants.imports.given_up import forget
from tenants.imports.lock_wait import lasting, patiently
from tenants.imports.mapping import Mapping, check_mapping
from tenants.imports.models import UNFINISHED, Import
from tenants.imports.reading.blocks import PortionLimits
from tenants.imports.reading.reader import Position
from tenants.imports.reading.reader_process import (
    LocalReading,
    Portions,
    ReaderEnded,
    SeparateReading,
    reading,
    seldom_collecting,
)
from tenants.imports.reading.survey import SurveyRequest
from tenants.imports.staging import checks, facility_checks
from tenants.imports.staging.keys import PatientFacilities, settle, survey
from tenants.imports.staging.stager import Stager
from tenants.records.ids import new_uuid

if TYPE_CHECKING:
    from core.telemetry.progress import ProgressCallback
    from tenants.imports.reading.blocks import Block
    from tenants.imports.reading.sources import Source

ENDED = Counter("iit_imports_total", "Imports that ended.", ("outcome",))
_BOUNDS = (10.0, 60.0, 300.0, 900.0, 3600.0, 14400.0)
SECONDS = Histogram("iit_import_seconds", "Seconds from the order of an import to the new statuses.", bounds=_BOUNDS)

READ_ROWS = 5_000
"""Rows read and staged in one transaction."""

BLOCK_ROWS = 4
"""Factor by which a transaction reads more rows if it reads them as columns."""

READ_FACTS = 25_000
"""Facts at which a transaction ends before ``READ_ROWS``, because one row may be a person with a whole history."""


class ImportStopped(Conflict):
    """Error: the import was cancelled, or another process took it over."""

    title = "The import stopped"


class StagedRowsLost(Conflict):
    """Error: the staged rows are gone, so the import cannot resume."""

    title = "The import cannot go on"


class RewoundError(Exception):
    """Error: the server crashed and lost the last steps, whose commits do not wait for the disk."""


def _place(row: Import) -> tuple[object, ...]:
    """The cursor of an import: each step moves it."""
    return row.state, row.step, row.cursor_seq, row.cursor_file, row.cursor_line, row.rows_read, row.staged


class Runner:
    """Runs one import.

    Args:
        open_session: opens one transaction of the tenant.
        import_uuid: the import.
        sources: its files, in the order of their numbers.
        report: receives the progress: done, total (None if not known yet), and a text.
        shared: whether this process also works for others: then it reads no file itself.
    """

    def __init__(
        self,
        open_session: SessionOpener,
        import_uuid: UUID,
        sources: Sequence[Source],
        report: ProgressCallback,
        *,
        shared: bool = False,
    ) -> None:
        self._shared = shared
        self._open = open_session
        self._uuid = import_uuid
        self._sources = sources
        self._report = report
        self._token = new_uuid()
        self._at: tuple[object, ...] | None = None
        self._differ = False

    @seldom_collecting()
    def run(self) -> None:
        """Run the import from its cursor to its end.

        Raises:
            AppError: the files cannot be imported: the import has failed and changed no records.
            ImportStopped: it was cancelled or taken over.
            StagedRowsLost: it comes from a backup without its staged rows, and has failed.
        """
        while True:
            try:
                self._run()
            except RewoundError:
                continue  # repeat the lost steps, from the cursor in the import's row
            return

    def _run(self) -> None:
        state = self._claim()
        try:
            with reading(self._sources, self._watch, shared=self._shared) as reader:
                if state == "pending":
                    self._twice(lambda: self._prepare(reader))
                    state = "reading"
                if state == "reading":
                    self._twice(lambda: self._read(reader))
                    state = "checking"
            if state == "checking":
                self._check()
                state = "applying"
        except Invalid as error:
            self._fail(error)
            raise
        if state == "applying":
            self._apply()
            self._finish()

    @contextmanager
    def _step(self) -> Iterator[tuple[TenantSession, Import]]:
        """One transaction of the import, which this process has locked and still owns.

        Raises:
            ImportStopped: it was cancelled or taken over.
            ImportBlocked: another process has a lock that the step needs, and has stopped.
            RewoundError: its cursor is not where this process left it.
        """
        with patiently(self._open, self._uuid) as session:
            row = repository.find(session, self._uuid, lock=True)
            if row is None:
                message = "there is no such import"
                raise NotFound(message)
            if row.state == "cancelled":
                message = "the import was cancelled"
                raise ImportStopped(message, remedy="nothing of it is in the records; start it again if it is wanted")
            if row.runner != self._token:
                message = "another process has taken the import over"
                raise ImportStopped(
                    message, remedy="leave it to that process, or run the command again to take it back"
                )
            if _place(row) != self._at:
                raise RewoundError
            yield session, row
            session.add(row)
            session.flush()
            at = _place(row)
        self._at = at

    def _claim(self) -> str:
        """Take the import over; return its state.

        Raises:
            StagedRowsLost: its staged rows are gone. The import has failed.
        """
        with patiently(self._open, self._uuid) as session:
            row = repository.find(session, self._uuid, lock=True)
            if row is None or row.state not in UNFINISHED:
                message = "there is no such unfinished import"
                raise NotFound(message)
            lasting(session)
            row.runner = self._token
            forget(row)
            row.started_at = row.started_at or now()
            session.add(row)
            self._at = _place(row)
            state, lost = row.state, row.staged > 0 and not repository.is_staged(session, row.uuid)
        if lost:
            message = "the rows that this import had read are gone: it comes from a backup made while it ran"
            error = StagedRowsLost(
                message, remedy="import the same files again; what is in the records already stays as it is"
            )
            self._fail(error)
            raise error
        return state

    def _prepare(self, reader: LocalReading | SeparateReading) -> None:
        """Find the format, the source's name and the data date, and check the mapping's blocks."""
        with self._step() as (session, row):
            mapping, fixed_date, format_name = self._mapping(session, row), row.data_date, row.format
            cohort_block.check(session, mapping.cohort)
            today = now().astimezone(ZoneInfo(session.tenant.time_zone)).date()
        result = reader.survey(SurveyRequest(self._sources, mapping, format_name, fixed_date))
        data_date = result.data_date
        if data_date is None:
            remedy = "see that the files have rows, or give the import a data date: YYYY-MM-DD"
            message = "the date to which the data run is not known"
            problem = "not given, and no row has a date that can be read"
            raise Invalid(message, remedy=remedy, errors=[FieldError("data_date", problem, remedy)])
        if data_date > today:
            message = phrase("the data date {data_date} lies in the future", data_date=data_date)
            raise Invalid(message, errors=[FieldError("data_date", "lies in the future", "give the day of the export")])
        with self._step() as (session, row):
            row.format, row.data_date, row.notes = result.format, data_date, result.notes
            # Lists of one system share its people: they are of one source.
            row.source = mapping.source or result.source
            row.state = "reading"

    @staticmethod
    def _mapping(session: TenantSession, row: Import) -> Mapping:
        """The mapping, with the tenant's time zone where it names none."""
        mapping = check_mapping(row.mapping)
        return mapping.model_copy(update={"time_zone": mapping.time_zone or session.tenant.time_zone})

    def _terms(self, row: Import, mapping: Mapping) -> Terms:
        if row.data_date is None:
            message = "an import that is under way has a data date"
            raise RuntimeError(message)
        return Terms(row.uuid, row.source, row.data_date, mapping.assumed_lag_days)

    def _twice(self, act: Callable[[], None]) -> None:
        """Call ``act``, which reads files, and again if the reading process ends.

        If the process ends twice at one place, the file is to blame.

        Raises:
            Invalid: a file cannot be read.
        """
        ended_at: tuple[object, ...] | None = None
        while True:
            try:
                act()
            except ReaderEnded as ended:
                if self._at == ended_at:
                    remedy = "split the file, or export it in another format, as CSV"
                    raise Invalid(ended.detail, remedy=remedy) from ended
                ended_at = self._at
            else:
                return

    def _watch(self) -> None:
        """Check that the import was not cancelled, while its reader is busy; raises as ``_step``."""
        with self._step():
            return

    def _read(self, reader: LocalReading | SeparateReading) -> None:
        with self._step() as (session, row):
            mapping = self._mapping(session, row)
            after = Position(row.cursor_file, row.cursor_line) if row.cursor_line else None
            where = PatientFacilities(row.uuid, row.source)
            wanted = Portions(
                format=row.format,
                sources=self._sources,
                mapping=mapping,
                after=after,
                data_date=self._terms(row, mapping).data_date,
                limits=PortionLimits(READ_ROWS, READ_FACTS, READ_ROWS * BLOCK_ROWS),
                blind=privacy.vault(session).maker,
            )
        for block in reader.portions(wanted):
            self._stage(block, where, mapping)
        # The keys of rows that an earlier reading staged are not known.
        self._differ = after is None and where.keys.all_differ()
        with self._step() as (_, row):
            row.state, row.step, row.cursor_seq = "checking", "", 0

    def _stage(self, block: Block, where: PatientFacilities, mapping: Mapping) -> None:
        with self._step() as (session, row):
            terms = self._terms(row, mapping)
            stager = Stager(session, row.uuid, terms.data_date, max(row.cursor_seq, row.staged), where)
            tally = stager.take(block)
            row.cursor_seq = stager.seq
            row.rows_read += tally.read
            row.rows_rejected += tally.rejected
            row.rows_in_part += tally.in_part
            row.rows_left_out += tally.left_out
            row.staged += tally.staged
            row.cursor_file, row.cursor_line = block.file, block.last
            # A file's name may be personal, and the job's row copies this note: a number is enough.
            row.step = f"reading file {block.file + 1} of {len(self._sources)}"
            done, step = row.rows_read + row.rows_left_out, row.step
        self._report(done, None, step)

    def _check(self) -> None:
        with self._step() as (_, row):
            done = row.cursor_seq
        for step in range(done, len(checks.STEPS)):
            with self._step() as (session, row):
                row.step, row.cursor_seq = checks.note(step), step + 1
                note, total = row.step, row.rows_read
                session.add(row)
                session.flush()
                mapping = check_mapping(row.mapping)
                rejected = step == 0 and facility_checks.run(session, row.uuid, row.source, mapping)
                checks.run_step(session, step, row.uuid, row.source, rejected=rejected, differ=self._differ)
                session.refresh(row)
            self._report(total, None, note)
        with self._step() as (session, row):
            if row.strict:
                steps.reject_parts(session, row)
            row.state, row.step, row.cursor_seq = "applying", "facilities", 0

    def _apply(self) -> None:
        with self._step() as (_, row):
            mapping = check_mapping(row.mapping)
            if row.step == "clearing":
                return
            kinds = steps.KINDS[steps.KINDS.index(row.step) :]
            done = sum(sum(counts.values()) for kind, counts in row.counts.items() if kind != "facilities")
        ends: dict[str, int] | None = None
        for position, kind in enumerate(kinds):
            if kind not in ("facilities", "contacts"):
                ends = self._settled_ends(mapping) if ends is None else ends
            more = True
            while more:
                with self._step() as (session, row):
                    taken = steps.apply_step(session, row, self._terms(row, mapping), kind, (ends or {}).get(kind, 0))
                    total, more, done = row.staged, taken is not None, done + (taken or 0)
                    if not more:
                        row.step = kinds[position + 1] if position + 1 < len(kinds) else "clearing"
                        row.cursor_seq = 0
                if more:
                    note = "bringing contacts and statuses in line" if kind == "contacts" else f"writing {kind}"
                    self._report(done, total, note.replace("_", " "))

    def _settled_ends(self, mapping: Mapping) -> dict[str, int]:
        """Check that each staged event has the identities of its facility; return the last row of each kind."""
        with self._step() as (session, row):
            ends = survey(session, row.uuid)
        rows = apply.STEP_ROWS if ends.astray else 0
        while rows >= apply.STEP_ROWS:
            with self._step() as (session, row):
                rows = settle(session, row.uuid, self._terms(row, mapping).source, apply.STEP_ROWS)
        return ends.ends

    def _finish(self) -> None:
        with self._step() as (session, row):
            lasting(session)
            self._end(session, row, repository.facilities(session, row.uuid))
        clear(self._open, self._uuid)

    def _end(self, session: TenantSession, row: Import, touched: list[UUID]) -> None:
        after_commit(session, partial(ENDED.add, "done"))
        metering.record(session, "imports", 1, key=str(row.uuid))
        metering.record(session, "import_rows", row.rows_read, key=str(row.uuid))
        detail = {"rows_read": row.rows_read, "rows_rejected": row.rows_rejected, "counts": row.counts}
        audit.record(session, "import:records:finish", "import", row.uuid, detail)
        row.state, row.step, row.finished_at = "done", "", now()
        after_commit(session, partial(SECONDS.observe, (row.finished_at - row.created_at).total_seconds()))
        session.add(row)
        session.flush()
        publish(
            session, "imports.completed", {"import_id": row.uuid, "data_date": row.data_date, "facility_ids": touched}
        )
        completed = {
            "import_id": str(row.uuid),
            "source": row.source,
            "data_date": None if row.data_date is None else row.data_date.isoformat(),
            "rows_read": row.rows_read,
            "rows_rejected": row.rows_rejected,
        }
        publish_after_commit(session, "imports.completed", subject=str(row.uuid), payload=completed)

    def _fail(self, error: AppError) -> None:
        """End the import as failed, and delete its staged rows. Only after ``StagedRowsLost`` have records changed."""
        with self._step() as (session, row):
            lasting(session)
            after_commit(session, partial(ENDED.add, "failed"))
            row.state, row.error, row.finished_at = "failed", error.detail, now()
            row.failure = [
                {"field": field_error.field, "problem": field_error.problem, "remedy": field_error.remedy}
                for field_error in error.errors
            ] or [{"field": "", "problem": error.detail, "remedy": error.remedy}]
            audit.record(session, "import:records:fail", "import", row.uuid, {"state": row.step})
        clear(self._open, self._uuid)
