"""A whole transaction of a tenant in one round trip: scope, statements and COMMIT are sent together.

For what is asked for all the time. Everything that does not go as it should, a lost connection or a tenant that is
being moved, is left to a session, which says what is the matter: nothing was committed then, or nothing that a second
time could harm.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.pq import ExecStatus

from core.database.affinity import remember, wanting
from core.database.engines import application_engine
from core.database.scope import beginning, path_of_schema
from core.database.sessions import explained

if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.database.scope import TenantRef

Statement = tuple[str, "Mapping[str, object]"]
"""A query with ``%(name)s`` for each value, and the values."""


class NotAtOnce(Exception):  # noqa: N818 - says what is the matter, as our errors do
    """It did not go in one round trip: open a session, and do it again."""


def at_once(tenant: TenantRef, *statements: Statement) -> list[list[Any]]:
    """Run the statements as one transaction of the tenant, committed when this returns; the rows of each, as text.

    Only for statements that may run twice: where the connection is lost it is not known whether they were committed.
    And only for values that may be in a log: the server takes them for a part of the statements' text.

    Raises:
        NotAtOnce: they did not run, for whatever reason.
        DatabaseUnavailable: every connection is in use, or none can be had.
    """
    with explained(), wanting(tenant.id):
        connection = application_engine(tenant.database).raw_connection()
    try:
        remember(connection, tenant.id)
        cursor = psycopg.ClientCursor(_driver(connection.driver_connection))
        scope = beginning(role=tenant.role_name, path=path_of_schema(tenant.schema_name), readonly=False)
        # The values are bound by the driver, as the one message that holds several statements wants it.
        said = "; ".join([scope, *(cursor.mogrify(query, values) for query, values in statements), "COMMIT"])
        cursor.execute(said)
        return _rows(cursor)[1:]
    except psycopg.OperationalError as error:
        connection.invalidate()
        raise NotAtOnce from error
    except psycopg.Error as error:
        if error.sqlstate is None:
            raise  # not the server's: it would be met again
        raise NotAtOnce from error
    finally:
        connection.close()


def _driver(found: object) -> psycopg.Connection[Any]:
    if not isinstance(found, psycopg.Connection):
        message = "the pool has psycopg connections"
        raise TypeError(message)
    return found


def _rows(cursor: psycopg.ClientCursor[Any]) -> list[list[Any]]:
    """The rows of each statement that has any; the scope's come first."""
    found = []
    while True:
        # Not by ``description``, which makes an object of each column.
        if cursor.pgresult is not None and cursor.pgresult.status == ExecStatus.TUPLES_OK:
            found.append(cursor.fetchall())
        if not cursor.nextset():
            return found
