"""The state of the servers: addresses, versions and problems."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

import psycopg
import redis

from core.errors import Unavailable
from core.services import ports, state
from core.services.account import Account
from core.services.endpoints import Endpoints
from core.services.manager import EmbeddedServers, endpoints_of, to_stderr
from core.services.postgres import Postgres
from core.settings import get_settings

OLDEST_POSTGRES = 16
OLDEST_REDIS = 7
_CONNECT_SECONDS = 5


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """The state of one server.

    Attributes:
        name: ``postgresql``, ``postgresql <data database>`` or ``valkey``.
        mode: ``embedded`` or ``external``.
        running: whether it answers with the platform's credentials.
        address: host and port, never a password.
        version: the version that it reports.
        data: the folder of its data, where embedded.
        problem: why it does not answer or is unsuitable; empty otherwise.
    """

    name: str
    mode: str
    running: bool
    address: str = ""
    version: str = ""
    data: str = ""
    problem: str = ""


def status() -> list[ServiceStatus]:
    """Return the state of the servers and of each further data database. Starts nothing.

    Raises:
        Unavailable: the embedded servers belong to another user.
        Invalid: the settings contradict each other.
    """
    settings = get_settings()
    wanted = EmbeddedServers.of(settings)
    known = state.read(settings.state_dir)
    if known is None and (wanted.postgres or wanted.valkey):
        known = state.State()
    addresses = endpoints_of(settings, known)
    home = str(known.data_home(settings.state_dir)) if known else ""
    return [
        _postgres(addresses, known, wanted, home),
        *(
            _data_database(name, "external" if name in settings.data_databases else "embedded", logins.url)
            for name, logins in addresses.databases.items()
        ),
        _valkey(addresses, wanted, home),
    ]


def _postgres(addresses: Endpoints, known: state.State | None, wanted: EmbeddedServers, home: str) -> ServiceStatus:
    """The state of PostgreSQL, from a real login."""
    mode, data = ("embedded", f"{home}/postgres") if wanted.postgres else ("external", "")
    if wanted.postgres and known is not None:
        server = Postgres(known.data_home(get_settings().state_dir), Account("", 0, 0, switch=False), to_stderr)
        if not server.ready(known.postgres_port):
            return ServiceStatus("postgresql", mode, running=False, data=data, problem="not started")
    address = _address(addresses.database_url)
    try:
        with psycopg.connect(addresses.database_url, connect_timeout=_CONNECT_SECONDS) as link:
            number = link.info.server_version
    except psycopg.Error as error:
        problem = (str(error).strip() or type(error).__name__).splitlines()[0]
        return ServiceStatus("postgresql", mode, running=False, address=address, data=data, problem=problem)
    major, minor = divmod(number, 10_000)
    problem = "" if major >= OLDEST_POSTGRES else f"PostgreSQL {OLDEST_POSTGRES} or newer is needed"
    return ServiceStatus("postgresql", mode, True, address, f"{major}.{minor}", data, problem)  # noqa: FBT003


def _data_database(name: str, mode: str, url: str) -> ServiceStatus:
    """The state of a further data database, from a real login; the others work without it."""
    shown, address = f"postgresql {name}", _address(url)
    try:
        with psycopg.connect(url, connect_timeout=_CONNECT_SECONDS) as link:
            major, minor = divmod(link.info.server_version, 10_000)
    except psycopg.Error as error:
        problem = (str(error).strip() or type(error).__name__).splitlines()[0]
        return ServiceStatus(shown, mode, running=False, address=address, problem=problem)
    problem = "" if major >= OLDEST_POSTGRES else f"PostgreSQL {OLDEST_POSTGRES} or newer is needed"
    return ServiceStatus(shown, mode, True, address, f"{major}.{minor}", "", problem)  # noqa: FBT003


def _valkey(addresses: Endpoints, wanted: EmbeddedServers, home: str) -> ServiceStatus:
    """The state of Valkey or Redis, from a real login."""
    mode, data = ("embedded", home) if wanted.valkey else ("external", "")
    address = _address(addresses.redis_url)
    try:
        with redis.Redis.from_url(addresses.redis_url, socket_connect_timeout=_CONNECT_SECONDS) as link:
            info = link.info("server")
    except (redis.RedisError, OSError) as error:
        problem = "not started" if wanted.valkey else (str(error).splitlines() or [type(error).__name__])[0]
        shown = "" if wanted.valkey else address
        return ServiceStatus("valkey", mode, running=False, address=shown, data=data, problem=problem)
    speaks = str(info.get("redis_version", "0"))
    version = str(info.get("valkey_version", speaks))
    enough = int(speaks.split(".", maxsplit=1)[0]) >= OLDEST_REDIS
    problem = "" if enough else f"Redis {OLDEST_REDIS} or newer, or Valkey, is needed"
    return ServiceStatus("valkey", mode, True, address, version, data, problem)  # noqa: FBT003


def _address(url: str) -> str:
    """Host and port of an address, without its secrets."""
    parts = urlsplit(url)
    try:
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        port = ""
    return f"{parts.hostname or ports.LOOPBACK}{port}"


def check() -> None:
    """Raise for servers that do not answer or are too old.

    Raises:
        Unavailable: names each unsuitable server and the reason.
    """
    bad = [server for server in status() if server.problem]
    if bad:
        detail = "; ".join(f"{server.name} ({server.mode}) at {server.address}: {server.problem}" for server in bad)
        remedy = "correct DATABASE_URL and REDIS_URL, or unset them to use the embedded servers"
        raise Unavailable(detail, remedy=remedy)
