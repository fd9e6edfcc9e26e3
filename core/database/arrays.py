"""Arrays as text parameters, because the driver builds long lists slowly, element by element."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID


def uuid_array(uuids: Iterable[UUID]) -> str:
    """UUIDs in PostgreSQL's notation of an array: bind it to ``%s::uuid[]``."""
    return "{" + ",".join([uuid.hex for uuid in uuids]) + "}"


def bytea_array(values: Iterable[bytes]) -> str:
    """Bytes in PostgreSQL's notation of an array: bind it to ``%s::bytea[]``."""
    return "{" + ",".join(['"\\\\x' + value.hex() + '"' for value in values]) + "}"
