"""Sources of documents: see them, ask for a fetch, and record how it ended."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from core import audit, telemetry
from core.clock import now
from core.errors import Conflict, NotFound, phrase
from core.jobs import enqueue
from core.plugins.instance_health import count_failure, count_success
from core.plugins.instances import USABLE, InstanceState, state_of
from core.settings import get_settings
from core.tenancy import settings as tenant_settings
from tenants.imports.fetching.reasons import OURS
from tenants.knowledge import fetching, reembedding, repository, service
from tenants.knowledge.repository import SHARED
from tenants.knowledge.settings import KnowledgeSettings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from core.database import TenantSession
    from core.jobs import JobContext
    from core.plugins.instance_models import PluginInstance
    from tenants.knowledge.service import Origin

FETCH_JOB: Final = "knowledge.fetch"
log = telemetry.get_logger(__name__)

SHARED_NAME: Final = "shared"
_UNTIL_SETTLED: Final = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class SourceState:
    """A source of documents.

    Attributes:
        id: of the plugin's instance, or of the documents that the operator shares.
        name: of the instance.
        plugin: name of the plugin, such as ``folder``.
        state: of the instance.
        searchable, waiting, unreadable: its current documents by state.
        last_added_at: when its newest document was added; None if it has none.
        last_success_at, last_failure_at: of its fetches, to the minute; None if there was none.
        problem: code of why its last fetch failed; empty if it did not.
    """

    id: UUID
    name: str
    plugin: str
    state: InstanceState
    searchable: int = 0
    waiting: int = 0
    unreadable: int = 0
    last_added_at: datetime | None = None
    last_success_at: datetime | None = None
    last_failure_at: datetime | None = None
    problem: str = ""


def list_sources(session: TenantSession) -> list[SourceState]:
    """Return the sources of the tenant: one for each instance, oldest first, then the operator's if it shares."""
    counts = repository.counts(session)
    states = [_state(session, instance, counts) for instance in repository.instances(session)]
    if _shares(session) or SHARED in counts:
        states.append(SourceState(SHARED, SHARED_NAME, SHARED_NAME, "ready", **_counted(counts, SHARED)))
    return states


def get_source(session: TenantSession, source_id: UUID) -> SourceState:
    """Return a source.

    Raises:
        NotFound: there is none with this id.
    """
    for state in list_sources(session):
        if state.id == source_id:
            return state
    detail = "there is no such source"
    raise NotFound(detail, remedy="list the sources")


def request_fetch(session: TenantSession, source_id: UUID, *, source: Origin) -> UUID:
    """Enqueue a fetch, and return its job. While one waits or runs, it is that one.

    Raises:
        NotFound: there is no such source.
        Conflict: it is disabled, or its plugin is missing (409).
    """
    state = get_source(session, source_id)
    if state.state not in USABLE:
        detail = phrase("the source {name} cannot be used", name=state.name)
        raise Conflict(detail, remedy=phrase("Enable the source, or ask the operator to install its plugin."))
    audit.record(session, f"{source}:knowledge_source:fetch", "knowledge_source", source_id, {})
    return enqueue_fetch(session, source_id)


def enqueue_fetch(session: TenantSession, source_id: UUID, *, after: timedelta = timedelta(0)) -> UUID:
    """Enqueue a fetch of a source."""
    run_after = now() + after if after else None
    return enqueue(session, FETCH_JOB, {"source_id": str(source_id)}, run_after=run_after, dedupe_key=str(source_id))


def enqueue_night(session: TenantSession, due: datetime) -> None:  # noqa: ARG001 - as schedules call
    """Enqueue a fetch of each source that can be used. Withdraw the documents of sources that were removed."""
    for document_id in repository.withdraw_orphans(session):
        service.announce(session, document_id, "superseded")
    for state in list_sources(session):
        if state.state in USABLE:
            enqueue_fetch(session, state.id)
    reembedding.request_if_needed(session)


def fetch_and_record(context: JobContext, source_id: UUID) -> None:
    """Fetch a source, count how that ended for the health of its instance, and finish the job."""
    result = fetching.fetch(context, source_id)
    with context.session() as session:
        if source_id == SHARED:  # the operator's, who reads the log
            if result.problem:
                log.warning("shared documents were not fetched", reason=result.problem)
        elif not result.problem:
            count_success(session, source_id)
        elif result.problem not in OURS:
            count_failure(session, source_id, result.problem)
        context.finish(session, result=asdict(result))
        if result.waiting and not result.problem:
            enqueue_fetch(session, source_id, after=_UNTIL_SETTLED)


def settings_changed(session: TenantSession, payload: Mapping[str, Any]) -> None:
    """Embed all passages by another model, or fetch or withdraw the shared documents, as the settings now say."""
    if payload["key"] != KnowledgeSettings.settings_key:
        return
    reembedding.request_if_needed(session)
    if "shared" in payload["keys"]:
        enqueue_fetch(session, SHARED)


def tenant_restored(session: TenantSession, _payload: Mapping[str, Any]) -> None:
    """Enqueue what waited when the tenant's archive was written: its jobs stayed behind."""
    for document_id in repository.waiting(session):
        service.enqueue_reading(session, document_id)
    reembedding.request_if_needed(session)


def _shares(session: TenantSession) -> bool:
    return bool(get_settings().knowledge_folder) and tenant_settings.get(session, KnowledgeSettings).shared


def _state(session: TenantSession, instance: PluginInstance, counts: Mapping[UUID | None, Any]) -> SourceState:
    return SourceState(
        id=instance.id,
        name=instance.name,
        plugin=instance.plugin,
        state=state_of(instance, session.tenant),
        last_success_at=instance.last_success_at,
        last_failure_at=instance.last_failure_at,
        problem=(instance.last_failure_reason or "") if instance.consecutive_failures else "",
        **_counted(counts, instance.id),
    )


def _counted(counts: Mapping[UUID | None, Any], source_id: UUID) -> dict[str, Any]:
    names = ("searchable", "waiting", "unreadable", "last_added_at")
    return dict(zip(names, counts.get(source_id, (0, 0, 0, None)), strict=True))
