"""Stand-ins of two API servers, and the real nginx or HAProxy in front of them."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import subprocess
import threading
import time
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from core.clock import now
from core.settings import CHECKOUT
from tests.debian import environment, program

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EXAMPLES = CHECKOUT / "docs" / "examples" / "front"
HOST = "iit.example.org"


class Upstream(ThreadingHTTPServer):
    """Answers what it was asked, as JSON; ``ready`` is what its probe says."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.ready, self.asked = True, 0
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def port(self) -> int:
        return self.server_address[1]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # the answer in one packet
    server: Upstream

    def do_GET(self) -> None:
        if self.path == "/health/ready":
            self._answer(200 if self.server.ready else 503, {})
            return
        self.server.asked += 1
        self._answer(200, {"port": self.server.port, "path": self.path, "headers": dict(self.headers)})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def _answer(self, status: int, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def certificate(folder: Path) -> None:
    """Write a certificate of the example's host, its key, and both in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now() - timedelta(days=1))
        .not_valid_after(now() + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = signed.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "tls.crt").write_bytes(pem)
    (folder / "tls.key").write_bytes(secret)
    (folder / "bundle.pem").write_bytes(pem + secret)


def adapted(name: str, folder: Path, ports: tuple[int, int], upstreams: tuple[int, int]) -> str:
    """An example's text with the ports and the folder of a test, and nothing else changed."""
    text = (EXAMPLES / name).read_text(encoding="utf-8")
    text = text.replace("/etc/iit/tls", str(folder))
    for place, port in zip(("10.0.0.11:8000", "10.0.0.12:8000"), upstreams, strict=True):
        assert place in text
        text = text.replace(place, f"127.0.0.1:{port}")
    text = re.sub(r"^ *listen \[::\].*\n", "", text, flags=re.MULTILINE)
    for old, port in zip(("80", "443"), ports, strict=True):
        text, times = re.subn(rf"^( *(?:listen|bind) ):?{old}\b", rf"\g<1>127.0.0.1:{port}", text, flags=re.MULTILINE)
        assert times == 1
    return text


def nginx(folder: Path, text: str) -> list[str]:
    """Write nginx' files, and return its command."""
    (folder / "iit.conf").write_text(text, encoding="utf-8")
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    (folder / "nginx.conf").write_text(
        f"user root; worker_processes 1; pid {folder}/pid; error_log {folder}/log; events {{}}"
        f" http {{ access_log off; {temporary} include {folder}/iit.conf; }}",
        encoding="utf-8",
    )
    return [str(program("nginx")), "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "log")]


def haproxy(folder: Path, text: str) -> list[str]:
    """Write HAProxy's file, and return its command."""
    (folder / "haproxy.cfg").write_text(text, encoding="utf-8")
    return [str(program("haproxy")), "-f", str(folder / "haproxy.cfg")]


COMMANDS = {"nginx.conf": (nginx, ["-t"], ["-g", "daemon off;"]), "haproxy.cfg": (haproxy, ["-c"], ["-db"])}
"""Example -> how its program is called, to check the file and to run."""


@contextlib.contextmanager
def in_front(name: str, folder: Path, upstreams: tuple[Upstream, Upstream]) -> Iterator[tuple[int, int]]:
    """Run an example's program in front of two servers; gives its ports in plain HTTP and in HTTPS.

    Raises:
        AssertionError: it does not start.
    """
    certificate(folder)
    ports = free_port(), free_port()
    write, _, run = COMMANDS[name]
    command = write(folder, adapted(name, folder, ports, (upstreams[0].port, upstreams[1].port)))
    process = subprocess.Popen(
        [*command, *run], env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait(ports[1], process)
        yield ports
    finally:
        process.terminate()
        process.wait(10)


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        assert process.poll() is None, "it ended at once"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    message = "it does not listen"
    raise AssertionError(message)
