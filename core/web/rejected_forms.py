"""A form with errors, shown again after the request's transaction has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from core.errors import Invalid

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import Receive, Scope, Send


class RejectedForm(Response):
    """Renders a page once the transaction of the form's Idempotency-Key has ended, without an effect.

    A page may ask a model or another server, for which no transaction may wait.

    Args:
        render: renders the page; it runs in a thread.
    """

    def __init__(self, render: Callable[[], Response]) -> None:
        super().__init__(status_code=Invalid.status)
        self._render = render

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Render the page and send it, with the headers that dependencies have set on this answer."""
        answer = await run_in_threadpool(self._render)
        known = {name for name, _ in answer.raw_headers}
        answer.raw_headers.extend(header for header in self.raw_headers if header[0] not in known)
        await answer(scope, receive, send)
