"""Rights of PUBLIC that a tenant's role must not have, and the SQL that revokes them.

Text that is injected into a tenant's statement is an expression. With these rights an expression can become another
tenant (``set_config('role', ...)``), take its locks by number, or read its row counts. It can also fill the queue of
notifications and the write-ahead log without a table. Only a superuser can revoke the rights. On the embedded server
the platform does so in each new database. On another server its operator runs the SQL that ``iit database rights
--sql`` prints.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, LiteralString

from psycopg import sql

if TYPE_CHECKING:
    from collections.abc import Sequence

TEMP_FILE_LIMIT = "8GB"
"""The limit of temporary files for one session of the application, so that a runaway sort cannot fill the disk."""
IDLE_LIMIT = "5min"
"""How long a transaction of the application may do nothing.

A process that stands still, or whose network is gone, keeps its locks until then: others skip the rows that it locked,
such as the job that it worked on.
"""
LIMITS: Final = (
    ("temp_file_limit", TEMP_FILE_LIMIT),
    ("log_temp_files", "100MB"),
    ("idle_in_transaction_session_timeout", IDLE_LIMIT),
    ("tcp_keepalives_idle", "60"),
    ("tcp_keepalives_interval", "10"),
    ("tcp_keepalives_count", "6"),
)
"""Parameters of the application's sessions. A peer that is gone is given up after two minutes."""

_LARGE_OBJECTS: LiteralString = (
    "REVOKE EXECUTE ON FUNCTION lo_creat(int), lo_create(oid), lo_from_bytea(oid, bytea) FROM PUBLIC"
)
"""Revokes the functions of large objects. These lie outside every schema, so a tenant's would be in no backup and
outlive the tenant.
"""

CLOSED: LiteralString = (
    "pronamespace = 'pg_catalog'::regnamespace AND (proname = 'set_config'"
    " OR proname ~ '^pg_(try_)?advisory_'"
    " OR proname IN ('pg_notify', 'pg_logical_emit_message')"
    " OR proname IN ('pg_relation_size', 'pg_table_size', 'pg_indexes_size', 'pg_total_relation_size')"
    " OR (proname LIKE 'pg\\_stat\\_get\\_%' AND proargtypes = '26'))"
)
"""Condition on ``pg_proc`` that selects the functions to revoke, such as the statistics functions about one object."""

_FUNCTIONS = sql.SQL(
    "DO $$ DECLARE closed regprocedure; BEGIN"
    " FOR closed IN SELECT oid FROM pg_catalog.pg_proc WHERE {closed} LOOP"
    " EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', closed);"
    " EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %s', closed, {roles}); END LOOP; END $$"
)
_SETTINGS = "REVOKE UPDATE ON pg_catalog.pg_settings FROM PUBLIC"
_COUNTS = sql.SQL(
    "DO $$ BEGIN REVOKE SELECT ON pg_catalog.pg_class FROM PUBLIC;"
    " EXECUTE (SELECT format('GRANT SELECT (%s) ON pg_catalog.pg_class TO PUBLIC', string_agg(attname, ', '))"
    " FROM pg_catalog.pg_attribute WHERE attrelid = 'pg_catalog.pg_class'::regclass AND attnum > 0"
    " AND attname NOT IN ('relpages', 'reltuples', 'relallvisible', 'relallfrozen'));"
    " EXECUTE format('GRANT SELECT ON pg_catalog.pg_class TO %s', {roles}); END $$"
)


def statements(database: str, *, owner: str, application: str, others: Sequence[str] = ()) -> list[sql.Composed]:
    """The statements for a superuser to run in a data database; each can run again.

    Args:
        database: its name on the server.
        owner: the role that owns the tables.
        application: the role of the application's login.
        others: further roles that keep the rights, such as one that makes backups.
    """
    # Names of roles are quoted for GRANT, and then as text for format().
    listed = sql.SQL(", ").join(map(sql.Identifier, (owner, application, *others))).as_string(None)
    names = {"closed": sql.SQL(CLOSED), "roles": sql.Literal(listed)}
    limits = sql.SQL("ALTER ROLE {app} IN DATABASE {database} SET {name} TO {value}")
    return [
        sql.SQL(_LARGE_OBJECTS).format(),
        _FUNCTIONS.format(**names),
        sql.SQL(_SETTINGS).format(),
        _COUNTS.format(**names),
        *(
            limits.format(
                app=sql.Identifier(application),
                database=sql.Identifier(database),
                name=sql.Identifier(name),
                value=sql.Literal(value),
            )
            for name, value in LIMITS
        ),
    ]


OPEN: LiteralString = (
    "SELECT EXISTS (SELECT FROM pg_catalog.pg_proc WHERE " + CLOSED + ""  # noqa: S608 - constants of ours
    " AND has_function_privilege('public', oid, 'EXECUTE') AND proname = 'set_config') AS set_config,"
    " EXISTS (SELECT FROM pg_catalog.pg_proc WHERE " + CLOSED + ""
    " AND has_function_privilege('public', oid, 'EXECUTE') AND proname <> 'set_config')"
    " OR has_column_privilege('public', 'pg_catalog.pg_class', 'reltuples', 'SELECT') AS others,"
    " has_table_privilege('public', 'pg_catalog.pg_settings', 'UPDATE') AS settings,"
    " current_setting('temp_file_limit') = '-1' AS unlimited,"
    " current_setting('idle_in_transaction_session_timeout') = '0' AS idle"
)
"""Query, run as the application, that returns in one row which dangerous rights are open in a database."""
