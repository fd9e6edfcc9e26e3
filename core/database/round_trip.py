"""A tenant's whole transaction in one round trip: scope, statements and COMMIT are sent together.

For frequent requests. If anything goes wrong, such as a lost connection or a tenant that is being moved, ``at_once``
raises ``RoundTripError``. The caller then runs the same statements in a session, which reports the cause. Only
statements that may run twice belong here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.pq import ExecStatus

from core.database.affinity import remember, wanting
from core.database.driver_errors import explained
from core.database.engines import application_engine
from core.database.scope import path_of_schema, scope_of
from core.database.statements import execute_prepared

if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.database.scope import TenantRef

Statement = tuple[str, "Mapping[str, object]"]
"""A query with ``%(name)s`` for each value, and the values."""


class RoundTripError(Exception):
    """The transaction did not run in one round trip. Open a session and run it there."""


def at_once(tenant: TenantRef, *statements: Statement) -> list[list[Any]]:
    """Run the statements as one transaction of the tenant, committed on return; return the rows of each as text.

    Only for statements that may run twice: after a lost connection it is unknown whether they were committed.

    Raises:
        RoundTripError: they did not run, for any reason.
        DatabaseUnavailable: every connection is in use, or the database cannot be reached.
    """
    with explained(), wanting(tenant.id):
        connection = application_engine(tenant.database).raw_connection()
    try:
        remember(connection, tenant.id)
        driver = _driver(connection.driver_connection)
        scope = scope_of(role=tenant.role_name, path=path_of_schema(tenant.schema_name), readonly=False)
        # Everything up to the end of the pipeline is one transaction, which the server commits there.
        with driver.pipeline():
            driver.execute(scope)
            done = [driver.execute(query, values) for query, values in statements]
        return [cursor.fetchall() for cursor in done if _has_rows(cursor)]
    except psycopg.OperationalError as error:
        connection.invalidate()
        raise RoundTripError from error
    except psycopg.Error as error:
        if error.sqlstate is None:
            raise  # not an error of the server: a session would meet it again
        raise RoundTripError from error
    finally:
        connection.close()


def node_at_once(database: str, query: str, values: Mapping[str, object]) -> list[Any]:
    """Run one statement on ``node`` as a transaction of the application; return its rows. The backend keeps its plan.

    Raises:
        RoundTripError: it did not run, for any reason, or the answer was lost.
        DatabaseUnavailable: every connection is in use, or the database cannot be reached.
    """
    with explained():
        connection = application_engine(database).raw_connection()
    try:
        # Between transactions a connection has the application's role and no search_path.
        return execute_prepared(_driver(connection.driver_connection), query, values).fetchall()
    except psycopg.OperationalError as error:
        connection.invalidate()
        raise RoundTripError from error
    except psycopg.Error as error:
        raise RoundTripError from error
    finally:
        connection.close()


def _has_rows(cursor: psycopg.Cursor[Any]) -> bool:
    # Not by ``description``, which builds an object for each column.
    return cursor.pgresult is not None and cursor.pgresult.status == ExecStatus.TUPLES_OK


def _driver(connection: object) -> psycopg.Connection[Any]:
    if not isinstance(connection, psycopg.Connection):
        message = "the pool has psycopg connections"
        raise TypeError(message)
    return connection
