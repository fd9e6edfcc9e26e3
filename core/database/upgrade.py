"""Migration of the three trees to their heads: ``platform``, ``node`` and every tenant's schema.

The shared schemas come first, then the canaries among the tenants, then the rest, in all data databases at the same
time.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from core.database.engines import DEFAULT_DATABASE, application_role, databases, owner_engine
from core.database.fleet import Fleet, Options, OutdatedSchema, behind, lasting
from core.database.scripts import MIGRATIONS, VERSION_TABLE, head, revisions, tree, upgrade_schema
from core.database.sessions import reachable
from core.errors import Conflict, Invalid, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection

    from core.telemetry.progress import LineCallback

__all__ = [
    "MIGRATIONS",
    "VERSION_TABLE",
    "Options",
    "UpgradeResult",
    "head",
    "migrate",
    "migrate_shared",
    "revisions",
    "tree",
    "upgrade_schema",
]

_LOCK = 0x11_7E_4A_7E
"""The advisory lock of a database's migration: two at the same time would run the same steps."""

_LOCK_SECONDS = 0.1
"""The seconds between two tries to take it."""


@dataclass(frozen=True, slots=True)
class UpgradeResult:
    """The result of a run.

    Attributes:
        upgraded: schemas that were behind and now are at head.
        skipped: the number of schemas that were at head already.
        failed: schema -> error; the schema stays at its old version.
        postponed: the number of tenants that were not begun, because a canary failed.
    """

    upgraded: tuple[str, ...]
    skipped: int
    failed: dict[str, str]
    postponed: int = 0


def default_options() -> Options:
    """The options for a fleet's migration from the installation's settings."""
    from core.settings import get_settings

    settings = get_settings()
    return Options(
        connections=settings.migrate_connections,
        lock_timeout=settings.migrate_lock_timeout,
        attempts=settings.migrate_attempts,
    )


def migrate_shared(*, progress: LineCallback = lambda _line: None) -> tuple[str, ...]:
    """Migrate ``platform`` and every ``node`` to head, but no tenant.

    Returns:
        The schemas that were behind.

    Raises:
        Unavailable: the owner's login is not configured, or a database cannot be reached or stays in use.
        Conflict: a newer version of the application migrated ``platform`` or ``node``.
    """
    with ExitStack() as stack:
        return tuple(
            name
            for database in databases()
            for name in _shared(stack.enter_context(_locked(database)), database, default_options(), progress)
        )


def migrate(
    *,
    progress: LineCallback = lambda _line: None,
    canaries: Sequence[str] | None = None,
    options: Options | None = None,
) -> UpgradeResult:
    """Migrate ``platform``, ``node`` and all tenants of every data database to head.

    Args:
        progress: receives a line for each schema that is done.
        canaries: slugs of the tenants that go first; if one fails, no other is begun. None: those of the settings.
        options: the options; None: those of the settings.

    Raises:
        Unavailable: the owner's login is not configured, or a database cannot be reached or stays in use.
        Conflict: a newer version of the application migrated ``platform`` or ``node``.
        Invalid: no tenant has the slug of a canary.
    """
    from core.settings import get_settings

    options = options or default_options()
    slugs = get_settings().migrate_canaries.split() if canaries is None else canaries
    upgraded: list[str] = []
    skipped = 0
    with ExitStack() as stack:
        links = {name: stack.enter_context(_locked(name)) for name in databases()}
        for database, connection in links.items():
            done = _shared(connection, database, options, progress)
            upgraded += done
            skipped += (2 if database == DEFAULT_DATABASE else 1) - len(done)
        fleets = {name: Fleet(name, options, progress) for name in links}
        first = _canaries(links[DEFAULT_DATABASE], slugs) if slugs else set()
        todo: dict[str, list[OutdatedSchema]] = {}
        for name, connection in links.items():
            todo[name], at_head = behind(connection)
            skipped += at_head
        _run(fleets, {name: [one for one in todo[name] if one.schema in first] for name in todo})
        rest = {name: [one for one in todo[name] if one.schema not in first] for name in todo}
        stopped = any(fleet.done.failed for fleet in fleets.values())
        while not stopped and any(rest.values()):
            _run(fleets, rest)
            # Processes with older code may have created tenants meanwhile, at their own version.
            rest = {name: _not_tried(behind(connection)[0], fleets[name]) for name, connection in links.items()}
        for name, connection in links.items():
            if fleets[name].done.upgraded:
                lasting(connection)
    failed: dict[str, str] = {}
    for fleet in fleets.values():
        upgraded += fleet.done.upgraded
        failed |= fleet.done.failed
    return UpgradeResult(tuple(upgraded), skipped, failed, sum(map(len, rest.values())) if stopped else 0)


def _run(fleets: dict[str, Fleet], todo: dict[str, list[OutdatedSchema]]) -> None:
    """Migrate the tenants of several databases at the same time."""
    with ThreadPoolExecutor(len(fleets), thread_name_prefix="database") as pool:
        for one in [pool.submit(fleet.run, todo[name]) for name, fleet in fleets.items() if todo[name]]:
            one.result()


def _not_tried(tenants: list[OutdatedSchema], fleet: Fleet) -> list[OutdatedSchema]:
    return [one for one in tenants if one.schema not in fleet.done.failed]


def _canaries(connection: Connection, slugs: Sequence[str]) -> set[str]:
    """The schemas of the tenants that go first.

    Raises:
        Invalid: no tenant has one of the slugs.
    """
    with connection.begin():
        rows = connection.execute(
            text("SELECT slug, schema_name FROM platform.tenants WHERE slug = ANY(:slugs)"), {"slugs": list(slugs)}
        ).all()
    if unknown := sorted(set(slugs) - {row.slug for row in rows}):
        detail = f"there is no tenant {', '.join(repr(slug) for slug in unknown)} to go first"
        raise Invalid(detail, command="see `iit tenant list`, and IIT_MIGRATE_CANARIES")
    return {row.schema_name for row in rows}


@contextmanager
def _locked(database: str) -> Iterator[Connection]:
    """The owner's connection to a database, with the lock that keeps other migrations out."""
    with reachable(owner_engine(database)) as connection:
        # A transaction that waits in a statement would deadlock with CREATE INDEX CONCURRENTLY of the holder.
        while not connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": _LOCK}):
            connection.rollback()
            time.sleep(_LOCK_SECONDS)
        connection.commit()
        yield connection


def _shared(connection: Connection, database: str, options: Options, progress: LineCallback) -> list[str]:
    """Migrate ``platform`` (in the control database) and ``node`` to head; return those that were behind."""
    names = ("platform", "node") if database == DEFAULT_DATABASE else ("node",)
    return [name for name in names if _upgrade_shared(connection, name, options, progress)]


def _upgrade_shared(connection: Connection, name: str, options: Options, progress: LineCallback) -> bool:
    """Migrate the schema ``platform`` or ``node`` to head; return False if it was at head already."""
    with connection.begin():
        table = connection.scalar(text("SELECT to_regclass(:table)"), {"table": f"{name}.{VERSION_TABLE}"})
        if table is not None:
            version = connection.scalar(text(f"SELECT version_num FROM {name}.{VERSION_TABLE}"))  # noqa: S608 - two fixed names
            if version == head(name):
                return False
            if version not in revisions(name):
                detail = f"the schema {name} is at a version that this application does not know"
                raise Conflict(detail, remedy="run the newer version of the application that migrated it")
        progress(name)
        connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {name}"))
    for attempt in range(options.attempts):
        try:
            _set_lock_timeout(connection, options.lock_timeout)
            upgrade_schema(connection, name, name)
            break
        except OperationalError as error:
            connection.rollback()
            if getattr(error.orig, "sqlstate", None) not in {"55P03", "40P01"}:
                raise
            if attempt + 1 == options.attempts:
                detail = f"tables of the schema {name} stayed in use"
                raise Unavailable(detail, command="run `iit migrate` again when the database is less busy") from error
            time.sleep(options.backoff * 2**attempt)
    _set_lock_timeout(connection, 0)
    with connection.begin():
        role = connection.dialect.identifier_preparer.quote_identifier(application_role())
        connection.execute(
            text(f"GRANT SELECT ON {name}.{VERSION_TABLE} TO {role}")
        )  # /health/ready compares it with head
    return True


def _set_lock_timeout(connection: Connection, seconds: float) -> None:
    """Set how long statements of this connection wait for a table in use; 0: for ever."""
    with connection.begin():
        wait = f"{round(seconds * 1000)}ms"
        connection.execute(text("SELECT set_config('lock_timeout', :wait, false)"), {"wait": wait})
