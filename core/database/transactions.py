"""Which tenants' transactions are open: nothing slow or foreign is called while one holds its locks.

A request's transaction is begun, used and ended in different threads, so a transaction belongs to a unit of work (a
request, a job), and to a thread where there is none.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from core import telemetry

if TYPE_CHECKING:
    from collections.abc import Iterator


class TransactionOpenError(RuntimeError):
    """Something slow or foreign was about to be called within a transaction: always a fault of the caller."""


_open: dict[int, object] = {}


@contextmanager
def noted(transaction: object) -> Iterator[None]:
    """While the block lasts, the present unit of work has this transaction open."""
    _open[id(transaction)] = _here()
    try:
        yield
    finally:
        _open.pop(id(transaction), None)


def require_none(what: str) -> None:
    """See that no transaction is open here.

    Args:
        what: what is about to be done, for the message.

    Raises:
        TransactionOpenError: one is.
    """
    here = _here()
    if any(owner is here for owner in list(_open.values())):
        message = f"{what} within a transaction: end the transaction first, its locks would be held meanwhile"
        raise TransactionOpenError(message)


def _here() -> object:
    unit = telemetry.unit()
    return threading.current_thread() if unit is None else unit
