"""A vendor's server on loopback: it answers as the vendor documents, or goes wrong as a test asks."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from urllib.parse import parse_qsl, urlsplit

JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True)
class Call:
    """A request that arrived. Names of headers are in lower case."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self):
        return json.loads(self.body or b"null")

    @property
    def form(self):
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))

    @property
    def basic(self):
        """Name and password of basic authentication, joined by a colon."""
        return base64.b64decode(self.headers.get("authorization", "").removeprefix("Basic ")).decode()


@dataclass(frozen=True)
class Reply:
    """An answer. A body that is no bytes is sent as JSON."""

    status: int = 200
    body: object = b""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one request.

    Attributes:
        reply: the answer in place of the vendor's own; None to close the connection without one.
        hangs: whether no answer comes until the server closes.
        takes_effect: whether the vendor has done what the request says before that.
    """

    reply: Reply | None = None
    hangs: bool = False
    takes_effect: bool = False


class Server(ThreadingHTTPServer):
    """A server that lets many callers wait for it, as a vendor's does."""

    request_queue_size = 256
    daemon_threads = True

    def handle_error(self, request, client_address):
        """Write nothing of a caller that was killed."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class Vendor:
    """The base of the stand-ins. Use it as a context manager.

    Attributes:
        url: of the server, without a slash at the end.
        calls: every request that arrived, in order.
        faults: what goes wrong with the next requests, in order.
        client: of an application under test, which gets what the vendor sends back; None to send it over the network.
    """

    def __init__(self):
        self.calls: list[Call] = []
        self.faults: list[Fault] = []
        self.client = None
        self._lock = Lock()
        self._closing = Event()
        vendor = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                vendor._handle(self)

            do_GET = do_PUT = do_PATCH = do_DELETE = do_POST  # noqa: N815 - the library's names

            def log_message(self, *_):
                """Write nothing."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """End what hangs, and stop."""
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, call: Call) -> Reply:
        """The vendor's own answer; the stand-in of a vendor overrides it."""
        return Reply()

    def fail(self, status, body=b"", *, times=1, takes_effect=False, **headers):
        """Answer the next requests with this status. ``Retry_After="7"`` becomes the header ``Retry-After``."""
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        self.faults += [Fault(Reply(status, body, names), takes_effect=takes_effect)] * times

    def limit(self, seconds=7):
        """Answer the next request with 429 and Retry-After."""
        self.fail(429, Retry_After=str(seconds))

    def babble(self):
        """Answer the next request with bytes that are no valid body of this vendor."""
        self.fail(200, b"\xff\xfe<html>{{secret:x}}\x00", takes_effect=True)

    def drop(self, *, takes_effect=False):
        """Close the connection of the next request without an answer."""
        self.faults.append(Fault(takes_effect=takes_effect))

    def hang(self, *, takes_effect=True):
        """Never answer the next request."""
        self.faults.append(Fault(hangs=True, takes_effect=takes_effect))

    def post(self, address, body, headers):
        """Send a request to the platform, as the vendor does; return the status and the body of the answer."""
        return self._send("POST", address, body, headers)

    def get(self, address):
        """Call an address of the platform, as the vendor does; return the status and the body of the answer."""
        return self._send("GET", address, None, {})

    def _send(self, method, address, body, headers):
        if self.client is not None:
            response = self.client.request(method, address, content=body, headers=headers)
            return response.status_code, response.content
        url = urlsplit(address)
        connection = http.client.HTTPConnection(url.hostname, url.port, timeout=30)
        target = f"{url.path}?{url.query}" if url.query else url.path
        connection.request(method, target, body, headers)
        response = connection.getresponse()
        try:
            return response.status, response.read()
        finally:
            connection.close()

    def _handle(self, handler):
        url = urlsplit(handler.path)
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in handler.headers.items()}
        call = Call(handler.command, url.path, dict(parse_qsl(url.query, keep_blank_values=True)), headers, body)
        with self._lock:
            self.calls.append(call)
            fault = self.faults.pop(0) if self.faults else None
            reply = self.answer(call) if fault is None or fault.takes_effect else None
        if fault is not None:
            if fault.hangs:
                self._closing.wait()
            if fault.hangs or fault.reply is None:
                handler.close_connection = True
                return
            reply = fault.reply
        content = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        with suppress(OSError):  # the caller has gone
            handler.send_response(reply.status)
            kind = {} if isinstance(reply.body, bytes) else JSON
            for name, value in {**kind, **reply.headers, "Content-Length": str(len(content))}.items():
                handler.send_header(name, value)
            handler.end_headers()
            handler.wfile.write(content)


def hex_mac(secret, text, algorithm="sha256"):
    """HMAC in hexadecimal digits."""
    return hmac.new(secret.encode(), text, getattr(hashlib, algorithm)).hexdigest()
