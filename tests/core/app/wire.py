"""A real server on loopback, and clients that write to it byte by byte."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager

import uvicorn

from core.app.server import configuration, listen
from tests.waiting import PATIENCE, wait_until


@contextmanager
def served(app, limits=None, proxies=""):
    """The port of a server of ``app`` in a thread."""
    listening = listen("127.0.0.1", 0)
    server = uvicorn.Server(configuration(app, limits=limits, proxies=proxies))
    server.config.timeout_graceful_shutdown = 1
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        wait_until(lambda: server.started)
        yield listening.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(PATIENCE)
        assert not thread.is_alive()


def connect(port, *, receives=None):
    """A connection; with ``receives``, one whose kernel takes so many bytes and no more until they are read."""
    client = socket.socket()
    if receives is not None:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receives)
    client.settimeout(PATIENCE)
    client.connect(("127.0.0.1", port))
    return client


def head(method, path, key=None, **headers):
    lines = [f"{method} {path} HTTP/1.1", "Host: test"]
    if key is not None:
        lines.append(f"X-API-Key: {key}")
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


def status_of(client):
    """The status of the next answer."""
    line = b""
    while not line.endswith(b"\r\n"):
        part = client.recv(1)
        assert part, "the connection ended without an answer"
        line += part
    return int(line.split()[1])


def ask(port, path, key=None):
    """The status of one GET on a connection of its own."""
    with connect(port) as client:
        client.sendall(head("GET", path, key, Connection="close"))
        return status_of(client)


def rest(client):
    """What is sent until the connection ends, however it ends."""
    parts = []
    try:
        while part := client.recv(65536):
            parts.append(part)
    except ConnectionError:
        pass
    return b"".join(parts)
