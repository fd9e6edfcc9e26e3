"""What operators see of caches, and how they empty one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.audit.platform import record_act
from core.cache import store
from core.cache.declaration import caches
from core.database import platform_session
from core.errors import NotFound, Unavailable
from core.errors.nearest import remedy_for

if TYPE_CHECKING:
    from core.cache.store import Counts
    from core.database import TenantRef


@dataclass(frozen=True, slots=True)
class CacheState:
    """A cache and what Redis knows of it.

    Attributes:
        about: what it stores.
        seconds: the longest life of an answer.
        counts: None while Redis does not answer.
    """

    name: str
    about: str
    seconds: float
    counts: Counts | None

    @property
    def hit_percent(self) -> float | None:
        """The share of reads that found an answer, in percent; None if there was no read."""
        reads = 0 if self.counts is None else self.counts.hits + self.counts.misses
        return round(100 * self.counts.hits / reads, 1) if self.counts is not None and reads else None


def list_caches() -> list[CacheState]:
    """Return all caches, by name."""
    return [
        CacheState(cache.name, cache.about, cache.seconds, _counts(cache.name)) for _, cache in sorted(caches().items())
    ]


def empty(name: str, *, tenant: TenantRef | None, actor: str, source: str = "cli") -> int:
    """Drop the stored answers of a cache; return how many there were.

    Args:
        name: of the cache.
        tenant: whose answers; None for all tenants'.
        actor: who acts.
        source: ``cli`` or ``page``.

    Raises:
        NotFound: there is no such cache.
        Unavailable: Redis does not answer.
    """
    known = caches()
    if name not in known:
        detail = "there is no such cache"
        raise NotFound(detail, remedy=remedy_for(name, known))
    try:
        dropped = store.empty(name, None if tenant is None else tenant.id)
    except store.StoreAway:
        detail = "Redis does not answer, so nothing was dropped"
        raise Unavailable(detail, remedy="Try again when Redis answers.", retry_after=5) from None
    with platform_session() as session:
        record_act(
            session,
            f"{source}:cache:empty",
            actor=actor,
            tenant_id=None if tenant is None else tenant.id,
            detail={"cache": name, "answers": dropped},
        )
    return dropped


def _counts(name: str) -> Counts | None:
    try:
        return store.counts(name)
    except store.StoreAway:
        return None
