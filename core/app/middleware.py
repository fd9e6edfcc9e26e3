"""The outermost ASGI layer: request id, log context, security headers, admission, log line, unexpected errors."""

from __future__ import annotations

import asyncio
import math
import re
import time
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import anyio
from uuid_utils.compat import uuid7

from core import telemetry, tracing
from core.app import draining, request_metrics, request_traces
from core.app.admission import Admission, Slot
from core.app.bodies import Body
from core.app.callers import Callers
from core.app.conditional import Conditional
from core.app.cors import Cors
from core.app.entrance import PROBES, Entrance
from core.app.errors import answer as error_answer
from core.app.errors import log_failure
from core.app.pages import asset_origin
from core.app.quotas import Quotas
from core.app.rates import Limiter, ProcessLimiter
from core.errors import AppError, FieldError, Invalid, TooLarge, TooManyRequests, Unauthenticated, phrase
from core.errors.database import as_app_error
from core.errors.problem import MEDIA_TYPE
from core.maintenance import current_notice
from core.resilience import collecting_fallbacks, deadline
from core.settings import get_settings
from core.web.assets import PATH as ASSETS
from core.web.client_address import address_of
from core.web.page_marks import is_page, mark_as_page
from core.web.pages import page_headers
from core.web.public_routes import DEFAULT_RATE
from core.web.texts import language_of, reading_in

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from core.app.permissions import PublicRoute, RoutePermissions
    from core.web.public_routes import PublicRate

REQUEST_ID = re.compile(r"[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}")
"""Form of a caller's X-Request-ID. It is logged, so that anything but a UUID is replaced."""

API = "/v1"
ALIVE = "/health/live"
OPEN = 4
"""The number of probes and other requests outside /v1 and the pages at one time. ALIVE and assets never wait."""

REQUEST_SECONDS = 60.0
"""Seconds after which a request makes no further call to other servers."""

PUBLIC_SECONDS = 10.0
"""Seconds within which the whole body of a request without a credential must come."""

STALLED_SECONDS = 0.25
"""Seconds that a client may take to read a part of an answer before another request gets the slot."""

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
_STATUS = (b"link", b'</health>; rel="status"')
"""Link to what is announced (RFC 8631), while maintenance is."""

log = telemetry.get_logger("core.app.requests")


class RequestBoundary:
    """Middleware that handles what all requests have in common.

    Args:
        app: the application.
        concurrency: requests under /v1 that run at once (``core.app.admission``).
        patience: seconds that a request waits for its slot before it is answered 503.
        permissions: the permissions of the operations; when None, only the routes check them.
    """

    def __init__(
        self, app: ASGIApp, *, concurrency: int, patience: float, permissions: RoutePermissions | None = None
    ) -> None:
        self._app = app
        self._patience = patience
        self._admission = Admission(concurrency, patience)
        self._permissions = permissions
        self._callers = Callers(permissions, patience)
        self._limiter: Limiter = ProcessLimiter()
        self._entrance = Entrance(get_settings())
        self._quotas = Quotas(get_settings())
        self._cors = Cors()
        self._open = anyio.CapacityLimiter(OPEN)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        with (
            telemetry.bound(request_id=request_id),
            reading_in(language_of(scope)),
            deadline(REQUEST_SECONDS),
            collecting_fallbacks() as fallbacks,
            request_traces.traced(scope, request_id) as span,
        ):
            answer = _Answer(scope, send, request_id, fallbacks, span)
            began = time.perf_counter()
            try:
                _reject_nul(scope)
                early = self._entrance.answer(scope, to_api=scope["path"].startswith(API))
                if early is None:
                    await self._admit(scope, receive, answer)
                else:
                    await early(scope, receive, answer.send)
            except Exception as caught:
                error = _own_error(caught)
                failure = as_app_error(error)
                if answer.status and failure.status < AppError.status:
                    log.info("an answer was cut short", problem=failure.slug)
                elif not isinstance(error, AppError) or answer.status:
                    log_failure("an answer broke off" if answer.status else "unexpected error", failure, error)
                if answer.ended:
                    return
                if not answer.status:
                    await answer.reject(receive, failure)
                elif failure.status == AppError.status:
                    raise  # the connection must break: else the client takes the part for the whole answer
                # Else the server breaks the connection too, because the answer has no end, but logs no traceback.
            finally:
                seconds = time.perf_counter() - began
                request_metrics.count(scope, answer.status, seconds)
                if not answer.is_stream:
                    request_metrics.count_for_tenant(scope, seconds)
                request_traces.describe(span, scope, answer.status)
                _log_request(scope, answer.status, seconds)

    async def _admit(self, scope: Scope, receive: Receive, answer: _Answer) -> None:
        if self._permissions is not None and self._permissions.page(scope["path"]):
            mark_as_page(scope)
        elif not scope["path"].startswith(API):
            await self._open_to_all(scope, receive, answer)
            return
        address = address_of(scope)
        if not is_page(scope):
            preflight = await self._preflight(scope, address)
            if preflight is not None:
                await preflight(scope, receive, answer.send)
                return
            answer.more = self._cors.headers_of_rejection(scope)
        body = Body(scope, receive)
        public = None if self._permissions is None else self._permissions.public(scope["method"], scope["path"])
        if public is not None:
            self._reject_hasty(public, address)
            with self._admission.enter_public(address) as place:
                await body.take_whole(public.body, PUBLIC_SECONDS)
                answer.body, answer.slot = body, place.slot(long=False)
                await answer.slot.take()
                await self._app(scope, body.receive, answer.send)
            return
        caller = await self._callers.caller_of(scope, address, with_body=not body.whole)
        quotas = self._quotas.of(caller.kind, caller.actor, caller.tenant_id, address)
        taken = await self._quotas.take(quotas, scope["method"])
        answer.more = taken.headers
        if not is_page(scope):
            answer.more += await self._cors.headers(scope, caller.tenant_id)
        if taken.error is not None:
            raise taken.error
        with self._admission.enter(caller.share, address) as place:
            await body.take_in()
            answer.body, answer.slot = body, place.slot(long=not body.whole)
            await answer.slot.take()
            await self._app(scope, body.receive, answer.send)
        if answer.status == Unauthenticated.status:
            self._callers.forget(scope)

    async def _preflight(self, scope: Scope, address: str) -> Response | None:
        """Return the answer to a browser that asks whether a page may call the API.

        Raises:
            TooManyRequests: the address asks too often (429).
        """
        if scope["method"] == "OPTIONS":
            self._reject_excess("preflight", DEFAULT_RATE, address)
        return await self._cors.preflight(scope)

    def _reject_hasty(self, route: PublicRoute, address: str) -> None:
        """Count a call of a public route, and reject it if the address calls the route too often.

        Raises:
            TooManyRequests: the address calls the route too often (429).
        """
        self._reject_excess(route.name, route.rate, address)

    def _reject_excess(self, name: str, rate: PublicRate, address: str) -> None:
        wait = self._limiter.take(f"{name} {address}", rate)
        if wait:
            detail = "this address calls this operation too often"
            remedy = "Wait for as many seconds as the header Retry-After says."
            raise TooManyRequests(detail, remedy=remedy, retry_after=math.ceil(wait))

    async def _open_to_all(self, scope: Scope, receive: Receive, answer: _Answer) -> None:
        if scope["path"] == ALIVE or scope["path"].startswith(ASSETS):
            await self._app(scope, receive, answer.send)
            return
        answer.slot = Slot((self._open,), self._patience)
        await answer.slot.take()
        try:
            await self._app(scope, receive, answer.send)
        finally:
            answer.slot.leave()


class _Answer:
    """The answer to one request: adds headers, and turns the server's plain 413 into a problem document."""

    def __init__(
        self, scope: Scope, send: Send, request_id: str, fallbacks: set[str], span: tracing.Span | tracing.NoSpan
    ) -> None:
        self._scope = scope
        self._send = send
        self._request_id = request_id
        self._fallbacks = fallbacks
        self._span = span
        self._replaced = False
        self._is_own = False  # the answer is an error of this layer, as a problem document or as a page
        self.body: Body | None = None
        self.slot: Slot | None = None
        self.more: list[tuple[bytes, bytes]] = []
        self._long = False
        self._streaming = False
        self._conditional = Conditional(scope, API)
        self._head: Message | None = None
        self.status = 0
        self.ended = False

    @property
    def is_stream(self) -> bool:
        """Whether the answer stays open for events, and its time says nothing about work."""
        return self._streaming

    async def send(self, message: Message) -> None:
        if self._replaced:
            return
        if message["type"] == "http.response.start":
            if self.body is not None and self.body.late is not None:
                late, self.body.late = self.body.late, None
                await self.reject(None, late)
                self._replaced = True
                return
            if message["status"] == TooLarge.status and not self._is_own and not _is_problem(message):
                detail = "the body of the request is larger than this operation takes"
                await self.reject(None, TooLarge(detail))
                self._replaced = True
                return
            if self._conditional.delays(message):
                self._head = message
                return
            await self._begin(message)
            return
        if message["type"] == "http.response.body":
            if self._head is not None:
                head, message = self._conditional.complete(self._head, message)
                self._head = None
                await self._begin(head)
            self.ended = not message.get("more_body", False)
            self._long = self._long or not self.ended
            if self._long and self.slot is not None and not self._streaming:
                await self._send_part(message, self.slot)
                return
        await self._send(message)

    async def _begin(self, head: Message) -> None:
        self.status = head["status"]
        self._span.answered()
        if _is_stream(head) and self.slot is not None:
            self._streaming = True
            self.slot.leave()  # it may stay open for hours, and bounds its own reads
        head["headers"] = self._with_headers(head.get("headers", []))
        await self._send(head)

    async def _send_part(self, message: Message, slot: Slot) -> None:
        """Send a part of a long answer. While the client does not read it, another request gets the slot."""
        sending = asyncio.ensure_future(self._send(message))
        try:
            done, _ = await asyncio.wait((sending,), timeout=STALLED_SECONDS)
            if not done:
                slot.leave()
                await sending
                await slot.take()
            sending.result()
        finally:
            sending.cancel()

    async def reject(self, receive: Receive | None, error: AppError) -> None:
        self._is_own = True
        await error_answer(self._scope, error)(self._scope, receive or _nothing, self.send)

    def _with_headers(self, own: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        present = {name.lower() for name, _ in own}
        wanted = (*page_headers(asset_origin()), *_HEADERS) if is_page(self._scope) else _HEADERS
        added = [(name, value) for name, value in dict(reversed(wanted)).items() if name not in present]
        if self._scope.get("scheme") == "https":
            added.append(_HSTS)
        if self._fallbacks:
            added.append((b"x-fallback", ", ".join(sorted(self._fallbacks)).encode("ascii")))
        if current_notice() is not None and not is_page(self._scope):
            added.append(_STATUS)
        if draining.begun():
            added.append((b"connection", b"close"))  # the client's next request goes to another process
        return [*own, *added, *self.more, (b"x-request-id", self._request_id.encode())]


def _reject_nul(scope: Scope) -> None:
    """Reject a NUL in the path or the query: PostgreSQL cannot store one.

    Raises:
        Invalid: the path or a parameter has a NUL; the error names it (422).
    """
    fields = ["path"] if "\0" in scope["path"] else []
    query = scope.get("query_string", b"")
    if b"%00" in query or b"\0" in query:
        pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
        fields += sorted({_parameter(name) for name, value in pairs if "\0" in name + value})
    if fields:
        detail = phrase("not valid: {listed}", listed=", ".join(fields))
        raise Invalid(detail, errors=[FieldError(name, "contains NUL (U+0000)", "Leave it out.") for name in fields])


def _parameter(name: str) -> str:
    """Return the field name for errors. A name in another form is not repeated: it may be personal."""
    return f"query.{name}" if re.fullmatch(r"[a-z_]{1,40}", name) else "query"


def _own_error(error: Exception) -> Exception:
    """Unwrap our own error from the RuntimeError that Starlette raises after the answer has begun."""
    return error.__cause__ if isinstance(error, RuntimeError) and isinstance(error.__cause__, AppError) else error


async def _nothing() -> Message:
    return {"type": "http.disconnect"}


def _is_stream(message: Message) -> bool:
    return any(
        name.lower() == b"content-type" and value.startswith(b"text/event-stream")
        for name, value in message.get("headers", [])
    )


def _is_problem(message: Message) -> bool:
    return any(name.lower() == b"content-type" and value == _PROBLEM for name, value in message.get("headers", []))


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            text = value.decode("latin-1")
            if REQUEST_ID.fullmatch(text):
                return str(text).lower()
    return str(uuid7())


def _log_request(scope: Scope, status: int, seconds: float) -> None:
    """Log one line per request. It names the operation, never the path: paths and queries can name a person."""
    endpoint = scope.get("endpoint")
    write = log.debug if scope["path"] in PROBES else log.info
    write(
        "request",
        method=scope["method"],
        operation=getattr(endpoint, "__name__", "none"),
        status=status,
        duration_ms=round(seconds * 1000, 1),
    )
