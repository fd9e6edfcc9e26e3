"""Quotas: how many requests a person, an API key, a tenant and an address may send within a minute.

The counts are in Redis, so that they hold for all processes together: see ``core.services.gcra``. While Redis is not
there, reads are not limited, and each process limits the writes that it gets; the answers say so in ``X-Fallback``.
Headers: draft-ietf-httpapi-ratelimit-headers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import anyio
from anyio.to_thread import run_sync
from redis import Redis
from redis.exceptions import RedisError

from core import telemetry
from core.app.rates import ProcessLimiter
from core.errors import TooManyRequests, phrase
from core.resilience import fallback, guarded
from core.resilience.dependencies import REDIS_QUOTAS
from core.resilience.errors import NOT_CALLED
from core.services import ensure
from core.services.gcra import count, stored_as
from core.web.public_routes import PublicRate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.settings import Settings

WINDOW: Final = 60
"""Seconds of every quota."""

READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
NOT_LIMITED: Final = "requests-not-limited"
COUNTED_HERE: Final = "writes-counted-by-one-process"
_CONNECTIONS: Final = 16

log = telemetry.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Quota:
    """A quota of one caller.

    Attributes:
        name: the name of the policy in the headers.
        key: the caller whose requests count, such as ``person:019c…``.
        limit: requests within ``WINDOW`` seconds; as many may come at once.
    """

    name: str
    key: str
    limit: int

    @property
    def stored_as(self) -> str:
        """The key in Redis. It names nobody: an address is personal."""
        return stored_as(self.name, self.key)


@dataclass(frozen=True, slots=True)
class QuotaState:
    """The remaining part of a quota.

    Attributes:
        wait: seconds until the next request is accepted; 0 if this one was.
        left: requests that may follow at once.
        reset: seconds until the whole quota is there again, if no request follows.
    """

    quota: Quota
    wait: float
    left: int
    reset: float


@dataclass(frozen=True, slots=True)
class CountResult:
    """The result of counting a request.

    Attributes:
        headers: the headers to add to the answer.
        error: the error to answer with, if a quota is used up.
    """

    headers: list[tuple[bytes, bytes]]
    error: TooManyRequests | None = None


class Quotas:
    """Counts the requests of one process's callers in Redis.

    Args:
        settings: the limits; 0 is no limit.
    """

    def __init__(self, settings: Settings) -> None:
        self._limits = {
            "person": settings.rate_person,
            "key": settings.rate_key,
            "tenant": settings.rate_tenant,
            "address": settings.rate_address,
        }
        self._process = ProcessLimiter()
        self._client: Redis | None = None
        self._threads = anyio.CapacityLimiter(_CONNECTIONS)

    def of(self, kind: str, actor: str, tenant: object, address: str) -> list[Quota]:
        """Return the quotas that a request counts to.

        Args:
            kind: of the principal: ``api_key``, or another for persons and operators.
            actor: the principal, as ``kind:id``.
            tenant: its tenant; None for operators.
            address: of the client.
        """
        callers = (("key" if kind == "api_key" else "person", actor), ("tenant", tenant), ("address", address))
        return [
            Quota(name, str(key), self._limits[name]) for name, key in callers if key is not None and self._limits[name]
        ]

    async def take(self, quotas: Sequence[Quota], method: str) -> CountResult:
        """Count a request. If a quota is used up, the request counts to none of them, and the answer has an error."""
        standings = await self._count(quotas) if quotas else []
        if standings is None:
            fallback(REDIS_QUOTAS, NOT_LIMITED if method in READS else COUNTED_HERE)
            standings = [] if method in READS else self._count_here(quotas)
        late = [standing for standing in standings if standing.wait > 0]
        if late:
            last = max(late, key=lambda standing: standing.wait)
            return CountResult(headers_of([last]), _exceeded(last))
        return CountResult(headers_of(standings) if standings else [])

    async def _count(self, quotas: Sequence[Quota]) -> list[QuotaState] | None:
        """Count in Redis; None while Redis does not answer."""
        try:
            names = [quota.stored_as for quota in quotas]
            limits = [quota.limit for quota in quotas]
            answers = await run_sync(self._run, names, limits, limiter=self._threads)
        except NOT_CALLED:
            return None
        except (RedisError, OSError) as error:
            self._client = None  # the embedded server may come back at another port
            log.warning("requests are not counted: Redis does not answer", error=type(error).__name__)
            return None
        return [
            QuotaState(quota, int(wait) / 1e6, int(left), int(reset) / 1e6)
            for quota, (wait, left, reset) in zip(quotas, answers, strict=True)
        ]

    def _count_here(self, quotas: Sequence[Quota]) -> list[QuotaState]:
        """Count in this process; return only the quotas that are used up."""
        waits = [
            (quota, self._process.take(quota.stored_as, PublicRate(burst=quota.limit, per_minute=quota.limit)))
            for quota in quotas
        ]
        return [QuotaState(quota, wait, 0, wait) for quota, wait in waits if wait]

    def _run(self, names: list[str], limits: list[int]) -> list[tuple[bytes, bytes, bytes]]:
        """Count in Redis.

        Raises:
            RedisError: Redis does not answer in time.
            BreakerOpen: it did not a moment ago.
        """
        with guarded(REDIS_QUOTAS):
            if self._client is None:
                seconds = REDIS_QUOTAS.timeout
                self._client = Redis.from_url(
                    ensure().redis_url, socket_timeout=seconds, socket_connect_timeout=seconds
                )
            return count(self._client, names, limits, WINDOW)


def headers_of(standings: Sequence[QuotaState]) -> list[tuple[bytes, bytes]]:
    """Return ``RateLimit-Policy`` with all quotas, and ``RateLimit`` with the quota that is nearest to its end."""
    policies = ", ".join(f'"{one.quota.name}";q={one.quota.limit};w={WINDOW}' for one in standings)
    nearest = min(standings, key=lambda one: one.left / one.quota.limit)
    left = f'"{nearest.quota.name}";r={nearest.left};t={math.ceil(nearest.wait or nearest.reset)}'
    return [(b"ratelimit-policy", policies.encode("ascii")), (b"ratelimit", left.encode("ascii"))]


def _exceeded(standing: QuotaState) -> TooManyRequests:
    who = {"person": "you send", "key": "this API key sends", "tenant": "your tenant sends"}
    subject = who.get(standing.quota.name, "this address sends")
    detail = phrase(
        "{subject} more than {limit} requests in {window} seconds",
        subject=subject,
        limit=standing.quota.limit,
        window=WINDOW,
    )
    return TooManyRequests(detail, retry_after=max(1, math.ceil(standing.wait)))
