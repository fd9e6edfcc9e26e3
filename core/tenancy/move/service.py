"""A tenant's move: copy while it works, follow its changes, hold its writers for the last few, switch.

A move that was killed goes on where it was when it is asked for again, or is given up with ``abort``.
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
from core.tenancy.turns import turn

if TYPE_CHECKING:
    from collections.abc import Callable

    Told = Callable[[str], None]

FEW = 500
"""Changed rows that are left to the last round, when writers are held."""

MOST_ROUNDS = 20
MOVABLE = ("active", "suspended")
HOLDS = 5
"""Times that the writers are held before the move is put off: each time only for as long as the caller allows."""


@dataclass(frozen=True, slots=True)
class Moved:
    """A move that is done.

    Attributes:
        ref: where the tenant is now.
        rows: rows of the tenant's tables, compared with those that were copied.
        followed: rows that changed meanwhile and were taken over.
        rounds: in how many rounds.
        blocked_seconds: how long nothing could be written.
        seconds: the whole move, as far as this run did it.
        kept: the schema that was left, where it is kept.
    """

    ref: TenantRef
    rows: int
    followed: int
    rounds: int
    blocked_seconds: float
    seconds: float
    kept: str | None


@dataclass(frozen=True, slots=True)
class _How:
    """What the caller of ``move`` wants of it."""

    grace: timedelta | None
    patience: float
    actor: str
    told: Told
    passed: Told


def move(
    slug: str,
    to: str,
    *,
    grace: timedelta | None = None,
    patience: float = 5.0,
    actor: str = ACTOR,
    told: Told = lambda _text: None,
    passed: Told = lambda _point: None,
) -> Moved:
    """Move a tenant to the data database ``to`` while it works.

    Args:
        slug: whose.
        to: name of a data database.
        grace: how long the old schema is kept; dropped at once when None.
        patience: seconds for which a transaction that writes is waited for, with other writers held.
        actor: who moves it; the audit says so.
        told: gets a line about what is going on.
        passed: gets the name of each point at which the move can be cut off (tests).

    Raises:
        NotFound: there is no such tenant, or no such database.
        Conflict: it is there already, or on its way elsewhere, or is not at the newest migration; or somebody else
            moves, restores or deletes it right now.
        Unavailable: a transaction of the tenant takes too long; the move can be asked for again, and goes on.
    """
    with turn(slug), kept_owner_connections():
        return _move(slug, to, _How(grace, patience, actor, told, passed))


def _move(slug: str, to: str, how: _How) -> Moved:
    began = time.perf_counter()
    ref = _checked(slug, to)
    if ref.database == to:
        placing.bring_rows(ref)
        detail = f"the tenant {slug!r} is in the data database {to} already"
        raise Conflict(detail, command="see `iit tenant show`")
    target, step = _begun(ref, to)
    source = Place(ref.database, ref.schema_name)
    if step == "copying":
        how.told("noting changes")
        capture.install(source.database, source.schema)
        how.passed("captured")
        copy_all(source, target, how.told)
        _note(ref, "following")
    how.passed("copied")
    followed = rounds = 0
    while True:
        taken = follow(source, target, check="none")
        followed, rounds = followed + taken.keys, rounds + 1
        how.told(f"followed {taken.keys} changed rows")
        if taken.keys <= FEW or rounds >= MOST_ROUNDS:
            break
    how.told("comparing")
    taken = follow(source, target, check="all")
    followed, rounds = followed + taken.keys, rounds + 1
    how.passed("compared")
    held, last, there = _switched(ref, source, target, how)
    kept = source.schema if how.grace is not None else None
    with tenant_session(there, actor=how.actor) as session:
        what = {"from": ref.database, "to": to, "blocked_ms": round(held * 1000)}
        audit.record(session, "cli:tenant:move", "tenant", ref.id, what)
    if how.grace is None:
        placing.drop_retired(ref.id, only=source.schema, early=True)
    return Moved(there, last.rows, followed + last.keys, rounds + 1, held, time.perf_counter() - began, kept)


def abort(slug: str) -> bool:
    """Give a move up that has not switched yet; False where there is none.

    Raises:
        NotFound: there is no such tenant.
        Conflict: somebody moves, restores or deletes it right now: only what was cut off can be given up.
    """
    with turn(slug):
        return _abort(describe_tenant(slug).ref())


def _abort(ref: TenantRef) -> bool:
    known = _known(ref)
    if known is None:
        placing.admit(ref)  # a restore may have been cut off just after it took the role away
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
    """The new place and how far the move is; made where the move begins.

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
        detail = f"the tenant is on its way to the data database {place.database}"
        raise Conflict(detail, command="end that move, or give it up with --abort")
    if step == "copying":
        with owner_connection(to) as connection:
            made = connection.execute("SELECT FROM pg_namespace WHERE nspname = %s", (place.schema,)).rowcount
            if not made:
                provision(connection, ref.id, place.schema)
    return place, step


def _note(ref: TenantRef, step: str) -> None:
    with owner_connection() as connection:
        connection.execute("UPDATE platform.tenant_moves SET step = %s WHERE tenant_id = %s", (step, ref.id))


def _switched(ref: TenantRef, source: Place, target: Place, how: _How) -> tuple[float, Round, TenantRef]:
    """The part in which nothing of the tenant can be written: how long it took, what it took over, the new place.

    Raises:
        Unavailable: each time, a transaction of the tenant took longer than ``patience``.
    """
    for attempt in range(1, HOLDS + 1):
        try:
            with placing.fence(ref, patience=how.patience) as held:
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
            time.sleep(how.patience)  # so that those who waited get their turn
            follow(source, target, check="none")
        else:
            return held.seconds, last, there
    message = "a loop that always returns or raises"
    raise AssertionError(message)
