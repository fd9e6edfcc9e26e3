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
from core.database.scope import path_of_schema, scope_of
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

    Raises:
        NotAtOnce: they did not run, for whatever reason.
        DatabaseUnavailable: every connection is in use, or none can be had.
    """
    with explained(), wanting(tenant.id):
        connection = application_engine(tenant.database).raw_connection()
    try:
        remember(connection, tenant.id)
        driver = _driver(connection.driver_connection)
        scope = scope_of(role=tenant.role_name, path=path_of_schema(tenant.schema_name), readonly=False)
        # All up to the end of the pipeline is one transaction, which the server commits there.
        with driver.pipeline():
            driver.execute(scope)
            done = [driver.execute(query, values) for query, values in statements]
        return [cursor.fetchall() for cursor in done if _has_rows(cursor)]
    except psycopg.OperationalError as error:
        connection.invalidate()
        raise NotAtOnce from error
    except psycopg.Error as error:
        if error.sqlstate is None:
            raise  # not the server's: it would be met again
        raise NotAtOnce from error
    finally:
        connection.close()


def _has_rows(cursor: psycopg.Cursor[Any]) -> bool:
    # Not by ``description``, which makes an object of each column.
    return cursor.pgresult is not None and cursor.pgresult.status == ExecStatus.TUPLES_OK


def _driver(found: object) -> psycopg.Connection[Any]:
    if not isinstance(found, psycopg.Connection):
        message = "the pool has psycopg connections"
        raise TypeError(message)
    return found
