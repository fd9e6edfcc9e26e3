"""Clients that ask without pause while a rehearsal runs, and count what failed."""

from __future__ import annotations

import http.client
import time
from collections import Counter
from threading import Event, Lock, Thread
from typing import Self

SECONDS = 20.0


class Clients:
    """Threads that each send requests at a rate, one after the other on one connection.

    Args:
        port: of the server.
        paths: asked in turn.
        key: an API key.
        threads: how many clients.
        rate: requests per second of each.
    """

    def __init__(self, port: int, paths: tuple[str, ...], key: str, threads: int = 4, rate: float = 10.0) -> None:
        self._port, self._paths, self._key, self._rate = port, paths, key, rate
        self._lock, self._ended = Lock(), Event()
        self.statuses: Counter[str] = Counter()
        self.seconds: list[float] = []
        self._threads = [Thread(target=self._run, daemon=True) for _ in range(threads)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(SECONDS)

    @property
    def failed(self) -> int:
        """Requests with an answer of the class 5xx, or without an answer."""
        return sum(count for status, count in self.statuses.items() if not status.isdigit() or status >= "500")

    @property
    def requests(self) -> int:
        """Requests in all."""
        return sum(self.statuses.values())

    def _run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=SECONDS)
        number = 0
        while not self._ended.is_set():
            began = time.monotonic()
            path = self._paths[number % len(self._paths)]
            number += 1
            try:
                connection.request("GET", path, headers={"Authorization": f"Bearer {self._key}"})
                answer = connection.getresponse()
                answer.read()
                status = str(answer.status)
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                status = type(error).__name__
            took = time.monotonic() - began
            with self._lock:
                self.statuses[status] += 1
                self.seconds.append(took)
            self._ended.wait(max(0.0, 1 / self._rate - took))
        connection.close()
