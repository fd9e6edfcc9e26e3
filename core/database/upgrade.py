"""Bringing the three trees of migrations to their heads: ``platform``, ``node`` and every tenant's schema.

Alembic's scripts are read once per process; which tenants are behind is one query; a tenant that fails is rolled back
and reported, and the others go on.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from core.database.engines import application_role, databases, owner_engine
from core.database.scope import enter, path_of_schema
from core.database.sessions import reachable
from core.errors import Conflict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from alembic.runtime.migration import MigrationContext, RevisionStep
    from alembic.script import ScriptDirectory
    from sqlalchemy import Connection

MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"
VERSION_TABLE = "alembic_version"
_LOCK = 0x11_7E_4A_7E
"""Advisory lock of whoever migrates a database: two at once would run the same steps."""


@dataclass(frozen=True, slots=True)
class Migrated:
    """What one run did.

    Attributes:
        upgraded: schemas that were behind and now are at head.
        skipped: how many were at head already.
        failed: schema -> what went wrong; it is left at the version it had.
    """

    upgraded: tuple[str, ...]
    skipped: int
    failed: dict[str, str]


@cache
def tree(name: str) -> ScriptDirectory:
    """The scripts of one tree: ``platform``, ``node`` or ``tenant``."""
    from alembic.script import ScriptDirectory  # not at start-up: the API needs the trees' heads only for new tenants

    return ScriptDirectory(str(MIGRATIONS / name))


def head(name: str) -> str:
    """The newest revision of a tree.

    Raises:
        LookupError: the tree has no script.
    """
    newest = tree(name).get_current_head()
    if newest is None:
        message = f"migrations/{name} has no script: run python -m migrations.render"
        raise LookupError(message)
    return newest


def upgrade_schema(connection: Connection, name: str, schema: str) -> None:
    """Run the scripts of tree ``name`` that ``schema`` lacks, in the connection's transaction."""
    from alembic.operations import Operations
    from alembic.runtime.migration import MigrationContext

    scripts = tree(name)

    def steps(revision: Any, _context: MigrationContext) -> Iterable[RevisionStep]:  # noqa: ANN401 - alembic's
        return scripts._upgrade_revs("head", revision)  # noqa: SLF001 - as alembic's own command.upgrade does

    enter(connection, role=None, path=path_of_schema(schema), readonly=False)
    options = {
        "fn": steps,
        "version_table": VERSION_TABLE,
        "version_table_schema": schema,
        "application_role": application_role(),
        "schema": schema,
    }
    context = MigrationContext.configure(connection, opts=options)
    with Operations.context(context):
        context.run_migrations()


def migrate(*, progress: Callable[[str], None] = lambda _line: None) -> Migrated:
    """Bring ``platform``, ``node`` and all tenants of every data database to head.

    Args:
        progress: told of each schema before it is upgraded.

    Raises:
        Unavailable: the owner's login is not configured, or a database cannot be reached.
        Conflict: ``platform`` or ``node`` was migrated by a newer version of the application.
    """
    upgraded: list[str] = []
    failed: dict[str, str] = {}
    skipped = 0
    for number, database in enumerate(databases()):
        with _locked(database) as connection:
            for name in ("platform", "node") if number == 0 else ("node",):
                if _upgrade_shared(connection, name, progress):
                    upgraded.append(name)
                else:
                    skipped += 1
            behind, at_head = _tenants_behind(connection)
            skipped += at_head
            for schema in behind:
                progress(schema)
                try:
                    _upgrade_tenant(connection, schema)
                except Exception as error:
                    if connection.invalidated or connection.closed:
                        raise
                    failed[schema] = _plain(error)
                else:
                    upgraded.append(schema)
    return Migrated(tuple(upgraded), skipped, failed)


@contextmanager
def _locked(database: str) -> Iterator[Connection]:
    """The owner's connection to a database that nobody else migrates meanwhile."""
    with reachable(owner_engine(database)) as connection:
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _LOCK})
        connection.commit()
        yield connection


def _upgrade_shared(connection: Connection, name: str, progress: Callable[[str], None]) -> bool:
    """Bring the schema ``platform`` or ``node`` to head; False when it was there."""
    from alembic.util.exc import CommandError

    with connection.begin():
        table = connection.scalar(text("SELECT to_regclass(:table)"), {"table": f"{name}.{VERSION_TABLE}"})
        if table is not None:
            found = connection.scalar(text(f"SELECT version_num FROM {name}.{VERSION_TABLE}"))  # noqa: S608 - two fixed names
            if found == head(name):
                return False
        progress(name)
        connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {name}"))
        try:
            upgrade_schema(connection, name, name)
        except CommandError as error:
            detail = f"the schema {name} stands at a version that this application does not know"
            raise Conflict(detail, remedy="run the newer version of the application that migrated it") from error
        role = connection.dialect.identifier_preparer.quote_identifier(application_role())
        connection.execute(text(f"GRANT SELECT ON {name}.{VERSION_TABLE} TO {role}"))  # /readyz compares it with head
    return True


def _tenants_behind(connection: Connection) -> tuple[list[str], int]:
    """The tenants' schemas that are not at head, and how many are: one query, however many tenants."""
    with connection.begin():
        rows = connection.execute(text("SELECT schema_name, revision FROM node.tenant_schemas ORDER BY schema_name"))
        revisions: dict[str, str] = {row.schema_name: row.revision for row in rows}
    newest = head("tenant")
    behind = [schema for schema, revision in revisions.items() if revision != newest]
    return behind, len(revisions) - len(behind)


def _upgrade_tenant(connection: Connection, schema: str) -> None:
    with connection.begin():
        upgrade_schema(connection, "tenant", schema)
        connection.execute(
            text(
                "UPDATE node.tenant_schemas SET revision = :revision, migrated_at = now() WHERE schema_name = :schema"
            ),
            {"revision": head("tenant"), "schema": schema},
        )


def _plain(error: Exception) -> str:
    """What went wrong, without the values that PostgreSQL's detail may carry."""
    from alembic.util.exc import CommandError

    if isinstance(error, CommandError):
        return f"{error}: the schema was migrated by a newer version of this application"
    cause = error.orig if isinstance(error, DBAPIError) else error
    message = getattr(getattr(cause, "diag", None), "message_primary", None)
    return f"{type(cause).__name__}: {message or 'no message'}"
