"""The service of imports: begin, resume, cancel, undo, report. ``runner`` has the steps."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from core import audit
from core.clock import now
from core.database import lock_own
from core.errors import Conflict, NotFound, phrase
from core.jobs import enqueue
from tenants.imports import repository
from tenants.imports.applying import undoing
from tenants.imports.clearing import clear
from tenants.imports.given_up import RESUME, STATE_WORDS, UNDO_JOB, forget, is_stalled
from tenants.imports.mapping import Mapping
from tenants.imports.models import UNFINISHED, Import, ImportFile
from tenants.imports.reading.reader import reader

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from uuid import UUID

    from core.database import SessionOpener, TenantSession

CANCELLABLE = ("pending", "reading", "checking")


@dataclass(frozen=True, slots=True)
class GivenFile:
    """A file of an order: the identity of its content, and the place of an upload."""

    name: str
    size: int
    sha256: str
    blob_key: str | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """An order: the files, and how to read them.

    Attributes:
        format: a reader's name; empty to detect it.
        data_date: overrides the mapping's.
        strict: apply nothing if any row is rejected.
    """

    files: Sequence[GivenFile]
    mapping: Mapping
    format: str = ""
    data_date: date | None = None
    strict: bool = False

    def content_hash(self) -> str:
        """A hash that is the same for the same contents, names, mapping and terms."""
        content = {
            "files": sorted((file.name, file.sha256) for file in self.files),
            "mapping": self.mapping.model_dump(mode="json"),
            "format": self.format,
            "data_date": self.data_date,
            "strict": self.strict,
        }
        return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()


def begin(session: TenantSession, order: Order, swept: Sequence[UUID] = ()) -> tuple[Import, bool]:
    """The import of this order: the unfinished one of the same content if there is one, else a new one.

    Args:
        session: the tenant's transaction.
        order: the files, and how to read them.
        swept: imports killed in their last step, from ``sweep``; a repeated order of such an import is done.

    Returns:
        The import, and whether it began before and resumes (or only had to be swept).

    Raises:
        Invalid: there is no such format.
    """
    named = order.format or ("csv" if order.mapping.records else _format_of(order.mapping))
    if named:
        reader(named)
    content_hash = order.content_hash()
    with session.cursor() as cursor:
        lock_own(cursor, f"imports:content:{content_hash}")  # else the same files sent at once become several imports
    earlier = repository.unfinished(session, content_hash) or repository.done_of(session, content_hash, swept)
    if earlier is not None:
        return earlier, True
    row = Import(
        format=named,
        source=order.mapping.source,
        mapping=order.mapping.model_dump(mode="json", exclude_defaults=True),
        data_date=order.data_date,
        strict=order.strict,
        content_hash=content_hash,
        requested_by=session.actor,
    )
    session.add(row)
    for number, file in enumerate(order.files):
        session.add(
            ImportFile(
                import_uuid=row.uuid,
                number=number,
                name=file.name,
                size=file.size,
                sha256=file.sha256,
                blob_key=file.blob_key,
            )
        )
    session.flush()
    audit.record(session, "import:records:start", "import", row.uuid, {"files": len(order.files), "format": row.format})
    return row, False


def _format_of(mapping: Mapping) -> str:
    """The format that a mapping without records names; empty if the files decide."""
    return mapping.format if "format" in mapping.model_fields_set else ""


def undo(session: TenantSession, uuid: UUID) -> Import:
    """Exclude an import, and have a job update the records.

    Raises:
        NotFound: there is none with this id.
        Conflict: it is not done.
    """
    row = undoing.begin(session, uuid)
    if row.state == "undoing":
        forget(row)
        row.job_uuid = enqueue(session, UNDO_JOB, {"import_uuid": str(uuid)}, dedupe_key=f"undo:{uuid}")
        session.add(row)
        session.flush()
    return row


def sweep(open_session: SessionOpener) -> list[UUID]:
    """Delete the staged rows that ended imports left after a kill; return these imports."""
    with open_session() as session:
        left = repository.leftovers(session)
    for uuid in left:
        clear(open_session, uuid)
    return left


def get(session: TenantSession, uuid: UUID) -> Import:
    """An import.

    Raises:
        NotFound: there is none with this id.
    """
    row = repository.find(session, uuid)
    if row is None:
        message = "there is no such import"
        raise NotFound(message)
    return row


def cancel(session: TenantSession, uuid: UUID) -> Import:
    """Cancel an import that has not begun to write records, before its next step.

    Raises:
        NotFound: there is none with this id.
        Conflict: it has ended, or it writes records.
    """
    row = repository.find(session, uuid, lock=True)
    if row is None:
        message = "there is no such import"
        raise NotFound(message)
    if row.state not in CANCELLABLE:
        message, remedy = phrase("the import is {what}", what=STATE_WORDS[row.state]), "there is nothing to stop"
        if is_stalled(row):
            message = phrase(
                "the import is {what}, part of it is in the records, and {problem}",
                what=STATE_WORDS[row.state],
                problem=row.error,
            )
            remedy = phrase("{what}; it runs to its end. Import the corrected files after it", what=RESUME)
        elif row.state in UNFINISHED:
            remedy = "it runs to its end: import the corrected files after it"
        raise Conflict(message, remedy=remedy)
    forget(row)
    row.state, row.finished_at, row.step = "cancelled", now(), ""
    session.add(row)
    audit.record(session, "import:records:cancel", "import", uuid)
    return row
