"""Creation of objects that need a superuser: roles, the database, and the extensions in their own schema.

The only module outside ``core.database`` that opens a connection, because it creates the logins of ``core.database``.
An external server's operator does the same by hand: see docs/how-to/run-on-your-own-servers.md.
"""

from __future__ import annotations

import hashlib
from functools import cache
from typing import LiteralString

import psycopg
from psycopg import sql

from core.services import rights

DATABASE = "iit"
OWNER = "iit_owner"
APPLICATION = "iit_app"
_RIGHTS = {OWNER: "CREATEROLE INHERIT", APPLICATION: "NOCREATEROLE NOINHERIT"}
EXTENSIONS = ("vector", "pg_trgm", "btree_gist", "pg_stat_statements")
_VIEWS: LiteralString = "extensions.pg_stat_statements, extensions.pg_stat_statements_info"
_FUNCTIONS: LiteralString = "extensions.pg_stat_statements(boolean), extensions.pg_stat_statements_info()"
STATISTICS: tuple[LiteralString, ...] = (
    f"REVOKE ALL ON {_VIEWS} FROM PUBLIC",
    f"REVOKE EXECUTE ON FUNCTION {_FUNCTIONS} FROM PUBLIC",
    f"GRANT SELECT ON {_VIEWS} TO {{owner}}",
    f"GRANT EXECUTE ON FUNCTION {_FUNCTIONS} TO {{owner}}",
    "GRANT pg_read_all_stats TO {owner}",
)
"""Statistics of statements are of all tenants: only the owner reads them."""


def bootstrap(superuser_url: str, *, owner_password: str, app_password: str, database: str = DATABASE) -> None:
    """Create roles, database, schema ``extensions`` and the extensions, except those that exist.

    Args:
        superuser_url: a superuser's login to the database ``postgres``.
        owner_password: the password of ``iit_owner``, which owns the database, creates tenants' roles, and is no
            superuser.
        app_password: the password of ``iit_app``, which has no rights of its own and inherits none.
        database: its name on the server.

    Raises:
        psycopg.Error: the server rejected a statement.
    """
    with psycopg.connect(superuser_url, autocommit=True, connect_timeout=10) as link:
        _role(link, OWNER, owner_password)
        _role(link, APPLICATION, app_password)
        if link.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone() is None:
            make = sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(database), sql.Identifier(OWNER))
            link.execute(make)
    with psycopg.connect(superuser_url, dbname=database, autocommit=True, connect_timeout=10) as link:
        for statement in statements(database):
            link.execute(statement)


@cache
def fingerprint() -> str:
    """Return a fingerprint of all that ``bootstrap`` creates.

    A start compares it to bring older installations up to date.
    """
    text = "\n".join([*(statement.as_string(None) for statement in statements()), *_RIGHTS.values()])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def statements(database: str = DATABASE) -> list[sql.Composed]:
    """The statements for the new database. Each can run again."""
    names = {
        "database": sql.Identifier(database),
        "owner": sql.Identifier(OWNER),
        "app": sql.Identifier(APPLICATION),
    }
    texts = [
        "REVOKE CONNECT ON DATABASE {database}, postgres, template1 FROM PUBLIC",
        "GRANT CONNECT, TEMPORARY ON DATABASE {database} TO {owner}, {app}",
        # A session without a tenant must see nothing, and must fail loudly.
        "ALTER ROLE {app} IN DATABASE {database} SET search_path TO ''",
        "REVOKE ALL ON SCHEMA public FROM PUBLIC",
        "CREATE SCHEMA IF NOT EXISTS extensions AUTHORIZATION {owner}",
        "GRANT USAGE ON SCHEMA extensions TO PUBLIC",
    ]
    composed = [sql.SQL(text).format(**names) for text in texts]
    for name in EXTENSIONS:
        text = "CREATE EXTENSION IF NOT EXISTS {} SCHEMA extensions"
        composed.append(sql.SQL(text).format(sql.Identifier(name)))
    composed += [sql.SQL(text).format(**names) for text in STATISTICS]
    return [*composed, *rights.statements(database, owner=OWNER, application=APPLICATION)]


def _role(link: psycopg.Connection[tuple[object, ...]], name: str, password: str) -> None:
    """Create a login role, or give an existing one its rights and this password."""
    known = link.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name]).fetchone() is not None
    verb = "ALTER" if known else "CREATE"
    text = f"{verb} ROLE {{}} LOGIN NOSUPERUSER NOCREATEDB {_RIGHTS[name]} PASSWORD {{}}"
    link.execute(sql.SQL(text).format(sql.Identifier(name), sql.Literal(password)))
