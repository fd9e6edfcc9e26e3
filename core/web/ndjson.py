"""Long reads as NDJSON (application/x-ndjson): one JSON object a line, read in steps, each in its own transaction.

A step commits, together with its audit rows, before its lines are sent. Each step checks again that the key is valid
and the tenant is active; otherwise the stream ends. After an error, the last line is a problem document and the
connection breaks, so that nobody takes a part for the whole.
"""

from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar

import orjson
from pydantic import BaseModel

from core import telemetry
from core.database import TenantSession
from core.errors.database import as_app_error
from core.errors.problem import problem
from core.web.streams import StreamedResponse

MEDIA_TYPE = "application/x-ndjson"
Cursor = TypeVar("Cursor")
Step = Callable[[TenantSession, Cursor | None], tuple[Sequence[BaseModel | dict[str, Any]], Cursor | None]]
"""Reads the rows after a cursor (None: from the beginning); returns them with the next cursor (None: that was all)."""


class StreamScope(Protocol):
    """Opens a transaction of the caller's tenant for each step, such as ``core.access.Scope``."""

    def session(self) -> AbstractContextManager[TenantSession]:
        """A transaction of the tenant."""

    def confirm(self) -> None:
        """Check again that the caller's credential is valid and the tenant is active."""


RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "One JSON object a line.",
        "content": {MEDIA_TYPE: {"schema": {"type": "string", "description": "JSON objects, one a line."}}},
    }
}
"""OpenAPI ``responses=`` of a route that answers with a stream."""


def ndjson(scope: StreamScope, step: Step[Cursor]) -> StreamedResponse:
    """Stream the rows that ``step`` reads. The first step runs at once, so that its errors get an ordinary answer."""
    with scope.session() as session:
        rows, cursor = step(session, None)
    return StreamedResponse(_lines(scope, step, rows, cursor), media_type=MEDIA_TYPE)


def _lines(
    scope: StreamScope, step: Step[Cursor], rows: Sequence[BaseModel | dict[str, Any]], cursor: Cursor | None
) -> Generator[bytes]:
    yield _encoded(rows)
    while cursor is not None:
        try:
            scope.confirm()
            with scope.session() as session:
                rows, cursor = step(session, cursor)
        except Exception as error:
            yield orjson.dumps(problem(as_app_error(error), telemetry.request_id())) + b"\n"
            raise
        yield _encoded(rows)


def _encoded(rows: Sequence[BaseModel | dict[str, Any]]) -> bytes:
    return b"".join(
        (row.model_dump_json().encode() if isinstance(row, BaseModel) else orjson.dumps(row)) + b"\n" for row in rows
    )
