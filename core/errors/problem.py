"""Problem+json (RFC 9457): the document for an error, and the documentation of errors in OpenAPI."""

from __future__ import annotations

from typing import Any

from core.errors.family import AppError

MEDIA_TYPE = "application/problem+json"
SCHEMA_NAME = "Problem"
SCHEMA: dict[str, Any] = {
    "title": SCHEMA_NAME,
    "description": "What went wrong and what to do about it (RFC 9457).",
    "type": "object",
    "required": ["type", "title", "status", "detail", "instance", "remedy", "errors"],
    "properties": {
        "type": {"type": "string", "description": "Stable identifier of the kind of problem."},
        "title": {"type": "string", "description": "The kind of problem in words."},
        "status": {"type": "integer", "description": "The HTTP status."},
        "detail": {"type": "string", "description": "What was wrong this time."},
        "instance": {"type": "string", "description": "This occurrence: the request id, also in X-Request-ID."},
        "remedy": {"type": "string", "description": "What the caller can do."},
        "errors": {
            "type": "array",
            "description": "The fields to blame, if fields are.",
            "items": {
                "type": "object",
                "required": ["field", "problem", "remedy"],
                "properties": {
                    "field": {"type": "string", "description": "Where the mistake is, such as `query.page`."},
                    "problem": {"type": "string", "description": "What is wrong with it."},
                    "remedy": {"type": "string", "description": "What the caller can do about it."},
                },
            },
        },
    },
}


_WAITING = frozenset({429, 503})
_RETRY_AFTER: dict[str, Any] = {
    "description": "Seconds after which to send the request again.",
    "schema": {"type": "integer", "minimum": 1, "examples": [1]},
}


def problem(error: AppError, request_id: str | None = None, *, at_terminal: bool = False) -> dict[str, Any]:
    """The members of the problem document for ``error``.

    Args:
        error: what is wrong.
        request_id: of the request that is answered.
        at_terminal: the reader runs the installation, so remedies name commands.
    """
    return {
        "type": error.type,
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "instance": f"urn:iit:request:{request_id}" if request_id else "urn:iit:request:none",
        "remedy": error.at_terminal if at_terminal else error.remedy,
        "errors": [
            {"field": e.field, "problem": e.problem, "remedy": e.at_terminal if at_terminal else e.remedy}
            for e in error.errors
        ],
    }


def headers(error: AppError) -> dict[str, str]:
    """The headers for ``error``."""
    fields: dict[str, str] = {}
    if error.retry_after is not None:
        fields["Retry-After"] = str(error.retry_after)
    if error.status == 401:  # noqa: PLR2004 - the HTTP status itself says what it is
        fields["WWW-Authenticate"] = 'Bearer realm="iit"'
    return fields


def responses(*kinds: type[AppError]) -> dict[int | str, dict[str, Any]]:
    """OpenAPI ``responses=`` of a route that may answer with these errors, each with its example."""
    documents: dict[int | str, dict[str, Any]] = {}
    for kind in kinds:
        example = problem(kind(kind.title + "."), "019c2291-b3a0-7768-a5f9-23774462ebfc")
        documents[kind.status] = {
            "description": kind.title,
            **({"headers": {"Retry-After": _RETRY_AFTER}} if kind.status in _WAITING else {}),
            "content": {MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{SCHEMA_NAME}"}, "example": example}},
        }
    return documents
