"""The sender: one request to a checked address, bounded in time and size, with no redirects."""

from __future__ import annotations

import socket
import ssl
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import lru_cache, partial
from threading import Timer
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import httpx
import orjson

from core import tracing
from core.database import require_none
from core.outgoing.addresses import AddressRejected, Private, checked_address
from core.resilience import guarded, seconds_left

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from core.resilience import Dependency

LARGEST: Final = 262_144
_LONGEST_SILENCE: Final = 60.0
"""Seconds without a byte after which a transfer ends, however long it may take in all."""
_CONNECTED: Final = frozenset({"connection.connect_tcp.complete", "connection.start_tls.complete"})


class AnswerTooLarge(Exception):  # noqa: N818 - named for what happened
    """The answer is larger than the bound, or takes longer than the time limit."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request to another server.

    Attributes:
        method: such as POST.
        url: of the form that ``parse_url`` accepts.
        headers: added to Host, Accept and Accept-Encoding.
        content: the body, if it is no form.
        form: fields of a form.
        auth: name and password, for basic authentication.
    """

    method: str
    url: httpx.URL
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None
    form: Mapping[str, str] | None = None
    auth: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer of another server."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:  # noqa: ANN401 - whatever the server sent
        """The body as JSON; None where it is none."""
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return None


class AnswerTooSlow(AnswerTooLarge):
    """The answer takes longer than the time limit."""


class _ServerFaultError(Exception):
    """The server answered with a fault of its own."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer


def send(
    dependency: Dependency,
    request: Request,
    *,
    tenant: object | None = None,
    instance: str | None = None,
    private: Private = False,
    largest: int = LARGEST,
    cut: bool = False,
    repeatable: bool = False,
) -> Answer:
    """Send one request and return the answer, whatever its status. An answer of 500 and more counts as a failure.

    Args:
        dependency: what is called: its time limit, breaker and bulkhead. Each host has its own.
        request: what to send.
        tenant: whose call it is.
        instance: what has a breaker and a bulkhead of its own; the host when None.
        private: whether the host may have an address in a private network; ``only``: it must, or be this machine.
        largest: most bytes of the answer's body.
        cut: return the first ``largest`` bytes of a longer body, in place of an error.
        repeatable: repeat the request after a failure, as the dependency says.

    Raises:
        AddressRejected: the host has an address that may not be called.
        AnswerTooLarge: the answer is too large, or too slow.
        httpx.HTTPError, OSError: there is no connection, or no valid answer.
        BreakerOpen, BulkheadFull, DeadlinePassed: see ``core.resilience.guarded``.
        TransactionOpenError: a transaction is open.
    """
    guard = guarded(dependency, instance=instance or request.url.host, tenant=tenant, harmless=(AddressRejected,))

    def send_once() -> Answer:
        address = partial(checked_address, private=private)
        return _exchange(dependency, request, address, lambda response: _read(response, largest, cut=cut))

    require_none("a call to another server")
    try:
        if repeatable:
            return guard(send_once)()
        with guard:
            return send_once()
    except _ServerFaultError as fault:
        return fault.answer


def download(
    dependency: Dependency, request: Request, into: BinaryIO, *, tenant: object, instance: str, largest: int
) -> Answer:
    """Send one request and write the body of an answer 200 or 206 to a file. Other bodies are read as ``send`` does.

    Args:
        dependency: what is called; its time limit is for the whole body.
        request: what to send.
        into: gets the body. After an error it may hold a part of one.
        tenant: whose call it is.
        instance: what has a breaker and a bulkhead of its own.
        largest: most bytes of the file.

    Raises:
        AnswerTooLarge: the file is too large, or its transfer too slow.
        AddressRejected, httpx.HTTPError, OSError, BreakerOpen, BulkheadFull, DeadlinePassed, TransactionOpenError: see
            ``send``.
    """
    require_none("a file was fetched from another server")

    def read(response: httpx.Response) -> bytes:
        if response.status_code not in (httpx.codes.OK, httpx.codes.PARTIAL_CONTENT):
            return _read(response, LARGEST, cut=True)
        size = 0
        for piece in response.iter_raw():
            size += len(piece)
            if size > largest:
                raise AnswerTooLarge
            into.write(piece)
        return b""

    try:
        with guarded(dependency, instance=instance, tenant=tenant, harmless=(AddressRejected, AnswerTooLarge)):
            return _exchange(dependency, request, checked_address, read)
    except _ServerFaultError as fault:
        return fault.answer


def _exchange(
    dependency: Dependency,
    request: Request,
    address_of: Callable[[str, int], str],
    read: Callable[[httpx.Response], bytes],
) -> Answer:
    """Send the request to the host's checked address, and return the answer with what ``read`` returns as its body."""
    url = request.url
    seconds = seconds_left(dependency.timeout)
    port = url.port or (443 if url.scheme == "https" else 80)
    _describe(request, port)
    pinned = url.copy_with(host=address_of(url.host, port))
    own = {"Host": url.netloc.decode("ascii"), "Accept": "application/json", "Accept-Encoding": "identity"}
    with (
        httpx.Client(verify=_trusted(), trust_env=False, timeout=min(max(seconds, 0.001), _LONGEST_SILENCE)) as client,
        _ended_after(seconds) as trace,
        client.stream(
            request.method,
            pinned,
            headers={**own, **request.headers, **tracing.headers_for(url.host)},
            content=request.content,
            data=None if request.form is None else dict(request.form),
            auth=request.auth,
            extensions={"sni_hostname": url.host, "trace": trace},
            follow_redirects=False,
        ) as response,
    ):
        tracing.current_span().note("http.response.status_code", response.status_code)
        answer = Answer(response.status_code, response.headers, read(response))
    if answer.status >= httpx.codes.INTERNAL_SERVER_ERROR:
        raise _ServerFaultError(answer)
    return answer


def _describe(request: Request, port: int) -> None:
    """Note what is called, without the path, which may say whom the call is about."""
    span = tracing.current_span()
    span.note("http.request.method", request.method)
    span.note("server.address", request.url.host)
    span.note("server.port", port)


def _read(response: httpx.Response, largest: int, *, cut: bool) -> bytes:
    body = bytearray()
    for piece in response.iter_raw():
        body += piece
        if len(body) > largest:
            if not cut:
                raise AnswerTooLarge
            return bytes(body[:largest])
    return bytes(body)


@contextmanager
def _ended_after(seconds: float) -> Iterator[Any]:
    """Yield a trace function for httpx. After the seconds the connection is shut, whatever the server still sends.

    Raises:
        AnswerTooSlow: the connection was shut.
    """
    connected: list[socket.socket] = []
    until = time.monotonic() + seconds

    def trace(event: str, facts: Mapping[str, Any]) -> None:
        if event in _CONNECTED:
            connected.append(facts["return_value"].get_extra_info("socket"))

    def shut() -> None:
        for each in connected:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    timer = Timer(seconds, shut)
    timer.daemon = True
    timer.start()
    try:
        yield trace
    except (httpx.HTTPError, OSError) as error:
        if connected and time.monotonic() >= until:
            raise AnswerTooSlow from error
        raise
    finally:
        timer.cancel()
    if time.monotonic() >= until:
        raise AnswerTooSlow


@lru_cache(maxsize=1)
def _trusted() -> ssl.SSLContext:
    return ssl.create_default_context()
