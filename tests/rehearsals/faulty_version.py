"""A version of the API as a process, with a fault: ``python -m tests.rehearsals.faulty_version errors 8001``.

It is ``iit serve``. The fault is inside the application, so that logs and metrics have it as they would a real one.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
from typing import TYPE_CHECKING

from core.app import commands, factory

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

ERROR_SHARE = 0.2
SLOW_SHARE, SLOW_SECONDS = 0.3, 1.0
DEATH_REQUESTS = 60
UNTOUCHED = ("/health", "/no-such-path", "/assets/")
"""Paths without a fault, so that the version passes its smoke test, as many a bad version does."""


class Fault:
    """Middleware that lets some requests fail, be slow, or end the process."""

    def __init__(self, app: ASGIApp, kind: str) -> None:
        self._app, self._kind = app, kind
        self._random = random.Random(7)  # noqa: S311 - no secret
        self._count = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and not scope["path"].startswith(UNTOUCHED):
            self._count += 1
            luck = self._random.random()
            if self._count > 5:  # the smoke test sends fewer
                if self._kind == "errors" and luck < ERROR_SHARE:
                    message = "the fault of this rehearsal"
                    raise RuntimeError(message)
                if self._kind == "slow" and luck < SLOW_SHARE:
                    await asyncio.sleep(SLOW_SECONDS)
                if self._kind == "death" and self._count > DEATH_REQUESTS:
                    os._exit(1)
        await self._app(scope, receive, send)


def main(kind: str, port: str) -> None:
    """Serve until stopped."""
    make = factory.create_app

    def faulty() -> factory.Application:
        app = make()
        if kind == "stillborn":
            app.version = "0.0.0"
        app.add_middleware(Fault, kind=kind)
        return app

    factory.create_app = faulty
    commands.serve(["--port", port])


if __name__ == "__main__":
    main(*sys.argv[1:])
