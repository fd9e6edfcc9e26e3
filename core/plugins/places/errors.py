"""What goes wrong with a place of files, as codes."""

from __future__ import annotations

import errno
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Literal, get_args

import httpx

from core.clock import now
from core.outgoing import AddressRejected, AnswerTooLarge, AnswerTooSlow
from core.plugins.filling import BadRequestError
from core.resilience import BreakerOpen, BulkheadFull, DeadlinePassed, Dependency
from plugins.sdk import HttpResponse, retry_after

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import timedelta

Reason = Literal[
    "access_denied",
    "address_not_allowed",
    "bad_answer",
    "bad_settings",
    "changed",
    "folder_not_allowed",
    "no_connection",
    "no_space",
    "not_found",
    "paused",
    "rate_limited",
    "timeout",
    "too_large",
    "too_many_files",
    "wrong_host_key",
    "wrong_region",
]
_WITH_TIME: Final = (httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE)
REASONS: Final[tuple[str, ...]] = get_args(Reason)

SOURCES: Final = Dependency(
    "record_sources",
    "Servers from which files of records are fetched: web servers, buckets, SFTP. Without one, its files come later.",
    timeout=900.0,
    at_once=4,
    at_once_per_tenant=2,
    by_instance=True,
)


class PlaceError(Exception):
    """A place or a file of it cannot be read.

    Attributes:
        reason: a code.
        retry_after: for how long the server asks to send nothing more; None if it does not say.
    """

    def __init__(self, reason: Reason, retry_after: timedelta | None = None) -> None:
        super().__init__(reason)
        self.reason: Reason = reason
        self.retry_after = retry_after


@contextmanager
def as_place_errors() -> Iterator[None]:
    """Raise what goes wrong with a call to another server as a ``PlaceError``."""
    try:
        yield
    except (BreakerOpen, BulkheadFull, DeadlinePassed) as error:
        raise PlaceError("paused") from error
    except AddressRejected as error:
        raise PlaceError("address_not_allowed") from error
    except BadRequestError as error:
        raise PlaceError("address_not_allowed" if error.reason == "host_not_allowed" else "bad_settings") from error
    except (AnswerTooSlow, httpx.TimeoutException, TimeoutError) as error:
        raise PlaceError("timeout") from error
    except AnswerTooLarge as error:
        raise PlaceError("too_large") from error
    except (httpx.ConnectError, ConnectionRefusedError) as error:
        raise PlaceError("no_connection") from error
    except OSError as error:
        raise PlaceError("no_space" if is_full(error) else "no_connection") from error
    except httpx.HTTPError as error:
        raise PlaceError("bad_answer") from error


def is_full(error: BaseException) -> bool:
    """Return whether an error says that the disk of this machine, or our part of it, is full."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def error_of(status: int, headers: Mapping[str, str], reason: Reason | None = None) -> PlaceError:
    """Return what an answer without a file means, with the time for which it asks to wait.

    Args:
        status: of the answer.
        headers: of the answer.
        reason: what its body says, if it says something.
    """
    names = {str(name).lower(): str(value) for name, value in headers.items()}
    wait = retry_after(HttpResponse(status, names), now()) if status in _WITH_TIME else None
    return PlaceError(reason or reason_of_status(status), wait)


def reason_of_status(status: int) -> Reason:
    """Return what an answer means that has no file."""
    if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        return "access_denied"
    if status in (httpx.codes.NOT_FOUND, httpx.codes.GONE):
        return "not_found"
    if status == httpx.codes.TOO_MANY_REQUESTS:
        return "rate_limited"
    return "changed" if status == httpx.codes.PRECONDITION_FAILED else "bad_answer"
