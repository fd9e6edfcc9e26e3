"""Whose transaction it is, and the one statement that says so to PostgreSQL."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy import Connection

OPAQUE_NAME = re.compile(r"t_[0-9a-f]{20}")
"""Schemas and roles of tenants. Every role can list them in the catalog, so they say nothing of the partner."""

_ENTER = text(
    "SELECT set_config('role', :role, true), set_config('search_path', :path, true),"
    " set_config('transaction_read_only', :readonly, true)"
)
_ENTER_AS_SELF = text(
    "SELECT set_config('search_path', :path, true), set_config('transaction_read_only', :readonly, true)"
)


class TenantRequired(RuntimeError):  # noqa: N818 - says what is needed, as our errors do
    """A tenant's data was asked for without saying whose: always a fault of the caller, never answered by a default."""


@dataclass(frozen=True, slots=True)
class TenantRef:
    """A tenant, as far as reaching its data needs.

    Attributes:
        database: name of its data database.
        state: ``active``, ``suspended``, or ``provisioning`` while it is made.
        time_zone: IANA name; says what "today" is.
    """

    id: UUID
    slug: str
    name: str
    schema_name: str
    role_name: str
    database: str
    state: str
    time_zone: str

    def __post_init__(self) -> None:
        for value in (self.schema_name, self.role_name):
            if not OPAQUE_NAME.fullmatch(value):
                message = f"{value!r} is no tenant's schema or role"
                raise ValueError(message)


def path_of_schema(schema: str) -> str:
    """The search_path of one schema. ``pg_temp`` is last, so that no temporary table hides one of the schema's."""
    return f'"{schema}", extensions, pg_temp'


def enter(connection: Connection, *, role: str | None, path: str, readonly: bool) -> None:
    """Begin the transaction's scope in one statement; all of it ends with the transaction.

    Args:
        connection: within its transaction.
        role: the role to act as, ``"none"`` for the login role, None to leave it (the owner).
        path: the search_path.
        readonly: whether PostgreSQL refuses to write in this transaction.
    """
    values = {"path": path, "readonly": "on" if readonly else "off"}
    if role is None:
        connection.execute(_ENTER_AS_SELF, values)
    else:
        connection.execute(_ENTER, {**values, "role": role})
