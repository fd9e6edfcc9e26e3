"""Bringing the three trees of migrations to their heads: ``platform``, ``node`` and every tenant's schema.

First what is shared, then the canaries among the tenants, then the rest, every data database at the same time.
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
from core.database.fleet import Behind, Fleet, Options, behind, lasting
from core.database.scripts import MIGRATIONS, VERSION_TABLE, head, revisions, tree, upgrade_schema
from core.database.sessions import reachable
from core.errors import Conflict, Invalid, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlalchemy import Connection

__all__ = [
    "MIGRATIONS",
    "VERSION_TABLE",
    "Migrated",
    "Options",
    "head",
    "migrate",
    "migrate_shared",
    "revisions",
    "tree",
    "upgrade_schema",
]

_LOCK = 0x11_7E_4A_7E
"""Advisory lock of whoever migrates a database: two at once would run the same steps."""

_LOCK_SECONDS = 0.1
"""Between two tries to take it."""


@dataclass(frozen=True, slots=True)
class Migrated:
    """What one run did.

    Attributes:
        upgraded: schemas that were behind and now are at head.
        skipped: how many were at head already.
        failed: schema -> what went wrong; it is left at the version it had.
        held: how many tenants were not begun, because a canary failed.
    """

    upgraded: tuple[str, ...]
    skipped: int
    failed: dict[str, str]
    held: int = 0


def default_options() -> Options:
    """What the installation's settings say of how a fleet is brought to head."""
    from core.settings import get_settings

    settings = get_settings()
    return Options(
        connections=settings.migrate_connections,
        lock_timeout=settings.migrate_lock_timeout,
        attempts=settings.migrate_attempts,
    )


def migrate_shared(*, progress: Callable[[str], None] = lambda _line: None) -> tuple[str, ...]:
    """Bring ``platform`` and every ``node`` to head, and leave tenants where they stand.

    Returns:
        The schemas that were behind.

    Raises:
        Unavailable: the owner's login is not configured, or a database cannot be reached or stays in use.
        Conflict: ``platform`` or ``node`` was migrated by a newer version of the application.
    """
    with ExitStack() as stack:
        return tuple(
            name
            for database in databases()
            for name in _shared(stack.enter_context(_locked(database)), database, default_options(), progress)
        )


def migrate(
    *,
    progress: Callable[[str], None] = lambda _line: None,
    canaries: Sequence[str] | None = None,
    options: Options | None = None,
) -> Migrated:
    """Bring ``platform``, ``node`` and all tenants of every data database to head.

    Args:
        progress: told of each schema that was dealt with.
        canaries: slugs of the tenants that go first: where one fails, no other is begun. None: as the settings say.
        options: how; None: as the settings say.

    Raises:
        Unavailable: the owner's login is not configured, or a database cannot be reached or stays in use.
        Conflict: ``platform`` or ``node`` was migrated by a newer version of the application.
        Invalid: a canary is no tenant.
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
        todo: dict[str, list[Behind]] = {}
        for name, connection in links.items():
            todo[name], at_head = behind(connection)
            skipped += at_head
        _run(fleets, {name: [one for one in todo[name] if one.schema in first] for name in todo})
        rest = {name: [one for one in todo[name] if one.schema not in first] for name in todo}
        held = any(fleet.done.failed for fleet in fleets.values())
        while not held and any(rest.values()):
            _run(fleets, rest)
            # Code that still runs may have made tenants meanwhile, at its own version.
            rest = {name: _not_tried(behind(connection)[0], fleets[name]) for name, connection in links.items()}
        for name, connection in links.items():
            if fleets[name].done.upgraded:
                lasting(connection)
    failed: dict[str, str] = {}
    for fleet in fleets.values():
        upgraded += fleet.done.upgraded
        failed |= fleet.done.failed
    return Migrated(tuple(upgraded), skipped, failed, sum(map(len, rest.values())) if held else 0)


def _run(fleets: dict[str, Fleet], todo: dict[str, list[Behind]]) -> None:
    """Bring the tenants of several databases to head at the same time."""
    with ThreadPoolExecutor(len(fleets), thread_name_prefix="database") as pool:
        for one in [pool.submit(fleet.run, todo[name]) for name, fleet in fleets.items() if todo[name]]:
            one.result()


def _not_tried(found: list[Behind], fleet: Fleet) -> list[Behind]:
    return [one for one in found if one.schema not in fleet.done.failed]


def _canaries(connection: Connection, slugs: Sequence[str]) -> set[str]:
    """The schemas of the tenants that go first.

    Raises:
        Invalid: a slug is no tenant's.
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
    """The owner's connection to a database that nobody else migrates meanwhile."""
    with reachable(owner_engine(database)) as connection:
        # Who waits in a statement is a transaction that CREATE INDEX CONCURRENTLY of the holder waits for: a deadlock.
        while not connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": _LOCK}):
            connection.rollback()
            time.sleep(_LOCK_SECONDS)
        connection.commit()
        yield connection


def _shared(connection: Connection, database: str, options: Options, progress: Callable[[str], None]) -> list[str]:
    """Bring ``platform`` (in the control database) and ``node`` to head; gives those that were behind."""
    names = ("platform", "node") if database == DEFAULT_DATABASE else ("node",)
    return [name for name in names if _upgrade_shared(connection, name, options, progress)]


def _upgrade_shared(connection: Connection, name: str, options: Options, progress: Callable[[str], None]) -> bool:
    """Bring the schema ``platform`` or ``node`` to head; False when it was there."""
    with connection.begin():
        table = connection.scalar(text("SELECT to_regclass(:table)"), {"table": f"{name}.{VERSION_TABLE}"})
        if table is not None:
            found = connection.scalar(text(f"SELECT version_num FROM {name}.{VERSION_TABLE}"))  # noqa: S608 - two fixed names
            if found == head(name):
                return False
            if found not in revisions(name):
                detail = f"the schema {name} stands at a version that this application does not know"
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
                raise Unavailable(detail, command="run `iit migrate` again when less is going on") from error
            time.sleep(options.backoff * 2**attempt)
    _set_lock_timeout(connection, 0)
    with connection.begin():
        role = connection.dialect.identifier_preparer.quote_identifier(application_role())
        connection.execute(text(f"GRANT SELECT ON {name}.{VERSION_TABLE} TO {role}"))  # /readyz compares it with head
    return True


def _set_lock_timeout(connection: Connection, seconds: float) -> None:
    """How long statements of this connection wait for a table that is in use; 0: for ever."""
    with connection.begin():
        wait = f"{round(seconds * 1000)}ms"
        connection.execute(text("SELECT set_config('lock_timeout', :wait, false)"), {"wait": wait})
