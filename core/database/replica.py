"""Reads of reports and indicators on a streaming replica, or on the database where the replica does not fit.

The replica fits if it has replayed all that the database had written some seconds ago (``IIT_DATABASE_REPLICA_LAG``),
and all that the tenant has written as far as is known; see ``replica_marks``. Its clock plays no part: the lag is
the age of the newest position of the database that the replica has reached.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, TypeVar

import psycopg
from sqlalchemy.exc import DBAPIError

from core import telemetry
from core.database import joining, replica_marks
from core.database.absent import DatabaseUnavailable
from core.database.driver_errors import is_lost, sqlstate_of
from core.database.engines import replica_engine
from core.database.reach import WHOLE_TENANT, Reach
from core.database.replica_marks import has_replica
from core.database.sessions import TenantSession, look_up, reachable, tenant_session
from core.errors import Unavailable
from core.metrics import Counter, Reading, Sample, register
from core.resilience import guarded
from core.resilience.dependencies import DATABASE_REPLICA
from core.resilience.errors import NOT_CALLED
from core.settings import get_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from core.database.scope import TenantRef

T = TypeVar("T")

SAMPLE_SECONDS: Final = 0.5
"""Seconds after which a read asks the database again how far it has written."""

READS: Final = Counter(
    "iit_replica_reads_total", "Reads for the replica: `replica`, or why they went to the database.", ("outcome",)
)
_WRITTEN: Final = "SELECT pg_current_wal_lsn()::text AS lsn"
_REPLAYED: Final = "SELECT pg_is_in_recovery(), pg_last_wal_replay_lsn()::text"
_OUT_OF_TIME: Final = "57014"
_CONFLICTS: Final = ("40001", "40P01")
"""What PostgreSQL reports of a read that was cancelled because it was in the way of the replay."""

log = telemetry.get_logger(__name__)


class _NotFit(Exception):  # noqa: N818 - says what is the case, as our errors do
    """The replica does not fit this read; the message is the outcome."""


class _Positions:
    """Positions of the database with the moment before each was asked for; all that was committed then is before it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._seen: deque[tuple[float, int]] = deque()
        self.lag: float | None = None

    def lag_of(self, replayed: int, longest: float) -> float | None:
        """Return the most seconds that a replica at this position is behind; None if that is over ``longest``."""
        with self._lock:
            if not self._seen or time.monotonic() - self._seen[-1][0] >= min(SAMPLE_SECONDS, longest / 4):
                moment = time.monotonic()
                row = look_up(_WRITTEN, ())
                if row is not None:
                    self._seen.append((moment, replica_marks.number_of(row["lsn"])))
            while self._seen and time.monotonic() - self._seen[0][0] > longest:
                self._seen.popleft()
            reached = [moment for moment, position in self._seen if position <= replayed]
            self.lag = time.monotonic() - max(reached) if reached else None
            return self.lag

    def forget(self) -> None:
        """Forget the positions; tests call it."""
        with self._lock:
            self._seen.clear()


positions: Final = _Positions()


@dataclass(frozen=True, slots=True)
class ReplicaState:
    """The state of the replica.

    Attributes:
        streams: whether it is a replica, and not promoted.
        lag: seconds that it is behind, at most; None if that is over the bound.
    """

    streams: bool
    lag: float | None

    @property
    def fits(self) -> bool:
        """Whether reads go there."""
        return self.streams and self.lag is not None


def replica_state() -> ReplicaState:
    """Ask the replica how far it is.

    Raises:
        DatabaseUnavailable: it cannot be reached.
    """
    with reachable(replica_engine()) as connection:
        recovering, position = connection.exec_driver_sql(_REPLAYED).one()
    if not recovering or position is None:
        return ReplicaState(streams=False, lag=None)
    lag = positions.lag_of(replica_marks.number_of(position), get_settings().database_replica_lag)
    return ReplicaState(streams=True, lag=lag)


def read_on_replica(
    tenant: TenantRef,
    function: Callable[[TenantSession], T],
    *,
    actor: str,
    request_id: str | None = None,
    reach: Reach = WHOLE_TENANT,
) -> T:
    """Return ``function(session)`` of a transaction that only reads, on the replica if it fits.

    If the replica fails in the midst, the function is called once more, with a transaction on the database. So it
    must have no effect but its answer.

    Args:
        tenant: whose rows are read.
        function: reads them.
        actor: who reads.
        request_id: the request that is served.
        reach: the facilities whose rows may be read.

    Raises:
        DatabaseUnavailable: the database cannot be reached either.
        Exception: whatever the function raises.
    """
    options: dict[str, Any] = {"actor": actor, "request_id": request_id, "readonly": True, "reach": reach}
    if has_replica(tenant.database) and joining.outer_connection(tenant.id) is None:
        try:
            answer = _on_replica(tenant, function, options)
        except _NotFit as error:
            READS.add(str(error))
        else:
            READS.add("replica")
            return answer
    with tenant_session(tenant, **options) as session:
        return function(session)


def _on_replica(tenant: TenantRef, function: Callable[[TenantSession], T], options: dict[str, Any]) -> T:
    """Read on the replica.

    Raises:
        _NotFit: it does not fit, or failed.
        DBAPIError: the read exceeded its time.
    """
    try:
        with guarded(DATABASE_REPLICA, harmless=(Exception,)) as call:
            try:
                needed = replica_marks.needed(tenant.id)
                with tenant_session(tenant, engine=replica_engine(tenant.database), **options) as session:
                    _check(session, needed)
                    return function(session)
            except (DBAPIError, psycopg.Error, Unavailable) as error:
                if sqlstate_of(error) == _OUT_OF_TIME:
                    raise  # the database would take as long
                if _is_of_the_replica(error):
                    call.failed(type(error).__name__)
                log.warning("a read leaves the replica for the database", error=type(error).__name__)
                raise _NotFit("failed") from error
            except replica_marks.MarksUnknown as error:
                raise _NotFit("writes_unknown") from error
    except NOT_CALLED as error:
        raise _NotFit("stopped") from error


def _is_of_the_replica(error: BaseException) -> bool:
    """Return whether an error counts against the replica, which all tenants share; other errors are of the read."""
    return isinstance(error, DatabaseUnavailable) or is_lost(error) or sqlstate_of(error) in _CONFLICTS


def _check(session: TenantSession, needed: int) -> None:
    """Check that the replica fits.

    Raises:
        _NotFit: it is no replica any more, too far behind, or lacks what the tenant wrote.
    """
    recovering, text = session.cursor().execute(_REPLAYED).fetchall()[0]
    if not recovering or text is None:
        raise _NotFit("no_replica")
    replayed = replica_marks.number_of(text)
    if replayed < needed:
        raise _NotFit("own_writes")
    if positions.lag_of(replayed, get_settings().database_replica_lag) is None:
        raise _NotFit("behind")


def _read() -> Iterator[Reading]:
    if positions.lag is not None:
        yield Reading(
            "iit_replica_lag_seconds", "Age of what the replica showed at its last read.", "gauge", (),
            [Sample((), positions.lag)],
        )  # fmt: skip


register(_read)
