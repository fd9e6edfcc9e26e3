"""Answers that are sent in pieces while they are made."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

import anyio
from anyio.to_thread import run_sync
from fastapi.responses import StreamingResponse

from core.scratch import nameless

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping

    from starlette.types import Receive, Scope, Send


BLOCK = 65_536


def file_blocks(file: BinaryIO) -> Generator[bytes]:
    """What is in a file, from its beginning; the file is closed at the end.

    What takes a transaction is written to a file first: a client that reads slowly would keep the transaction open.
    """
    with file:
        file.seek(0)
        while block := file.read(BLOCK):
            yield block


def written(pieces: Iterable[str]) -> BinaryIO:
    """A nameless file with these texts, for ``file_blocks``."""
    file = nameless()
    try:
        for piece in pieces:
            file.write(piece.encode())
    except BaseException:
        file.close()
        raise
    return file


class StreamedResponse(StreamingResponse):
    """Sends what a generator gives, and closes the generator when the client has it all, or is gone.

    Else it would keep its transaction, or its file, until the garbage collector comes by.
    """

    def __init__(
        self,
        pieces: Generator[bytes | str],
        status_code: int = 200,
        *,
        media_type: str,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(pieces, status_code, headers, media_type)
        self._pieces = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            with anyio.CancelScope(shield=True):
                await run_sync(self._pieces.close)
