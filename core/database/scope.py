"""The scope of a transaction: which tenant it acts for, and the statement that sets this in PostgreSQL."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from math import inf
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import text

from core.database.statements import several_statements
from core.resilience.deadlines import seconds_left

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    import psycopg
    from sqlalchemy import Connection

OPAQUE_NAME = re.compile(r"t_[0-9a-f]{20}")
"""The pattern of names of tenants' schemas and roles. Every role can list them, so they do not identify the partner."""
AS_LOGIN = "none"
PATH = re.compile(rf'("{OPAQUE_NAME.pattern}", extensions, pg_temp)?')

BEGIN = "BEGIN"
_SCOPE = (
    "SELECT set_config('role', '{role}', true) AS role, set_config('search_path', '{path}', true) AS path,"
    " set_config('transaction_read_only', {readonly}, true) AS readonly{timeout}"
)
_TIMEOUT = (
    ", set_config('statement_timeout', (extract(epoch FROM least(nullif(current_setting('statement_timeout')::interval,"
    " '0'), interval '{milliseconds} ms')) * 1000)::bigint::text, true) AS timeout"
)
SHORTEST_TIMEOUT = 5.0
"""Seconds that a statement may take at least, whatever is left of the deadline."""
# A move holds this lock alone; writers share it, and a transaction that does not get it may only read. So the move
# waits for exactly the writing transactions, and no write can come after it.
_UNLESS_MOVED = "CASE WHEN pg_try_advisory_xact_lock_shared({space}, {number}) THEN 'off' ELSE 'on' END"
FENCES = 0x11_7E_F3
"""The space of advisory locks that a tenant's writers share and that its move takes alone; see ``fence_number``."""

_ENTER_AS_SELF = text(
    "SELECT set_config('search_path', :path, true), set_config('transaction_read_only', :readonly, true)"
)


class TenantRequired(RuntimeError):  # noqa: N818 - says what is needed, as our errors do
    """The caller asked for a tenant's data without naming the tenant. There is no default tenant."""


@dataclass(frozen=True, slots=True)
class TenantRef:
    """The part of a tenant that access to its data needs.

    Attributes:
        database: the name of its data database.
        state: ``active``, ``suspended``, or ``provisioning`` while it is created.
        time_zone: IANA name; determines "today".
    """

    id: UUID
    slug: str
    name: str
    schema_name: str
    role_name: str
    database: str
    state: str
    time_zone: str

    @classmethod
    def of(cls, row: Mapping[Any, Any]) -> TenantRef:
        """Return the reference in a row that has these columns of ``platform.tenants``, and maybe others."""
        return cls(**{column.name: row[column.name] for column in fields(cls)})

    def __post_init__(self) -> None:
        for value in (self.schema_name, self.role_name):
            if not OPAQUE_NAME.fullmatch(value):
                message = f"{value!r} is not a tenant's schema or role"
                raise ValueError(message)


def path_of_schema(schema: str) -> str:
    """The search_path for one schema. ``pg_temp`` is last, so that no temporary table hides one of the schema's."""
    return f'"{schema}", extensions, pg_temp'


def fence_number(role: str) -> int:
    """Return the number of this tenant's lock within ``FENCES``: 32 of the 80 random bits of its role's name.

    If two tenants have the same number, both wait while one of them moves; nothing else happens.
    """
    return int(role[2:10], 16) - 2**31


def enter(connection: Connection, *, role: str | None, path: str, readonly: bool) -> None:
    """Begin the transaction's scope in one statement. The scope ends with the transaction.

    Args:
        connection: the application's, outside of a transaction; or the owner's, within its own.
        role: the role to act as, ``"none"`` for the login role, None to leave it (the owner).
        path: the search_path.
        readonly: whether PostgreSQL rejects writes in this transaction.
    """
    if role is None:
        connection.execute(_ENTER_AS_SELF, {"path": path, "readonly": "on" if readonly else "off"})
        return
    # One string without parameters, which PostgreSQL takes in one round trip with the beginning of the transaction.
    text = f"{BEGIN}; {scope_of(role=role, path=path, readonly=readonly)}"
    with several_statements(cast("psycopg.Connection[Any]", connection.connection.driver_connection)):
        connection.exec_driver_sql(text)


def scope_of(*, role: str, path: str, readonly: bool) -> str:
    """The statement that sets a transaction's scope; see ``enter``.

    Raises:
        ValueError: role and path are neither a tenant's nor the login's.
    """
    if (role != AS_LOGIN and not OPAQUE_NAME.fullmatch(role)) or not PATH.fullmatch(path):
        message = "a scope needs a tenant's role and schema, or the login's role and no schema"
        raise ValueError(message)
    switch = "'on'" if readonly else "'off'"
    if not readonly and role != AS_LOGIN:
        switch = _UNLESS_MOVED.format(space=FENCES, number=fence_number(role))
    return _SCOPE.format(role=role, path=path, readonly=switch, timeout=_timeout())


def _timeout() -> str:
    """Return the part of the scope that limits statements by the deadline of the request or job.

    It is empty after the deadline: what goes on then, such as a long stream, has no limit but the server's.
    """
    left = seconds_left(inf)
    if left == inf or not left:
        return ""
    return _TIMEOUT.format(milliseconds=int(max(left, SHORTEST_TIMEOUT) * 1000))
