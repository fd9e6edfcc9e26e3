"""Migration of tenants' schemas to head: many at a time, each in one transaction.

One query finds the tenants that are behind. Where a script is plain DDL, its SQL is written one time and sent to each
tenant as one string. A tenant whose tables are in use is retried later. A tenant that fails is recorded in
``node.migration_failures``, and the others go on. The next run resumes a killed one.
"""

from __future__ import annotations

import random
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.pq import ExecStatus
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from core.database import scripts
from core.database.engines import owner_engine
from core.database.scope import OPAQUE_NAME, path_of_schema
from core.database.sessions import reachable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from psycopg.pq.abc import PGresult
    from sqlalchemy import Connection

    from core.telemetry.progress import LineCallback

_IN_THE_WAY = {"55P03", "40P01", "40001"}
"""Temporary conflicts with other transactions: a lock timeout, a deadlock, a serialization failure."""


@dataclass(frozen=True, slots=True)
class OutdatedSchema:
    """A tenant's schema that is not at head.

    Attributes:
        revision: its present migration.
        failed_before: whether an earlier run recorded a failure.
        attempts: tries in this run.
    """

    schema: str
    revision: str
    failed_before: bool = False
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class Options:
    """Options for the migration of a fleet.

    Attributes:
        connections: the number of connections to each data database.
        lock_timeout: seconds that a statement waits for a table in use.
        attempts: tries of a tenant whose tables stay in use.
        backoff: seconds before the second try; doubled for each further one.
    """

    connections: int = 4
    lock_timeout: float = 2.0
    attempts: int = 5
    backoff: float = 0.5


@dataclass
class FleetResult:
    """The results for the tenants of one database; ``failed`` maps a schema to its error."""

    upgraded: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


def behind(connection: Connection) -> tuple[list[OutdatedSchema], int]:
    """Return the tenants' schemas that are behind, and the number of those at head, from one query.

    Schemas that failed before come last, so that they delay nobody. A recorded failure is deleted where the schema came
    to head in another way, such as a restore from a backup.
    """
    with connection.begin():
        connection.execute(_SETTLED, {"head": scripts.head("tenant")})
        rows = connection.execute(
            text(
                "SELECT s.schema_name, s.revision, f.tenant_id IS NOT NULL AS failed FROM node.tenant_schemas AS s"
                " LEFT JOIN node.migration_failures AS f USING (tenant_id) ORDER BY failed, s.schema_name"
            )
        ).all()
    newest = scripts.head("tenant")
    outdated = [OutdatedSchema(row.schema_name, row.revision, row.failed) for row in rows if row.revision != newest]
    return outdated, len(rows) - len(outdated)


_SETTLED = text(
    "DELETE FROM node.migration_failures AS f USING node.tenant_schemas AS s"
    " WHERE s.tenant_id = f.tenant_id AND s.revision = :head"
)


class Fleet:
    """The workers of one data database."""

    def __init__(self, database: str, options: Options, progress: LineCallback) -> None:
        self.database = database
        self.options = options
        self.done = FleetResult()
        self._progress = progress
        self._lock = Lock()
        self._ready: deque[OutdatedSchema] = deque()
        self._later: list[tuple[float, OutdatedSchema]] = []
        self._broken: BaseException | None = None

    def run(self, todo: Iterable[OutdatedSchema]) -> None:
        """Migrate these tenants to head; the results are in ``done``.

        Raises:
            DatabaseUnavailable: the database cannot be reached.
        """
        self._ready.extend(todo)
        workers = min(self.options.connections, len(self._ready))
        if not workers:
            return
        for revision in {outdated.revision for outdated in self._ready} & set(scripts.revisions("tenant")):
            scripts.sql_for_many(revision, scripts.head("tenant"))  # load them before there are threads
        with ThreadPoolExecutor(workers, thread_name_prefix="migrate") as pool:
            for _ in range(workers):
                pool.submit(self._work)
        if self._broken is not None:
            raise self._broken

    def _work(self) -> None:
        """Run one worker, with one connection for its whole life."""
        try:
            while (outdated := self._next()) is not None:
                with _connected(self.database, self.options) as connection:
                    while outdated is not None and self._try(connection, outdated):
                        outdated = self._next()
        except BaseException as error:  # noqa: BLE001 - raised by run(), when all workers have ended
            self._broken = error

    def _next(self) -> OutdatedSchema | None:
        """Return the next tenant to try; None if none is left. Waits while every remaining tenant is postponed."""
        while self._broken is None:
            with self._lock:
                if self._ready:
                    return self._ready.popleft()
                if not self._later:
                    return None
                self._later.sort(key=lambda put_off: put_off[0])
                wait = self._later[0][0] - time.monotonic()
                if wait <= 0:
                    return self._later.pop(0)[1]
            time.sleep(min(wait, 0.2))
        return None

    def _try(self, connection: Connection, outdated: OutdatedSchema) -> bool:
        """Try to migrate one tenant to head; return False if the connection is lost."""
        outdated = replace(outdated, attempts=outdated.attempts + 1)
        try:
            upgrade(connection, outdated)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this tenant's, and the others go on
            lost = connection.invalidated or connection.closed or _driver(connection).closed
            if (lost or _sqlstate(error) in _IN_THE_WAY) and outdated.attempts < self.options.attempts:
                wait = self.options.backoff * 2 ** (outdated.attempts - 1) * random.uniform(0.8, 1.2)  # noqa: S311 - no secret
                with self._lock:
                    self._later.append((time.monotonic() + wait, outdated))
            elif lost:
                with _connected(self.database, self.options) as again:
                    self._failed(again, outdated, error)
            else:
                self._failed(connection, outdated, error)
            return not lost
        with self._lock:
            self.done.upgraded.append(outdated.schema)
            self._progress(outdated.schema)
        return True

    def _failed(self, connection: Connection, outdated: OutdatedSchema, error: Exception) -> None:
        why = plain(error)
        with self._lock:
            self.done.failed[outdated.schema] = why
            self._progress(outdated.schema)
        with connection.begin():
            connection.execute(
                _RECORD,
                {"schema": outdated.schema, "to": scripts.head("tenant"), "error": why, "attempts": outdated.attempts},
            )


_RECORD = text(
    "INSERT INTO node.migration_failures AS f (tenant_id, revision, error, attempts)"
    " SELECT tenant_id, :to, :error, :attempts FROM node.tenant_schemas WHERE schema_name = :schema"
    " ON CONFLICT (tenant_id) DO UPDATE SET error = excluded.error, failed_at = now(), revision = excluded.revision,"
    " attempts = excluded.attempts + CASE WHEN f.revision = excluded.revision THEN f.attempts ELSE 0 END"
)


def upgrade(connection: Connection, outdated: OutdatedSchema) -> None:
    """Migrate one tenant to head in one transaction, and record it in ``node``.

    Raises:
        CommandError: a newer version of the application migrated it.
        Exception: the error of a script; the transaction is rolled back.
    """
    newest = scripts.head("tenant")
    known = outdated.revision in scripts.revisions("tenant")
    many = scripts.sql_for_many(outdated.revision, newest) if known else None
    if many is not None:
        _send(_driver(connection), outdated, many, newest)
        return
    if not OPAQUE_NAME.fullmatch(outdated.schema) or not outdated.revision.isalnum():
        message = f"{outdated.schema!r} at {outdated.revision!r} is not a tenant's schema"
        raise ValueError(message)
    with connection.begin():
        for statement in _arrived(outdated, newest):
            connection.exec_driver_sql(statement)
        scripts.upgrade_schema(connection, "tenant", outdated.schema)


def _send(driver: psycopg.Connection[Any], outdated: OutdatedSchema, many: str, newest: str) -> None:
    """Send a tenant's whole upgrade as one string, which PostgreSQL runs as one transaction in one round trip.

    The first statement locks out other upgrades, moves and deletions of this tenant. The last one fails if the schema
    was not at the expected revision, so that everything is rolled back.

    ``libpq`` is called directly, because Python's work on some ten results would cost as much as PostgreSQL's.

    Raises:
        MisplacedSchema: the schema was not at that revision.
        psycopg.Error: a statement failed.
        ValueError: the schema's name is not that of a tenant.
    """
    if not OPAQUE_NAME.fullmatch(outdated.schema):
        message = f"{outdated.schema!r} is not a tenant's schema"
        raise ValueError(message)
    parts = [
        *_arrived(outdated, newest),
        f"SELECT set_config('search_path', '{path_of_schema(outdated.schema)}', true)",
        many.replace(scripts.PLACEHOLDER, outdated.schema).strip().rstrip(";"),
        _CHECK.format(misplaced=_MISPLACED, newest=newest, table=scripts.VERSION_TABLE),
    ]
    result = driver.pgconn.exec_(";\n".join(parts).encode())
    if result.status not in (ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK):
        raise _failure(result, outdated)


class MisplacedSchema(Exception):  # noqa: N818 - results show its name
    """A schema is not at the revision that ``node`` records. The message names both, and the remedy."""


_MISPLACED = "the schema is not at the revision that node records"
_CHECK = (
    "SELECT CASE count(*) FILTER (WHERE version_num = '{newest}') WHEN 1 THEN 1"
    " ELSE (';{misplaced};' || coalesce(string_agg(version_num, ', '), 'no revision') || ';')::int END FROM {table}"
)
"""Expression that fails unless the schema is at the newest revision: it casts a text with the present revision to a
number.

PostgreSQL's error repeats that text. The text depends on the rows, so PostgreSQL cannot evaluate the cast too early.
"""


def _failure(result: PGresult, outdated: OutdatedSchema) -> Exception:
    """Return the server's error, or ``MisplacedSchema`` if ``_CHECK`` failed."""
    error = psycopg.errors.error_from_result(result)
    _, mark, rest = (error.diag.message_primary or "").partition(f";{_MISPLACED};")
    if not mark:
        return error
    return MisplacedSchema(
        f"{_MISPLACED}: its {scripts.VERSION_TABLE} holds {rest.partition(';')[0]}, node.tenant_schemas holds"
        f" {outdated.revision}; correct the one that is wrong, and migrate again"
    )


def _arrived(outdated: OutdatedSchema, newest: str) -> Iterator[str]:
    """The statements that update ``node``. Names and revisions are checked, so they can be part of the text."""
    yield (
        f"UPDATE node.tenant_schemas SET revision = '{newest}', migrated_at = now()"  # noqa: S608 - as said above
        f" WHERE schema_name = '{outdated.schema}' AND revision = '{outdated.revision}'"
    )
    if outdated.failed_before:
        yield (
            "DELETE FROM node.migration_failures AS f USING node.tenant_schemas AS s"  # noqa: S608 - as above
            f" WHERE f.tenant_id = s.tenant_id AND s.schema_name = '{outdated.schema}'"
        )


@contextmanager
def _connected(database: str, options: Options) -> Iterator[Connection]:
    with reachable(owner_engine(database)) as connection:
        wait = f"{round(options.lock_timeout * 1000)}ms"
        connection.execute(_WORKER, {"wait": wait})
        connection.commit()
        yield connection


_WORKER = text("SELECT set_config('lock_timeout', :wait, false), set_config('synchronous_commit', 'off', false)")
"""Settings of a worker's connection. Commits do not wait for the disk, which saves a third of the time.

A crash of the server can lose whole steps, but never a part of one.
"""

_LASTING = text("SELECT pg_logical_emit_message(true, 'iit', 'migrated')")
"""A small write whose commit waits for the disk."""


def lasting(connection: Connection) -> None:
    """Flush all that workers committed to the disk, before anybody hears that the fleet is at head."""
    with connection.begin():
        connection.execute(_LASTING)


def _driver(connection: Connection) -> psycopg.Connection[Any]:
    driver = connection.connection.driver_connection
    if not isinstance(driver, psycopg.Connection):
        message = "the owner's connection is not a psycopg connection"
        raise TypeError(message)
    return driver


def _sqlstate(error: Exception) -> str | None:
    cause = error.orig if isinstance(error, DBAPIError) else error
    return getattr(cause, "sqlstate", None)


def plain(error: Exception) -> str:
    """The error without the values that PostgreSQL's detail may carry."""
    from alembic.util.exc import CommandError

    if isinstance(error, CommandError):
        return f"{error}: the schema was migrated by a newer version of this application"
    if isinstance(error, MisplacedSchema):
        return f"{type(error).__name__}: {error}"
    cause = error.orig if isinstance(error, DBAPIError) else error
    message = getattr(getattr(cause, "diag", None), "message_primary", None)
    return f"{type(cause).__name__}: {message or 'no message'}"
