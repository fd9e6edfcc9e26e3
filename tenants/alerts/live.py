"""Live pages of alerts: a stream that says only that something within the reader's reach has changed.

It sends no alert: whoever reads it asks for the page again, with their own rights. So everybody who may read alerts can
follow it, also with a reach of some facilities.
"""

from __future__ import annotations

import asyncio
import re
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from psycopg import sql

from core.clock import now
from core.errors import AppError, FieldError, Invalid, Unavailable
from core.events import stream
from core.events.stream import RETRY_MILLISECONDS, StreamAnswer, Streams, frame, send_frames
from tenants.records.reach import whole_facility_within_reach_sql

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractContextManager

    from starlette.types import Receive, Scope, Send

    from core.database import TenantRef, TenantSession

CHANGED: Final = "alerts.changed"
"""The only event of the stream."""
PAUSE_SECONDS: Final = 2.0
"""Between two events of a stream at least: a night that opens many alerts is a few events."""
BEFORE: Final = timedelta(hours=1)
"""Longer than a transaction that changes alerts."""
LONGEST: Final = timedelta(days=1)
"""A mark that is older than this counts as changed."""

STREAMS: Final = Streams()
"""The streams of alerts in this process, bounded as the streams of events are, and apart from them."""

_MARK: Final = re.compile(r"(\d{1,10})-([0-9a-f]{16})")
_SUMS: Final = sql.SQL("""
SELECT coalesce(sum(hashtextextended(a.version_id::text, 0)), 0), coalesce(sum(d.states), 0) FROM alerts a
LEFT JOIN LATERAL (
    SELECT sum(hashtextextended(concat(d.id, d.state, d.attempts), 0)) AS states FROM alert_deliveries d
    WHERE d.alert_uuid = a.uuid
) d ON true
WHERE (a.status IN ('open', 'acknowledged') OR a.updated_at > %(since)s) AND {within_reach}
""")


@dataclass(frozen=True, slots=True)
class Mark:
    """What a reader has seen of the alerts within reach, and of their deliveries.

    Attributes:
        since: seconds since 1970; alerts that ended before are left out.
        digest: differs after each change.
    """

    since: int
    digest: str

    def __str__(self) -> str:
        return f"{self.since}-{self.digest}"

    @property
    def is_stale(self) -> bool:
        """Whether it is too old to be compared."""
        return self.since < (now() - LONGEST).timestamp()


def mark_of(session: TenantSession, since: int | None = None) -> Mark:
    """Return the mark of the alerts within reach.

    Args:
        session: a transaction of the tenant.
        since: that of an earlier mark, with which this one can be compared; None for a first mark.
    """
    start = int((now() - BEFORE).timestamp()) if since is None else since
    query = _SUMS.format(within_reach=whole_facility_within_reach_sql(session, "a.facility_uuid"))
    with session.cursor() as cursor:
        row = cursor.execute(query, {"since": datetime.fromtimestamp(start, UTC)}).fetchone()
    return Mark(start, sha256(repr(row).encode()).hexdigest()[:16])


def mark_in(text: str | None) -> Mark | None:
    """Return the mark that a reader sends; None if it sends none.

    Raises:
        Invalid: it is no mark (422).
    """
    if not text:
        return None
    match = _MARK.fullmatch(text)
    if match is None:
        detail = "not valid: query.seen"
        remedy = "Send the mark of the page, or leave it out."
        raise Invalid(detail, errors=[FieldError("query.seen", "is not a mark of alerts", remedy)])
    return Mark(int(match[1]), match[2])


@dataclass(frozen=True, slots=True)
class AlertSubscription:
    """Who follows alerts, and until when.

    Attributes:
        tenant, principal: who reads.
        session: a transaction with the reader's reach; raises when the credential is no longer valid.
        seen: what the reader has seen; None to begin with what is there now.
        wait: whether to wait for further changes.
        draining: returns whether the process stops.
    """

    tenant: TenantRef
    principal: str
    session: Callable[[], AbstractContextManager[TenantSession]]
    seen: Mark | None
    wait: bool
    draining: Callable[[], bool]

    def look(self, seen: Mark | None) -> Mark:
        """Return the present mark, which equals an earlier one unless something has changed since that.

        Raises:
            Unauthenticated, Forbidden: the credential is no longer valid, or lost a right.
            Unavailable: the database is not there.
        """
        with self.session() as session:
            return mark_of(session, None if seen is None or seen.is_stale else seen.since)


class AlertStream(StreamAnswer):
    """Sends a subscription until the reader leaves, the credential ends, or the process drains."""

    def __init__(self, subscription: AlertSubscription) -> None:
        super().__init__()
        self._subscription = subscription

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - as Starlette calls
        """Send the stream.

        Raises:
            TooManyRequests: too many streams are open (429).
        """
        asked = self._subscription
        async with STREAMS.entered(asked.tenant.id, asked.principal) as waiter:
            await send_frames(self, receive, send, frames(asked, waiter.woken))


async def frames(asked: AlertSubscription, woken: asyncio.Event) -> AsyncIterator[str]:
    """Yield the frames of a stream, until it ends."""
    yield f"retry: {RETRY_MILLISECONDS}\n\n"
    seen, sent = asked.seen, time.monotonic()
    while True:
        woken.clear()
        try:
            present = await STREAMS.read(asked.look, seen)
        except Unavailable:
            present = seen  # it looks again
        except AppError:
            return
        changed, seen = seen is not None and present != seen, present
        if changed:
            yield frame(CHANGED, str(seen), {})
        looked = time.monotonic()
        sent = looked if changed else sent
        if not asked.wait:
            return
        await asyncio.sleep(PAUSE_SECONDS if changed else 0)
        while not woken.is_set() and time.monotonic() - looked < stream.LOOK_SECONDS:
            if asked.draining():
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(woken.wait(), stream.TICK_SECONDS)
            if time.monotonic() - sent >= stream.HEARTBEAT_SECONDS:
                sent = time.monotonic()
                yield ": the stream is open\n\n"
