"""Trees of migrations: read one time per process, run on one schema, or rendered as SQL for many."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from core.database.engines import application_role
from core.database.scope import path_of_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from alembic.runtime.migration import MigrationContext, RevisionStep
    from alembic.script import ScriptDirectory
    from sqlalchemy import Connection

MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"
VERSION_TABLE = "alembic_version"
PLACEHOLDER = "t_" + "0" * 20
"""The schema name in SQL for many tenants, to be replaced by each tenant's."""


@cache
def tree(name: str) -> ScriptDirectory:
    """The scripts of one tree: ``platform``, ``node`` or ``tenant``."""
    from alembic.script import ScriptDirectory  # takes a second to import: only where a schema is behind

    return ScriptDirectory(str(MIGRATIONS / name))


def revisions(name: str) -> tuple[str, ...]:
    """The revisions of a tree, oldest first. File names begin with them, so no file is read.

    Raises:
        LookupError: the tree has no script.
    """
    return _revisions(MIGRATIONS / name / "versions")


@cache
def _revisions(folder: Path) -> tuple[str, ...]:
    revisions = sorted(script.name.split("_")[0] for script in folder.glob("[0-9]*_*.py"))
    if not revisions:
        message = f"{folder.parent.name} has no migration: run python -m migrations.render"
        raise LookupError(message)
    return tuple(revisions)


def forget() -> None:
    """Forget the trees that were read, for a process that adds a script."""
    for cached in (tree, _revisions, sql_for_many):
        cached.cache_clear()


def head(name: str) -> str:
    """The newest revision of a tree.

    Raises:
        LookupError: the tree has no script.
    """
    return revisions(name)[-1]


def upgrade_schema(connection: Connection, name: str, schema: str, *, to: str = "head") -> None:
    """Run the scripts of tree ``name`` that ``schema`` lacks, up to the revision ``to``.

    They run within the connection's transaction where one has begun. Otherwise each script has its own transaction, and
    may leave it for statements that PostgreSQL allows in none (``migrations.operations.concurrently``).
    """
    from alembic.operations import Operations
    from alembic.runtime.migration import MigrationContext

    within = connection.in_transaction()
    connection.execute(_PATH, {"path": path_of_schema(schema), "local": within})
    if not within:
        connection.commit()
    options = {**_options(name, schema, to), "transaction_per_migration": not within}
    context = MigrationContext.configure(connection, opts=options)
    with Operations.context(context), context.begin_transaction():
        context.run_migrations()
    if not within:
        connection.execute(_PATH, {"path": "", "local": False})
        connection.commit()


_PATH = text("SELECT set_config('search_path', :path, :local)")


@cache
def sql_for_many(revision: str, newest: str) -> str | None:
    """The SQL that migrates a tenant's schema from ``revision`` to ``newest``, for the schema ``PLACEHOLDER``.

    Alembic's work is done one time for all tenants at the same revision.

    Returns:
        None if a script sets ``DATA_STEPS = True``. Such a script reads the rows that it
            changes, so it runs tenant by tenant.
    """
    from alembic.operations import Operations
    from alembic.runtime.migration import MigrationContext
    from sqlalchemy.dialects import postgresql

    steps = list(tree("tenant").iterate_revisions(newest, revision))
    if any(getattr(step.module, "DATA_STEPS", False) for step in steps):
        return None
    written = io.StringIO()
    options = {
        **_options("tenant", PLACEHOLDER),
        "as_sql": True,
        "literal_binds": True,
        "starting_rev": revision,
        "output_buffer": written,
        "transactional_ddl": False,
    }
    # Named parameters, so that no percent sign is doubled for a driver that would halve it.
    dialect = postgresql.dialect(paramstyle="named")  # type: ignore[no-untyped-call]
    context = MigrationContext.configure(dialect=dialect, opts=options)
    with Operations.context(context):
        context.run_migrations()
    return written.getvalue()


def _options(name: str, schema: str, to: str = "head") -> dict[str, Any]:
    scripts = tree(name)

    def steps(revision: Any, _context: MigrationContext) -> Iterable[RevisionStep]:  # noqa: ANN401 - alembic's
        return scripts._upgrade_revs(to, revision)  # noqa: SLF001 - as alembic's own command.upgrade does

    run: Callable[..., Iterable[RevisionStep]] = steps
    return {
        "fn": run,
        "version_table": VERSION_TABLE,
        "version_table_schema": schema,
        "application_role": application_role(),
        "schema": schema,
    }
