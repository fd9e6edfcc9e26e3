"""Starting, stopping and resetting the embedded servers. The other packages call ``ensure``."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import psycopg

from core.errors import Invalid, Unavailable
from core.services import bootstrap, ports, state
from core.services.account import Account, server_account
from core.services.endpoints import DatabaseLogins, Endpoints
from core.services.postgres import SUPERUSER, Postgres
from core.services.programs import installed, reachable
from core.services.valkey import Valkey
from core.settings import Settings, get_settings
from core.settings.model import DATABASE_NAME, MAIN_DATABASE

if TYPE_CHECKING:
    from core.telemetry.progress import LineCallback

_NEEDED_BYTES = 300_000_000
_SLOW_SECONDS = 2.0
_ELSEWHERE = Path("/var/tmp")  # noqa: S108 - a folder with a random name, made 0700, is used below it


def to_stderr(text: str) -> None:
    """Print a line on standard error; standard output is for the command's answer."""
    sys.stderr.write(f"iit: {text}\n")
    sys.stderr.flush()


@dataclass(frozen=True, slots=True)
class EmbeddedServers:
    """The embedded ones of the two servers. A server that is not embedded is external."""

    postgres: bool
    valkey: bool

    @classmethod
    def of(cls, settings: Settings) -> EmbeddedServers:
        """Return the choice that the settings make: a server without an address is embedded.

        Raises:
            Invalid: the owner's address is set, but the application's is not.
        """
        if settings.database_owner_url is not None and settings.database_url is None:
            detail = "DATABASE_OWNER_URL is set and DATABASE_URL is not"
            raise Invalid(detail, remedy="set both, or neither to use the embedded PostgreSQL")
        return cls(settings.database_url is None, settings.redis_url is None)


def ensure(say: LineCallback = to_stderr) -> Endpoints:
    """Return the addresses of a database and a Redis that answer. Starts the embedded ones.

    Cheap when they run already. Several processes may call it at the same time: one starts the servers, the others
    wait.

    Raises:
        Unavailable: the servers cannot be started; detail and remedy say why. No data are lost.
        Invalid: the settings contradict each other.
    """
    settings = get_settings()
    wanted = EmbeddedServers.of(settings)
    if not (wanted.postgres or wanted.valkey):
        return endpoints_of(settings, None)
    folder = settings.state_dir
    known = state.read(folder)
    if known is not None and (_is_set_up(known) or not wanted.postgres) and _all_answer(known, folder, wanted):
        return endpoints_of(settings, known)
    state.prepare(folder)
    with state.locked(folder, say):
        known = state.read(folder) or state.State()
        try:
            _start(known, settings, wanted, say)
        except OSError as error:
            raise state.unusable(folder, error) from error
    return endpoints_of(settings, known)


def stop(say: LineCallback = to_stderr) -> list[str]:
    """Stop the embedded servers and return the names of those that ran. No data are lost.

    Raises:
        Unavailable: one does not stop, or they belong to another user.
    """
    folder = get_settings().state_dir
    if state.read(folder) is None:
        return []
    with state.locked(folder, say):
        known = state.read(folder)
        return [] if known is None else _stop(known, folder, say)


def reset(say: LineCallback = to_stderr) -> None:
    """Stop the embedded servers and delete all their data, with the blobs beside them. Irrevocable.

    Raises:
        Unavailable: a server does not stop, or a folder cannot be deleted.
    """
    folder = get_settings().state_dir
    if not folder.exists():
        return
    with state.locked(folder, say):
        try:
            known = state.read(folder)
        except Unavailable:
            known = state.State()  # damaged, which is why it is being reset
        if known is None:
            return
        _stop(known, folder, say)
        try:
            for doomed in (known.data_home(folder), folder / "blobs"):
                if doomed.exists():
                    shutil.rmtree(doomed)
            (folder / state.FILE).unlink(missing_ok=True)
        except OSError as error:
            raise state.unusable(folder, error) from error


def endpoints_of(settings: Settings, known: state.State | None) -> Endpoints:
    """Return the addresses: external ones as set, and those of our own servers with their generated passwords."""
    database_url = settings.database_url
    if database_url is not None:
        owner_given = settings.database_owner_url
        database, owner = database_url.get_secret_value(), owner_given.get_secret_value() if owner_given else None
    elif known is not None:
        database = _url(bootstrap.APPLICATION, known.app_password, known, bootstrap.DATABASE)
        owner = _url(bootstrap.OWNER, known.owner_password, known, bootstrap.DATABASE)
    redis = settings.redis_url
    if redis is not None:
        redis_url = redis.get_secret_value()
    elif known is not None:
        redis_url = _redis_url(known)
    further, replica = _further(settings, known, database), settings.database_replica_url
    return Endpoints(
        database_url=database,
        redis_url=redis_url,
        owner_url=owner,
        databases=further,
        replica_url=None if replica is None else replica.get_secret_value(),
    )


def recorded_redis_url() -> str | None:
    """Return the address of Redis as set or recorded; None if there is none yet. Starts nothing and asks no server.

    Raises:
        Unavailable: the recorded state of the embedded servers cannot be read.
    """
    settings = get_settings()
    if settings.redis_url is not None:
        return settings.redis_url.get_secret_value()
    known = state.read(settings.state_dir)
    return _redis_url(known) if known is not None and known.valkey_port else None


def database_names() -> tuple[str, ...]:
    """Return the names of the data databases beside the first. Starts nothing and asks no server.

    Raises:
        Unavailable: the recorded state of the embedded servers cannot be read.
    """
    settings = get_settings()
    known = state.read(settings.state_dir) if settings.database_url is None else None
    return tuple(sorted({*settings.data_databases, *(known.databases if known else ())}))


def name_on_server(database: str) -> str:
    """The name on the embedded server of a data database."""
    return bootstrap.DATABASE if database == MAIN_DATABASE else f"{bootstrap.DATABASE}_{database}"


def superuser_url(known: state.State, database: str = "postgres") -> str:
    """Return the superuser's login to the embedded server, for tasks that no other role may do."""
    return _url(SUPERUSER, known.superuser_password, known, database)


def owner_url(known: state.State, database: str) -> str:
    """The owner's login to a database on the server whose port ``known`` records."""
    return _url(bootstrap.OWNER, known.owner_password, known, database)


def add_database(name: str, say: LineCallback = to_stderr) -> bool:
    """Create another data database on the embedded server; return False when it exists.

    Raises:
        Invalid: the name is not acceptable, or the server is external.
        Unavailable: the server cannot be started, or rejects a statement.
    """
    settings = get_settings()
    if settings.database_url is not None:
        detail = "DATABASE_URL is set: databases are made only on the embedded server"
        raise Invalid(detail, remedy="create it on your server, and name it in IIT_DATA_DATABASES")
    if name == MAIN_DATABASE or name in settings.data_databases or not DATABASE_NAME.fullmatch(name):
        detail = f"{name!r} cannot be the name of a new data database"
        raise Invalid(detail, remedy="choose a new name: lower-case letters, digits and _, a letter first, at most 31")
    ensure(say)
    folder = settings.state_dir
    with state.locked(folder, say):
        known = state.read(folder) or state.State()
        if name in known.databases:
            return False
        _bootstrap(known, name_on_server(name))
        known.databases = sorted([*known.databases, name])
        state.write(folder, known)
    return True


def _further(settings: Settings, known: state.State | None, main: str) -> dict[str, DatabaseLogins]:
    """Return the logins to all data databases but the first, by name.

    Args:
        settings: the installation's.
        known: the recorded state of the embedded servers, if they are embedded.
        main: the application's address of the first database.

    Raises:
        Invalid: a login has another role than ``main``. Tenants' roles are granted to one role only.
    """
    logins: dict[str, DatabaseLogins] = {}
    if settings.database_url is None and known is not None:
        for name in known.databases:
            there = name_on_server(name)
            app = _url(bootstrap.APPLICATION, known.app_password, known, there)
            logins[name] = DatabaseLogins(app, _url(bootstrap.OWNER, known.owner_password, known, there))
    for name, address in settings.data_databases.items():
        owner = address.owner_url.get_secret_value() if address.owner_url else None
        logins[name] = DatabaseLogins(address.url.get_secret_value(), owner)
        if urlsplit(logins[name].url).username != urlsplit(main).username:
            detail = f"the data database {name} is logged in to as another role than the first one"
            raise Invalid(detail, remedy="give the application's login the same name on every server")
    return logins


def _redis_url(known: state.State) -> str:
    return f"redis://:{known.valkey_password}@{ports.LOOPBACK}:{known.valkey_port}/0"


def _url(role: str, password: str, known: state.State, database: str) -> str:
    return f"postgresql://{role}:{password}@{ports.LOOPBACK}:{known.postgres_port}/{database}"


def _all_answer(known: state.State, folder: Path, wanted: EmbeddedServers) -> bool:
    """Return whether every embedded server accepts connections on its recorded port."""
    home = known.data_home(folder)
    account = Account("", 0, 0, switch=False)  # looking needs no programs
    if wanted.postgres and not Postgres(home, account, to_stderr).ready(known.postgres_port):
        return False
    return not wanted.valkey or ports.answers_as_valkey(known.valkey_port, known.valkey_password)


def _is_set_up(known: state.State) -> bool:
    """Return whether this code's version of the set-up is in the databases."""
    return known.bootstrapped and known.bootstrap == bootstrap.fingerprint()


def _start(known: state.State, settings: Settings, wanted: EmbeddedServers, say: LineCallback) -> None:
    """Start the servers that do not run, and record each port as soon as it is in use. The caller holds the lock."""
    folder = settings.state_dir
    if known.bootstrapped and not (known.data_home(folder) / "postgres" / "PG_VERSION").exists():
        detail = f"the data of the embedded PostgreSQL is gone from {known.data_home(folder)}"
        raise Unavailable(
            detail, command="restore that folder from a copy; to start empty, run: iit services reset --yes"
        )
    account = server_account(known.data_home(folder))
    _settle(known, folder, account, say)
    home = known.data_home(folder)
    programs = reachable(account, home)
    if wanted.postgres:
        server = Postgres(home, account, say, known.archive)
        first = not server.exists()
        doing = "creating a new database" if first else "PostgreSQL starts and recovers from a crash"
        with _slow(say, doing):
            if first:
                _room_for_a_database(home)
                server.create(programs, known.superuser_password, fsync=settings.services_fsync)
            if not server.ready(known.postgres_port):
                running = server.port()
                known.postgres_port = (
                    running
                    if running and server.ready(running)
                    else server.start(programs, known.postgres_port, fsync=settings.services_fsync)
                )
                state.write(folder, known)
            if not _is_set_up(known):
                for name in (MAIN_DATABASE, *known.databases):
                    _bootstrap(known, name_on_server(name))
                known.bootstrapped, known.bootstrap = True, bootstrap.fingerprint()
                state.write(folder, known)
    if wanted.valkey and not ports.answers_as_valkey(known.valkey_port, known.valkey_password):
        known.valkey_port = Valkey(home, account, say).start(programs, known.valkey_port, known.valkey_password)
        state.write(folder, known)


def _settle(known: state.State, folder: Path, account: Account, say: LineCallback) -> None:
    """Choose a data folder that ``account`` can reach: in the state folder, or else a private one elsewhere."""
    home = known.data_home(folder)
    if not home.exists():
        home.mkdir(mode=0o700)
        account.own(home)
        if not account.reaches(home, write=True):
            home.rmdir()
            home = _elsewhere(folder, account)
            known.home = str(home)
        state.write(folder, known)
    if known.home:
        say(
            f"the servers run as the account {account.name}, which cannot reach {folder}: their data is in {home} "
            "(set IIT_STATE_DIR to keep it in a folder of your choice that it can reach)"
        )


def _elsewhere(folder: Path, account: Account) -> Path:
    """Create a private folder for the account outside the state folder; its name contains a hash of the state folder.

    Raises:
        Unavailable: the account cannot use a folder there either.
    """
    tag = hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:12]
    home = _ELSEWHERE / f"iit-{tag}-{secrets.token_hex(4)}"
    home.mkdir(mode=0o700)
    account.own(home)
    if not account.reaches(home, write=True):
        home.rmdir()
        detail = f"the servers run as the account {account.name}, which can reach neither {folder} nor {_ELSEWHERE}"
        raise Unavailable(detail, remedy="set IIT_STATE_DIR to a folder that it can reach, or run as an ordinary user")
    return home


def _room_for_a_database(home: Path) -> None:
    """Raise before a new database would fill the disk."""
    facts = os.statvfs(home)
    free = facts.f_frsize * facts.f_bavail
    if free < _NEEDED_BYTES:
        detail = f"{free // 1_000_000} MB are free at {home}, and a new database needs {_NEEDED_BYTES // 1_000_000} MB"
        raise Unavailable(detail, remedy="free some space, or set IIT_STATE_DIR to a folder on another disk")


def _bootstrap(known: state.State, database: str = bootstrap.DATABASE) -> None:
    try:
        bootstrap.bootstrap(
            superuser_url(known),
            owner_password=known.owner_password,
            app_password=known.app_password,
            database=database,
        )
    except psycopg.Error as error:
        detail = f"the embedded database could not be set up: {str(error).splitlines()[0]}"
        raise Unavailable(detail, command="try again; if it fails again, run: iit services reset --yes") from error


def _stop(known: state.State, folder: Path, say: LineCallback) -> list[str]:
    home = known.data_home(folder)
    account = server_account(home)
    stopped = []
    if Valkey(home, account, say).stop(known.valkey_port, known.valkey_password):
        stopped.append("valkey")
    server = Postgres(home, account, say)
    if server.pid() is not None:
        programs = reachable(account, home) if account.switch else installed()
        with _slow(say, "PostgreSQL is writing its memory to disk"):
            server.stop(programs)
        stopped.append("postgresql")
    return stopped


@contextmanager
def _slow(say: LineCallback, text: str) -> Iterator[None]:
    """Print ``text`` when the block takes more than two seconds."""
    timer = threading.Timer(_SLOW_SECONDS, say, [text])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
