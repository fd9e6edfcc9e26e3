"""The parts of an audit's chain: an event's canonical line, and the digests of batches and seals."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, LiteralString

from psycopg import sql

if TYPE_CHECKING:
    from datetime import datetime

BEGINNING = bytes(32)
"""The digest before the first seal."""

_LINE: LiteralString = (
    "json_build_array(event_id, to_char(occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US'), actor, action,"
    " subject_type, subject_uuid, request_id, detail)::text"
)

DIGEST: LiteralString = f"sha256(convert_to(coalesce(string_agg({_LINE}, chr(10) ORDER BY event_id), ''), 'UTF8'))"
"""SQL for the SHA-256 over the canonical lines of events in the order of their numbers, over ``audit_events``."""


@dataclass(frozen=True, slots=True)
class Seal:
    """A link of the chain; see ``core.audit.models.AuditSeal``."""

    number: int
    first_event: int
    last_event: int
    members: str
    events: int
    settled_through: int
    rows_digest: bytes
    previous: bytes
    sealed_at: datetime

    @property
    def digest(self) -> bytes:
        """Return the SHA-256 over all fields of the seal, including the digest of the previous seal."""
        parts = (
            "iit audit seal 1",
            str(self.number),
            str(self.first_event),
            str(self.last_event),
            self.members,
            str(self.events),
            str(self.settled_through),
            self.rows_digest.hex(),
            self.previous.hex(),
            f"{self.sealed_at.timestamp():.6f}",
        )
        return hashlib.sha256("\n".join(parts).encode()).digest()


@dataclass(frozen=True, slots=True)
class Place:
    """The place of a chain and its events: the tenant's schema, or ``platform`` after the tenant's deletion.

    Attributes:
        own: the condition that selects this tenant's rows.
    """

    events: sql.Composable
    seals: sql.Composable
    own: sql.Composable


IN_SCHEMA = Place(sql.SQL("audit_events"), sql.SQL("audit_seals"), sql.SQL("true"))
