"""The family of errors. Importing it loads nothing else.

``core.errors.problem`` turns an error into problem+json and documents it in OpenAPI. ``core.errors.database`` turns the
database's errors into the family. ``core.app.errors`` installs both on the application.
"""

from core.errors.family import (
    AppError,
    BadRequest,
    Conflict,
    FieldError,
    Forbidden,
    HeadTooLarge,
    Invalid,
    MethodNotAllowed,
    MisdirectedRequest,
    NotFound,
    PreconditionFailed,
    PreconditionRequired,
    RequestTimeout,
    StorageFull,
    TooLarge,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
    UnsupportedMedia,
)
from core.errors.phrases import Phrase, counted_phrase, phrase

__all__ = [
    "AppError",
    "BadRequest",
    "Conflict",
    "FieldError",
    "Forbidden",
    "HeadTooLarge",
    "Invalid",
    "MethodNotAllowed",
    "MisdirectedRequest",
    "NotFound",
    "Phrase",
    "PreconditionFailed",
    "PreconditionRequired",
    "RequestTimeout",
    "StorageFull",
    "TooLarge",
    "TooManyRequests",
    "Unauthenticated",
    "Unavailable",
    "UnsupportedMedia",
    "counted_phrase",
    "phrase",
]
