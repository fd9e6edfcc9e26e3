"""UUIDs of imported entities, and fingerprints of the content of rows.

An entity's UUID is a function of table, facility, source and the source's identifier. So a visit can name its patient
before the patient is read. Two imports at the same time agree, and so does an import that is repeated after a kill.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson
from psycopg import sql
from uuid_utils.compat import uuid7

if TYPE_CHECKING:
    from psycopg import Cursor

API_SOURCE = "api"
"""The source of rows that users enter. No import may use it."""

_HASH_BYTES = 16

_UUIDV7_SINCE = 180_000
# Milliseconds over the first 48 bits of a random UUID, version 4 (0100) turned to 7 (0111): RFC 9562 section 5.7.
_UUIDV7_BEFORE = sql.SQL(
    "encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid()) PLACING"
    " substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3) FROM 1 FOR 6), 52, 1), 53, 1),"
    " 'hex')::uuid",
)


def new_uuid() -> UUID:
    """A new UUIDv7, for rows without an identifier of a source."""
    return uuid7()


def new_uuid_sql(cursor: Cursor[Any]) -> sql.SQL:
    """The SQL expression of a new UUIDv7 on this server (built in since PostgreSQL 18)."""
    return sql.SQL("uuidv7()") if cursor.connection.info.server_version >= _UUIDV7_SINCE else _UUIDV7_BEFORE


def uuid_floor(moment: datetime) -> UUID:
    """The smallest UUIDv7 of an instant. Rows written at or after it have at least this ``version_id``."""
    milliseconds = max(0, int(moment.timestamp() * 1000))  # a UUIDv7 cannot be of before 1970
    return UUID(int=(milliseconds << 80) | (7 << 76) | (2 << 62))


_FREE = ~(0xF << 76 | 0x3 << 62)
_VERSION_8 = 8 << 76 | 2 << 62


def entity_uuid(table: str, facility_uuid: UUID, source: str, source_key: bytes) -> UUID:
    """The UUID (version 8, RFC 9562 section 5.8) of the entity that a source at a facility calls ``source_key``.

    Args:
        table: name of the entity's table, such as ``patients``.
        facility_uuid: the facility that the identifier belongs to.
        source: name of the source, such as ``csv:art``.
        source_key: blind index of the source's identifier (never the identifier itself).
    """
    name = b"\x1f".join((table.encode(), facility_uuid.bytes, source.encode(), source_key))
    number = int.from_bytes(blake2b(name, digest_size=16).digest())
    return UUID(int=number & _FREE | _VERSION_8)


def row_hash(values: Sequence[object]) -> bytes:
    """A fingerprint (16 bytes) of a row's content, equal only for equal content.

    It is not keyed: where content is personal, pass its blind index or keyed digest instead of the text.
    Values are None, text, bool, int, float, date, aware datetime in UTC, UUID or bytes.
    """
    return blake2b(orjson.dumps(values, default=_as_text), digest_size=_HASH_BYTES).digest()


def utc(moment: datetime) -> datetime:
    """The same instant in UTC. A time without a zone has no known instant, so it is an error.

    Raises:
        ValueError: the time has no zone.
    """
    if moment.tzinfo is None:
        message = "a time without a zone cannot be stored: give its zone or its offset"
        raise ValueError(message)
    return moment.astimezone(UTC)


def _as_text(value: object) -> str:
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    message = f"a value of type {type(value).__name__} cannot be part of a row"
    raise TypeError(message)
