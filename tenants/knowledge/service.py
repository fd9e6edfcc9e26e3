"""Documents: add versions, read about them, forget them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from core import audit, blobs
from core.database import lock_own
from core.errors import Conflict, FieldError, Invalid, NotFound, phrase
from core.events.outbox import publish_after_commit
from core.jobs import enqueue
from core.scratch import nameless
from tenants.imports.uploads import plain_name
from tenants.knowledge import repository
from tenants.knowledge.models import KnowledgeDocument
from tenants.knowledge.reading.documents import MOST_BYTES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime
    from typing import BinaryIO
    from uuid import UUID

    from core.blobs import BlobRef
    from core.database import SessionOpener, TenantRef, TenantSession
    from tenants.knowledge.event_types import Change
    from tenants.knowledge.reading.reasons import Reason

READ_JOB: Final = "knowledge.read"
DISCARD_JOB: Final = "knowledge.discard"
LONGEST_TEXT: Final = 300
"""Characters of a title or a name that a person gives."""

Origin = Literal["api", "cli", "page", "fetch"]
_LANGUAGE = re.compile(r"[a-z]{2,3}")


@dataclass(frozen=True, slots=True)
class Draft:
    """What is known of a document before it is read.

    Attributes:
        name: versions of a document share it.
        title: empty: its first heading.
        language: ISO 639; empty: detected.
        url: for citations; empty if it has none.
        valid_from: the first day on which it applies; None: at once.
        source_id: the source that named it; None: uploaded.
        mark: of the file in its source.
    """

    name: str
    title: str = ""
    language: str = ""
    url: str = ""
    valid_from: date | None = None
    source_id: UUID | None = None
    mark: str = ""


def receive(
    tenant: TenantRef, open_session: SessionOpener, content: BinaryIO, draft: Draft, *, source: Origin
) -> KnowledgeDocument:
    """Store an uploaded document encrypted, and enqueue its reading. Return the version that it became.

    A file that equals the present version, with the same facts, adds none.

    Args:
        tenant: whose it is.
        open_session: opens a transaction of the tenant.
        content: the file.
        draft: what is known of it.
        source: ``api``, ``cli`` or ``page``.

    Raises:
        Invalid: it is empty or too large, or a fact is not valid.
    """
    check(draft)
    with nameless() as bounded:
        size = _copy(content, bounded)
        if size == 0:
            raise _wrong_file(phrase("the file is empty"), phrase("upload it again, whole"))
        bounded.seek(0)
        stored = blobs.put(tenant, "document", bounded)
    try:
        with open_session() as session:
            row, is_new = add(session, draft, stored, source=source)
            session.flush()
            session.refresh(row)
            session.expunge(row)
    except BaseException:
        blobs.delete(tenant, stored.key)
        raise
    if not is_new:
        blobs.delete(tenant, stored.key)
    return row


def add(session: TenantSession, draft: Draft, stored: BlobRef, *, source: Origin) -> tuple[KnowledgeDocument, bool]:
    """Add a version of a document and enqueue its reading.

    Returns:
        The version, and whether it is new: False if the present one has the same content and facts.
    """
    newest = _locked_newest(session, draft)
    digest = bytes.fromhex(stored.sha256)
    if newest is not None and _is_same(newest, draft, digest):
        return newest, False
    row = _version(session, draft, newest)
    row.digest, row.size, row.blob_key = digest, stored.size, stored.key
    session.add(row)
    session.flush()
    enqueue_reading(session, row.uuid)
    audit.record(session, f"{source}:knowledge_document:add", "knowledge_document", row.uuid, {"version": row.version})
    return row, True


def enqueue_reading(session: TenantSession, document_id: UUID) -> UUID:
    """Enqueue the reading of a document that waits. While its job waits or runs, it is that one."""
    return enqueue(session, READ_JOB, {"document_id": str(document_id)}, dedupe_key=str(document_id))


def add_rejected(session: TenantSession, draft: Draft, reason: Reason, *, size: int) -> None:
    """Record a version that was not stored, so that it is shown, and not fetched again until it changes."""
    newest = _locked_newest(session, draft)
    is_known = newest is not None and newest.failure == reason and newest.superseded_at is None
    row = newest if newest is not None and is_known else _version(session, draft, newest)
    row.size, row.mark, row.state, row.failure = size, draft.mark, "unreadable", reason
    session.add(row)
    session.flush()
    repository.supersede_unreadable(session, row)


def get(session: TenantSession, document_id: UUID) -> KnowledgeDocument:
    """Return a version of a document.

    Raises:
        NotFound: there is none with this id.
    """
    row = repository.find(session, document_id)
    if row is None:
        detail = "there is no such document"
        raise NotFound(detail, remedy="list the documents")
    return row


def forget(session: TenantSession, document_id: UUID, *, source: Origin) -> None:
    """Delete a document with all its versions, passages and files.

    Raises:
        NotFound: there is none with this id.
        Conflict: a source still brings it, and would bring it again.
    """
    row = get(session, document_id)
    if row.source_id is not None and row.superseded_at is None:
        active = {instance.id for instance in repository.instances(session)} | {repository.SHARED}
        if row.source_id in active:
            detail = phrase("the document comes from a source, which would bring it again")
            raise Conflict(detail, remedy=phrase("remove it from its source, or remove the source"))
    versions = repository.versions(session, row.source_id, row.name)
    discard(session, [version.blob_key or "" for version in versions])
    for version in versions:
        session.delete(version)
    session.flush()
    audit.record(session, f"{source}:knowledge_document:forget", "knowledge_document", document_id, {})
    announce(session, document_id, "forgotten")


def discard(session: TenantSession, keys: Sequence[str]) -> None:
    """Have a job delete stored files once the transaction has committed; empty keys are none."""
    stored = [key for key in keys if key]
    if stored:
        enqueue(session, DISCARD_JOB, {"blobs": stored})


def delete_superseded(session: TenantSession, before: datetime) -> int:
    """Delete a batch of versions that were superseded before an instant; return how many. For retention."""
    keys = repository.take_old(session, before)
    discard(session, keys)
    return len(keys)


def announce(session: TenantSession, document_id: UUID, change: Change) -> None:
    """Publish what became of a document."""
    payload = {"document_id": str(document_id), "change": change}
    publish_after_commit(session, "knowledge.changed", subject=str(document_id), payload=payload)


def check(draft: Draft) -> None:
    """Check what a person says of a document.

    Raises:
        Invalid: a fact is too long or has another form.
    """
    errors = []
    for field, text in (("name", draft.name), ("title", draft.title)):
        if len(text) > LONGEST_TEXT or not text.isprintable():
            errors.append(FieldError(field, phrase("is too long, or has more than one line"), "Shorten it."))
    if draft.language and not is_language(draft.language):
        errors.append(FieldError("language", phrase("is no code of a language"), "Write en, fr or pt."))
    if draft.url and not draft.url.startswith(("https://", "http://")):
        errors.append(FieldError("url", phrase("is no address of a web page"), "Begin it with https://."))
    if errors:
        detail = phrase("the facts about the document are not valid")
        raise Invalid(detail, errors=errors)


def is_language(code: str) -> bool:
    """Return whether a text could be a code of ISO 639."""
    return _LANGUAGE.fullmatch(code) is not None


def named(draft_name: str, file_name: str | None) -> str:
    """Return the name of an uploaded document: the given one, else that of its file."""
    return " ".join(draft_name.split()) or plain_name(file_name)


def _locked_newest(session: TenantSession, draft: Draft) -> KnowledgeDocument | None:
    lock_document(session, draft.source_id, draft.name)
    return next(iter(repository.versions(session, draft.source_id, draft.name)), None)


def lock_document(session: TenantSession, source_id: UUID | None, name: str) -> None:
    """Wait for other transactions that change versions of a document."""
    with session.cursor() as cursor:
        lock_own(cursor, f"knowledge:{source_id}:{name}")


def _version(session: TenantSession, draft: Draft, newest: KnowledgeDocument | None) -> KnowledgeDocument:
    return KnowledgeDocument(
        source_id=draft.source_id,
        name=draft.name,
        version=1 if newest is None else newest.version + 1,
        title=draft.title,
        url=draft.url,
        language=draft.language,
        media_type="",
        digest=b"",
        size=0,
        mark=draft.mark,
        valid_from=draft.valid_from,
        created_by=session.actor,
    )


def _is_same(newest: KnowledgeDocument, draft: Draft, digest: bytes) -> bool:
    facts_match = (
        not draft.title or draft.title == newest.title,
        not draft.language or draft.language == newest.language,
    )
    facts = draft.url == newest.url and draft.valid_from == newest.valid_from
    return (
        newest.digest == digest
        and newest.superseded_at is None
        and newest.state != "unreadable"
        and all(facts_match)
        and facts
    )


def _copy(content: BinaryIO, into: BinaryIO) -> int:
    """Copy a file up to the largest size, and return its size.

    Raises:
        Invalid: it is larger.
    """
    size = 0
    while piece := content.read(1 << 20):
        size += into.write(piece)
        if size > MOST_BYTES:
            raise _wrong_file(
                phrase("the file is larger than {most} MB", most=MOST_BYTES >> 20),
                phrase("split it, or save it with smaller pictures"),
            )
    return size


def _wrong_file(problem: str, remedy: str) -> Invalid:
    return Invalid(problem, remedy=remedy, errors=[FieldError("file", problem, remedy)])
