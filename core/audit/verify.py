"""Verification of an audit: detects events that somebody changed, removed, moved or added later, and removed seals."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from psycopg import sql

from core.audit import anchors
from core.audit.chain import BEGINNING, DIGEST, IN_SCHEMA, Place, Seal
from core.database import platform_session, psycopg_connection, tenant_session

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    import psycopg

    from core.database import TenantRef

_MOST = 100
"""The limit of listed problems; further ones are counted."""

_SEALS = """
SELECT seal.number, seal.first_event, seal.last_event, seal.members::text, seal.events, seal.settled_through,
       seal.rows_digest, seal.previous, seal.sealed_at, seal.digest, found.events, found.digest
FROM {seals} seal LEFT JOIN LATERAL (
    SELECT count(*) AS events, {digest} AS digest FROM {events}
    WHERE {own} AND event_id BETWEEN seal.first_event AND seal.last_event AND event_id <@ seal.members
) found ON true
WHERE {own} ORDER BY seal.number
"""
_STRANGERS = """
SELECT count(*) FILTER (WHERE event_id <= %(settled)s), count(*) FILTER (WHERE event_id > %(settled)s),
       min(event_id) FILTER (WHERE event_id <= %(settled)s)
FROM {events} WHERE {own} AND NOT event_id <@ coalesce(
    (SELECT range_agg(members) FROM {seals} WHERE {own}), '{{}}'::int8multirange)
"""


@dataclass
class ChainVerification:
    """The result of verifying a chain.

    Attributes:
        seals: the number of seals.
        events: the number of events in them.
        pending: events that are not sealed yet, as the newest are for some seconds.
        anchored_through: the highest seal with an anchor in ``platform``; 0 where none.
        head: the digest of the last seal.
        problems: descriptions of at most a hundred problems; empty when the audit is intact.
        problem_count: the number of problems.
    """

    seals: int = 0
    events: int = 0
    pending: int = 0
    anchored_through: int = 0
    head: bytes | None = None
    problems: list[str] = field(default_factory=list)
    problem_count: int = 0

    @property
    def intact(self) -> bool:
        """Return whether nothing is wrong."""
        return not self.problem_count

    def say(self, problem: str) -> None:
        """Count a problem, and list it unless the list is full."""
        self.problem_count += 1
        if len(self.problems) < _MOST:
            self.problems.append(problem)


def verify(tenant: TenantRef) -> ChainVerification:
    """Verify the tenant's audit against its chain, and the chain against its anchors. Reads every event.

    Raises:
        Unavailable: a database cannot be reached.
    """
    anchored = anchors.standing(
        tenant.id
    )  # read before the chain, so that an anchor added meanwhile is no contradiction
    with tenant_session(tenant, actor="system:sealer", readonly=True) as session:
        return verify_chain(psycopg_connection(session), IN_SCHEMA, anchored)


def verify_gone(tenant_id: UUID) -> ChainVerification:
    """Verify the audit of a deleted tenant, in the place that it was moved to."""
    place = Place(
        sql.SQL("platform.gone_audit_events"),
        sql.SQL("platform.gone_audit_seals"),
        sql.SQL("tenant_id = {}").format(sql.Literal(tenant_id)),
    )
    anchored = anchors.standing(tenant_id)
    with platform_session() as session:
        return verify_chain(psycopg_connection(session), place, anchored)


def verify_chain(connection: psycopg.Connection[Any], place: Place, anchored: Mapping[int, bytes]) -> ChainVerification:
    """Verify the chain at ``place``, within the connection's transaction."""
    names = {"events": place.events, "seals": place.seals, "own": place.own, "digest": sql.SQL(DIGEST)}
    result, previous, settled, wrong = ChainVerification(), BEGINNING, 0, dict(anchored)
    with connection.cursor(name="verify_audit") as cursor:
        cursor.itersize = 500
        for row in cursor.execute(sql.SQL(_SEALS).format(**names)):
            number, first, last, members, events, through, rows_digest, before, sealed_at = row[:9]
            seal = Seal(number, first, last, members, events, through, bytes(rows_digest), bytes(before), sealed_at)
            _look_at(result, seal, previous, bytes(row[9]), (row[10], bytes(row[11])))
            previous, settled = bytes(row[9]), max(settled, seal.settled_through)
            result.seals, result.events, result.head = seal.number, result.events + seal.events, previous
            if wrong.get(seal.number) == previous:
                result.anchored_through = seal.number
                del wrong[seal.number]
    for number in sorted(wrong):
        if number > result.seals:
            result.say(f"seal {number} was anchored and is missing: the chain was cut off or reset")
        else:
            result.say(f"seal {number} differs from its anchor: the chain was rewritten")
    counted = connection.execute(sql.SQL(_STRANGERS).format(**names), {"settled": settled}).fetchone()
    if counted is not None:
        added, result.pending, first = counted
        if added:
            late = f"{added} events up to number {settled} are in no seal, so they were added later"
            result.say(f"{late}; the first is {first}")
    return result


def _look_at(result: ChainVerification, seal: Seal, previous: bytes, digest: bytes, counted: tuple[int, bytes]) -> None:
    """Record the problems of one seal."""
    if seal.number != result.seals + 1:
        result.say(f"seal {result.seals + 1} is missing: seal {result.seals} is followed by seal {seal.number}")
    elif seal.previous != previous:
        result.say(f"seal {seal.number} does not follow the one before it")
    if seal.digest != digest:
        result.say(f"seal {seal.number} was changed")
    if counted != (seal.events, seal.rows_digest):
        same = counted[0] == seal.events
        what = "they were changed or reordered" if same else f"{seal.events - counted[0]} of {seal.events} are missing"
        result.say(f"the events {seal.first_event} to {seal.last_event} of seal {seal.number}: {what}")
