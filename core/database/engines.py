"""Connection pools: one per database and login, with limits on their size and on the life of a connection."""

from __future__ import annotations

from contextlib import contextmanager
from threading import Lock, local
from typing import TYPE_CHECKING, Any

from sqlalchemy import NullPool, create_engine, event, make_url

from core.database.affinity import AffinePool, bound
from core.database.statements import OneStatementCursor
from core.errors import Invalid, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import URL, Engine, Pool

DEFAULT_DATABASE = "default"
REPLICA = "replica"
"""The application's login to the replica of a database."""


class DatabaseUnknown(Unavailable):
    """This process does not know the data database: it was added after the start, or its address is missing."""


_engines: dict[tuple[str, str], Engine] = {}
_lock = Lock()
_kept_by = local()


def databases() -> tuple[str, ...]:
    """Names of this installation's data databases; the first one also holds the schema ``platform``."""
    from core.services import database_names

    return (DEFAULT_DATABASE, *database_names())


def login_url(login: str, database: str = DEFAULT_DATABASE) -> str:
    """The address of a data database, with the password of the ``application`` or the ``owner``; or of its replica.

    Raises:
        DatabaseUnknown: this process does not know the database.
        Unavailable: this process has no login of the owner.
    """
    from core.services import ensure

    endpoints = ensure()
    if login == REPLICA:
        if database != DEFAULT_DATABASE or endpoints.replica_url is None:
            detail = f"there is no replica of the data database {database!r}"
            raise DatabaseUnknown(detail)
        return endpoints.replica_url
    if database == DEFAULT_DATABASE:
        return endpoints.database_url if login == "application" else endpoints.database_owner_url
    address = endpoints.databases.get(database)
    if address is None:
        detail = f"this process does not know the data database {database!r}"
        remedy = "the operator names it in IIT_DATA_DATABASES of every process, and restarts them"
        raise DatabaseUnknown(detail, remedy=remedy, retry_after=30)
    if login == "application":
        return address.url
    if address.owner_url is None:
        detail = f"this process has no owner's login to the data database {database}"
        raise Unavailable(detail, remedy="set its owner_url in IIT_DATA_DATABASES")
    return address.owner_url


def application_engine(database: str = DEFAULT_DATABASE) -> Engine:
    """The pool of the application's login, whose role has no rights on tenants' tables.

    Raises:
        DatabaseUnknown: this process does not know the database.
    """
    return _engine("application", database)


def replica_engine(database: str = DEFAULT_DATABASE) -> Engine:
    """The pool of the application's login to the replica.

    Raises:
        DatabaseUnknown: the database has no replica.
    """
    return _engine(REPLICA, database)


def owner_engine(database: str = DEFAULT_DATABASE) -> Engine:
    """Connections of the owner, for migrations and provisioning only; pooled only within ``kept_owner_connections``.

    Raises:
        DatabaseUnknown: this process does not know the database.
        Unavailable: this process has no login of the owner.
    """
    engines: dict[str, Engine] | None = getattr(_kept_by, "engines", None)
    if engines is None:
        return _engine("owner", database)
    if database not in engines:
        engines[database] = _create("owner", database, keeping=True)
    return engines[database]


@contextmanager
def kept_owner_connections() -> Iterator[None]:
    """Pool this thread's connections as the owner while the block runs, then close them.

    For work of many short transactions, such as a move: a new backend has to load every table again.
    """
    engines: dict[str, Engine] = {}
    before, _kept_by.engines = getattr(_kept_by, "engines", None), engines
    try:
        yield
    finally:
        _kept_by.engines = before
        for engine in engines.values():
            engine.dispose()


def application_role() -> str:
    """The application's role, to which tenants' roles are granted.

    Raises:
        Invalid: the address names no user.
    """
    from core.services import ensure

    name = make_url(ensure().database_url).username
    if not name:
        detail = "DATABASE_URL names no user"
        raise Invalid(detail, remedy="write postgresql://<user>:<password>@<host>/<database>")
    return name


def dispose() -> None:
    """Close all pools of this process. The next session reads the addresses again and opens new ones.

    A connection that is in use is closed when it is given back.
    """
    with _lock:
        while _engines:
            engine = _engines.popitem()[1]
            event.listen(engine.pool, "checkin", _close)
            engine.dispose()


def _close(connection: Any, _record: object) -> None:  # noqa: ANN401 - psycopg's, behind SQLAlchemy's type
    if connection is not None:
        connection.close()


def open_pools() -> list[tuple[str, Pool]]:
    """Return the pools of the application's login that are open, with the names of their databases and replicas."""
    with _lock:
        return [
            (database if login == "application" else f"{database}_replica", engine.pool)
            for (login, database), engine in _engines.items()
            if login != "owner"
        ]


def _engine(login: str, database: str) -> Engine:
    with _lock:
        engine = _engines.get((login, database))
        if engine is None:
            engine = _engines[login, database] = _create(login, database)
        return engine


def _create(login: str, database: str, *, keeping: bool = False) -> Engine:
    from core.settings import get_settings

    settings = get_settings()
    url = _for_sqlalchemy(login_url(login, database))
    common: dict[str, Any] = {
        # Without this, a backend would keep plans for one tenant's tables, and fail where tenants are at different
        # migrations.
        "connect_args": {"prepare_threshold": None, "connect_timeout": 10, "application_name": f"iit {login}"},
        "use_native_hstore": False,
        # Errors keep the text of statements, but not their values, which may be personal.
        "hide_parameters": True,
    }
    if login == REPLICA:
        common["connect_args"] |= {"connect_timeout": 3, "tcp_user_timeout": 15_000}
    if keeping:
        engine = create_engine(url, pool_size=4, max_overflow=4, pool_use_lifo=True, **common)
    elif login == "owner":
        engine = create_engine(url, poolclass=NullPool, **common)
    else:
        engine = create_engine(
            url,
            poolclass=AffinePool,
            pool_size=settings.database_pool_size,
            max_overflow=settings.database_pool_overflow,
            pool_timeout=settings.database_pool_timeout,
            pool_recycle=settings.database_connection_lifetime,
            **common | {"connect_args": {**common["connect_args"], "cursor_factory": OneStatementCursor}},
        )
        if isinstance(engine.pool, AffinePool):
            engine.pool.database = database if login == "application" else f"{database}_replica"
        event.listen(engine, "checkout", bound(settings.database_connection_tenants))
    event.listen(engine, "connect", _no_search_path if login == "owner" else _begun_by_scope)
    return engine


def _for_sqlalchemy(url: str) -> URL:
    """The address with its driver: versions differ in the default of ``postgresql://``."""
    return make_url(url).set(drivername="postgresql+psycopg")


def _begun_by_scope(connection: Any, record: object) -> None:  # noqa: ANN401 - as below
    """Let the scope begin each transaction, because it names the tenant in the same round trip.

    The connection is in autocommit mode: a statement outside any scope is a transaction of the login, which has no
    rights on tenants' tables.
    """
    _no_search_path(connection, record)
    connection.autocommit = True


def _no_search_path(connection: Any, _record: object) -> None:  # noqa: ANN401 - psycopg's, behind SQLAlchemy's type
    """Empty the search_path of a new connection, so that no table is visible without a scope."""
    connection.execute("SELECT set_config('search_path', '', false)")
    connection.commit()
