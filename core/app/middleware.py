"""The outermost layer, pure ASGI: request id, log context, security headers, bulkhead, log line, last resort."""

from __future__ import annotations

import re
import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import anyio
from uuid_utils.compat import uuid7

from core import telemetry
from core.access.credential import refuse_without_credential
from core.app.bodies import Body
from core.errors import AppError, FieldError, Invalid, TooLarge, Unavailable
from core.errors.database import as_app_error
from core.errors.handlers import problem_response
from core.errors.problem import MEDIA_TYPE

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

REQUEST_ID = re.compile(r"[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}")
"""A caller's X-Request-ID is taken over only when it is a UUID: it is logged, so it must not carry anything else."""

API = "/v1"
PROBES = frozenset({"/healthz", "/readyz"})

_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
    (b"cache-control", b"no-store"),
)
_HSTS = (b"strict-transport-security", b"max-age=63072000; includeSubDomains")
_PROBLEM = MEDIA_TYPE.encode()

log = telemetry.get_logger("core.app.requests")


class RequestBoundary:
    """Everything that holds for every request, whatever answers it.

    Args:
        app: the application.
        concurrency: requests under /v1 that run at once; as many as there are database connections, so that no
        request waits
            for a connection while it holds a thread that the holder of the connection needs.
        patience: seconds that a request waits for its turn before it is answered 503.
    """

    def __init__(self, app: ASGIApp, *, concurrency: int, patience: float) -> None:
        self._app = app
        self._concurrency = concurrency
        self._patience = patience
        self._turns: anyio.CapacityLimiter | None = None
        self._long: anyio.CapacityLimiter | None = None  # bodies that come during the turn may not take every turn

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        with telemetry.bound(request_id=request_id):
            answer = _Answer(scope, send, request_id)
            began = time.perf_counter()
            try:
                _refuse_nul(scope)
                await self._in_turn(scope, receive, answer)
            except AppError as error:
                await answer.refuse(receive, error)
            except Exception as error:
                log.error("unexpected error", exc_info=error)  # noqa: TRY400 - exc_info is given
                if answer.ended:
                    return
                if answer.status:
                    raise  # part of the answer is out: the connection must break, so that nobody takes it for the whole
                await answer.refuse(receive, as_app_error(error))
            finally:
                _tell(scope, answer.status, time.perf_counter() - began)

    async def _in_turn(self, scope: Scope, receive: Receive, answer: _Answer) -> None:
        if not scope["path"].startswith(API):
            await self._app(scope, receive, answer.send)
            return
        refuse_without_credential(scope["headers"])
        body = Body(scope, receive)
        await body.take_in()
        if self._turns is None or self._long is None:
            self._turns = anyio.CapacityLimiter(self._concurrency)
            self._long = anyio.CapacityLimiter(max(1, self._concurrency // 2))
        answer.body = body
        async with AsyncExitStack() as held:
            try:
                with anyio.fail_after(self._patience):
                    for turns in (self._turns,) if body.whole else (self._long, self._turns):
                        turn = object()
                        await turns.acquire_on_behalf_of(turn)
                        held.callback(turns.release_on_behalf_of, turn)
            except TimeoutError:
                detail = "too many requests are being served at once"
                await answer.refuse(receive, Unavailable(detail, retry_after=max(1, round(self._patience))))
                return
            await self._app(scope, body.receive, answer.send)


class _Answer:
    """What goes out: headers are added, and the server's plain 413 becomes a problem document."""

    def __init__(self, scope: Scope, send: Send, request_id: str) -> None:
        self._scope = scope
        self._send = send
        self._request_id = request_id
        self._replaced = False
        self.body: Body | None = None
        self.status = 0
        self.ended = False

    async def send(self, message: Message) -> None:
        if self._replaced:
            return
        if message["type"] == "http.response.start":
            if self.body is not None and self.body.late is not None:
                late, self.body.late = self.body.late, None
                await self.refuse(None, late)
                self._replaced = True
                return
            if message["status"] == TooLarge.status and not _is_problem(message):
                detail = "the body of the request is larger than this operation takes"
                await self.refuse(None, TooLarge(detail))
                self._replaced = True
                return
            self.status = message["status"]
            message["headers"] = self._with_headers(message.get("headers", []))
        elif message["type"] == "http.response.body":
            self.ended = not message.get("more_body", False)
        await self._send(message)

    async def refuse(self, receive: Receive | None, error: AppError) -> None:
        await problem_response(error)(self._scope, receive or _nothing, self.send)

    def _with_headers(self, given: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        present = {name.lower() for name, _ in given}
        added = [pair for pair in _HEADERS if pair[0] not in present]
        if self._scope.get("scheme") == "https":
            added.append(_HSTS)
        return [*given, *added, (b"x-request-id", self._request_id.encode())]


def _refuse_nul(scope: Scope) -> None:
    """No text of the path or the query may have a NUL: the database stores none, and nothing is found by it.

    Raises:
        Invalid: names the path, or the parameters (422).
    """
    fields = ["path"] if "\0" in scope["path"] else []
    query = scope.get("query_string", b"")
    if b"%00" in query or b"\0" in query:
        pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
        fields += sorted({_parameter(name) for name, value in pairs if "\0" in name + value})
    if fields:
        detail = f"not valid: {', '.join(fields)}"
        raise Invalid(detail, errors=[FieldError(name, "contains NUL (U+0000)", "Leave it out.") for name in fields])


def _parameter(name: str) -> str:
    """The name as errors have it; what is not formed as a name is not repeated."""
    return f"query.{name}" if re.fullmatch(r"[a-z_]{1,40}", name) else "query"


async def _nothing() -> Message:
    return {"type": "http.disconnect"}


def _is_problem(message: Message) -> bool:
    return any(name.lower() == b"content-type" and value == _PROBLEM for name, value in message.get("headers", []))


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            given = value.decode("latin-1")
            if REQUEST_ID.fullmatch(given):
                return str(given).lower()
    return str(uuid7())


def _tell(scope: Scope, status: int, seconds: float) -> None:
    """One line per request. The operation, never the path: paths and queries can name a person."""
    endpoint = scope.get("endpoint")
    tell = log.debug if scope["path"] in PROBES else log.info
    tell(
        "request",
        method=scope["method"],
        operation=getattr(endpoint, "__name__", "none"),
        status=status,
        duration_ms=round(seconds * 1000, 1),
    )
