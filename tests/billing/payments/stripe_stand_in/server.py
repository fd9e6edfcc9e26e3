"""The stand-in as an HTTP server: authentication, idempotency keys, rate limit, faults, and the routes."""

from __future__ import annotations

import json
import re
import secrets
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any, ClassVar

from tests.billing.payments.stripe_stand_in import catalogue, checkout, events, forms, meters, subscriptions
from tests.billing.payments.stripe_stand_in.account import Account
from tests.billing.payments.stripe_stand_in.faults import StandInError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KEY = "sk_test_stand_in"
KEYS_LAST = 86_400
_ROUTES: list[tuple[str, str, Callable[..., dict[str, Any]]]] = [
    ("POST", "/v1/customers", catalogue.create_customer),
    ("GET", "/v1/customers/search", catalogue.search_customers),
    ("GET", "/v1/customers/{}", catalogue.get_customer),
    ("POST", "/v1/customers/{}", catalogue.update_customer),
    ("POST", "/v1/customers/{}/tax_ids", catalogue.create_tax_id),
    ("GET", "/v1/customers/{}/tax_ids", catalogue.list_tax_ids),
    ("DELETE", "/v1/customers/{}/tax_ids/{}", catalogue.delete_tax_id),
    ("POST", "/v1/products", catalogue.create_product),
    ("GET", "/v1/products/{}", catalogue.get_product),
    ("POST", "/v1/prices", catalogue.create_price),
    ("GET", "/v1/prices", catalogue.list_prices),
    ("POST", "/v1/billing/meters", meters.create_meter),
    ("GET", "/v1/billing/meters", meters.list_meters),
    ("POST", "/v1/billing/meters/{}/deactivate", meters.deactivate_meter),
    ("GET", "/v1/billing/meters/{}/event_summaries", meters.list_summaries),
    ("POST", "/v1/billing/meter_events", meters.create_meter_event),
    ("POST", "/v1/subscriptions", subscriptions.create_subscription),
    ("GET", "/v1/subscriptions", subscriptions.list_subscriptions),
    ("GET", "/v1/subscriptions/{}", subscriptions.get_subscription),
    ("POST", "/v1/subscriptions/{}", subscriptions.update_subscription),
    ("DELETE", "/v1/subscriptions/{}", subscriptions.cancel_subscription),
    ("GET", "/v1/invoices", subscriptions.list_invoices),
    ("POST", "/v1/checkout/sessions", checkout.create_session),
    ("GET", "/v1/checkout/sessions", checkout.list_sessions),
    ("GET", "/v1/checkout/sessions/{}", checkout.get_session),
    ("POST", "/v1/checkout/sessions/{}/expire", checkout.expire_session),
    ("GET", "/v1/payment_intents/{}", checkout.get_intent),
    ("GET", "/v1/refunds", checkout.list_refunds),
    ("GET", "/v1/refunds/{}", checkout.get_refund),
    ("POST", "/v1/billing_portal/sessions", checkout.create_portal),
    ("GET", "/v1/events", events.list_events),
    ("GET", "/v1/events/{}", events.get_event),
    ("GET", "/v2/core/events", events.list_thin),
    ("GET", "/v2/core/events/{}", events.get_thin),
    ("POST", "/v1/test_helpers/test_clocks", subscriptions.create_clock),
    ("GET", "/v1/test_helpers/test_clocks/{}", subscriptions.get_clock),
    ("POST", "/v1/test_helpers/test_clocks/{}/advance", subscriptions.advance_clock),
]
_PATTERNS = [
    (method, re.compile(re.escape(path).replace(r"\{\}", "([^/]+)")), function) for method, path, function in _ROUTES
]


@dataclass(slots=True)
class Saved:
    """The answer that an idempotency key got."""

    request: tuple[str, str, str]
    status: int
    body: dict[str, Any]
    at: int


@dataclass(slots=True)
class Faults:
    """What goes wrong with the next requests.

    Attributes:
        away: every request is answered 503.
        lost_answers: so many writes take effect, and their connection breaks before the answer.
        errors: so many writes are answered 500, and nothing happened.
        per_round: requests that are answered; each further one gets 429, until ``count`` is set to 0 again.
    """

    away: bool = False
    lost_answers: int = 0
    errors: int = 0
    per_round: int | None = None
    count: int = 0


@dataclass(slots=True, repr=False)
class StandIn:
    """A running stand-in.

    Attributes:
        url: its address.
        account: what it stores.
        faults: what goes wrong.
        requests: method, path and idempotency key of every request that it began to answer.
    """

    url: str = ""
    account: Account = field(default_factory=Account)
    faults: Faults = field(default_factory=Faults)
    requests: list[tuple[str, str, str | None]] = field(default_factory=list)
    saved: dict[str, Saved] = field(default_factory=dict)

    def answer(self, method: str, path: str, text: str, key: str | None) -> tuple[int, dict[str, Any], dict[str, str]]:
        """Return status, body and headers of the answer to one request."""
        with self.account.lock:
            self._count()
            self.requests.append((method, path, key))
            request = (method, path, text)
            saved = self.saved.get(key or "") if method == "POST" else None
            if saved is not None and saved.at > self.account.now() - KEYS_LAST:
                if saved.request != request:
                    raise StandInError(
                        "Keys for idempotent requests can only be used with the same parameters they were first used"
                        f" with. Try using a key other than '{key}' if you meant to execute a different request.",
                        kind="idempotency_error",
                    )
                return saved.status, saved.body, {"Idempotent-Replayed": "true", "Original-Request": "req_first"}
            status, body, begun = self._execute(method, path, text)
            if method == "POST" and key is not None and begun:
                self.saved[key] = Saved(request, status, body, self.account.now())
            return status, body, {}

    def _count(self) -> None:
        self.faults.count += 1
        if self.faults.away:
            raise StandInError("Stripe is away.", status=503, kind="api_error")
        if self.faults.per_round is not None and self.faults.count > self.faults.per_round:
            raise StandInError("Too many requests.", status=429, code="rate_limit")

    def _execute(self, method: str, path: str, text: str) -> tuple[int, dict[str, Any], bool]:
        try:
            return 200, json.loads(json.dumps(self._called(method, path, text))), True
        except StandInError as fault:
            return fault.status, fault.body(), fault.begun

    def _called(self, method: str, path: str, text: str) -> dict[str, Any]:
        if method == "POST" and self.faults.errors:
            self.faults.errors -= 1
            raise StandInError("An unknown error occurred", status=500, kind="api_error")
        for own, pattern, function in _PATTERNS:
            match = pattern.fullmatch(path)
            if own == method and match is not None:
                return function(self.account, forms.parse(text), *match.groups())
        raise StandInError(f"Unrecognized request URL ({method}: {path}).", status=404, begun=False)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    stand_in: ClassVar[StandIn]

    def _serve(self) -> None:
        path, _, query = self.path.partition("?")
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length).decode()
        headers: dict[str, str] = {}
        try:
            if self.headers.get("authorization") != f"Bearer {KEY}":
                raise StandInError("Invalid API Key provided.", status=401)  # noqa: TRY301 - one answer for all
            text = query if self.command != "POST" else body
            status, answer, headers = self.stand_in.answer(
                self.command, path, text, self.headers.get("idempotency-key")
            )
        except StandInError as fault:
            status, answer = fault.status, fault.body()
        if self.command == "POST" and self.stand_in.faults.lost_answers and status < 500:
            self.stand_in.faults.lost_answers -= 1
            self.close_connection = True
            return
        content = json.dumps(answer).encode()
        self.send_response(status)
        retry = {"Stripe-Should-Retry": "true" if status in {409, 429} or status >= 500 else "false"}
        for name, value in {**headers, **(retry if status >= 400 else {})}.items():
            self.send_header(name, value)
        self.send_header("Request-Id", f"req_{secrets.token_hex(7)}")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_DELETE = _serve  # noqa: N815 - http.server's names

    def log_message(self, *_: object) -> None:
        """Write nothing."""


@contextmanager
def running() -> Iterator[StandIn]:
    """Run a stand-in with an empty account on a free port of this machine."""
    stand_in = StandIn()
    handler = type("Handler", (_Handler,), {"stand_in": stand_in})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    stand_in.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield stand_in
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
