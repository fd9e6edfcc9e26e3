"""The database's errors as errors of the family, without their messages, which may repeat a record."""

from __future__ import annotations

import errno

from core.errors.family import AppError, Conflict, Invalid, StorageFull, Unavailable

BUSY_RETRY = 1
DOWN_RETRY = 5
UNEXPECTED = "an unexpected error occurred"

UNSTORABLE = "22000"
_DISK_FULL = "53100"
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
_FULL = "there is no room left on a disk of the installation"
_DETAILS = {
    UNSTORABLE: "a value cannot be stored; a text must not contain NUL (U+0000)",
    "22001": "a text is longer than its column",
    "22003": "a number is out of range",
    "22007": "a date or time cannot be read",
    "22008": "a date or time is out of range",
    "22021": "a text has characters that cannot be stored",
    "22P02": "a value does not have the form of its type",
    "22P05": "a text has characters that cannot be stored",
    "23502": "a value is missing",
    "23503": "it refers to something that does not exist",
    "23505": "it exists already",
    "23514": "a value is not allowed",
    "23P01": "it overlaps with what is already there",
}


def as_app_error(error: BaseException) -> AppError:
    """Return the error to answer with.

    An ``AppError`` is returned unchanged. An error of the database is translated by its SQLSTATE, and any other error
    becomes an internal one.

    Serialization failures, deadlocks, timeouts of locks and statements, lost connections and an exhausted pool become
    ``Unavailable`` with a time to retry. A full disk becomes ``StorageFull``, data errors ``Invalid``, and broken
    uniqueness ``Conflict``.
    """
    if isinstance(error, AppError):
        return error
    if isinstance(error, OSError) and error.errno in _NO_ROOM:
        return StorageFull(_FULL)
    fault = _database_error(error)
    return AppError(UNEXPECTED) if fault is None else _of_sqlstate(*fault)


def _of_sqlstate(sqlstate: str, disconnected: bool) -> AppError:  # noqa: FBT001 - a pair, unpacked
    if sqlstate == _DISK_FULL:
        return StorageFull(_FULL)
    if disconnected or sqlstate[:2] in {"08", "53"} or sqlstate[:3] == "57P":
        detail = "the database does not answer"
        return Unavailable(detail, retry_after=DOWN_RETRY)
    if sqlstate[:2] == "40" or sqlstate in {"55P03", "57014"}:
        detail = "the database is busy with the same rows"
        return Unavailable(detail, remedy="Send the same request again.", retry_after=BUSY_RETRY)
    if sqlstate in {"23505", "23P01"}:
        return Conflict(_DETAILS[sqlstate])
    if sqlstate[:2] in {"22", "23"}:
        return Invalid(
            _DETAILS.get(sqlstate, "a value cannot be stored"), remedy="Correct the value and send the request again."
        )
    return AppError(UNEXPECTED)


def _database_error(error: BaseException) -> tuple[str, bool] | None:
    """Return the SQLSTATE, and whether the connection is lost; None for an error of another kind."""
    for known in (_of_sqlalchemy, _of_psycopg):
        fault = known(error)
        if fault is not None:
            return fault
    return None


def _of_sqlalchemy(error: BaseException) -> tuple[str, bool] | None:
    from sqlalchemy import exc

    if isinstance(error, exc.TimeoutError):
        return "", True
    if isinstance(error, exc.DBAPIError) and error.orig is not None:
        fault = _of_psycopg(error.orig)
        return (fault[0], fault[1] or error.connection_invalidated) if fault else None
    return None


def _of_psycopg(error: BaseException) -> tuple[str, bool] | None:
    import psycopg

    timeouts: tuple[type[BaseException], ...] = _pool_errors()
    if isinstance(error, timeouts):
        return "", True
    if isinstance(error, psycopg.DataError) and not error.sqlstate:
        return UNSTORABLE, False  # rejected before it was sent: a NUL in a text, a date out of range
    if isinstance(error, psycopg.Error):
        sqlstate = error.sqlstate or ""
        return sqlstate, not sqlstate and isinstance(error, psycopg.OperationalError)
    return None


def _pool_errors() -> tuple[type[BaseException], ...]:
    from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests

    return PoolTimeout, PoolClosed, TooManyRequests
