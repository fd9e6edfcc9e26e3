"""Uploads: how large one may be, and how much of it is held in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi.routing import APIRoute
from starlette.requests import Request

from core.settings import get_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from starlette.responses import Response

FIELDS = 20
"""Parts of an upload that are no files, of at most 1 MiB each: they are held in memory, where a file is not."""

FILES = 250


def upload_limit() -> int:
    """Largest upload, in bytes. A route that takes files says ``max_body_size=upload_limit()``; others have less."""
    return get_settings().upload_max_bytes


class UploadRequest(Request):
    """A request whose form has few fields. Starlette takes a thousand: a gigabyte, in an upload of a gigabyte."""

    def form(self, *, max_files: float = FILES, max_fields: float = FIELDS, **options: Any) -> Any:  # noqa: ANN401 - as Starlette has it
        """The form, as ``Request.form`` gives it."""
        return super().form(max_files=min(max_files, FILES), max_fields=min(max_fields, FIELDS), **options)


class UploadRoute(APIRoute):
    """The class of routes that take files: ``APIRouter(route_class=UploadRoute)``."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, given a request whose form is bounded."""
        handle = super().get_route_handler()

        async def bounded(request: Request) -> Response:
            return await handle(UploadRequest(request.scope, request.receive))

        return bounded
