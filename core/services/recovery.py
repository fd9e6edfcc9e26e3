"""A private copy of the embedded server as of a moment, from a base backup and the archive of WAL."""

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
from core.services.backups import BackupPlace, BaseBackup, backup_place, base_backups
from core.services.manager import to_stderr
from core.services.postgres import Postgres
from core.services.superuser import ask
from core.settings.model import MAIN_DATABASE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from core.telemetry.progress import LineCallback

PREFIX = "recovery-"
_ARCHIVE_SECONDS = 120
_RECOVERY_SECONDS = 24 * 3600
_POLL_SECONDS = 0.1


@contextmanager
def recovered(moment: datetime, say: LineCallback = to_stderr) -> Iterator[dict[str, str]]:
    """Run a copy of the embedded server as of ``moment`` on its own port during the block.

    The live server continues.

    Yields the owner's login to each of its data databases by name.

    Raises:
        Invalid: the moment is in the future, no base backup reaches it, or the database is not the embedded one.
        Unavailable: the copy cannot be recovered to it.
    """
    place = backup_place(say)
    base = _base_for(place, moment)
    with state.locked(place.folder, say):
        _clear(place)
        _archived_up_to_now(place)
        home = place.home / f"{PREFIX}{secrets.token_hex(4)}"
        server = Postgres(home, place.account, say, extra=archiving.restore_settings(place.wal, moment.isoformat()))
        try:
            say(f"bringing a copy of the database, made at {base.ended}, to {moment.isoformat()}")
            _unpack(place, base, server)
            port = server.start(place.programs, 0, fsync=False)
            copy = dataclasses.replace(place.known, postgres_port=port)
            _await_arrival(server, copy)
            names = (MAIN_DATABASE, *place.known.databases)
            yield {name: manager.owner_url(copy, manager.name_on_server(name)) for name in names}
        finally:
            if server.pid() is not None:
                server.stop(place.programs)
            shutil.rmtree(home, ignore_errors=True)


def _base_for(place: BackupPlace, moment: datetime) -> BaseBackup:
    """The newest base backup that was complete at the moment.

    Raises:
        Invalid: there is none, or the moment is in the future.
    """
    if moment > datetime.now(UTC):
        detail = "that moment is in the future"
        raise Invalid(detail, remedy="choose a past moment, with its time zone")
    there = base_backups(place.folder)
    reaching = [base for base in there if datetime.fromisoformat(base.ended) <= moment]
    if not reaching:
        detail = f"no base backup reaches {moment.isoformat()}"
        if there:
            raise Invalid(detail, remedy=f"the earliest moment is {there[0].ended}")
        raise Invalid(detail, command="make one: iit services backup")
    return reaching[-1]


def _clear(place: BackupPlace) -> None:
    """Remove copies that a killed run left, after stopping their servers."""
    for folder in place.home.glob(f"{PREFIX}*"):
        server = Postgres(folder, place.account, to_stderr)
        if server.pid() is not None:
            server.stop(place.programs)
        shutil.rmtree(folder, ignore_errors=True)


def _archived_up_to_now(place: BackupPlace) -> None:
    """Wait until the archive contains all commits so far, and one later commit, which ends a recovery.

    Raises:
        Unavailable: the server does not archive.
    """
    url = manager.superuser_url(place.known)
    ask(url, "SELECT pg_current_xact_id()")
    name = str(ask(url, "SELECT pg_walfile_name(pg_current_wal_insert_lsn())")[0])
    ask(url, "SELECT pg_switch_wal()")
    deadline = time.monotonic() + _ARCHIVE_SECONDS
    while not any((place.wal / f"{name}{ending}").exists() for ending in ("", ".gz")):
        if time.monotonic() > deadline:
            detail = f"the latest WAL did not reach {place.wal} within {_ARCHIVE_SECONDS} s"
            raise Unavailable(detail, remedy=f"see that there is space, and what {place.home / 'postgres.log'} says")
        time.sleep(_POLL_SECONDS)


def _unpack(place: BackupPlace, base: BaseBackup, server: Postgres) -> None:
    server.home.mkdir(mode=0o700)
    server.data.mkdir(mode=0o700)
    folder = place.bases / base.name
    for archive, target in (("base.tar.gz", server.data), ("pg_wal.tar.gz", server.data / "pg_wal")):
        with tarfile.open(folder / archive) as packed:
            packed.extractall(target, filter="data")
    (server.data / "recovery.signal").touch(mode=0o600)
    for path in (server.home, server.data, *server.data.rglob("*")):
        place.account.own(path)


def _await_arrival(server: Postgres, copy: state.State) -> None:
    """Wait until the copy has reached the moment and accepts writes, when the recovery is complete.

    Raises:
        Unavailable: it ended earlier.
    """
    deadline = time.monotonic() + _RECOVERY_SECONDS
    while server.pid() is not None and time.monotonic() < deadline:
        if ask(manager.superuser_url(copy, bootstrap.DATABASE), "SELECT pg_is_in_recovery()") == (False,):
            return
        time.sleep(_POLL_SECONDS)
    output = faults.since(server.log, 0)
    raise faults.rejected("the copy could not be recovered to that moment", output, server.log)
