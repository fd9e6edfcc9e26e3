"""The server that the API runs in: uvicorn, its options, and the socket that it listens on."""

from __future__ import annotations

import logging
import socket
from typing import TYPE_CHECKING

from core.errors import Unavailable

if TYPE_CHECKING:
    from starlette.types import ASGIApp
    from uvicorn import Config

    from core.app.protocol import Limits

GRACE = 30
"""Seconds that requests under way, or a job, get to end when the server stops."""

UNREAD_BYTES = 131_072
"""Bytes of an unread answer that the kernel buffers. Its default of megabytes would hide a client that stalls."""


CUT_SHORT = "ASGI callable returned without completing response."
"""uvicorn's log message for an answer that ``RequestBoundary`` cut short. ``RequestBoundary`` logs the cause itself."""


def _is_news(record: logging.LogRecord) -> bool:
    return record.msg != CUT_SHORT


def configuration(app: ASGIApp, *, limits: Limits | None = None, proxies: str = "", keep_alive: int = 5) -> Config:
    """Return the server's options.

    Args:
        app: the application.
        limits: limits of connections; when None, they follow from the number of files that this process may open.
        proxies: addresses and networks of reverse proxies, separated by commas; see ``core.app.proxies``.
        keep_alive: seconds that a connection may be without a request.

    Raises:
        Invalid: ``proxies`` has an entry that is neither an address nor a network.
    """
    from uvicorn import Config

    from core.app.protocol import BoundedProtocol, allow_open_files
    from core.app.proxies import TrustedProxies, networks_of

    logging.getLogger("uvicorn.error").addFilter(_is_news)  # adding it again changes nothing
    bounds = limits or allow_open_files()

    class Protocol(BoundedProtocol):
        """The protocol with the limits of this server."""

        limits = bounds

    return Config(
        TrustedProxies(app, networks_of(proxies)),
        http=Protocol,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # uvicorn's own would leave X-Forwarded-Host of anybody in the request
        timeout_keep_alive=keep_alive,
        timeout_graceful_shutdown=GRACE,
    )


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket.

    Raises:
        Unavailable: the address is not free, or does not belong to this machine.
    """
    try:
        listening = socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=2048
        )
    except OSError as error:
        detail = f"cannot listen on port {port} of {host}: {error.strerror}"
        raise Unavailable(
            detail,
            remedy="Stop what uses it, or set another port.",
            command="stop what uses it, or choose another with --port (0 takes a free one)",
        ) from error
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, UNREAD_BYTES)  # connections inherit it
    return listening
