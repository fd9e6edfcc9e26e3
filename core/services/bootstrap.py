"""What only a superuser can make in a new database: roles, the database itself, and the extensions in their own schema.

The one place outside ``core.database`` that opens a connection, since it makes what ``core.database`` logs in to.
On an external server its operator does the same by hand: see docs/how-to/run-on-your-own-servers.md.
"""

from __future__ import annotations

import hashlib
from functools import cache

import psycopg
from psycopg import sql

from core.services import rights

DATABASE = "iit"
OWNER = "iit_owner"
APPLICATION = "iit_app"
_RIGHTS = {OWNER: "CREATEROLE INHERIT", APPLICATION: "NOCREATEROLE NOINHERIT"}
EXTENSIONS = ("vector", "pg_trgm", "btree_gist")


def bootstrap(superuser_url: str, *, owner_password: str, app_password: str, database: str = DATABASE) -> None:
    """Make roles, database, schema ``extensions`` and the extensions, leaving alone what is there already.

    Args:
        superuser_url: a superuser's login to the database ``postgres``.
        owner_password: password of ``iit_owner``, who owns the database, makes tenants' roles, and is no superuser.
        app_password: password of ``iit_app``, which has no rights of its own and inherits none.
        database: its name on the server.

    Raises:
        psycopg.Error: the server refused.
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
    """What is made, in short: an installation that older code made is brought up to it when it is next asked for."""
    text = "\n".join([*(statement.as_string(None) for statement in statements()), *_RIGHTS.values()])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def statements(database: str = DATABASE) -> list[sql.Composed]:
    """What is run inside the new database. Each can be run again."""
    names = {
        "database": sql.Identifier(database),
        "owner": sql.Identifier(OWNER),
        "app": sql.Identifier(APPLICATION),
    }
    texts = [
        "REVOKE CONNECT ON DATABASE {database}, postgres, template1 FROM PUBLIC",
        "GRANT CONNECT, TEMPORARY ON DATABASE {database} TO {owner}, {app}",
        # A session that names no tenant must see nothing, and must say so loudly.
        "ALTER ROLE {app} IN DATABASE {database} SET search_path TO ''",
        "REVOKE ALL ON SCHEMA public FROM PUBLIC",
        "CREATE SCHEMA IF NOT EXISTS extensions AUTHORIZATION {owner}",
        "GRANT USAGE ON SCHEMA extensions TO PUBLIC",
    ]
    made = [sql.SQL(text).format(**names) for text in texts]
    for name in EXTENSIONS:
        text = "CREATE EXTENSION IF NOT EXISTS {} SCHEMA extensions"
        made.append(sql.SQL(text).format(sql.Identifier(name)))
    return [*made, *rights.statements(database, owner=OWNER, application=APPLICATION)]


def _role(link: psycopg.Connection[tuple[object, ...]], name: str, password: str) -> None:
    """Make a login role, or give the one that is there its rights and this password."""
    known = link.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name]).fetchone() is not None
    verb = "ALTER" if known else "CREATE"
    text = f"{verb} ROLE {{}} LOGIN NOSUPERUSER NOCREATEDB {_RIGHTS[name]} PASSWORD {{}}"
    link.execute(sql.SQL(text).format(sql.Identifier(name), sql.Literal(password)))
