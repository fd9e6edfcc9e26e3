"""What happens after a transaction has committed, such as counting what it did in a metric."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import event

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlmodel import Session


def after_commit(session: Session, function: Callable[[], object]) -> None:
    """Call a function once when the session's transaction has committed; never if it is rolled back.

    The function must be quick, and neither raise nor use the session.
    """
    event.listen(session, "after_commit", lambda _: function(), once=True)
