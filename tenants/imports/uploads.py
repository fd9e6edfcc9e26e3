"""Imports of uploaded files, stored encrypted until the import ends, then deleted."""

from __future__ import annotations

import io
import shutil
import tempfile
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, BinaryIO, Literal, cast

from core import blobs
from core.errors import FieldError, Invalid, NotFound, phrase
from core.jobs import enqueue
from tenants.imports import report, repository, service
from tenants.imports.clearing import clear
from tenants.imports.given_up import JOB, forget
from tenants.imports.mapping import Mapping, parse_mapping
from tenants.imports.models import UNFINISHED
from tenants.imports.reading.sources import Limits, Source
from tenants.imports.runner import ImportStopped, Runner, StagedRowsLost
from tenants.imports.service import GivenFile, Order

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from uuid import UUID

    from core.access import Scope
    from core.database import TenantRef, TenantSession
    from core.jobs import JobContext
    from tenants.imports.models import Import, ImportFile
    from tenants.imports.report import Summary

KEPT_DAYS = 7
"""Days after which an upload is purged, should its import never end."""

IN_MEMORY = 32 << 20
MOST_FILES = 200
_ZIPPED = b"PK\x03\x04"

DateOrder = Literal["day-first", "month-first"]


@dataclass(frozen=True, slots=True)
class Upload:
    """Uploaded files, and how to read them.

    Attributes:
        files: name and content of each file.
        mapping: the mapping (YAML); empty if the format needs none.
        format: a reader's name; empty to detect it.
        data_date: overrides the mapping's.
        dates: what comes first in numeric dates; overrides the mapping's.
        strict: apply nothing if any row is rejected.
        new_people: the people are new, even if no person at a facility is known.
    """

    files: Sequence[tuple[str, BinaryIO]]
    mapping: str = ""
    format: str = ""
    data_date: date | None = None
    dates: DateOrder | None = None
    strict: bool = False
    new_people: bool = False

    def checked_mapping(self) -> Mapping:
        """The mapping with the overrides.

        Raises:
            Invalid: the mapping is not valid.
        """
        mapping = parse_mapping(self.mapping, "body.mapping") if self.mapping.strip() else Mapping()
        changes: dict[str, object] = {} if self.dates is None else {"dates": self.dates}
        return mapping.model_copy(update=changes | ({"new_people": True} if self.new_people else {}))


def receive(scope: Scope, upload: Upload) -> Summary:
    """Store uploaded files encrypted, and enqueue their import. The same files during their import are one import.

    Raises:
        Invalid: there is no file, too many, two of one name, no such format, or the mapping is not valid.
    """
    mapping = upload.checked_mapping()
    file_refs = store(scope.tenant, [(plain_name(name), stream) for name, stream in upload.files])
    try:
        with scope.session() as session:
            order = Order(file_refs, mapping, upload.format, upload.data_date, upload.strict)
            row, surplus = submit(session, order)
            summary = report.summary(session, row)
    except Exception:
        discard(scope.tenant, file_refs)  # files without an import are not stored
        raise
    discard(scope.tenant, surplus)
    return summary


def plain_name(name: str | None) -> str:
    """A file's name without folders and unusual characters, for reports."""
    plain = (name or "").replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(character for character in plain if character.isprintable())[:200] or "file"


def cancel(scope: Scope, import_id: UUID) -> Summary:
    """Cancel an import that has not begun to write records, and delete its uploads.

    Raises:
        NotFound: there is none with this id.
        Conflict: it has ended, or it writes records.
    """
    with scope.session() as session:
        row = service.cancel(session, import_id)
        summary = report.summary(session, row)
        files = list(repository.files(session, import_id))
    clear(scope.session, import_id)
    discard(scope.tenant, files)
    return summary


def store(tenant: TenantRef, uploads: Sequence[tuple[str, BinaryIO]]) -> list[GivenFile]:
    """Store uploaded files, encrypted. Call it outside a transaction, because the store may be slow.

    Raises:
        Invalid: there is no file, too many, or two of one name.
    """
    names = [name for name, _ in uploads]
    problem = ""
    if not uploads:
        problem = "there is no file"
    elif len(uploads) > MOST_FILES:
        problem = phrase("there are more than {most} files", most=MOST_FILES)
    elif len(set(names)) < len(names):
        problem = "two files have one name"
    if problem:
        remedy = "send one or more parts named 'files', each with a file name of its own"
        raise Invalid(problem, remedy=remedy, errors=[FieldError("files", problem, remedy)])
    file_refs = []
    for name, stream in uploads:
        blob = blobs.put(tenant, "upload", stream, expires_in_days=KEPT_DAYS)
        file_refs.append(GivenFile(name, blob.size, blob.sha256, blob.key))
    return file_refs


def discard(tenant: TenantRef, files: Sequence[GivenFile | ImportFile]) -> None:
    """Delete uploads."""
    for file in files:
        if file.blob_key is not None:
            blobs.delete(tenant, file.blob_key)


def submit(session: TenantSession, order: Order) -> tuple[Import, list[GivenFile]]:
    """Enqueue the import of uploaded files.

    Returns:
        The import, and the uploads that it does not need, because a running import has files of the same content.

    Raises:
        Invalid: there is no such format.
    """
    row, goes_on = service.begin(session, order)
    surplus = _adopt(session, row, order) if goes_on else []
    forget(row)
    row.job_uuid = enqueue(session, JOB, {"import_uuid": str(row.uuid)}, dedupe_key=str(row.uuid))
    session.add(row)
    session.flush()
    return row, surplus


def _adopt(session: TenantSession, row: Import, order: Order) -> list[GivenFile]:
    """Give a resumed import the uploads that it lacks (it began from a path); return the others."""
    left = {(file.name, file.sha256): file for file in order.files}
    for file in repository.files(session, row.uuid):
        if file.blob_key is None and (blob_ref := left.pop((file.name, file.sha256), None)) is not None:
            file.blob_key = blob_ref.blob_key
            session.add(file)
    return list(left.values())


def run_upload(ctx: JobContext, import_uuid: UUID) -> None:
    """Run the import within its job. A wrong file fails the import, not the job."""
    with ctx.session() as session:
        row = service.get(session, import_uuid)
        over = row.state not in UNFINISHED
        files = list(repository.files(session, import_uuid))
    if not over:
        sources = [_source(ctx.tenant, file) for file in files]
        try:
            Runner(ctx.session, import_uuid, sources, ctx.progress, shared=True).run()
        except (Invalid, ImportStopped, StagedRowsLost):
            # The import says why it ended, in its own row.
            with ctx.session() as session:
                over = service.get(session, import_uuid).state not in UNFINISHED
            if not over:
                raise
    clear(ctx.session, import_uuid)
    discard(ctx.tenant, files)


def _source(tenant: TenantRef, file: ImportFile) -> Source:
    if file.blob_key is None:
        message = "a file of this import was not uploaded: it was imported from a path"
        raise Invalid(message, remedy="run the command again on the machine that has the file")
    return Source(
        file.name,
        partial(_opened, tenant, file.blob_key, archive=file.name.casefold().endswith(".zip")),
        file.size,
        Limits(),
    )


def _opened(tenant: TenantRef, key: str, *, archive: bool) -> BinaryIO:
    try:
        stream = blobs.open(tenant, key)
    except NotFound as error:  # Invalid fails the import with this reason; otherwise only the job would fail
        message = "an uploaded file of this import is no longer stored: it expired or was deleted"
        raise Invalid(message, remedy="upload the files again") from error
    buffered = io.BufferedReader(cast("io.RawIOBase", stream))
    if archive or not buffered.peek(len(_ZIPPED)).startswith(_ZIPPED):
        return buffered
    # A workbook, whatever its name, is read from its end: it needs a seekable file, here a temporary one.
    spool = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 - closed by whoever opened the source
    with buffered:
        shutil.copyfileobj(buffered, spool, 1 << 20)
    spool.seek(0)
    return cast("BinaryIO", spool)
