"""A bounded load of GETs over a few kept connections on loopback, from threads of this process."""

from __future__ import annotations

import http.client
import itertools
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Lock


class Load:
    """Sends requests to one server.

    Args:
        port: the server's port on loopback.
        paths: the paths to request in turn.
        headers: the headers of every request.
        clients: the number of connections.
    """

    def __init__(self, port: int, paths: Sequence[str], headers: Mapping[str, str], clients: int = 4) -> None:
        self._next = itertools.cycle(paths)
        self._lock = Lock()
        self._headers = dict(headers)
        self._connections = [http.client.HTTPConnection("127.0.0.1", port, timeout=30) for _ in range(clients)]
        self._pool = ThreadPoolExecutor(clients)

    def run(self, requests: int) -> float:
        """Send ``requests`` requests, and return the seconds until all are answered.

        Raises:
            RuntimeError: an answer is not 200.
        """
        began = time.perf_counter()
        each = requests // len(self._connections)
        list(self._pool.map(lambda connection: self._ask(connection, each), self._connections))
        return time.perf_counter() - began

    def close(self) -> None:
        """Close the connections."""
        self._pool.shutdown()
        for connection in self._connections:
            connection.close()

    def _ask(self, connection: http.client.HTTPConnection, count: int) -> None:
        for _ in range(count):
            with self._lock:
                path = next(self._next)
            connection.request("GET", path, headers=self._headers)
            answer = connection.getresponse()
            body = answer.read()
            if answer.status != http.HTTPStatus.OK:
                message = f"{path} answered {answer.status}: {body[:300]!r}"
                raise RuntimeError(message)
