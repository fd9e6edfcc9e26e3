"""One fetch: list the documents of a source, fetch those that are new or changed, withdraw those that are gone.

Between the steps no transaction is open. A document and the job that reads it are recorded in one transaction.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, BinaryIO, Final, cast
from uuid import NAMESPACE_URL, UUID, uuid5

from core import blobs
from core.clock import now
from core.database import require_none
from core.plugins import places
from core.plugins.errors import PluginBusy, PluginFailed
from core.plugins.places import PlaceError, Validators
from core.plugins.places.folders import Folder
from core.plugins.usable_instances import NotUsableError, log_failure, open_instance
from core.scratch import nameless
from core.settings import get_settings
from core.tenancy import settings as tenant_settings
from plugins.sdk import Document, Entry, Location
from tenants.imports.fetching.run import SETTLED, stored_name
from tenants.knowledge import repository, service
from tenants.knowledge.reading.documents import MOST_BYTES
from tenants.knowledge.reading.languages import LANGUAGES
from tenants.knowledge.repository import KIND, SHARED
from tenants.knowledge.settings import KnowledgeSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from core.jobs import JobContext

    Take = Callable[[Document, BinaryIO, Validators], Validators | None]

MOST_DOCUMENTS: Final = 2_000
"""Most files of a source. One with more is not read: somebody has to narrow it."""
MOST_AT_ONCE: Final = 100
"""Most documents that one fetch stores; the next one continues."""
ENDINGS: Final = (".pdf", ".docx", ".html", ".htm", ".md", ".txt")
"""Of the files that the operator shares."""
_SECONDS: Final = 1_200.0
_GIVE_UP: Final = 3
"""Documents in a row that fail, after which the rest waits."""


@dataclass(slots=True)
class FetchResult:
    """What a fetch did.

    Attributes:
        seen: documents that the source has.
        new: documents whose reading was enqueued.
        withdrawn: documents that the source no longer has.
        waiting: documents that are left for the next fetch.
        problem: code of what went wrong; empty if nothing.
    """

    seen: int = 0
    new: int = 0
    withdrawn: int = 0
    waiting: int = 0
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """What a source has.

    Attributes:
        documents: all of them.
        entries: facts about their files, by name, where there are files.
        take: writes the content of a document, and returns its validators; None if it is the one with those given.
        may_be_empty: whether no document means that there are none; otherwise it is taken for a mistake.
    """

    documents: Sequence[Document]
    entries: Mapping[str, Entry]
    take: Take
    may_be_empty: bool = False


def fetch(context: JobContext, source_id: UUID) -> FetchResult:
    """Fetch the new and changed documents of a source, and enqueue their reading. What goes wrong is in the result."""
    result = FetchResult()
    try:
        with _listing(context, source_id) as listing:
            _Round(context, source_id, listing, result).run()
    except (PlaceError, NotUsableError) as error:
        result.problem = error.reason
    except PluginBusy:
        result.problem = "paused"
    except PluginFailed:
        result.problem = "plugin_failed"
    if result.problem and source_id != SHARED:
        log_failure(context.tenant, source_id, "fetch", result.problem)
    return result


@contextmanager
def _listing(context: JobContext, source_id: UUID) -> Iterator[Listing]:
    if source_id == SHARED:
        with context.session() as session:
            is_wanted = tenant_settings.get(session, KnowledgeSettings).shared
        with _shared(is_wanted=is_wanted) as listing:
            yield listing
        return
    opened = open_instance(context.tenant, source_id, KIND)
    look = opened.call("look", opened.settings, now())
    if isinstance(look, Location):
        with places.open_place(opened, look) as place:
            entries = {entry.name: entry for entry in place.entries(MOST_DOCUMENTS)}
            documents = opened.call("documents", list(entries.values()), [], opened.settings)
            listed = [document for document in documents if document.name in entries]

            def from_place(document: Document, into: BinaryIO, _known: Validators) -> Validators:
                place.fetch(entries[document.name], into, largest=MOST_BYTES)
                return Validators()

            yield Listing(listed, entries, from_place)
        return
    answers = [places.answer_of(opened, request) for request in look]
    documents = opened.call("documents", [], answers, opened.settings)

    def by_request(document: Document, into: BinaryIO, known: Validators) -> Validators | None:
        if document.request is None:
            raise PlaceError("not_found")
        return places.fetch_request(opened, document.request, into, largest=MOST_BYTES, unless=known)

    yield Listing(documents, {}, by_request)


_ABSENT: Final = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
"""Errors that say that there is no folder of the name: nothing, a file, or a link."""


@contextmanager
def _shared(*, is_wanted: bool) -> Iterator[Listing]:
    """The operator's folder: its files, and those of its folders ``en``, ``fr`` and ``pt``. No link is followed."""
    require_none("the folder of shared documents was read")
    root = get_settings().knowledge_folder
    if not root or not is_wanted:
        yield Listing((), {}, lambda *_: None, may_be_empty=True)
        return
    folders: dict[str, Folder] = {}
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    with places.as_place_errors():
        folders[""] = Folder(_opened(root, flags, None))
    try:
        for language in LANGUAGES:
            try:
                folders[language] = Folder(os.open(language, flags | os.O_NOFOLLOW, dir_fd=folders[""].descriptor))
            except OSError as error:
                if error.errno not in _ABSENT:  # else its documents would be withdrawn because of a passing error
                    raise PlaceError("access_denied") from error
        entries = {
            f"{language}/{entry.name}" if language else entry.name: replace(entry)
            for language, folder in folders.items()
            for entry in folder.entries(MOST_DOCUMENTS)
            if entry.name.lower().endswith(ENDINGS)
        }

        def take(document: Document, into: BinaryIO, _known: Validators) -> Validators:
            folders[document.language].fetch(entries[document.name], into, largest=MOST_BYTES)
            return Validators()

        documents = [Document(name, "", language=name.rpartition("/")[0]) for name in sorted(entries)]
        yield Listing(documents, entries, take)
    finally:
        for folder in folders.values():
            os.close(folder.descriptor)


def _opened(path: str, flags: int, folder: int | None) -> int:
    try:
        return os.open(path, flags, dir_fd=folder)
    except OSError as error:
        raise PlaceError("not_found") from error


class _Round:
    """One pass over the documents of a source."""

    def __init__(self, context: JobContext, source_id: UUID, listing: Listing, result: FetchResult) -> None:
        self._context, self._source_id, self._listing, self._result = context, source_id, listing, result

    def run(self) -> None:
        """Fetch what is new, and withdraw what is gone."""
        documents = {stored_name(document.name): document for document in self._listing.documents}
        self._result.seen = len(documents)
        with self._context.session() as session:
            known = repository.newest_by_name(session, self._source_id)
            has_current = any(is_current for *_, is_current, _state in known.values())
        if not documents and has_current and not self._listing.may_be_empty:
            self._result.problem = "nothing_listed"
            return
        due = [(name, each) for name, each in documents.items() if self._is_due(each, known.get(name))]
        self._take_all(due, known)
        with self._context.session() as session:
            gone = repository.withdraw_absent(session, self._source_id, documents)
            for document_id in gone:
                service.announce(session, document_id, "superseded")
        self._result.withdrawn = len(gone)

    def _take_all(self, due: Sequence[tuple[str, Document]], known: Mapping[str, tuple[Any, ...]]) -> None:
        until, failures = time.monotonic() + _SECONDS, 0
        for count, (name, document) in enumerate(due):
            if failures >= _GIVE_UP or self._result.new >= MOST_AT_ONCE or time.monotonic() >= until:
                self._result.waiting += len(due) - count
                return
            if not self._is_settled(document):
                self._result.waiting += 1
                continue
            self._context.progress(count, len(due), "fetching documents")
            try:
                self._take(name, document, known.get(name))
                failures = 0
            except PlaceError as error:
                if error.reason == "too_large":
                    self._reject(name, document)
                    continue
                failures = failures + 1 if error.retry_after is None else _GIVE_UP
                self._result.problem = error.reason
                self._result.waiting += 1

    def _is_due(self, document: Document, known: tuple[Any, ...] | None) -> bool:
        if known is None:
            return True
        mark, *_, is_current, _state = known
        return not is_current or not mark or mark != self._mark(document)

    def _is_settled(self, document: Document) -> bool:
        """Return whether a file is old enough that nobody still writes it."""
        entry = self._listing.entries.get(document.name)
        return entry is None or entry.modified_at is None or entry.modified_at <= now() - SETTLED

    def _mark(self, document: Document) -> str:
        """Return by what a change of a document is seen without fetching it; empty if by nothing."""
        entry = self._listing.entries.get(document.name)
        if entry is None or (entry.modified_at is None and not entry.etag):
            return ""
        return _digest_of(entry.size, entry.modified_at, entry.etag, *_facts(document))

    def _draft(self, name: str, document: Document) -> service.Draft:
        language = document.language.split("-")[0].lower()
        return service.Draft(
            name=name,
            title=" ".join(document.title.split())[: service.LONGEST_TEXT],
            language=language if service.is_language(language) else "",
            url=document.url if document.url.startswith("https://") else "",
            source_id=self._source_id,
            mark=self._mark(document),
        )

    def _take(self, name: str, document: Document, known: tuple[Any, ...] | None) -> None:
        """Fetch a document, and enqueue its reading if its content or its facts are new.

        Raises:
            PlaceError: it cannot be fetched as a whole.
        """
        draft = self._draft(name, document)
        with nameless() as content:
            with places.as_place_errors():  # the disk of this machine may be full
                validators = self._listing.take(document, content, self._validators(document, known))
                content.flush()
            if validators is None:
                return
            draft = replace(draft, mark=draft.mark or _mark_of(document, validators))
            content.seek(0)
            digest = hashlib.file_digest(cast("Any", content), "sha256").digest()
            if known is not None and self._is_unchanged(known, draft, digest):
                with self._context.session() as session:
                    repository.set_mark(session, self._source_id, name, draft.mark)
                return
            content.seek(0)
            stored = blobs.put(self._context.tenant, "document", content)
        with self._context.session() as session:
            _, is_new = service.add(session, draft, stored, source="fetch")
        if not is_new:
            blobs.delete(self._context.tenant, stored.key)
        self._result.new += is_new

    @staticmethod
    def _validators(document: Document, known: tuple[Any, ...] | None) -> Validators:
        """Return by what the source sees that it has nothing new: only where that would change nothing here."""
        if known is None:
            return Validators()
        mark, *_, is_current, _state = known
        return _validators_in(mark, document) if is_current else Validators()

    @staticmethod
    def _is_unchanged(known: tuple[Any, ...], draft: service.Draft, digest: bytes) -> bool:
        _, known_digest, title, language, is_current, _ = known
        same_title = not draft.title or draft.title == title
        same_language = not draft.language or draft.language == language
        return bool(is_current and bytes(known_digest) == digest and same_title and same_language)

    def _reject(self, name: str, document: Document) -> None:
        entry = self._listing.entries.get(document.name)
        size = 0 if entry is None else max(entry.size, 0)
        with self._context.session() as session:
            service.add_rejected(session, self._draft(name, document), "too_large", size=size)


def _facts(document: Document) -> tuple[str, str, str]:
    """What a document's source says of it: a change of it is a new version, whatever the content."""
    return document.title, document.language, document.url


def _digest_of(*facts: object) -> str:
    return str(uuid5(NAMESPACE_URL, repr(facts)))


def _mark_of(document: Document, validators: Validators) -> str:
    """Return the mark of a document that its source lists without one: its facts and the validators of its answer."""
    if not validators.conditions():
        return ""
    return json.dumps([_digest_of(*_facts(document)), validators.etag, validators.modified])


def _validators_in(mark: str, document: Document) -> Validators:
    """Return the validators in a mark of ``_mark_of``; none if the source says other things of the document now."""
    try:
        facts, etag, modified = json.loads(mark)
    except ValueError:
        return Validators()
    return Validators(etag, modified) if facts == _digest_of(*_facts(document)) else Validators()
