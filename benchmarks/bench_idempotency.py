"""Benchmark of a write with an Idempotency-Key, compared with the same write without one.

The write changes a patient through the whole stack. With a key it also takes a lock, looks the key up, encrypts the
answer and stores it with the COMMIT. A replay is measured against the write without a key, too.
"""

from __future__ import annotations

import http.client
import json
import statistics
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from itertools import count
from uuid import UUID, uuid4

from benchmarks.bench_api import OURS, patients_of, served
from benchmarks.measure import Ratio, settled

REQUESTS = 150
ROUNDS = 9


def run() -> Iterator[Ratio]:
    """Compare writes with new keys, and replays, with writes without a key."""
    from core.tenancy import create_tenant

    created = create_tenant(f"bench-{uuid4().hex[:8]}", name="Benchmark")
    patients = patients_of(created.ref)
    settled()
    with served(OURS, {}) as port:
        writer = _Writer(port, created.api_key, patients)
        repeated = f"repeated-{uuid4()}"
        ways: dict[str, Callable[[], str | None]] = {
            "bare": lambda: None,
            "keyed": lambda: str(uuid4()),
            "replayed": lambda: repeated,
        }
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for name, key in ways.items():
            writer.write(REQUESTS // 4, key, same=name == "replayed")
        for _ in range(ROUNDS):
            for name, key in ways.items():
                seconds[name].append(writer.write(REQUESTS, key, same=name == "replayed"))
    middle = {name: statistics.median(times) for name, times in seconds.items()}
    yield Ratio("PATCH of a patient with a new key, over one without", middle["keyed"], middle["bare"], target=1.5)
    yield Ratio("a replay, over a PATCH without a key", middle["replayed"], middle["bare"], target=1.0)


class _Writer:
    """Changes patients one after the other, over one connection."""

    def __init__(self, port: int, key: str, patients: list[UUID]) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json", "If-Match": "*"}
        self._patients = patients
        self._numbers = count()

    def write(self, requests: int, key: Callable[[], str | None], *, same: bool) -> float:
        """Return the seconds of one write; ``same`` sends one write again and again.

        Raises:
            RuntimeError: an answer is not 200.
        """
        began = time.perf_counter()
        for _ in range(requests):
            number = 0 if same else next(self._numbers)
            patient = self._patients[number % len(self._patients)]
            value = key()
            headers = self._headers if value is None else {**self._headers, "Idempotency-Key": value}
            body = json.dumps({"family_name": f"Name {number}"})
            self._connection.request("PATCH", f"/v1/patients/{patient}", body, headers)
            answer = self._connection.getresponse()
            text = answer.read()
            if answer.status != HTTPStatus.OK:
                message = f"PATCH answered {answer.status}: {text[:300]!r}"
                raise RuntimeError(message)
        return (time.perf_counter() - began) / requests
