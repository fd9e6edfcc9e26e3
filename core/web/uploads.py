"""Uploads: limits their size, and the part of them that is in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi.routing import APIRoute
from starlette.requests import Request

from core.settings import get_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from starlette.responses import Response

FIELDS = 20
"""Most fields of an upload that are not files. Such a field is held in memory, up to 1 MiB; files are not."""

FILES = 250


def upload_limit() -> int:
    """Return the largest upload, in bytes. A route that takes files declares ``max_body_size=upload_limit()``."""
    return get_settings().upload_max_bytes


class UploadRequest(Request):
    """A request whose form may have few fields. Starlette allows a thousand, which can fill a gigabyte of memory."""

    def form(self, *, max_files: float = FILES, max_fields: float = FIELDS, **options: Any) -> Any:  # noqa: ANN401 - as Starlette has it
        """Return the form, as ``Request.form`` does."""
        return super().form(max_files=min(max_files, FILES), max_fields=min(max_fields, FIELDS), **options)


class UploadRoute(APIRoute):
    """The class of routes that take files: ``APIRouter(route_class=UploadRoute)``."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return a handler that gets a request with a limited form."""
        handle = super().get_route_handler()

        async def bounded(request: Request) -> Response:
            return await handle(UploadRequest(request.scope, request.receive))

        return bounded
