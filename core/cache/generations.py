"""Generations: a number for each tenant and cache that differs after every change that has committed.

The generation is the sum of the cache's marks, which are rows in the tenant's schema. A change replaces the marks that
no other transaction is replacing by one new mark: their sum plus a random number. So a mark commits with its change, a
rollback takes it back, and no writer waits for another.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import event

from core.cache.declaration import caches

if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.database import TenantSession

_MODULUS: Final = 2**62
_READ: Final = "SELECT mod(coalesce(sum(mark), 0), 4611686018427387904)::bigint FROM cache_changes WHERE cache = %s"
_MARK: Final = """
WITH free AS (SELECT mark FROM cache_changes WHERE cache = %s FOR UPDATE SKIP LOCKED),
gone AS (DELETE FROM cache_changes AS c USING free WHERE c.cache = %s AND c.mark = free.mark RETURNING c.mark)
INSERT INTO cache_changes (cache, mark)
SELECT %s, mod(coalesce(sum(mark), 0) + %s, 4611686018427387904)::bigint FROM gone
"""
_CHANGED: Final = "core.cache.changed"
"""Key in the session's ``info``: the caches that its transaction changes, and whether a mark goes with its commit."""


def event_published(session: TenantSession, name: str, payload: Mapping[str, Any]) -> None:  # noqa: ARG001 - of every observer
    """Mark the caches that the event changes, in the transaction of the event."""
    for cache in caches().values():
        if cache.is_changed_by(name):
            mark_changed(session, cache.name)


def mark_changed(session: TenantSession, cache: str) -> None:
    """Make all stored answers of a cache of the session's tenant old, from the commit of its transaction on."""
    marked = session.info.get(_CHANGED)
    if marked is None:
        marked = session.info[_CHANGED] = {}
        for moment in ("after_soft_rollback", "after_commit"):
            event.listen(session, moment, lambda *_: marked.update(dict.fromkeys(marked, False)))
    if marked.get(cache):
        return
    # A mark that is written at once can be lost with a savepoint, so only one that goes with the commit counts as sent.
    marked[cache] = session.at_commit(_MARK, (cache, cache, cache, secrets.randbelow(_MODULUS)))


def changes(session: TenantSession, cache: str) -> bool:
    """Return whether the session's own transaction has changed what the cache stores."""
    return cache in session.info.get(_CHANGED, {})


def generation(session: TenantSession, cache: str) -> int:
    """Return the generation of a cache as the session's transaction sees it."""
    with session.cursor() as cursor:
        ((number,),) = cursor.execute(_READ, (cache,)).fetchall()
    return int(number)
