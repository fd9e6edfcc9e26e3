"""What goes wrong with a place of files, as codes."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Literal, get_args

import httpx

from core.outgoing import AddressRejected, AnswerTooLarge, AnswerTooSlow
from core.plugins.filling import BadRequestError
from core.resilience import BreakerOpen, BulkheadFull, DeadlinePassed, Dependency

if TYPE_CHECKING:
    from collections.abc import Iterator

Reason = Literal[
    "access_denied",
    "address_not_allowed",
    "bad_answer",
    "bad_settings",
    "changed",
    "folder_not_allowed",
    "no_connection",
    "not_found",
    "paused",
    "rate_limited",
    "timeout",
    "too_large",
    "too_many_files",
    "wrong_host_key",
    "wrong_region",
]
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
    """

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason: Reason = reason


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
    except (httpx.HTTPError, OSError) as error:
        raise PlaceError("no_connection" if isinstance(error, OSError) else "bad_answer") from error


def reason_of_status(status: int) -> Reason:
    """Return what an answer means that has no file."""
    if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        return "access_denied"
    if status in (httpx.codes.NOT_FOUND, httpx.codes.GONE):
        return "not_found"
    if status == httpx.codes.TOO_MANY_REQUESTS:
        return "rate_limited"
    return "changed" if status == httpx.codes.PRECONDITION_FAILED else "bad_answer"
