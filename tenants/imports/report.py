"""The report of an import: numbers, problems, and the rejected rows as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO

from core import audit
from core.errors import NotFound
from core.web.spreadsheets import guarded
from core.web.streams import written
from core.web.texts import marked
from tenants.imports import repository, waiting
from tenants.imports.facts import KINDS
from tenants.imports.given_up import shown_state
from tenants.imports.waiting import RELEASED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import date, datetime
    from uuid import UUID

    from core.database import TenantSession
    from tenants.imports.models import Import

_EARLIER_NAME = "held"

HEADINGS = (marked("file"), marked("line"), marked("field"), marked("problem"), marked("remedy"), marked("row"))
OUTCOMES = (marked("accepted"), marked("rejected"))
"""What became of the rest of a row."""


@dataclass(frozen=True, slots=True)
class Summary:
    """An import in numbers.

    ``rows_read`` is the sum of accepted, rejected and waiting rows, without rows that are left out.

    Attributes:
        rows_waiting: rows about people whom no import of the source has named. They enter the records when an import
        names their people, and wait again if that import is undone.
        rows_released: rows of earlier imports that waited for people whom this import names.
        waiting: why rows wait, and what releases them: field, problem, remedy, rows, people.
        rows_in_part: accepted rows with cells that were left out; the report names the cells.
        people: the people whom the accepted rows name.
        rows_repeated: accepted rows that repeat another row of the import, or that a later row replaces.
        counts: per kind of record: inserted, updated, unchanged, superseded (older than what is there), still_voided
            (a person voided them).
        held_facilities: facilities that were held back because they are like a known one: ``code``, ``name``, and
            ``like``, the DATIM id of the known one.
        failure: why it failed as a whole: field, problem, remedy; empty if it did not.
        problems: the number of times of each problem, the most frequent first, at most 50; ``row_accepted`` says
            whether the rest of the rows was accepted.
    """

    id: UUID
    state: str
    step: str
    format: str
    source: str
    data_date: date | None
    strict: bool
    files: list[str]
    rows_read: int
    rows_accepted: int
    rows_in_part: int
    rows_rejected: int
    rows_waiting: int
    rows_released: int
    rows_left_out: int
    rows_repeated: int
    people: int
    counts: dict[str, dict[str, int]]
    problems: list[dict[str, Any]]
    waiting: list[dict[str, Any]]
    held_facilities: list[dict[str, str]]
    notes: list[str]
    error: str | None
    failure: list[dict[str, str]]
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    job_id: UUID | None
    seconds: float | None = field(default=None)


def summary(session: TenantSession, row: Import) -> Summary:
    """The import in numbers, as of now."""
    ended, wait = row.finished_at, waiting.count(session, row.uuid)
    seconds = (
        round((ended - row.started_at).total_seconds(), 3) if ended is not None and row.started_at is not None else None
    )
    return Summary(
        id=row.uuid,
        state=shown_state(row),
        step=row.step,
        format=row.format,
        source=row.source,
        data_date=row.data_date,
        strict=row.strict,
        files=[file.name for file in repository.files(session, row.uuid)],
        rows_read=row.rows_read,
        rows_accepted=row.rows_read - row.rows_rejected - wait,
        rows_in_part=row.rows_in_part,
        rows_rejected=row.rows_rejected,
        rows_waiting=wait,
        rows_released=row.counts.get(RELEASED, {}).get("rows", 0),
        rows_left_out=row.rows_left_out,
        rows_repeated=row.rows_repeated,
        people=sum(row.counts.get("patients", {}).values()),
        counts={kind: _present_names(row.counts[kind]) for kind in KINDS if kind in row.counts},
        problems=repository.problems(session, row.uuid),
        waiting=waiting.reasons(session, row.uuid, row.source) if wait else [],
        held_facilities=row.held_facilities,
        notes=row.notes,
        error=row.error,
        failure=row.failure or [],
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=ended,
        job_id=row.job_uuid,
        seconds=seconds,
    )


def _present_names(counts: Mapping[str, int]) -> dict[str, int]:
    """The counts of one kind. Imports of earlier versions stored ``held`` for ``still_voided``."""
    present = {name: number for name, number in counts.items() if name != _EARLIER_NAME}
    if _EARLIER_NAME in counts:
        present["still_voided"] = present.get("still_voided", 0) + counts[_EARLIER_NAME]
    return present


def rejections_file(session: TenantSession, uuid: UUID, shown: Callable[[str], str] = str) -> BinaryIO:
    """The rejected rows as CSV, in a nameless file. The audit records the read.

    Args:
        session: the tenant's transaction.
        uuid: the import.
        shown: puts a heading, a problem or a remedy into the reader's language; English without it.

    Raises:
        NotFound: there is no such import.
    """
    if repository.find(session, uuid) is None:
        message = "there is no such import"
        raise NotFound(message)
    audit.record(session, "import:rejections:read", "import", uuid)
    return written(rejections_csv(session, uuid, shown))


def rejections_csv(session: TenantSession, uuid: UUID, shown: Callable[[str], str] = str) -> Iterator[str]:
    """Yield the rejected rows as CSV: one line per problem, in the order of the files."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(shown(heading) for heading in HEADINGS)
    for count, row in enumerate(repository.rejections(session, uuid), start=1):
        file, line, place, *texts = row
        writer.writerow([guarded(file), line, guarded(place), *(guarded(shown(text)) for text in texts)])
        if count % 1000 == 0:
            yield _taken(buffer)
    yield _taken(buffer)


def _taken(buffer: io.StringIO) -> str:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text
