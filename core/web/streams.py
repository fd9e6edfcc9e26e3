"""Answers that are sent in pieces while they are made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
from anyio.to_thread import run_sync
from fastapi.responses import StreamingResponse

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from starlette.types import Receive, Scope, Send


class StreamedResponse(StreamingResponse):
    """Sends what a generator gives, and closes the generator when the client has it all, or is gone.

    Else it would keep its transaction, or its file, until the garbage collector comes by.
    """

    def __init__(
        self,
        pieces: Generator[bytes | str],
        *,
        media_type: str,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(pieces, media_type=media_type, headers=headers)
        self._pieces = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            with anyio.CancelScope(shield=True):
                await run_sync(self._pieces.close)
