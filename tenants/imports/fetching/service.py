"""The sources of records: see them, change when and how their files are imported, and ask for a fetch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, get_args
from uuid import NAMESPACE_URL, UUID, uuid5

from core import audit
from core.clock import now
from core.errors import Conflict, FieldError, Invalid, NotFound, phrase
from core.jobs import enqueue
from core.plugins.instances import USABLE, InstanceState, state_of
from core.schedules.service import basis_of
from core.schedules.times import next_time
from core.web.etag import ANY_VERSION, ExpectedVersions
from tenants.imports.fetching import repository
from tenants.imports.fetching.models import DEFAULT_CRON, ImportSource
from tenants.imports.mapping import parse_mapping
from tenants.imports.uploads import DateOrder

if TYPE_CHECKING:
    from datetime import datetime

    from core.database import TenantSession
    from core.plugins.instance_models import PluginInstance

FETCH_JOB: Final = "imports.fetch"
LARGEST_MAPPING: Final = 65_536

FetchOutcome = Literal["done", "failed"]


@dataclass(frozen=True, slots=True)
class Terms:
    """What people choose of a source.

    Attributes:
        cron: times of fetches, in the tenant's time zone.
        active: whether the schedule runs.
        mapping: the mapping (YAML); empty if the format needs none.
        dates: what comes first in numeric dates; None to detect it.
        strict: import nothing of a file if any row is rejected.
    """

    cron: str = DEFAULT_CRON
    active: bool = True
    mapping: str = ""
    dates: DateOrder | None = None
    strict: bool = False


@dataclass(frozen=True, slots=True)
class SourceState:
    """A source, with its terms and how its last fetch ended.

    Attributes:
        id: of the instance of the importer.
        name: of the instance.
        plugin: name of the importer, such as ``sftp``.
        state: of the instance.
        terms: what people chose, or the defaults.
        next_run: when the next fetch is due; None while the schedule is paused or the importer cannot be used.
        is_fetching: whether a fetch waits or runs.
        began_at, ended_at, outcome, problem: of the last fetch; ``problem`` is a code.
        failures: fetches in a row that failed.
        files_seen, files_fetched, files_waiting: of the last fetch.
        new_file_at: when a new file was last fetched.
        files_rejected: files that were not imported.
        job_id: the job of the last fetch.
        changed_by, changed_at: who last changed the terms, and when.
    """

    id: UUID
    name: str
    plugin: str
    state: InstanceState
    terms: Terms
    next_run: datetime | None
    is_fetching: bool = False
    began_at: datetime | None = None
    ended_at: datetime | None = None
    outcome: FetchOutcome | None = None
    problem: str = ""
    failures: int = 0
    files_seen: int = 0
    files_fetched: int = 0
    files_waiting: int = 0
    new_file_at: datetime | None = None
    files_rejected: int = 0
    job_id: UUID | None = None
    changed_by: str | None = None
    changed_at: datetime | None = None

    @property
    def version(self) -> UUID:
        """The version of the terms."""
        changed_at = None if self.changed_at is None else self.changed_at.timestamp()
        terms = self.terms
        parts = (terms.cron, terms.active, terms.mapping, terms.dates, terms.strict, self.changed_by, changed_at)
        return uuid5(NAMESPACE_URL, json.dumps((str(self.id), *parts)))


def list_sources(session: TenantSession) -> list[SourceState]:
    """Return the sources of the tenant, one for each instance of an importer, oldest first."""
    rows, rejected = repository.sources(session), repository.rejected_counts(session)
    return [
        _state(session, instance, rows.get(instance.id), rejected.get(instance.id, 0))
        for instance in repository.instances(session)
    ]


def get_source(session: TenantSession, source_id: UUID) -> SourceState:
    """Return a source.

    Raises:
        NotFound: there is no importer with this id.
    """
    for state in list_sources(session):
        if state.id == source_id:
            return state
    detail = "there is no such source"
    raise NotFound(detail, remedy="list the sources")


def change_source(
    session: TenantSession, source_id: UUID, terms: Terms, *, source: str, expected: ExpectedVersions = ANY_VERSION
) -> SourceState:
    """Change when a source is fetched, and how its files are imported. Rejected files are tried again.

    Args:
        session: a transaction of the tenant.
        source_id: the source.
        terms: what is chosen.
        source: ``cli``, ``api`` or ``page``.
        expected: the versions that the caller agrees to change.

    Raises:
        NotFound: there is none.
        PreconditionFailed: somebody has changed it since the caller read it (412).
        Invalid: the times, the mapping or the order of dates are not valid.
    """
    row = stored(session, source_id)
    before = get_source(session, source_id)
    expected.check(before.version)
    cron = " ".join(terms.cron.split())
    due = next_time(cron, session.tenant.time_zone, now())
    _check(terms)
    basis = basis_of(session, cron)
    if row.basis != basis or not (row.active and terms.active):
        row.basis, row.next_run = basis, due
    row.cron, row.active, row.strict = cron, terms.active, terms.strict
    row.mapping, row.dates = terms.mapping, terms.dates
    row.changed_by, row.changed_at = session.actor, now()
    session.add(row)
    session.flush()
    after = get_source(session, source_id)
    if before.terms != after.terms:
        detail = {"cron": after.terms.cron, "active": after.terms.active}
        audit.record(session, f"{source}:import_source:change", "import_source", source_id, detail)
    return after


def request_fetch(session: TenantSession, source_id: UUID, *, source: str, again: bool = False) -> UUID:
    """Enqueue a fetch, and return its job. While one waits or runs, it is that one.

    Args:
        session: a transaction of the tenant.
        source_id: the source.
        source: ``cli``, ``api`` or ``page``.
        again: try rejected files again, though they did not change.

    Raises:
        NotFound: there is none.
        Conflict: the importer is disabled, or its plugin is missing (409).
    """
    state = get_source(session, source_id)
    if state.state not in USABLE:
        detail = phrase("the importer {name} cannot be used", name=state.name)
        raise Conflict(detail, remedy="Enable the importer, or ask the operator to install its plugin.")
    row = stored(session, source_id)
    if again:
        repository.forget_rejected(session, source_id)
    audit.record(session, f"{source}:import_source:fetch", "import_source", source_id, {"again": again})
    return enqueue_fetch(session, row)


def enqueue_fetch(session: TenantSession, row: ImportSource) -> UUID:
    """Enqueue a fetch of a source whose row is locked."""
    job_id = enqueue(session, FETCH_JOB, {"source_id": str(row.instance_id)}, dedupe_key=str(row.instance_id))
    if row.job_id != job_id:
        row.job_id, row.began_at, row.ended_at = job_id, now(), None
    session.add(row)
    session.flush()
    return job_id


def stored(session: TenantSession, source_id: UUID) -> ImportSource:
    """Return the row of a source, locked; add it if there is none yet.

    Raises:
        NotFound: there is no importer with this id.
    """
    get_source(session, source_id)
    basis = basis_of(session, DEFAULT_CRON)
    repository.add_source(session, source_id, DEFAULT_CRON, basis, _first(session, DEFAULT_CRON))
    row = repository.locked(session, source_id)
    if row is None:
        detail = "there is no such source"
        raise NotFound(detail)
    return row


def terms_of(row: ImportSource) -> Terms:
    """Return what people chose of a stored source."""
    dates = next((each for each in get_args(DateOrder) if each == row.dates), None)
    return Terms(row.cron, row.active, row.mapping, dates, row.strict)


def _first(session: TenantSession, cron: str) -> datetime:
    return next_time(cron, session.tenant.time_zone, now())


def _check(terms: Terms) -> None:
    if len(terms.mapping) > LARGEST_MAPPING:
        detail = phrase("the mapping is too long")
        raise Invalid(detail, errors=[FieldError("mapping", detail)])
    if terms.mapping.strip():
        parse_mapping(terms.mapping, "mapping")


def _state(session: TenantSession, instance: PluginInstance, row: ImportSource | None, rejected: int) -> SourceState:
    state = state_of(instance, session.tenant)
    if row is None:
        due = _first(session, DEFAULT_CRON) if state in USABLE else None
        return SourceState(instance.id, instance.name, instance.plugin, state, Terms(), due, files_rejected=rejected)
    stays = row.basis == basis_of(session, row.cron)
    due = row.next_run if stays else _first(session, row.cron)
    return SourceState(
        id=instance.id,
        name=instance.name,
        plugin=instance.plugin,
        state=state,
        terms=terms_of(row),
        next_run=due if row.active and state in USABLE else None,
        is_fetching=row.began_at is not None and row.ended_at is None,
        began_at=row.began_at,
        ended_at=row.ended_at,
        outcome=next((each for each in get_args(FetchOutcome) if each == row.outcome), None),
        problem=row.problem,
        failures=row.failures,
        files_seen=row.files_seen,
        files_fetched=row.files_fetched,
        files_waiting=row.files_waiting,
        new_file_at=row.new_file_at,
        files_rejected=rejected,
        job_id=row.job_id,
        changed_by=row.changed_by,
        changed_at=row.changed_at,
    )
