"""One fetch: list the files of a source, fetch the new ones, and enqueue the import of each.

Between the steps no transaction is open. A file and its import are recorded in one transaction, so that a worker's
death between the two makes neither happen twice.
"""

from __future__ import annotations

import hashlib
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, BinaryIO, Final, cast

from core import scratch
from core.clock import now, today
from core.errors import Invalid
from core.plugins import places
from core.plugins.errors import PluginBusy, PluginFailed
from core.plugins.places import PlaceError
from core.plugins.usable_instances import NotUsableError, UsableInstance, log_failure, open_instance
from core.web.problem_texts import problem_text
from core.web.uploads import upload_limit
from plugins.sdk import Entry, Location
from tenants.imports import uploads
from tenants.imports.fetching import repository
from tenants.imports.fetching.models import FetchedFile
from tenants.imports.fetching.repository import KIND
from tenants.imports.fetching.service import Terms
from tenants.imports.service import Order
from tenants.imports.uploads import Upload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime
    from uuid import UUID

    from core.database import TenantSession
    from core.jobs import JobContext
    from plugins.sdk import Chosen
    from tenants.imports.mapping import Mapping
    from tenants.imports.service import GivenFile

    Take = Callable[[Entry, Chosen, BinaryIO], None]

MOST_FILES: Final = 5_000
"""Most files that a place may have. One with more is not read: somebody has to tidy it up or narrow it."""
MOST_AT_ONCE: Final = 100
"""Most files that one fetch imports; the next one continues."""
LONGEST_NAME: Final = 500
SETTLED: Final = timedelta(seconds=60)
"""A file that changed less than this ago, in a folder or on an SFTP server, may still be written."""
_SECONDS: Final = 1_200.0
"""After these seconds no further file is begun."""
_GIVE_UP: Final = 3
"""Files in a row that fail, after which the rest waits."""
_OF_FILE: Final = frozenset({"too_large"})
"""What is wrong with a file and not with its place: it is remembered until the file changes."""


class SourceGoneError(Exception):
    """The importer was removed while its files were fetched."""


@dataclass(slots=True)
class FetchResult:
    """What a fetch did.

    Attributes:
        seen: files that the plugin chose.
        new: files whose import was enqueued.
        waiting: files that are left for the next fetch.
        is_more: whether the next fetch should follow at once.
        problem: code of what went wrong; empty if nothing.
        retry_after: for how long the server asked to send nothing more; None if it did not.
    """

    seen: int = 0
    new: int = 0
    waiting: int = 0
    is_more: bool = False
    problem: str = ""
    retry_after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """What to fetch, and how to import it.

    Attributes:
        source_id: the source.
        terms: of the source.
        basis: of the settings and terms: a rejected file is tried again with another one.
    """

    source_id: UUID
    terms: Terms
    basis: str


def fetch(context: JobContext, task: Task) -> FetchResult:
    """Fetch the new files of a source and enqueue their imports. What goes wrong is in the result.

    Raises:
        SourceGoneError: the importer was removed meanwhile.
    """
    result = FetchResult()
    try:
        mapping = Upload((), task.terms.mapping, dates=task.terms.dates).checked_mapping()
        opened = open_instance(context.tenant, task.source_id, KIND)
        look = opened.call("look", opened.settings, now())
        if isinstance(look, Location):
            with places.open_place(opened, look) as place:
                entries = place.entries(MOST_FILES)
                settled = _settled(entries, look)
                result.waiting = len(entries) - len(settled)
                take: Take = lambda entry, _, into: place.fetch(entry, into, largest=upload_limit())  # noqa: E731
                _Round(context, task, mapping, take, result).import_new(opened, settled)
        else:
            entries = opened.call("entries", places.answer_of(opened, look), opened.settings)
            _Round(context, task, mapping, _by_request(opened), result).import_new(opened, entries)
    except PlaceError as error:
        result.problem, result.retry_after = error.reason, error.retry_after
    except NotUsableError as error:
        result.problem = error.reason
    except PluginBusy:
        result.problem = "paused"
    except PluginFailed:
        result.problem = "plugin_failed"
    except Invalid:
        result.problem = "bad_mapping"
    if result.problem:
        log_failure(context.tenant, task.source_id, "fetch", result.problem)
    return result


def _settled(entries: Sequence[Entry], place: Location) -> list[Entry]:
    if place.kind == "s3":  # an object appears whole or not at all
        return list(entries)
    latest = now() - SETTLED
    return [entry for entry in entries if entry.modified_at is None or entry.modified_at <= latest]


def _by_request(opened: UsableInstance) -> Take:
    def take(_: Entry, chosen: Chosen, into: BinaryIO) -> None:
        if chosen.request is None:
            raise PlaceError("not_found")
        places.fetch_request(opened, chosen.request, into, largest=upload_limit())

    return take


class _Round:
    """One pass over the files that a plugin chose."""

    def __init__(self, context: JobContext, task: Task, mapping: Mapping, take: Take, result: FetchResult) -> None:
        self._context, self._task, self._mapping, self._take, self._result = context, task, mapping, take, result
        self._known: dict[str, FetchedFile] = {}
        self._failed: set[UUID] = set()

    def import_new(self, opened: UsableInstance, entries: Sequence[Entry]) -> None:
        """Fetch the chosen files that are new or have changed, and enqueue their imports."""
        listed = {entry.name: entry for entry in entries}
        chosen = {each.name: each for each in opened.call("choose", entries, opened.settings)}
        with self._context.session() as session:
            self._known = repository.known_files(session, self._task.source_id)
            session.expunge_all()
            repository.mark_seen(session, self._task.source_id, [stored_name(name) for name in listed])
            imports = [row.import_uuid for row in self._known.values() if row.import_uuid is not None]
            self._failed = repository.failed_imports(session, imports)
        pairs = [(each, listed.get(name) or Entry(name)) for name, each in chosen.items()]
        due = [pair for pair in pairs if self._is_due(pair[1])]
        self._result.seen = len(pairs)
        until, failures = time.monotonic() + _SECONDS, 0
        for count, (each, entry) in enumerate(due):
            if failures >= _GIVE_UP or count >= MOST_AT_ONCE or time.monotonic() >= until:
                self._result.waiting += len(due) - count
                self._result.is_more = failures < _GIVE_UP
                return
            self._context.progress(count, len(due), "fetching files")  # a name may say whom a file is about
            try:
                self._import(each, entry)
                failures = 0
            except PlaceError as error:
                if error.reason in _OF_FILE:
                    self._reject(entry, error.reason)
                    continue
                failures = failures + 1 if error.retry_after is None else _GIVE_UP
                self._result.problem, self._result.retry_after = error.reason, error.retry_after
                self._result.waiting += 1

    def _is_due(self, entry: Entry) -> bool:
        row = self._known.get(stored_name(entry.name))
        if row is not None and row.problem == "name_too_long":
            return False
        if row is None or self._is_retried(row) or _mark(entry) != (row.size, row.modified_at, row.etag):
            return True
        return _mark(entry) == _mark(Entry(""))  # the place says nothing by which a change would be seen

    def _is_retried(self, row: FetchedFile) -> bool:
        """Return whether a file was rejected under other settings or terms than the present ones."""
        return (row.import_uuid is None or row.import_uuid in self._failed) and row.basis != self._task.basis

    def _import(self, chosen: Chosen, entry: Entry) -> None:
        """Fetch a file, and enqueue its import if its content is new.

        Raises:
            PlaceError: it cannot be fetched as a whole.
        """
        if len(entry.name) > LONGEST_NAME:
            self._reject(replace(entry, name=stored_name(entry.name)), "name_too_long")
            return
        row = self._known.get(entry.name)
        with scratch.nameless() as content:
            with places.as_place_errors():  # the disk of this machine may be full
                self._take(entry, chosen, content)
                content.flush()
            if entry.size not in (-1, content.tell()):
                raise PlaceError("changed")
            content.seek(0)
            digest = hashlib.file_digest(cast("Any", content), "sha256").hexdigest()
            if row is not None and row.sha256 == digest and not self._is_retried(row):
                self._record(entry, sha256=digest, import_uuid=row.import_uuid)
                return
            content.seek(0)
            refs = uploads.store(self._context.tenant, [(uploads.plain_name(entry.name), content)])
        try:
            surplus = self._submit(entry, Order(refs, self._mapping, chosen.format, None, self._task.terms.strict))
        except Invalid as error:
            uploads.discard(self._context.tenant, refs)
            self._reject(entry, "not_importable", problem_text(error))
            return
        uploads.discard(self._context.tenant, surplus)
        self._result.new += 1

    def _submit(self, entry: Entry, order: Order) -> list[GivenFile]:
        """Enqueue the import of a file and record both in one transaction; return the uploads that it does not need."""
        with self._step() as session:
            row, surplus = uploads.submit(session, order)
            self._write(session, entry, sha256=order.files[0].sha256, import_uuid=row.uuid, fetched_at=now())
        return surplus

    def _reject(self, entry: Entry, problem: str, detail: str = "") -> None:
        self._record(entry, problem=problem, detail=detail, fetched_at=now())

    def _record(self, entry: Entry, **values: Any) -> None:  # noqa: ANN401 - columns of the row
        with self._step() as session:
            self._write(session, entry, **values)

    @contextmanager
    def _step(self) -> Iterator[TenantSession]:
        with self._context.session() as session:
            if repository.locked(session, self._task.source_id) is None:
                raise SourceGoneError
            yield session

    def _write(self, session: TenantSession, entry: Entry, **values: Any) -> None:  # noqa: ANN401 - as above
        """Write what became of a file; columns without a value are empty, but for the time of the fetch."""
        row = repository.known_file(session, self._task.source_id, entry.name)
        if row is None:
            day = today(session.tenant.time_zone)
            row = FetchedFile(instance_id=self._task.source_id, name=entry.name, size=-1, seen_on=day)
        row.size, row.modified_at, row.etag = _mark(entry)
        row.sha256, row.import_uuid = values.get("sha256", ""), values.get("import_uuid")
        row.problem, row.detail = values.get("problem", ""), values.get("detail", "")
        row.fetched_at, row.basis = values.get("fetched_at", row.fetched_at), self._task.basis
        session.add(row)
        session.flush()


def stored_name(name: str) -> str:
    """Return the name under which a file is stored: its own, or the beginning of a long one with a digest of all."""
    if len(name) <= LONGEST_NAME:
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"{name[: LONGEST_NAME - len(digest) - 1]}…{digest}"


def _mark(entry: Entry) -> tuple[int, datetime | None, str]:
    """Return by what a change of a file is seen."""
    return entry.size, entry.modified_at, entry.etag[:LONGEST_NAME]
