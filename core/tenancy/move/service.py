"""A tenant's move: copy it while it stays in use, follow its changes, pause its writers for the last few, switch.

If a move is killed, calling ``move`` again resumes it. ``abort`` cancels it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from core import audit
from core.clock import now
from core.database import TenantRef, databases, owner_connection, require_migrated, tenant_session
from core.database.engines import kept_owner_connections
from core.errors import Conflict, FieldError, Invalid, Unavailable
from core.identity.operator import ACTOR
from core.tenancy import placing
from core.tenancy.move import capture
from core.tenancy.move.copying import Place, Round, copy_all, follow, settle_references
from core.tenancy.provisioning import new_schema_name, provision
from core.tenancy.service import describe_tenant
from core.tenancy.tenant_lock import tenant_lock

if TYPE_CHECKING:
    from core.telemetry.progress import LineCallback


FEW = 500
"""The number of changed rows that may remain for the last round, when writers are paused."""

MOST_ROUNDS = 20
MOVABLE = ("active", "suspended")
HOLDS = 5
"""A move is postponed after this many pauses of the writers. A pause lasts at most as long as the caller allows."""


@dataclass(frozen=True, slots=True)
class MoveResult:
    """A completed move.

    Attributes:
        ref: the tenant, where it is now.
        rows: rows of the tenant's tables, compared with the source.
        followed: rows that changed meanwhile and were copied.
        rounds: the number of rounds that copied them.
        blocked_seconds: how long writes waited.
        seconds: the duration of the move in this run.
        retained: the old schema, where it is retained.
    """

    ref: TenantRef
    rows: int
    followed: int
    rounds: int
    blocked_seconds: float
    seconds: float
    retained: str | None


@dataclass(frozen=True, slots=True)
class _MoveOptions:
    """The caller's options for a move."""

    grace: timedelta | None
    patience: float
    actor: str
    progress: LineCallback
    passed: LineCallback


def move(
    slug: str,
    to: str,
    *,
    grace: timedelta | None = None,
    patience: float = 5.0,
    actor: str = ACTOR,
    progress: LineCallback = lambda _text: None,
    passed: LineCallback = lambda _point: None,
) -> MoveResult:
    """Move a tenant to the data database ``to`` while it stays in use.

    Args:
        slug: the tenant's.
        to: the name of a data database.
        grace: how long to retain the old schema; None drops it at once.
        patience: seconds to wait for a writing transaction while other writers are paused.
        actor: who moves it, for the audit.
        progress: receives a line about each step.
        passed: receives the name of each point at which a move can be killed (tests).

    Raises:
        NotFound: the tenant or the database does not exist.
        Conflict: the tenant is already there, on its way elsewhere, or not at the newest migration; or another process
            moves, restores or deletes it.
        Unavailable: a transaction of the tenant takes too long; ask again to resume the move.
    """
    with tenant_lock(slug), kept_owner_connections():
        return _move(slug, to, _MoveOptions(grace, patience, actor, progress, passed))


def _move(slug: str, to: str, how: _MoveOptions) -> MoveResult:
    began = time.perf_counter()
    ref = _checked(slug, to)
    if ref.database == to:
        placing.bring_rows(ref)
        detail = f"the tenant {slug!r} is in the data database {to} already"
        raise Conflict(detail, command="see `iit tenant show`")
    target, step = _begun(ref, to)
    source = Place(ref.database, ref.schema_name)
    if step == "copying":
        how.progress("noting changes")
        capture.install(source.database, source.schema)
        how.passed("captured")
        copy_all(source, target, how.progress)
        _note(ref, "following")
    how.passed("copied")
    followed = rounds = 0
    while True:
        taken = follow(source, target, check="none")
        followed, rounds = followed + taken.keys, rounds + 1
        how.progress(f"followed {taken.keys} changed rows")
        if taken.keys <= FEW or rounds >= MOST_ROUNDS:
            break
    how.progress("comparing")
    taken = follow(source, target, check="all")
    followed, rounds = followed + taken.keys, rounds + 1
    how.passed("compared")
    blocked, last, there = _switched(ref, source, target, how)
    retained = source.schema if how.grace is not None else None
    with tenant_session(there, actor=how.actor) as session:
        what = {"from": ref.database, "to": to, "blocked_ms": round(blocked * 1000)}
        audit.record(session, "cli:tenant:move", "tenant", ref.id, what)
    if how.grace is None:
        placing.drop_retired(ref.id, only=source.schema, early=True)
    return MoveResult(
        there, last.rows, followed + last.keys, rounds + 1, blocked, time.perf_counter() - began, retained
    )


def abort(slug: str) -> bool:
    """Cancel a move that has not switched yet. Return False if there is none.

    Raises:
        NotFound: no tenant has this slug.
        Conflict: another process moves, restores or deletes it; only an interrupted move can be cancelled.
    """
    with tenant_lock(slug):
        return _abort(describe_tenant(slug).ref())


def _abort(ref: TenantRef) -> bool:
    known = _known(ref)
    if known is None:
        placing.admit(ref)  # an interrupted restore may just have revoked the role
        return False
    place, _step = known
    placing.admit(ref)
    capture.remove(ref.database, ref.schema_name)
    placing.drop_schema(place.database, place.schema)
    with owner_connection() as connection:
        connection.execute("DELETE FROM platform.tenant_moves WHERE tenant_id = %s", (ref.id,))
    return True


def _checked(slug: str, to: str) -> TenantRef:
    if to not in databases():
        detail = f"there is no data database {to!r}"
        problem = FieldError("to", f"{to!r} is not known", f"one of {', '.join(databases())}")
        raise Invalid(detail, command="see `iit services database list`", errors=[problem])
    require_migrated(to)
    ref = describe_tenant(slug).ref()
    if ref.state not in MOVABLE:
        detail = f"the tenant {slug!r} is {ref.state}"
        raise Conflict(detail, remedy="wait until that is over")
    return ref


def _known(ref: TenantRef) -> tuple[Place, str] | None:
    with owner_connection() as connection:
        row = connection.execute(
            "SELECT database, schema_name, step FROM platform.tenant_moves WHERE tenant_id = %s", (ref.id,)
        ).fetchone()
    return None if row is None else (Place(str(row[0]), str(row[1])), str(row[2]))


def _begun(ref: TenantRef, to: str) -> tuple[Place, str]:
    """The new place and the move's step; creates them where the move begins.

    Raises:
        Conflict: the tenant is on its way elsewhere.
    """
    placing.bring_rows(ref)
    known = _known(ref)
    if known is None:
        with owner_connection() as connection:
            connection.execute(
                "INSERT INTO platform.tenant_moves (tenant_id, database, schema_name, step, started_at)"
                " VALUES (%s, %s, %s, 'copying', %s) ON CONFLICT DO NOTHING",
                (ref.id, to, new_schema_name(), now()),
            )
        known = _known(ref)
        if known is None:
            detail = "the tenant was moved meanwhile"
            raise Conflict(detail)
    place, step = known
    if place.database != to:
        detail = f"the tenant is being moved to the data database {place.database}"
        raise Conflict(detail, command="finish that move, or cancel it with --abort")
    if step == "copying":
        with owner_connection(to) as connection:
            exists = connection.execute("SELECT FROM pg_namespace WHERE nspname = %s", (place.schema,)).rowcount
            if not exists:
                provision(connection, ref.id, place.schema)
    return place, step


def _note(ref: TenantRef, step: str) -> None:
    with owner_connection() as connection:
        connection.execute("UPDATE platform.tenant_moves SET step = %s WHERE tenant_id = %s", (step, ref.id))


def _switched(ref: TenantRef, source: Place, target: Place, how: _MoveOptions) -> tuple[float, Round, TenantRef]:
    """Switch while writers are paused; return the pause in seconds, the last round and the new place.

    Raises:
        Unavailable: in every attempt, a transaction of the tenant took longer than ``patience``.
    """
    for attempt in range(1, HOLDS + 1):
        try:
            with placing.fence(ref, patience=how.patience) as closed:
                how.passed("held")
                last = follow(source, target, check="changed")
                settle_references(target)
                _note(ref, "switching")
                placing.expel(ref)
                how.passed("expelled")
                there = placing.switch(
                    ref, target.database, target.schema, reason="moved", grace=how.grace or timedelta(0)
                )
                how.passed("switched")
                placing.bring_rows(there, between=lambda: how.passed("carried"))
        except Unavailable:
            if attempt == HOLDS:
                raise
            time.sleep(how.patience)  # gives waiting writers their turn
            follow(source, target, check="none")
        else:
            return closed.seconds, last, there
    message = "a loop that always returns or raises"
    raise AssertionError(message)
