"""Connection pools: one per database and login, bounded in size and in the life of a connection."""

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

    from sqlalchemy import URL, Engine

DEFAULT_DATABASE = "default"


class DatabaseUnknown(Unavailable):
    """This process was started before the data database was added, or without its address."""


_engines: dict[tuple[str, str], Engine] = {}
_lock = Lock()
_kept_by = local()


def databases() -> tuple[str, ...]:
    """Names of the data databases of this installation, the one that also holds the schema ``platform`` first."""
    from core.services import database_names

    return (DEFAULT_DATABASE, *database_names())


def login_url(login: str, database: str = DEFAULT_DATABASE) -> str:
    """The address of a data database for the ``application`` or the ``owner``, with its password.

    Raises:
        DatabaseUnknown: this process does not know the database.
        Unavailable: this process was not given the owner's login.
    """
    from core.services import ensure

    endpoints = ensure()
    if database == DEFAULT_DATABASE:
        return endpoints.database_url if login == "application" else endpoints.database_owner_url
    found = endpoints.databases.get(database)
    if found is None:
        detail = f"this process does not know the data database {database!r}"
        remedy = "the operator names it in IIT_DATA_DATABASES of every process, and restarts them"
        raise DatabaseUnknown(detail, remedy=remedy, retry_after=30)
    if login == "application":
        return found.url
    if found.owner_url is None:
        detail = f"this process was not given the owner's login to the data database {database}"
        raise Unavailable(detail, remedy="set its owner_url in IIT_DATA_DATABASES")
    return found.owner_url


def application_engine(database: str = DEFAULT_DATABASE) -> Engine:
    """The pool that logs in as the application, whose role has no rights on tenants' tables.

    Raises:
        DatabaseUnknown: this process does not know the database.
    """
    return _engine("application", database)


def owner_engine(database: str = DEFAULT_DATABASE) -> Engine:
    """Connections of the owner, for migrations and provisioning only; none is kept but by ``kept_owner_connections``.

    Raises:
        DatabaseUnknown: this process does not know the database.
        Unavailable: this process was not given the owner's login.
    """
    kept: dict[str, Engine] | None = getattr(_kept_by, "engines", None)
    if kept is None:
        return _engine("owner", database)
    if database not in kept:
        kept[database] = _create("owner", database, keeping=True)
    return kept[database]


@contextmanager
def kept_owner_connections() -> Iterator[None]:
    """While the block lasts, what this thread opens as the owner is kept and used again, then closed.

    For work of many short transactions, such as a move: a new backend has to learn every table anew.
    """
    kept: dict[str, Engine] = {}
    before, _kept_by.engines = getattr(_kept_by, "engines", None), kept
    try:
        yield
    finally:
        _kept_by.engines = before
        for engine in kept.values():
            engine.dispose()


def application_role() -> str:
    """The role that the application logs in as: what tenants' roles are granted to.

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
    """Close all pools of this process; the next session opens new ones, at addresses read anew."""
    with _lock:
        while _engines:
            _engines.popitem()[1].dispose()


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
        # A backend would else keep plans of one tenant's tables, and fail where tenants stand at different versions.
        "connect_args": {"prepare_threshold": None, "connect_timeout": 10, "application_name": f"iit {login}"},
        "use_native_hstore": False,
        # Texts of statements stay in errors, their values (which may be personal) do not.
        "hide_parameters": True,
    }
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
        event.listen(engine, "checkout", bound(settings.database_connection_tenants))
    event.listen(engine, "connect", _no_search_path if login == "owner" else _begun_by_scope)
    return engine


def _for_sqlalchemy(url: str) -> URL:
    """The address with its driver named: the default of ``postgresql://`` differs between versions."""
    return make_url(url).set(drivername="postgresql+psycopg")


def _begun_by_scope(connection: Any, record: object) -> None:  # noqa: ANN401 - as below
    """The scope begins each transaction by itself, with the statement that says whose it is: one round trip, not two.

    A statement outside of any scope is a transaction of its own, of the login, which has no rights on tenants' tables.
    """
    _no_search_path(connection, record)
    connection.autocommit = True


def _no_search_path(connection: Any, _record: object) -> None:  # noqa: ANN401 - psycopg's, behind SQLAlchemy's type
    """A new connection finds no table by its bare name, whatever the role's default: no scope, no table."""
    connection.execute("SELECT set_config('search_path', '', false)")
    connection.commit()
