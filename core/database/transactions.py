"""Register of tenants' open transactions: nothing calls slow or foreign code while a transaction holds locks.

A request's transaction begins, works and ends in different threads. So a transaction belongs to a unit of work (a
request, a job), or to a thread if there is none.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from core import telemetry

if TYPE_CHECKING:
    from collections.abc import Iterator


class TransactionOpenError(RuntimeError):
    """The caller tried to call something slow or foreign within a transaction."""


_open: dict[int, object] = {}


@contextmanager
def noted(transaction: object) -> Iterator[None]:
    """Record this transaction as open in the present unit of work while the block runs."""
    _open[id(transaction)] = _unit()
    try:
        yield
    finally:
        _open.pop(id(transaction), None)


def require_none(what: str) -> None:
    """Raise if the present unit of work has an open transaction.

    Args:
        what: the call to be made, for the message.

    Raises:
        TransactionOpenError: a transaction is open.
    """
    unit = _unit()
    if any(owner is unit for owner in list(_open.values())):
        message = f"{what} within a transaction: end the transaction first, because it would hold its locks meanwhile"
        raise TransactionOpenError(message)


def _unit() -> object:
    unit = telemetry.unit()
    return threading.current_thread() if unit is None else unit
