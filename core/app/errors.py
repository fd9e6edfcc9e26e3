"""Error handlers: answer every error as problem+json, be it ours, FastAPI's, the router's or the database's."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import orjson
import psycopg
from fastapi.exceptions import RequestValidationError
from sqlalchemy import exc
from starlette.exceptions import HTTPException
from starlette.responses import Response

from core import telemetry
from core.app.conventions import body_names
from core.app.error_places import locate_fields
from core.app.pages import error_page
from core.errors import phrase
from core.errors.database import as_app_error
from core.errors.family import (
    BY_STATUS,
    AppError,
    BadRequest,
    FieldError,
    Invalid,
    MethodNotAllowed,
    NotFound,
    StorageFull,
    Unavailable,
)
from core.errors.findings import problem_of, remedy_of
from core.errors.nearest import field_of, remedy_for
from core.errors.problem import MEDIA_TYPE, headers, problem
from core.telemetry.repeated import RepeatFilter
from core.web.page_marks import is_page, mark_as_page

if TYPE_CHECKING:
    from collections.abc import MutableMapping, Sequence

    from fastapi import FastAPI
    from starlette.requests import Request

SERVER_ERROR = 500

log = telemetry.get_logger(__name__)
_logged = RepeatFilter()
_OUTSIDE = frozenset({Unavailable.status, StorageFull.status})


def log_failure(event: str, failure: AppError, error: BaseException) -> None:
    """Log an error that the caller did not cause, with a traceback if the code may be to blame.

    A server that is unavailable or a full disk is logged in one line at a bounded rate: every request meets it.
    """
    if failure.status < SERVER_ERROR:
        return
    if failure.status not in _OUTSIDE:
        log.error(event, problem=failure.slug, exc_info=error)
        return
    left_out = _logged.due((event, failure.slug, failure.detail))
    if left_out is not None:
        log.error(event, problem=failure.slug, reason=failure.detail, left_out=left_out)


def answer(scope: MutableMapping[str, Any], error: AppError, *, more: dict[str, str] | None = None) -> Response:
    """Return the answer for ``error``: a page if the request asked for a page, else a problem document."""
    if is_page(scope):
        return error_page(scope, error, {**headers(error), **(more or {})})
    return problem_response(error, more=more)


def problem_response(error: AppError, *, more: dict[str, str] | None = None) -> Response:
    """Return the problem document for ``error``, with the id of the current request."""
    return Response(
        orjson.dumps(problem(error, telemetry.request_id())),
        status_code=error.status,
        headers={**headers(error), **(more or {})},
        media_type=MEDIA_TYPE,
    )


def from_validation(findings: Sequence[Any], route: object = None) -> AppError:
    """Turn Pydantic's findings into one of our errors, without the values that the caller sent.

    Args:
        findings: the list that Pydantic gives.
        route: the operation; the remedy for an unknown field names the nearest of its fields.
    """
    if any(item["type"] == "json_invalid" for item in findings):
        return _not_json()
    errors = [_field_error(item, route) for item in findings]
    fields = ", ".join(error.field for error in errors)
    return Invalid(phrase("not valid: {fields}", fields=fields), errors=errors)


def _not_json() -> BadRequest:
    detail = "the body is not valid JSON"
    return BadRequest(detail, errors=[FieldError("body", "is not valid JSON", "Send one JSON document in UTF-8.")])


def _field_error(item: dict[str, Any], route: object) -> FieldError:
    location = item["loc"]
    if item["type"] == "extra_forbidden" and location:
        names, name = body_names(route, location), str(location[-1])
        place = ".".join(str(part) for part in location[:-1])
        return FieldError(field_of(place, name), "this operation has no such field", remedy_for(name, names))
    return FieldError(".".join(str(part) for part in location), problem_of(item), remedy_of(item))


def from_http(error: HTTPException) -> AppError:
    """Turn an error of the router or of FastAPI into one of ours."""
    if isinstance(error.__cause__, OSError):
        return as_app_error(error.__cause__)  # FastAPI could not store the body, and would blame the sender
    if isinstance(error.__cause__, UnicodeDecodeError):
        return _not_json()
    if error.status_code == HTTPStatus.NOT_FOUND:
        detail = "there is nothing at this path"
        return NotFound(detail, remedy="See the paths at /docs.")
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        detail = "this path does not take the method"
        return MethodNotAllowed(detail)
    kind = BY_STATUS.get(error.status_code, BadRequest if error.status_code < SERVER_ERROR else AppError)
    return kind(str(error.detail) if error.status_code < SERVER_ERROR else kind.title)


async def on_app_error(request: Request, error: Exception) -> Response:
    """Answer an error of ours, or of the database."""
    failure = as_app_error(error)
    locate_fields(failure, request.scope.get("route"))
    log_failure("request failed", failure, error)
    return answer(request.scope, failure)


async def on_validation(request: Request, error: Exception) -> Response:
    """Answer a request that FastAPI found invalid."""
    findings = error.errors() if isinstance(error, RequestValidationError) else []
    return answer(request.scope, from_validation(findings, request.scope.get("route")))


async def on_http(request: Request, error: Exception) -> Response:
    """Answer a request that the router rejected."""
    if not isinstance(error, HTTPException):
        return answer(request.scope, as_app_error(error))
    failure = from_http(error)
    if isinstance(failure, NotFound) and "text/html" in request.headers.get("accept", ""):
        mark_as_page(request.scope)  # a person who mistyped an address; programs do not ask for HTML
        failure = NotFound(failure.detail)
    log_failure("request failed", failure, error)
    return answer(request.scope, failure, more=dict(error.headers or {}))


async def on_unexpected(request: Request, error: Exception) -> Response:
    """Answer an unexpected error without its text; the outermost middleware logs it."""
    return answer(request.scope, as_app_error(error))


def install(app: FastAPI) -> None:
    """Make the application answer every error as problem+json, or as a page."""
    app.add_exception_handler(RequestValidationError, on_validation)
    app.add_exception_handler(HTTPException, on_http)
    for kind in (AppError, exc.SQLAlchemyError, psycopg.Error):
        app.add_exception_handler(kind, on_app_error)
    app.add_exception_handler(Exception, on_unexpected)
