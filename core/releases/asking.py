"""Requests of a smoke test: bounded in time and size, and redirected to no other host."""

from __future__ import annotations

import http.client
import json
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from threading import Timer
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urljoin, urlsplit

import click

if TYPE_CHECKING:
    from collections.abc import Mapping

LARGEST: Final = 4_000_000
"""Bytes that are read of an answer."""
MOST_REDIRECTS: Final = 3
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


class AskingError(Exception):
    """A request got no answer that can be judged; ``remedy`` says what to do."""

    def __init__(self, detail: str, remedy: str) -> None:
        super().__init__(detail)
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a request; names of headers are in small letters."""

    path: str
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def media_type(self) -> str:
        """The type of the body, without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def json(self) -> Any:  # noqa: ANN401 - whatever the server sent
        """The body as JSON; None where it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


class Asker:
    """Sends requests to one installation.

    Args:
        url: its address, such as https://care.example.org.
        host: the public name that requests bear where ``url`` is an address inside the network. Requests then also
            say that they came over HTTPS, which the server believes of its proxies alone.
        seconds: that one request may take.

    Raises:
        click.BadParameter: ``url`` is no address of a server.
    """

    def __init__(self, url: str, *, host: str | None = None, seconds: float = 10.0) -> None:
        parts = urlsplit(url)
        try:
            named = parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1) > 0
        except ValueError:
            named = False
        if not named or parts.username or parts.query or parts.fragment or parts.path.strip("/"):
            message = "write the address of the server alone, such as https://care.example.org"
            raise click.BadParameter(message, param_hint="URL")
        self.secure = parts.scheme == "https"
        self._name, self._port = parts.hostname or "", parts.port
        self._seconds = seconds
        self._own = {parts.netloc.lower(), self._name.lower(), *({host.lower()} if host else ())}
        self._headers = {"Host": host, "X-Forwarded-Proto": "https"} if host else {}

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Reply:
        """Return the answer to a GET, following redirects of the same host and scheme.

        Raises:
            AskingError: no answer within the time, too large an answer, or a redirect elsewhere.
        """
        for _ in range(MOST_REDIRECTS + 1):
            reply = self.get_once(path, headers)
            if reply.status not in _REDIRECTS:
                return reply
            path = self._following(path, reply.headers.get("location", ""))
        detail = f"more than {MOST_REDIRECTS} redirects"
        raise AskingError(detail, "Look for a redirect at the proxy that leads to itself.")

    def _following(self, path: str, location: str) -> str:
        scheme = "https" if self.secure else "http"
        target = urlsplit(urljoin(f"{scheme}://{self._name}{path}", location))
        if (target.netloc or self._name).lower() not in self._own:
            detail = f"it redirects to another host, {target.netloc}"
            raise AskingError(detail, "Test that host, or correct IIT_PUBLIC_URL and the proxy.")
        if target.scheme != scheme:
            raise HttpsOnlyError
        return f"{target.path or '/'}?{target.query}" if target.query else target.path or "/"

    def get_once(self, path: str, headers: Mapping[str, str] | None = None) -> Reply:
        """Return the answer to one GET.

        Raises:
            AskingError: no answer within the time, or too large an answer.
        """
        kind = http.client.HTTPSConnection if self.secure else http.client.HTTPConnection
        connection = kind(self._name, self._port, timeout=self._seconds)
        began = time.monotonic()
        timer = Timer(self._seconds, _shut, [connection])
        timer.daemon = True
        timer.start()
        try:
            connection.request("GET", path, headers={"Accept": "*/*", **self._headers, **(headers or {})})
            answer = connection.getresponse()
            body = answer.read(LARGEST + 1)
        except (OSError, http.client.HTTPException) as error:
            late = time.monotonic() - began >= self._seconds
            detail = f"no answer within {self._seconds:g} s" if late else f"no answer: {_words(error)}"
            raise AskingError(detail, "Check the address, the proxy and that the process runs; read its log.") from None
        finally:
            timer.cancel()
            connection.close()
        if len(body) > LARGEST:
            detail = f"the answer is longer than {LARGEST:,} bytes"
            raise AskingError(detail, "Check that the address is that of the platform.")
        return Reply(path, answer.status, {name.lower(): value for name, value in answer.getheaders()}, body)


class HttpsOnlyError(AskingError):
    """The installation answers this request over HTTPS alone, and it was asked over HTTP."""

    def __init__(self) -> None:
        super().__init__("it answers this over HTTPS alone", "Test the https:// address as well.")


def _shut(connection: http.client.HTTPConnection) -> None:
    """End a connection whose answer takes too long: a time limit of the socket bounds each part alone."""
    if connection.sock is not None:
        with suppress(OSError):
            connection.sock.shutdown(socket.SHUT_RDWR)


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__
