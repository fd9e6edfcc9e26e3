"""Writers that repeat each write until it is acknowledged, and remember which were."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from enum import Enum
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import httpx

from core.database import tenant_session
from core.errors import AppError
from core.events.outbox import publish_after_commit
from core.jobs import enqueue
from tests.faults import noting
from tests.faults.storm.checks import due

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.database import TenantSession
    from core.tenancy import CreatedTenant

    Writer = Callable[[str, httpx.Client, str], "Sent"]

MAPPING = """
source: csv:storm
data_date: 2024-06-30
files:
  patients: {{name: {name}.csv}}
records:
  - into: patients
    file: patients
    patient: id
    facility: {{datim_id: clinic}}
    columns: {{pepfar_id: id, sex: sex, birthdate: born, art_start_date: started}}
"""
MOST_WAITING = 12
"""Jobs that wait or run, above which no writer asks for more: the storm tests kills, not a long queue."""

TO_REPEAT = frozenset({409, 503})
"""Statuses after which the same write is sent again: its twin is under way, or a server is away."""

PAUSE = 0.02


class Sent(Enum):
    """What a writer knows after it has sent a write."""

    ACKNOWLEDGED = 1
    AGAIN = 2
    LOST = 3


@dataclass(slots=True)
class Ledger:
    """What the writers know: names of writes by kind.

    Attributes:
        acknowledged: writes whose success the writer has seen.
        tried: all writes, those included whose answer was lost when the storm ended.
        again: requests that were repeated, because the answer was lost or was an error of the server.
        event_ids: ids of published events by name.
    """

    acknowledged: dict[str, list[str]] = field(default_factory=dict)
    tried: dict[str, list[str]] = field(default_factory=dict)
    again: int = 0
    event_ids: dict[str, UUID] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)

    def note(self, book: dict[str, list[str]], kind: str, name: str) -> None:
        """Write a name into one of the books."""
        with self.lock:
            book.setdefault(kind, []).append(name)

    @property
    def count(self) -> int:
        """Return how many writes are acknowledged."""
        with self.lock:
            return sum(map(len, self.acknowledged.values()))


class Load:
    """Writes to one tenant from several threads, until ``stop``.

    Args:
        partner: the tenant and its API key.
        address: of the API.
    """

    def __init__(self, partner: CreatedTenant, address: str) -> None:
        self.ledger = Ledger()
        self.problems: list[str] = []
        self._partner, self._address = partner, address
        self._stopping = Event()
        writers: dict[str, Writer] = {
            "facility": self._facility,
            "key": self._key,
            "import": self._import,
            "job": self._job,
            "event": self._event,
        }
        self._threads = [Thread(target=self._write, args=item, daemon=True) for item in writers.items()]

    def start(self) -> None:
        """Start the writers."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Let each writer end its last request; it no longer repeats it."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(timeout=90)

    def _write(self, kind: str, send: Writer) -> None:
        headers = {"Authorization": f"Bearer {self._partner.api_key}", "Connection": "close"}
        with httpx.Client(base_url=self._address, headers=headers, timeout=60) as client:
            while not self._stopping.wait(PAUSE):
                if kind in {"import", "job", "event"} and self._waiting() >= MOST_WAITING:
                    continue
                name, key = f"S{secrets.token_hex(5)}", str(uuid4())
                self.ledger.note(self.ledger.tried, kind, name)
                while (sent := send(name, client, key)) is Sent.AGAIN:
                    if self._stopping.wait(PAUSE):
                        return
                    with self.ledger.lock:
                        self.ledger.again += 1
                if sent is Sent.ACKNOWLEDGED:
                    self.ledger.note(self.ledger.acknowledged, kind, name)

    def _waiting(self) -> int:
        try:
            return due()
        except AppError:
            return MOST_WAITING

    def _posted(self, client: httpx.Client, path: str, key: str, **body: Any) -> Sent:
        """Send a write. An answer that a caller could neither use nor repeat is a problem of its own."""
        try:
            answer = client.post(path, headers={"Idempotency-Key": key}, **body)
        except httpx.TransportError:
            return Sent.AGAIN
        if answer.is_success:
            return Sent.ACKNOWLEDGED
        if answer.status_code not in TO_REPEAT:
            self.problems.append(f"POST {path} answered {answer.status_code}: {answer.text[:300]}")
        return Sent.AGAIN

    def _facility(self, name: str, client: httpx.Client, key: str) -> Sent:
        return self._posted(client, "/v1/facilities", key, json={"datim_id": name, "name": name})

    def _key(self, name: str, client: httpx.Client, key: str) -> Sent:
        return self._posted(client, "/v1/keys", key, json={"name": name, "permissions": ["facilities.read"]})

    def _import(self, name: str, client: httpx.Client, key: str) -> Sent:
        rows = f"id,clinic,sex,born,started\n{name},C1,F,1990-05-01,2023-01-10\n".encode()
        parts = {"files": (f"{name}.csv", rows)}
        return self._posted(client, "/v1/imports", key, files=parts, data={"mapping": MAPPING.format(name=name)})

    def _job(self, name: str, _client: httpx.Client, _key: str) -> Sent:
        def ask(session: TenantSession) -> None:
            enqueue(session, "faults.steps", {"wait": "", "folder": "", "cursor": name})

        return self._committed(ask)

    def _event(self, name: str, _client: httpx.Client, _key: str) -> Sent:
        def publish(session: TenantSession) -> None:
            event = publish_after_commit(session, noting.EVENT, subject=name, payload={"wait": "", "folder": ""})
            self.ledger.event_ids[name] = event

        return self._committed(publish)

    def _committed(self, act: Callable[[TenantSession], None]) -> Sent:
        """Act in a transaction without a key: where its end is not known, it may not be sent again."""
        try:
            with tenant_session(self._partner.ref, actor="test:storm") as session:
                act(session)
        except AppError:
            return Sent.LOST
        return Sent.ACKNOWLEDGED
