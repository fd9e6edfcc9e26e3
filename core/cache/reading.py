"""Reading through a cache: the stored answer of the present generation, or a new one, computed by one reader."""

from __future__ import annotations

import hashlib
import json
import math
import random
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Final, TypeVar
from uuid import UUID

from core import telemetry
from core.cache import store
from core.cache.flights import Flights
from core.cache.generations import changes, generation
from core.cache.sealing import Answer, seal, unseal
from core.clock import now, today
from core.metrics import Counter, Histogram

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from core.cache.declaration import Cache
    from core.database import TenantSession

V = TypeVar("V")

JITTER: Final = 0.1
"""Share of a life that is taken away at random, so that answers that were stored together do not end together."""

POLL_SECONDS: Final = 0.025
"""Seconds between two looks for the answer that another process computes."""

READS: Final = Counter("iit_cache_reads_total", "Reads through caches by outcome.", ("cache", "outcome"))
COMPUTED: Final = Histogram("iit_cache_compute_seconds", "Seconds that computing an answer took.", ("cache",))

log = telemetry.get_logger(__name__)
_flights: Final = Flights()


def read(session: TenantSession, cache: Cache[V], parts: Mapping[str, Any], compute: Callable[[], V]) -> V:
    """Return the answer to a question: the stored one, or ``compute()``.

    The answer is at least as new as the last change that had committed when this function was called. Within a
    transaction that changes what the cache stores, and within another session's transaction, nothing is stored.

    Args:
        session: the transaction that ``compute`` reads in. The tenant, its reach and the tenant's day are parts of each
            question.
        cache: the declaration.
        parts: all else that the answer follows from, besides what the cache's events tell: JSON values, dates, ids.
        compute: reads and computes the answer.

    Raises:
        Exception: whatever ``compute`` raises; nothing is stored then.
    """
    if session.joined or changes(session, cache.name):
        READS.add(cache.name, "bypassed")
        return cache.adapter.validate_json(cache.adapter.dump_json(compute()))
    return cache.adapter.validate_json(_Reader(session, cache, compute, _key(session, cache, parts)).content())


@dataclass(frozen=True, slots=True)
class _Reader:
    """One read of one question."""

    session: TenantSession
    cache: Cache[Any]
    compute: Callable[[], Any]
    key: str

    def content(self) -> bytes:
        """Return the answer as JSON, and count how it was found."""
        try:
            stored = self._stored()
            if stored is not None:
                return self._renewed(stored) if _ends_soon(stored) else self._counted("hit", stored.content)
        except store.StoreAway:
            return self._one_of_this_process("unavailable", self._computed)
        return self._one_of_this_process(None, self._one_of_all)

    def _stored(self) -> Answer | None:
        """Return the stored answer; None if there is none, or what Redis returned is none of ours."""
        sealed = store.get(self.cache, self.key)
        stored = None if sealed is None else unseal(self.session, self.key, sealed)
        if stored is None:
            if sealed is not None:
                READS.add(self.cache.name, "rejected")
                log.warning("a stored answer was rejected: it was not sealed for its key", cache=self.cache.name)
            return None
        return stored if stored.until > now().timestamp() else None

    def _renewed(self, stored: Answer) -> bytes:
        """Compute the answer before its end if nobody else does, else return the stored one."""
        token = store.lock(self.key)
        if token is None:
            return self._counted("hit", stored.content)
        return self._counted("renewed", self._unlocking(token, self._computed))

    def _one_of_this_process(self, outcome: str | None, function: Callable[[], bytes]) -> bytes:
        content, shared = _flights.run(self.key, function, self.cache.wait_seconds)
        if shared or outcome is not None:
            READS.add(self.cache.name, "waited" if shared else str(outcome))
        return content

    def _one_of_all(self) -> bytes:
        """Compute the answer, or wait for the process that computes it."""
        until = time.monotonic() + self.cache.wait_seconds
        try:
            while (token := store.lock(self.key)) is None and time.monotonic() < until:
                time.sleep(POLL_SECONDS)
                stored = self._stored()
                if stored is not None:
                    return self._counted("waited", stored.content)
        except store.StoreAway:
            return self._counted("unavailable", self._computed())
        if token is None:
            return self._counted("waited_in_vain", self._computed())
        return self._counted("miss", self._unlocking(token, self._computed))

    def _unlocking(self, token: str, function: Callable[[], bytes]) -> bytes:
        try:
            return function()
        finally:
            with suppress(store.StoreAway):
                store.unlock(self.key, token)

    def _computed(self) -> bytes:
        """Compute the answer, and store it if Redis takes it."""
        began = time.perf_counter()
        content = self.cache.adapter.dump_json(self.compute())
        seconds = time.perf_counter() - began
        COMPUTED.observe(seconds, self.cache.name)
        if len(content) > self.cache.largest_bytes:
            READS.add(self.cache.name, "too_large")
            return content
        life = self.cache.seconds * (1.0 - JITTER * random.random())  # noqa: S311 - no secret
        sealed = seal(self.session, self.key, Answer(now().timestamp() + life, seconds, content))
        with suppress(store.StoreAway):
            store.put(self.cache, self.session.tenant.id, self.key, sealed, life)
        return content

    def _counted(self, outcome: str, content: bytes) -> bytes:
        READS.add(self.cache.name, outcome)
        return content


def _ends_soon(stored: Answer) -> bool:
    """Decide whether this reader renews the answer early: the nearer its end and the dearer it is, the likelier."""
    early = -stored.seconds * math.log(1.0 - random.random())  # noqa: S311 - no secret
    return stored.until - early <= now().timestamp()


def _key(session: TenantSession, cache: Cache[Any], parts: Mapping[str, Any]) -> str:
    """Return the key of a question, with the generation that the session's transaction sees."""
    reach = session.reach
    question = {
        "schema": cache.schema,
        "generation": generation(session, cache.name),
        "day": today(session.tenant.time_zone),
        "facilities": None if reach.facility_ids is None else sorted(map(str, reach.facility_ids)),
        "states": None if reach.states is None else sorted(reach.states),
        "assigned_to": reach.assigned_to,
        "parts": dict(parts),
    }
    text = json.dumps(question, sort_keys=True, default=_text)
    return store.key_of(session.tenant.id, cache.name, hashlib.sha256(text.encode()).hexdigest()[:40])


def _text(value: object) -> str:
    """Return a date or an id as text.

    Raises:
        TypeError: it is something else, whose text might not tell all of it.
    """
    if isinstance(value, (date, UUID)):
        return str(value)
    message = f"a part of a cache's key is a {type(value).__name__}: give JSON values, dates or ids"
    raise TypeError(message)
