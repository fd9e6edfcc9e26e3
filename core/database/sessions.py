"""Sessions: each is one transaction in one scope, committed at a clean exit and rolled back otherwise."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

import psycopg
from psycopg.rows import dict_row
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlmodel import Session

from core.database import joining, scripts, transactions
from core.database.absent import DatabaseNotMigrated, DatabaseUnavailable, TenantMoving, TenantUpgrading
from core.database.affinity import remember, wanting
from core.database.committed import after_write
from core.database.driver_errors import explained, is_lost, sqlstate_of
from core.database.engines import DEFAULT_DATABASE, application_engine, owner_engine
from core.database.reach import WHOLE_TENANT, Reach
from core.database.scope import AS_LOGIN, TenantRef, TenantRequired, enter, path_of_schema
from core.database.statements import set_local

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlalchemy import Connection
    from sqlalchemy.orm import SessionTransaction

_READ_ONLY = "25006"
_NO_SUCH_ROLE = ("42501", "22023")
"""SQLSTATEs when the application may no longer take the tenant's role, or the role is gone: the tenant has moved."""

_NOT_THERE_YET = {"3F000", "42P01", "42703", "42P10", "42883", "42501", "23514"}
"""SQLSTATEs when a schema lacks the code's newest tables, columns, unique indexes, functions, grants or values."""

_S = TypeVar("_S", bound=Session)


class _ScopedSession(Session):
    """A session that begins every transaction with its scope.

    A joined session is a savepoint of another session's transaction, in the same scope.
    """

    def __init__(
        self, bind: Engine | Connection, *, role: str | None, path: str, readonly: bool, joined: bool = False
    ) -> None:
        mode: Literal["create_savepoint", "conditional_savepoint"] = "conditional_savepoint"
        if joined:
            mode = "create_savepoint"
        super().__init__(bind, expire_on_commit=False, join_transaction_mode=mode)
        self._scope: dict[str, Any] = {"role": role, "path": path, "readonly": readonly}
        self._joined = joined


@event.listens_for(_ScopedSession, "after_begin")
def _begin_scope(session: Session, transaction: SessionTransaction, connection: Connection) -> None:
    if not transaction.nested and isinstance(session, _ScopedSession) and not session._joined:  # noqa: SLF001
        enter(connection, **session._scope)  # noqa: SLF001 - the class above
        if isinstance(session, TenantSession):
            remember(connection.connection, session.tenant.id)


class TenantSession(_ScopedSession):
    """One transaction of one tenant, in its role and schema.

    Attributes:
        tenant: the tenant.
        actor: who acts, for the audit: ``api_key:<id>``, ``cli:<user>`` or ``job:<id>``.
        request_id: the request that it serves.
        reach: the facilities whose rows it may show and change; the rooms' queries confine themselves to them.
    """

    def __init__(
        self,
        bind: Engine | Connection,
        tenant: TenantRef,
        *,
        actor: str,
        request_id: str | None = None,
        readonly: bool = False,
        as_owner: bool = False,
        reach: Reach = WHOLE_TENANT,
        joined: bool = False,
    ) -> None:
        _require(tenant)
        if not actor:
            message = "a tenant's session needs an actor"
            raise ValueError(message)
        role = None if as_owner else tenant.role_name
        path = path_of_schema(tenant.schema_name)
        super().__init__(bind, role=role, path=path, readonly=readonly, joined=joined)
        self.tenant = tenant
        self.actor = actor
        self.request_id = request_id
        self.reach = reach
        self._last: list[tuple[str, Sequence[object]]] = []

    @property
    def joined(self) -> bool:
        """Whether the session is a savepoint of another session's transaction."""
        return self._joined

    def at_commit(self, query: str, values: Sequence[object]) -> bool:
        """Send a statement together with the COMMIT, in one round trip; if that is not possible, send it at once.

        If the statement fails, the transaction rolls back. For writes that nobody reads again in this transaction, such
        as the audit row of a read.

        Returns:
            Whether the statement goes with the COMMIT.
        """
        # Within a savepoint, the statement must go with a rollback; in a foreign transaction we do not commit.
        if self.in_nested_transaction() or not isinstance(self.bind, Engine):
            self.cursor().execute(query, values)
            return False
        self._last.append((query, values))
        return True

    def commit(self) -> None:
        """Commit, after the statements for the commit."""
        last, self._last = self._last, []
        if last:
            self.flush()
            driver = psycopg_connection(self)
            with driver.pipeline():
                for query, values in last:
                    driver.execute(query, values)
                driver.commit()
        super().commit()

    def rollback(self) -> None:
        """Roll back, and forget the statements for the commit."""
        self._last = []
        super().rollback()

    def set_local(self, **values: str) -> None:
        """Change parameters such as ``work_mem`` until the transaction ends; see ``statements.set_local``."""
        with self.cursor() as cursor:
            set_local(cursor, **values)

    def leave_role(self) -> None:
        """Act as the application's login until the transaction ends. No table of the tenant can be reached after that.

        Use it to call a function of ``node`` that the tenant's role may not call.
        """
        with self.cursor() as cursor:
            cursor.execute("SET LOCAL ROLE NONE")

    def cursor(self) -> psycopg.Cursor[Any]:
        """A psycopg cursor in this transaction, for plain SQL and COPY. Flushes the session first."""
        self.flush()
        return psycopg_connection(self).cursor()


def psycopg_connection(session: Session) -> psycopg.Connection[Any]:
    """Return the psycopg connection of the session's transaction.

    Never commit it, and never use it after the session.
    """
    driver = session.connection().connection.driver_connection
    if not isinstance(driver, psycopg.Connection):
        message = "the session has no psycopg connection"
        raise TypeError(message)
    return driver


@contextmanager
def tenant_session(
    tenant: TenantRef,
    *,
    actor: str,
    request_id: str | None = None,
    readonly: bool = False,
    reach: Reach = WHOLE_TENANT,
    engine: Engine | None = None,
) -> Iterator[TenantSession]:
    """One transaction of ``tenant``, for the facilities of ``reach``; on its database, or where ``engine`` leads.

    Raises:
        TenantRequired: ``tenant`` is None or no ``TenantRef``.
        TenantUpgrading: its schema is behind the code and lacks what was asked for.
        TenantMoving: it is being moved and the transaction writes; or ``tenant`` names its place before a move.
        DatabaseUnavailable: the database cannot be reached, or the connection broke.
    """
    _require(tenant)
    outer, opened = None, False
    if engine is None:
        engine, outer = application_engine(tenant.database), joining.outer_connection(tenant.id)
    try:
        begun = TenantSession(
            engine if outer is None else outer,
            tenant,
            actor=actor,
            request_id=request_id,
            readonly=readonly,
            reach=reach,
            joined=outer is not None,
        )
        with _run(begun) as session, transactions.noted(session):
            opened = True
            yield session
        if not readonly and outer is None:
            after_write(tenant)
    except (DBAPIError, psycopg.Error) as error:
        state = sqlstate_of(error)
        if (opened and not readonly and state == _READ_ONLY) or (not opened and state in _NO_SUCH_ROLE):
            detail = "the tenant's data are being moved: nothing can be written for a moment"
            raise TenantMoving(detail, remedy="send the same request again", retry_after=1) from error
        if opened and state in _NOT_THERE_YET and _is_behind(tenant):
            detail = f"the data of {tenant.slug} are being upgraded, and this request needs the upgrade"
            raise TenantUpgrading(detail, remedy="send the same request again later", retry_after=30) from error
        raise


@contextmanager
def node_session(database: str = DEFAULT_DATABASE) -> Iterator[Session]:
    """One transaction of the application in ``node`` of a data database. No tenant's table is reachable.

    Raises:
        DatabaseUnavailable: the database cannot be reached, or the connection broke.
        DatabaseNotMigrated: the database lacks a table that the code needs.
    """
    outer = joining.outer_connection(database)
    bind, joined = (application_engine(database), False) if outer is None else (outer, True)
    begun = _ScopedSession(bind, role=AS_LOGIN, path="", readonly=False, joined=joined)
    with _migrated(database), _run(begun) as session:
        yield session


def look_up(query: str, values: Sequence[object]) -> Mapping[str, Any] | None:
    """Return the first row of one statement on ``platform``, outside any transaction. Each request begins with it.

    Args:
        query: with ``%s`` for each value, and tables named with their schema.
        values: the values.

    Raises:
        DatabaseUnavailable: the database cannot be reached, or the connection broke.
    """
    with _migrated(DEFAULT_DATABASE), explained():
        try:
            return _first(query, values)
        except psycopg.OperationalError as error:
            if not is_lost(error):
                raise
            return _first(query, values)  # the server has restarted since this connection was used


def _first(query: str, values: Sequence[object]) -> Mapping[str, Any] | None:
    connection = application_engine(DEFAULT_DATABASE).raw_connection()
    try:
        driver = cast("psycopg.Connection[Any]", connection.driver_connection)
        with driver.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(query, tuple(values)).fetchone()
    except psycopg.OperationalError:
        connection.invalidate()
        raise
    finally:
        connection.close()


@contextmanager
def platform_session() -> Iterator[Session]:
    """One transaction of the application in ``platform`` of the control database.

    Raises:
        DatabaseUnavailable: the database cannot be reached, or the connection broke.
    """
    with node_session(DEFAULT_DATABASE) as session:
        yield session


@contextmanager
def owner_session(database: str = DEFAULT_DATABASE) -> Iterator[Session]:
    """One transaction of the owner: migrations and provisioning only.

    Raises:
        Unavailable: the owner's login is not configured, or the database cannot be reached.
    """
    session = _ScopedSession(owner_engine(database), role=None, path="", readonly=False)
    with _migrated(database), _run(session) as opened:
        yield opened


@contextmanager
def owner_connection(database: str = DEFAULT_DATABASE) -> Iterator[psycopg.Connection[Any]]:
    """The owner's psycopg connection in one transaction: migrations and provisioning only.

    Raises:
        Unavailable: the owner's login is not configured, or the database cannot be reached.
    """
    with owner_session(database) as session:
        yield psycopg_connection(session)


@contextmanager
def reachable(engine: Engine) -> Iterator[Connection]:
    """A connection of ``engine``, for callers that control their own transactions (migrations).

    Raises:
        DatabaseUnavailable: the database cannot be reached.
    """
    with explained():
        connection = engine.connect()
    with connection:
        yield connection


@contextmanager
def _run(session: _S) -> Iterator[_S]:
    """Open the transaction, yield the session, then commit or roll back."""
    try:
        with explained(), wanting(session.tenant.id) if isinstance(session, TenantSession) else nullcontext():
            try:
                session.connection()
            except OperationalError as error:
                if not error.connection_invalidated:
                    raise
                session.close()  # the server has restarted since the last use, and nothing was done yet
                session.connection()
        try:
            yield session
            session.commit()
        except BaseException as error:
            if not is_lost(error):
                session.rollback()
                raise
            session.invalidate()
            detail = "the connection to the database broke; this transaction was rolled back"
            raise DatabaseUnavailable(detail, remedy="try again", retry_after=5) from error
    finally:
        session.close()


def _require(tenant: object) -> TenantRef:
    """Return ``tenant`` if it is a ``TenantRef``.

    Raises:
        TenantRequired: it is something else.
    """
    if isinstance(tenant, TenantRef):
        return tenant
    message = f"a tenant's session needs a TenantRef, not {type(tenant).__name__}"
    raise TenantRequired(message)


@contextmanager
def _migrated(database: str) -> Iterator[None]:
    """Turn errors about a missing table, column or grant into ``DatabaseNotMigrated`` where the database is behind.

    Raises:
        DatabaseNotMigrated: the block met something missing, and the database is behind the code.
    """
    try:
        yield
    except (DBAPIError, psycopg.Error) as error:
        if sqlstate_of(error) not in _NOT_THERE_YET or not _needs_migration(database):
            raise
        raise _not_migrated(database) from error


def require_migrated(database: str) -> None:
    """Reject a database that is not at the code's revisions, before a tenant is put there.

    Raises:
        DatabaseNotMigrated: it is behind.
        DatabaseUnavailable: it cannot be reached.
        DatabaseUnknown: this process does not know it.
    """
    if _needs_migration(database):
        raise _not_migrated(database)


def _not_migrated(database: str) -> DatabaseNotMigrated:
    which = "the database" if database == DEFAULT_DATABASE else f"the data database {database}"
    return DatabaseNotMigrated(f"{which} is not set up for this version", command="run `iit migrate`", retry_after=30)


def _needs_migration(database: str) -> bool:
    """Return whether ``node``, or ``platform`` in the control database, is behind the code."""
    trees = ("platform", "node") if database == DEFAULT_DATABASE else ("node",)
    with reachable(application_engine(database)) as connection:
        for tree in trees:
            table = f"{tree}.{scripts.VERSION_TABLE}"
            if connection.scalar(text("SELECT to_regclass(:table)"), {"table": table}) is None:
                return True
            if connection.scalar(text(f"SELECT version_num FROM {table}")) in scripts.revisions(tree)[:-1]:  # noqa: S608 - fixed names
                return True
    return False


def _is_behind(tenant: TenantRef) -> bool:
    """Return whether the tenant's schema is behind the code. Called only after an error."""
    with node_session(tenant.database) as session:
        query = text("SELECT revision FROM node.tenant_schemas WHERE schema_name = :schema")
        version = session.scalar(query, {"schema": tenant.schema_name})
    return version in scripts.revisions("tenant")[:-1]
