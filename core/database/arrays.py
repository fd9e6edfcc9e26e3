"""Arrays as parameters: the driver puts lists together element by element, which takes long where they are long."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID


def uuid_array(uuids: Iterable[UUID]) -> str:
    """UUIDs as PostgreSQL reads an array of them: bind it to ``%s::uuid[]``."""
    return "{" + ",".join([uuid.hex for uuid in uuids]) + "}"


def bytea_array(values: Iterable[bytes]) -> str:
    """Bytes as PostgreSQL reads an array of them: bind it to ``%s::bytea[]``."""
    return "{" + ",".join(['"\\\\x' + value.hex() + '"' for value in values]) + "}"
