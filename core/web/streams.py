"""Answers that are sent piece by piece while they are produced."""

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
    """Yield a file's content, from its beginning if it can be sought, then close the file.

    Write the answer of a transaction to a file first: a slow client would otherwise keep the transaction open.
    """
    with file:
        if file.seekable():
            file.seek(0)
        while block := file.read(BLOCK):
            yield block


def written(pieces: Iterable[str]) -> BinaryIO:
    """Write texts to a nameless file, for ``file_blocks``, and return the file."""
    file = nameless()
    try:
        for piece in pieces:
            file.write(piece.encode())
    except BaseException:
        file.close()
        raise
    return file


class StreamedResponse(StreamingResponse):
    """Sends the output of a generator, and closes the generator at the end or when the client disconnects.

    A generator that stays open keeps its transaction, or its file, until it is garbage-collected.
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
        """Send the answer, and close the generator."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            with anyio.CancelScope(shield=True):
                await run_sync(self._pieces.close)
