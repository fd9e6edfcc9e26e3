"""An OpenID Connect issuer that does what a test tells it: also what no decent provider does."""

from __future__ import annotations

import base64
import hmac
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs
from uuid import uuid4

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT = "iit"
SECRET = "a secret of the client"


class Issuer:
    """A server on loopback, with one RSA key. ``metadata``, ``keys`` and ``id_token`` are what it answers."""

    def __init__(self) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.key = RSAKey.generate_key(2048, {"kid": "first", "use": "sig"})
        self.reset()
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def reset(self) -> None:
        """As a decent provider answers."""
        self.metadata: dict[str, Any] = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
            "end_session_endpoint": f"{self.url}/end",
            "id_token_signing_alg_values_supported": ["RS256"],
        }
        self.keys: list[Any] = [self.key]
        self.id_token: Any = None
        self.user_info: Any = None
        self.token_error: str | None = None
        self.hosts: list[str] = []
        self.asked: list[tuple[str, str]] = []
        self.exchanges: list[dict[str, str]] = []
        self.authorization_status = 200
        self.date: str | None = None

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def claims(self, nonce: str, /, **changed: Any) -> dict[str, Any]:
        """What a decent ID token says; a claim that is changed to None is left out."""
        moment = int(time.time())
        claims = {
            "iss": self.url,
            "aud": CLIENT,
            "sub": f"subject-{uuid4().hex}",
            "nonce": nonce,
            "iat": moment,
            "exp": moment + 300,
            **changed,
        }
        return {name: value for name, value in claims.items() if value is not None}

    def signed(self, claims: dict[str, Any], key: Any = None, **header: Any) -> str:
        """A token with a good signature, by this issuer's key unless another is given."""
        return jwt.encode(
            {"alg": "RS256", "kid": "first", **header}, claims, key or self.key, algorithms=[header.get("alg", "RS256")]
        )

    def unsigned(self, claims: dict[str, Any]) -> str:
        """A token of the algorithm none."""
        return f"{_encoded({'alg': 'none', 'typ': 'JWT'})}.{_encoded(claims)}."

    def by_public_key(self, claims: dict[str, Any]) -> str:
        """A token of HS256, whose secret is the issuer's public key: what a confused verifier takes."""
        head, body = (_encoded(part) for part in ({"alg": "HS256", "kid": "first", "typ": "JWT"}, claims))
        digest = hmac.digest(self.key.as_pem(private=False), f"{head}.{body}".encode(), "sha256")
        return f"{head}.{body}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"

    def logout_token(self, **changed: Any) -> str:
        """A decent logout token; ``typ`` changes its header."""
        moment, typ = int(time.time()), changed.pop("typ", "logout+jwt")
        claims = {
            "iss": self.url,
            "aud": CLIENT,
            "iat": moment,
            "exp": moment + 120,
            "jti": uuid4().hex,
            "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
            **changed,
        }
        return self.signed({name: value for name, value in claims.items() if value is not None}, typ=typ)

    def answer(self, method: str, path: str, body: str) -> tuple[int, Any]:
        self.asked.append((method, path))
        if path == "/token":
            return self._exchange(body)
        keys = [key if isinstance(key, dict) else key.as_dict(private=False) for key in self.keys]
        answers: dict[str, tuple[int, Any]] = {
            "/.well-known/openid-configuration": (200, self.metadata),
            "/keys": (200, {"keys": keys}),
            "/authorize": (self.authorization_status, {}),
            "/userinfo": (200, self.user_info),
            "/moved": (302, {}),
            "/large": (200, {"keys": ["x" * 1000] * 1000}),
        }
        return answers.get(path.partition("?")[0], (404, {}))

    def _exchange(self, body: str) -> tuple[int, Any]:
        self.exchanges.append({name: values[0] for name, values in parse_qs(body).items()})
        if self.token_error is not None:
            return 400, {"error": self.token_error}
        return 200, {"access_token": "opaque", "token_type": "Bearer", "id_token": self.id_token}


def _encoded(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def _handler(issuer: Issuer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer("")

        def do_POST(self) -> None:
            self._answer(self.rfile.read(int(self.headers.get("content-length", 0))).decode())

        def _answer(self, body: str) -> None:
            issuer.hosts.append(self.headers["host"])
            status, document = issuer.answer(self.command, self.path, body)
            content = document if isinstance(document, bytes) else json.dumps(document).encode()
            self.send_response_only(status)
            self.send_header("Date", issuer.date or self.date_time_string())
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            if status == 302:
                self.send_header("Location", f"{issuer.url}/keys")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler
