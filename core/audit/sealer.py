"""The sealer: chains batches of committed events within seconds, outside the transactions of the acts.

Events get their numbers before they are committed, so one may appear after others with higher numbers were sealed. A
seal therefore lists its members one by one, and a late event goes into a later seal. ``settled_through`` is the number
up to which no event can appear any more. Writers lock the table from before they draw a number until after the commit.
So once all holders of the lock at a moment have finished, every number drawn by then is known.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
from sqlalchemy.exc import DBAPIError

from core import telemetry
from core.audit import anchors
from core.audit.chain import BEGINNING, DIGEST, Seal
from core.clock import now
from core.database import DEFAULT_DATABASE, node_session, psycopg_connection, tenant_session
from core.database.locks import try_lock_own
from core.errors import AppError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from threading import Event
    from uuid import UUID

    from core.database import TenantRef, TenantSession

BATCH = 20_000
"""The limit of events in one seal."""

LOOK_AT_ALL_EVERY = 6 * 3600.0
"""The seconds after which every tenant is examined, whatever the counters show."""

ACTOR = "system:sealer"
SEALING = "audit:seal"
"""The name of the tenant's own lock for sealing."""

_LOCK = 0x11_7E_5E_A1

_LAST = "SELECT number, digest, settled_through FROM audit_seals ORDER BY number DESC LIMIT 1"
_WRITERS = """
SELECT coalesce(array_agg(virtualtransaction), '{}') FROM pg_locks
WHERE locktype = 'relation' AND relation = 'audit_events'::regclass AND mode = 'RowExclusiveLock'
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND pid <> pg_backend_pid()
"""
_UNSEALED = """
SELECT event_id FROM audit_events
WHERE event_id > %(settled)s AND NOT event_id <@ coalesce(
    (SELECT range_agg(members) FROM audit_seals WHERE last_event > %(settled)s), '{}'::int8multirange)
ORDER BY event_id LIMIT %(batch)s
"""
_BATCH = f"""
WITH batch AS ({_UNSEALED})
SELECT count(*), min(event_id), max(event_id), range_agg(int8range(event_id, event_id + 1))::text, {DIGEST}
FROM audit_events JOIN batch USING (event_id)
"""  # noqa: S608 - constants of ours
_ADD = "SELECT node.add_audit_seal(%s, %s, %s, %s, %s::int8multirange, %s, %s, %s, %s, %s, %s)"
_COUNTERS = """
SELECT kept.tenant_id, pg_stat_get_tuples_inserted(found.oid)
FROM node.tenant_schemas kept JOIN pg_namespace space ON space.nspname = kept.schema_name
JOIN pg_class found ON found.relnamespace = space.oid AND found.relname = 'audit_events'
"""

log = telemetry.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Watch:
    """The highest event number at a moment, and the transactions that held the lock for inserting then."""

    high: int
    writers: frozenset[str]


@dataclass(frozen=True, slots=True)
class SealResult:
    """The result of sealing a tenant's audit."""

    seals: int
    events: int


def seal(tenant: TenantRef, watches: dict[UUID, Watch] | None = None, *, anchor: bool = True) -> SealResult:
    """Seal committed events that are not sealed yet, and anchor the head.

    Args:
        tenant: the tenant.
        watches: a recurring sealer's memory of writers; empty for a single call.
        anchor: whether to anchor the head in ``platform`` afterwards.

    Raises:
        Unavailable: a database cannot be reached.
    """
    seen = {} if watches is None else watches
    seals = events = 0
    while True:
        with tenant_session(tenant, actor=ACTOR) as session:
            batch = seal_batch(session, seen)
        if batch is None:
            break
        seals, events = seals + 1, events + batch.events
        if batch.events < BATCH:
            break
    if anchor:
        anchors.anchor_head(tenant, actor=ACTOR)
    return SealResult(seals, events)


def seal_batch(session: TenantSession, watches: dict[UUID, Watch]) -> Seal | None:
    """Add one seal in the session's transaction. Return None if nothing is unsealed, or another sealer is at work."""
    with session.cursor() as cursor:
        if not try_lock_own(cursor, SEALING):
            return None
        last = cursor.execute(_LAST).fetchone()
        number, previous, settled = (last[0], bytes(last[1]), last[2]) if last else (0, BEGINNING, 0)
        high = _one(cursor.execute("SELECT max(event_id) FROM audit_events"))
        if high is None:
            return None
        known = _settled(session.tenant.id, high, frozenset(_one(cursor.execute(_WRITERS))), watches)
        # A separate statement, begun after the writers were read, so that it sees what they committed meanwhile.
        row = cursor.execute(_BATCH, {"settled": settled, "batch": BATCH}).fetchone()
        if row is None or not row[0]:
            return None
        count, first, latest, members, digest = row
        complete = known if count < BATCH else min(known, latest)
        batch = Seal(
            number=number + 1,
            first_event=first,
            last_event=latest,
            members=members,
            events=count,
            settled_through=max(settled, complete),
            rows_digest=bytes(digest),
            previous=previous,
            sealed_at=now(),
        )
        session.leave_role()  # the tenant's role may add no seal: a forged one would make an intact audit fail
        cursor.execute(
            _ADD,
            (
                session.tenant.id,
                batch.number,
                batch.first_event,
                batch.last_event,
                batch.members,
                batch.events,
                batch.settled_through,
                batch.rows_digest,
                batch.previous,
                batch.digest,
                batch.sealed_at,
            ),
        )
    return batch


def _settled(tenant_id: UUID, high: int, writers: frozenset[str], watches: dict[UUID, Watch]) -> int:
    """Return a number up to which no event can appear any more; 0 while none is known.

    Without writers it is ``high``. Otherwise it is the ``high`` of the last watch, once all its writers have finished.
    """
    if not writers:
        watches.pop(tenant_id, None)
        return high
    watch = watches.get(tenant_id)
    if watch is None:
        watches[tenant_id] = Watch(high, writers)
        return 0
    if watch.writers & writers:
        watches[tenant_id] = Watch(watch.high, watch.writers & writers)
        return 0
    watches[tenant_id] = Watch(high, writers)
    return watch.high


def _one(cursor: psycopg.Cursor[Any]) -> Any:  # noqa: ANN401 - the value of any query
    row = cursor.fetchone()
    return row[0] if row else None


class Sealer:
    """Seals the audits of one data database while a worker runs.

    PostgreSQL's counters show which tenants wrote, in one query that touches no tenant's table. A connection reports to
    the counters within a second while it works, and ten seconds after it becomes idle.

    Args:
        tenants: lists all tenants, of every data database.
        database: the data database whose audits it seals.
        every: seconds between two rounds.
        anchor_every: seconds after which a tenant's head is anchored again.
    """

    def __init__(
        self,
        tenants: Callable[[], Iterable[TenantRef]],
        database: str = DEFAULT_DATABASE,
        *,
        every: float,
        anchor_every: float,
    ) -> None:
        self._tenants = tenants
        self._database, self._every, self._anchor_every = database, every, anchor_every
        self._inserted: dict[UUID, int] = {}
        self._anchored: dict[UUID, float] = {}
        self._unanchored: set[UUID] = set()
        self._watches: dict[UUID, Watch] = {}
        self._all_at = float("-inf")

    def run(self, stopping: Event) -> None:
        """Work until ``stopping`` is set."""
        while not stopping.wait(self._every):
            try:
                self.look()
            except AppError as error:
                log.warning("sealer waits", error=type(error).__name__)
            except Exception:
                log.exception("sealer failed")  # and goes on: without it nothing is sealed

    def look(self) -> int:
        """Seal the events since the last round. Return their number."""
        with node_session(self._database) as session:
            connection = psycopg_connection(session)
            if _one(connection.execute("SELECT pg_try_advisory_xact_lock(%s)", (_LOCK,))) is not True:
                return 0  # another worker's sealer is active
            return self._look(dict(connection.execute(_COUNTERS).fetchall()))

    def _look(self, counters: dict[UUID, int]) -> int:
        moment = time.monotonic()
        if moment - self._all_at > LOOK_AT_ALL_EVERY:
            self._all_at = moment
            self._inserted.clear()
        written = {one for one, count in counters.items() if self._inserted.get(one) != count}
        if not written and not self._unanchored:
            return 0
        sealed = 0
        for tenant in self._tenants():
            if tenant.id in counters and (tenant.id in written or tenant.id in self._unanchored):
                sealed += self._tenant(tenant, counters[tenant.id])
        return sealed

    def _tenant(self, tenant: TenantRef, counter: int) -> int:
        moment = time.monotonic()
        anchor = moment - self._anchored.get(tenant.id, float("-inf")) >= self._anchor_every
        try:
            done = seal(tenant, self._watches, anchor=anchor)
        except (AppError, DBAPIError, psycopg.Error) as error:
            log.warning("audit not sealed", tenant=tenant.slug, error=type(error).__name__)
            return 0
        if anchor:
            self._anchored[tenant.id] = moment
            self._unanchored.discard(tenant.id)
        elif done.events:
            self._unanchored.add(tenant.id)
        self._inserted[tenant.id] = counter
        return done.events
