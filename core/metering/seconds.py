"""Seconds of a tenant's jobs and requests, its calls and active people: added up in each process, and recorded later.

The seconds say what a tenant costs. A process that is killed loses what it counted in the last quarter of an hour.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from threading import Condition, Thread
from typing import TYPE_CHECKING, Final
from uuid import UUID, uuid4

from core import telemetry
from core.clock import now
from core.database import tenant_session
from core.errors import NotFound
from core.metering.service import record
from core.tenancy import tenant_of_id

if TYPE_CHECKING:
    from collections.abc import Iterator

    from core.database import TenantSession

CALLS: Final = "api_calls"
PEOPLE: Final = "active_people"
JOBS: Final = "job_seconds"
REQUESTS: Final = "request_seconds"
EVERY_SECONDS: Final = 900.0
CLOSE_SECONDS: Final = 10.0
"""How long the end of a process waits for the last round."""
ACTOR: Final = "system:metering"
_LEAST: Final = Decimal("0.001")

log = telemetry.get_logger(__name__)

Key = tuple[str, str]
"""Meter and feature; of calls and active people, the hour, and the person after it."""


@dataclass(slots=True)
class SecondsLedger:
    """The seconds of one process that are not recorded yet.

    Attributes:
        active: whether a thread records them; without one, nothing is counted.
    """

    active: bool = False
    _process: str = field(default_factory=lambda: uuid4().hex)
    _rounds: int = 0
    _counts: dict[UUID, dict[Key, float]] = field(default_factory=dict)
    _changed: Condition = field(default_factory=Condition)

    def add(self, tenant_id: UUID, meter: str, feature: str, seconds: float) -> None:
        """Count time of a tenant.

        Args:
            tenant_id: whose job or request it was.
            meter: ``JOBS`` or ``REQUESTS``.
            feature: the feature that worked, such as ``risk``.
            seconds: how long it took.
        """
        if not self.active:
            return
        with self._changed:
            counts = self._counts.setdefault(tenant_id, {})
            counts[meter, feature] = counts.get((meter, feature), 0.0) + seconds

    def flush(self) -> int:
        """Record what was counted, one transaction for each tenant; return the number of tenants.

        What cannot be recorded waits for the next round: a database does not answer, or a tenant is being moved.
        """
        with self._changed:
            counts, self._counts = self._counts, {}
            self._rounds += 1
        recorded = 0
        for tenant_id, seconds in counts.items():
            try:
                self._record(tenant_id, seconds)
                recorded += 1
            except NotFound:
                continue  # the tenant was deleted
            except Exception as error:  # noqa: BLE001 - one tenant's trouble must not lose the others' seconds
                log.warning("seconds are not recorded", error=type(error).__name__)
                for (meter, feature), value in seconds.items():
                    self.add(tenant_id, meter, feature, value)
        return recorded

    def _record(self, tenant_id: UUID, seconds: dict[Key, float]) -> None:
        with tenant_session(tenant_of_id(tenant_id), actor=ACTOR) as session:
            for (meter, feature), value in sorted(seconds.items()):
                if meter in (CALLS, PEOPLE):
                    self._record_hour(session, meter, feature, round(value))
                    continue
                amount = Decimal(value).quantize(_LEAST)
                key = f"{self._process}:{self._rounds}:{feature}"
                record(session, meter, amount, key=key, dimensions={"feature": feature})

    def _record_hour(self, session: TenantSession, meter: str, hour_and_person: str, count: int) -> None:
        hour, _, person = hour_and_person.partition(" ")
        at = datetime.fromisoformat(hour)
        if meter == CALLS:
            record(session, CALLS, count, key=f"{self._process}:{self._rounds}:{hour}", occurred_at=at)
        else:
            key, divided = f"{at.date()}:{person}", {"person": person}
            record(session, PEOPLE, 1, key=key, occurred_at=at, dimensions=divided, first_counts=True)

    def run(self) -> None:
        """Record every quarter of an hour until ``close``, and once more then."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: not self.active, EVERY_SECONDS)
                closing = not self.active
            self.flush()
            if closing:
                return

    def close(self) -> None:
        """End ``run`` after a last round."""
        with self._changed:
            self.active = False
            self._changed.notify_all()


def count_request(tenant_id: UUID, kind: str, principal_id: str) -> None:
    """Count a request: a call, if an API key sent it, or an active person. It waits for nothing.

    Args:
        tenant_id: the tenant of the principal.
        kind: of the principal.
        principal_id: the id of the principal.
    """
    hour = now().replace(minute=0, second=0, microsecond=0).isoformat()
    if kind == "api_key":
        LEDGER.add(tenant_id, CALLS, hour, 1)
    elif kind == "person":
        LEDGER.add(tenant_id, PEOPLE, f"{hour} {principal_id}", 1)


LEDGER: Final = SecondsLedger()
"""The seconds of this process."""


@contextmanager
def seconds_recorded() -> Iterator[SecondsLedger]:
    """Count the seconds of this process's jobs and requests, and record them, while the block runs."""
    LEDGER.active = True
    thread = Thread(target=LEDGER.run, name="iit-seconds", daemon=True)
    thread.start()
    try:
        yield LEDGER
    finally:
        LEDGER.close()
        thread.join(CLOSE_SECONDS)


@contextmanager
def job_time(tenant_id: UUID, kind: str) -> Iterator[None]:
    """Count the time of the block as that of a tenant's job; ``kind`` such as ``risk.score`` names the feature."""
    began = time.monotonic()
    try:
        yield
    finally:
        LEDGER.add(tenant_id, JOBS, kind.partition(".")[0], time.monotonic() - began)
