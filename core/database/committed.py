"""What happens after a transaction has committed, such as counting what it did in a metric."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import event

from core.database.joining import outer_session

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlmodel import Session

    from core.database.scope import TenantRef

write_listeners: Final[list[Callable[[TenantRef], None]]] = []
"""Functions that are called after each commit of a tenant's transaction that may have written. They do not raise."""


def after_commit(session: Session, function: Callable[[], object]) -> None:
    """Call a function once when the session's transaction has committed; never if it is rolled back.

    A session that is a savepoint of another one's transaction has committed when that one has. The function must be
    quick, and neither raise nor use the session.
    """

    def committed(_: Session) -> None:
        outer = outer_session(session)
        if outer is None:
            function()
        else:
            event.listen(outer, "after_commit", lambda _: function(), once=True)

    event.listen(session, "after_commit", committed, once=True)


def after_write(tenant: TenantRef) -> None:
    """Call ``write_listeners``: a transaction of the tenant that may have written has committed."""
    for listener in write_listeners:
        listener(tenant)
