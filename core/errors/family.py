"""The errors that the API, the command line and the jobs answer with.

Each says what is wrong (``detail``), what to do (``remedy``) and, if fields are to blame, which (``errors``).
``remedy`` is for every reader, including API callers, and names no command. If somebody at the command line can do
more, ``command`` says what to type. Callers see these texts, and logs store them: they name fields, never a person's
data.
"""

# ruff: noqa: N818 - named by what happened, as HTTP names them
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class FieldError:
    """One field that is wrong.

    Attributes:
        field: its place, dotted: ``body.birthdate``, ``query.page_size``.
        problem: what is wrong with it.
        remedy: what to send instead.
        command: the remedy at the command line, if it is a different one.
    """

    field: str
    problem: str
    remedy: str = ""
    command: str = ""

    @property
    def at_terminal(self) -> str:
        """The remedy for a reader at the command line."""
        return self.command or self.remedy


class AppError(Exception):
    """Base of the family.

    Args:
        detail: what is wrong, for the caller to read.
        remedy: what the caller can do; the class's own ``hint`` when empty.
        command: the remedy at the command line, if it is a different one.
        errors: the fields that are wrong.
        retry_after: seconds after which the caller should try again (``Retry-After``).
    """

    status: ClassVar[int] = 500
    slug: ClassVar[str] = "internal"
    title: ClassVar[str] = "Something went wrong on our side"
    hint: ClassVar[str] = "Try again. If it fails again, give the request id to the operator."

    def __init__(
        self,
        detail: str,
        *,
        remedy: str = "",
        command: str = "",
        errors: Sequence[FieldError] = (),
        retry_after: int | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.remedy = remedy or self.hint
        self.command = command
        self.errors = tuple(errors)
        self.retry_after = retry_after

    @property
    def at_terminal(self) -> str:
        """The remedy for a reader at the command line."""
        return self.command or self.remedy

    @property
    def type(self) -> str:
        """The stable problem type of RFC 9457."""
        return f"urn:iit:problem:{self.slug}"


class BadRequest(AppError):
    """The request cannot be read."""

    status = 400
    slug = "bad-request"
    title = "The request cannot be read"
    hint = "Check the request against the API's description at /docs."


class Unauthenticated(AppError):
    """The request has no credential, or an invalid one."""

    status = 401
    slug = "unauthenticated"
    title = "A valid credential is needed"
    hint = "Send a valid API key in the header 'Authorization: Bearer <key>' or 'X-API-Key: <key>'."


class Forbidden(AppError):
    """The caller lacks the permission."""

    status = 403
    slug = "forbidden"
    title = "Not allowed"
    hint = "Ask the tenant's administrator for the permission."


class NotFound(AppError):
    """The thing does not exist, or belongs to another tenant: both cases get the same answer."""

    status = 404
    slug = "not-found"
    title = "Not found"
    hint = "Check the identifier; it may belong to another tenant or have been removed."


class MethodNotAllowed(AppError):
    """The path does not take this method."""

    status = 405
    slug = "method-not-allowed"
    title = "The method is not allowed here"
    hint = "Use one of the methods of the header Allow."


class RequestTimeout(AppError):
    """The body did not arrive in time."""

    status = 408
    slug = "request-timeout"
    title = "The request took too long to arrive"
    hint = "Send the body without pauses; send less at once when the connection is slow."


class Conflict(AppError):
    """The request conflicts with the present state."""

    status = 409
    slug = "conflict"
    title = "It conflicts with what is already there"
    hint = "Read the present state and try again."


class PreconditionFailed(AppError):
    """The row has changed since the caller read it."""

    status = 412
    slug = "precondition-failed"
    title = "It has changed since you read it"
    hint = "Read it again, and send If-Match with the new ETag."


class TooLarge(AppError):
    """The body is over the limit."""

    status = 413
    slug = "too-large"
    title = "The request is too large"
    hint = "Send less at once, or upload it as an import."


class UnsupportedMedia(AppError):
    """This operation does not read the body's media type."""

    status = 415
    slug = "unsupported-media"
    title = "The media type is not supported"
    hint = "Send one of the media types that the operation lists."


class MisdirectedRequest(AppError):
    """The request names a host that this server does not serve."""

    status = 421
    slug = "misdirected-request"
    title = "This server does not serve that host"
    hint = "Use the address that the operator gave you."


class Invalid(AppError):
    """The request is readable, but a value in it is wrong."""

    status = 422
    slug = "invalid"
    title = "The content is not valid"
    hint = "Correct the fields named in 'errors'."


class PreconditionRequired(AppError):
    """The request does not name the version that it changes."""

    status = 428
    slug = "precondition-required"
    title = "If-Match is required"
    hint = "Read the row first, and send its ETag in the header If-Match."


class HeadTooLarge(AppError):
    """The first line and the headers are over the limit."""

    status = 431
    slug = "head-too-large"
    title = "The headers of the request are too large"
    hint = "Send a shorter address, and fewer or shorter headers."


class TooManyRequests(AppError):
    """The caller sends too many requests."""

    status = 429
    slug = "quota-exceeded"
    title = "Too many requests"
    hint = "Wait for as many seconds as the header Retry-After says."


class Unavailable(AppError):
    """A server that the request needs does not answer at the moment."""

    status = 503
    slug = "unavailable"
    title = "Not available right now"
    hint = "Try again in a few seconds."


class StorageFull(AppError):
    """A disk of the installation is full."""

    status = 507
    slug = "storage-full"
    title = "The installation has no room left on its disk"
    hint = "Tell the operator: this request stored nothing; send it again when there is room."


FAMILY: tuple[type[AppError], ...] = (
    AppError,
    BadRequest,
    Unauthenticated,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    RequestTimeout,
    Conflict,
    PreconditionFailed,
    TooLarge,
    UnsupportedMedia,
    Invalid,
    PreconditionRequired,
    TooManyRequests,
    HeadTooLarge,
    Unavailable,
    StorageFull,
)
BY_STATUS: dict[int, type[AppError]] = {kind.status: kind for kind in FAMILY}
