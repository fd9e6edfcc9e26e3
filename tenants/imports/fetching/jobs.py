"""The job of a fetch, and the loop that asks for those that are due."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import NAMESPACE_URL, UUID, uuid5

from core import telemetry
from core.clock import now
from core.database import tenant_session
from core.errors import NotFound
from core.jobs import job
from core.plugins.instance_health import count_failure, count_success
from core.plugins.instances import USABLE, get_instance, state_of
from core.schedules.service import basis_of
from core.schedules.times import next_time, settled
from core.tenancy.rounds import for_each_tenant
from tenants.imports.fetching import repository, run
from tenants.imports.fetching.reasons import OURS, PASSING
from tenants.imports.fetching.service import FETCH_JOB, enqueue_fetch, stored, terms_of

if TYPE_CHECKING:
    from threading import Event

    from core.database import TenantRef, TenantSession
    from core.jobs import JobContext, JobEnd
    from tenants.imports.fetching.models import ImportSource

_FIRST_RETRY: Final = timedelta(minutes=5)
_LONGEST_RETRY: Final = timedelta(hours=6)
_UNTIL_SETTLED: Final = timedelta(minutes=2)
ACTOR: Final = "system:fetching"

log = telemetry.get_logger(__name__)


def job_ended(session: TenantSession, end: JobEnd) -> None:
    """Record on a source that its fetch was given up, or is tried again."""
    row = repository.locked(session, UUID(end.payload["source_id"]))
    if row is None or row.job_id != end.job_id:
        return
    if end.stalled:
        _end(session, row, run.FetchResult(problem="given_up"))
    else:
        row.ended_at, row.problem = None, ""
        session.add(row)


@job(FETCH_JOB, lease=timedelta(minutes=2), time_limit=timedelta(hours=1), at_once=2, on_end=job_ended)
def fetch(context: JobContext, payload: dict[str, Any]) -> None:
    """Fetch the new files of the source in the payload, and enqueue their imports."""
    source_id = UUID(payload["source_id"])
    with context.session() as session:
        task = _begin(session, source_id, context.job_id)
        if task is None:
            context.finish(session)
            return
    try:
        result = run.fetch(context, task)
    except run.SourceGoneError:
        return
    with context.session() as session:
        row = repository.locked(session, source_id)
        if row is not None:
            _end(session, row, result)
        context.finish(session)
        if row is not None and result.is_more:
            enqueue_fetch(session, row)


def ask_for_due(stopping: Event) -> None:
    """Ask for the fetches of each tenant that are due: a round of the loop ``import_sources``."""
    failed = for_each_tenant(stopping, request_due)
    if failed:
        log.warning("fetches that are due were not asked for", tenants=len(failed))


def request_due(tenant: TenantRef) -> int:
    """Enqueue the fetches of a tenant that are due; return how many. Missed times are not made up for."""
    with tenant_session(tenant, actor=ACTOR, readonly=True) as session:
        rows = repository.sources(session)
        due = [
            instance.id
            for instance in repository.instances(session)
            if instance.enabled and _needs_look(session, rows.get(instance.id))
        ]
    asked = 0
    for source_id in due:
        with tenant_session(tenant, actor=ACTOR) as session:
            try:
                row = stored(session, source_id)
            except NotFound:  # removed meanwhile
                continue
            asked += _fire(session, row)
    return asked


def _needs_look(session: TenantSession, row: ImportSource | None) -> bool:
    """Return whether a source is new, due, or has other times than ``next_run`` is from."""
    return row is None or row.basis != basis_of(session, row.cron) or (row.active and row.next_run <= now())


def _fire(session: TenantSession, row: ImportSource) -> bool:
    """Enqueue a fetch if it is due, and move ``next_run``, in one transaction."""
    zone, present = session.tenant.time_zone, now()
    basis = basis_of(session, row.cron)
    if row.basis != basis:
        row.basis, row.next_run = basis, next_time(row.cron, zone, present)
        session.add(row)
        return False
    due, row.next_run = settled(row.next_run, row.cron, zone, present)
    session.add(row)
    if due is None or not row.active or state_of(get_instance(session, row.instance_id), session.tenant) not in USABLE:
        return False
    enqueue_fetch(session, row)
    return True


def _begin(session: TenantSession, source_id: UUID, job_id: UUID) -> run.Task | None:
    """Record that a fetch begins; return what to fetch, None if the importer is gone or disabled."""
    try:
        instance, row = get_instance(session, source_id), stored(session, source_id)
    except NotFound:
        return None
    if not instance.enabled:
        row.ended_at = now()
        session.add(row)
        return None
    row.job_id, row.began_at, row.ended_at = job_id, now(), None
    session.add(row)
    terms = terms_of(row)
    basis = f"{instance.version_id} {terms.mapping} {terms.dates} {terms.strict}"
    return run.Task(source_id, terms, str(uuid5(NAMESPACE_URL, basis)))


def _end(session: TenantSession, row: ImportSource, result: run.FetchResult) -> None:
    """Record how a fetch ended, choose the time of the next, and count it for the health of the importer."""
    before, present = row.failures, now()
    row.ended_at, row.problem = present, result.problem
    row.outcome = "failed" if result.problem else "done"
    row.failures = before + 1 if result.problem else 0
    row.files_seen, row.files_fetched, row.files_waiting = result.seen, result.new, result.waiting
    if result.new:
        row.new_file_at = present
    if result.problem in PASSING:
        pause = min(_FIRST_RETRY * 2 ** min(before, 10), _LONGEST_RETRY)
        wait = result.retry_after or timedelta(0)
        row.next_run = max(min(row.next_run, present + pause), present + wait)
    elif result.waiting and not result.problem:
        row.next_run = min(row.next_run, present + _UNTIL_SETTLED)
    session.add(row)
    session.flush()
    if not result.problem:
        count_success(session, row.instance_id)
    elif result.problem not in OURS:
        count_failure(session, row.instance_id, result.problem)
