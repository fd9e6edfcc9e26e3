"""A private copy of the embedded server as it was at a moment, from a base backup and the archive of WAL."""

from __future__ import annotations

import dataclasses
import secrets
import shutil
import tarfile
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from core.errors import Invalid, Unavailable
from core.services import archiving, bootstrap, faults, manager, state
from core.services.backups import BaseBackup, Ground, base_backups, ground
from core.services.manager import Say, to_stderr
from core.services.postgres import Postgres
from core.services.superuser import ask
from core.settings.model import MAIN_DATABASE

if TYPE_CHECKING:
    from collections.abc import Iterator

PREFIX = "recovery-"
_ARCHIVE_SECONDS = 120
_RECOVERY_SECONDS = 24 * 3600
_POLL_SECONDS = 0.1


@contextmanager
def recovered(moment: datetime, say: Say = to_stderr) -> Iterator[dict[str, str]]:
    """The servers as they were at ``moment``, on a port of their own while the block lasts; the running ones go on.

    Gives the owner's login to each data database of the embedded server by its name.

    Raises:
        Invalid: the moment has not come, or no base backup reaches it, or the database is not the embedded one.
        Unavailable: the copy cannot be brought back to it.
    """
    here = ground(say)
    base = _base_for(here, moment)
    with state.locked(here.folder, say):
        _clear(here)
        _archived_up_to_now(here)
        home = here.home / f"{PREFIX}{secrets.token_hex(4)}"
        server = Postgres(home, here.account, say, extra=archiving.restore_settings(here.wal, moment.isoformat()))
        try:
            say(f"bringing a copy of the database, made at {base.ended}, to {moment.isoformat()}")
            _unpack(here, base, server)
            port = server.start(here.programs, 0, fsync=False)
            copy = dataclasses.replace(here.known, postgres_port=port)
            _await_arrival(server, copy)
            names = (MAIN_DATABASE, *here.known.databases)
            yield {name: manager.owner_url(copy, manager.name_on_server(name)) for name in names}
        finally:
            if server.pid() is not None:
                server.stop(here.programs)
            shutil.rmtree(home, ignore_errors=True)


def _base_for(here: Ground, moment: datetime) -> BaseBackup:
    """The newest base backup that was whole at the moment.

    Raises:
        Invalid: there is none, or the moment has not come.
    """
    if moment > datetime.now(UTC):
        detail = "that moment has not come yet"
        raise Invalid(detail, remedy="give one that is past, with its time zone")
    there = base_backups(here.folder)
    reaching = [base for base in there if datetime.fromisoformat(base.ended) <= moment]
    if not reaching:
        detail = f"no base backup reaches {moment.isoformat()}"
        if there:
            raise Invalid(detail, remedy=f"the earliest moment is {there[0].ended}")
        raise Invalid(detail, command="make one: iit services backup")
    return reaching[-1]


def _clear(here: Ground) -> None:
    """Remove copies that a killed run left; their servers are ended first."""
    for folder in here.home.glob(f"{PREFIX}*"):
        server = Postgres(folder, here.account, to_stderr)
        if server.pid() is not None:
            server.stop(here.programs)
        shutil.rmtree(folder, ignore_errors=True)


def _archived_up_to_now(here: Ground) -> None:
    """Wait until the archive holds all that is committed by now, and one commit more, at which a recovery can end.

    Raises:
        Unavailable: the server does not archive.
    """
    url = manager.superuser_url(here.known)
    ask(url, "SELECT pg_current_xact_id()")
    name = str(ask(url, "SELECT pg_walfile_name(pg_current_wal_insert_lsn())")[0])
    ask(url, "SELECT pg_switch_wal()")
    deadline = time.monotonic() + _ARCHIVE_SECONDS
    while not any((here.wal / f"{name}{ending}").exists() for ending in ("", ".gz")):
        if time.monotonic() > deadline:
            detail = f"the WAL of the last moments has not come to {here.wal} within {_ARCHIVE_SECONDS} s"
            raise Unavailable(detail, remedy=f"see that there is space, and what {here.home / 'postgres.log'} says")
        time.sleep(_POLL_SECONDS)


def _unpack(here: Ground, base: BaseBackup, server: Postgres) -> None:
    server.home.mkdir(mode=0o700)
    server.data.mkdir(mode=0o700)
    folder = here.bases / base.name
    for archive, target in (("base.tar.gz", server.data), ("pg_wal.tar.gz", server.data / "pg_wal")):
        with tarfile.open(folder / archive) as packed:
            packed.extractall(target, filter="data")
    (server.data / "recovery.signal").touch(mode=0o600)
    for path in (server.home, server.data, *server.data.rglob("*")):
        here.account.own(path)


def _await_arrival(server: Postgres, copy: state.State) -> None:
    """Wait until the copy has reached the moment and takes writes: only then is it what was asked for.

    Raises:
        Unavailable: it ended before it got there.
    """
    deadline = time.monotonic() + _RECOVERY_SECONDS
    while server.pid() is not None and time.monotonic() < deadline:
        if ask(manager.superuser_url(copy, bootstrap.DATABASE), "SELECT pg_is_in_recovery()") == (False,):
            return
        time.sleep(_POLL_SECONDS)
    said = faults.since(server.log, 0)
    raise faults.refused("the copy could not be brought to that moment", said, server.log)
