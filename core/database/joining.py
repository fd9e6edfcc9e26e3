"""Sessions of one unit of work that join one transaction, so that an effect and its stored answer commit together.

A request with an Idempotency-Key opens an outer transaction of a place: a tenant's schema, or ``platform``. Every
session that the request then opens there is a savepoint of the outer transaction. It has its own objects, commits into
the outer transaction, and rolls back alone.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from core import telemetry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from uuid import UUID

    from sqlalchemy import Connection
    from sqlmodel import Session

    Place = UUID | str
    """A tenant's id, or the name of a data database for sessions of ``node`` and ``platform``."""

_joints: dict[tuple[int, Place], Joint] = {}


class Joint:
    """The outer transaction of one place in one unit of work. It begins with the first session that joins it."""

    def __init__(self, unit: object, stack: ExitStack, begin: Callable[[], AbstractContextManager[Session]]) -> None:
        self._unit = unit  # stays alive as long as the joint, so that no other unit gets its identity
        self._stack = stack
        self._begin = begin
        self._apart = False
        self.session: Session | None = None

    def open(self) -> Session:
        """Begin the outer transaction if it has not begun; return its session."""
        if self.session is None:
            with self.apart():
                self.session = self._stack.enter_context(self._begin())
        return self.session

    def connection(self) -> Connection | None:
        """Return the connection that a new session joins; None if the session has to be apart."""
        return None if self._apart else self.open().connection()

    @contextmanager
    def apart(self) -> Iterator[None]:
        """Let new sessions of the place be transactions of their own while the block runs."""
        before, self._apart = self._apart, True
        try:
            yield
        finally:
            self._apart = before


@contextmanager
def joined(place: Place, begin: Callable[[], AbstractContextManager[Session]]) -> Iterator[Joint]:
    """Make the sessions that the present unit of work opens at ``place`` join one transaction until the block ends.

    Args:
        place: a tenant's id, or the name of a data database.
        begin: opens the outer transaction. It commits after the block, and rolls back if the block raises.

    Raises:
        RuntimeError: outside a unit of work, or the place has a joint already.
    """
    unit = telemetry.unit()
    key = (id(unit), place)
    if unit is None or key in _joints:
        message = "a joint needs a unit of work, and each place has one joint at most"
        raise RuntimeError(message)
    with ExitStack() as stack:
        joint = _joints[key] = Joint(unit, stack, begin)
        try:
            yield joint
        finally:
            del _joints[key]


def outer_connection(place: Place) -> Connection | None:
    """Return the connection of the outer transaction that a new session at ``place`` joins; None if there is none."""
    joint = _joint(place)
    return None if joint is None else joint.connection()


@contextmanager
def apart(place: Place) -> Iterator[None]:
    """Commit the sessions of the block at ``place`` at once: for marks that others must see before the effect."""
    joint = _joint(place)
    if joint is None:
        yield
        return
    with joint.apart():
        yield


def outer_session(session: Session) -> Session | None:
    """Return the session whose transaction this one has joined; None if its transaction is its own."""
    if not _joints:
        return None
    unit, bind = id(telemetry.unit()), session.get_bind()
    for (owner, _), joint in list(_joints.items()):
        outer = joint.session if owner == unit else None
        if outer is not None and outer is not session and outer.connection() is bind:
            return outer
    return None


def _joint(place: Place) -> Joint | None:
    return _joints.get((id(telemetry.unit()), place)) if _joints else None
