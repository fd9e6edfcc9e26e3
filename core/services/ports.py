"""Free ports on the loopback, and the servers that listen there."""

from __future__ import annotations

import secrets
import socket
import struct

LOOPBACK = "127.0.0.1"
# Below the range for outgoing connections, so that a chosen port is rarely taken at the next start.
_LOWEST, _HIGHEST = 20_000, 32_000
_TRIES = 50
_SSL_REQUEST = struct.pack("!ii", 8, 80877103)


def is_free(port: int) -> bool:
    """Return whether a server could listen on ``port`` now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def choose(*, avoiding: int = 0) -> int:
    """A port that is free now."""
    for _ in range(_TRIES):
        port = _LOWEST + secrets.randbelow(_HIGHEST - _LOWEST)
        if port != avoiding and is_free(port):
            return port
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def answers_as_postgres(port: int) -> bool:
    """Return whether a PostgreSQL listens on ``port``: only PostgreSQL answers a request for TLS with one letter."""
    return _ask(port, _SSL_REQUEST, 1) in (b"N", b"S")


def answers_as_valkey(port: int, password: str) -> bool:
    """Return whether the Valkey on ``port`` accepts ``password``, and so belongs to this installation."""
    return _ask(port, _words("AUTH", password), 3) == b"+OK"


def shut_valkey_down(port: int, password: str) -> None:
    """Shut down the Valkey on ``port``. It answers by closing the connection."""
    _ask(port, _words("AUTH", password) + _words("SHUTDOWN", "NOSAVE"), 64)


def _words(*words: str) -> bytes:
    """Return a command in the form of Redis's protocol."""
    encoded = [word.encode() for word in words]
    return b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in encoded)


def _ask(port: int, question: bytes, length: int) -> bytes:
    """The first ``length`` bytes of the answer; fewer if nothing answers within a second."""
    if port <= 0:
        return b""
    answer = b""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=1.0) as link:
            link.sendall(question)
            while len(answer) < length and (more := link.recv(length - len(answer))):
                answer += more
    except OSError:
        return answer
    return answer
