"""A real streaming replica of the embedded server, made with its own tools, on a port of its own."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

import psycopg

from core.services import manager, state
from core.services.account import server_account
from core.services.postgres import SUPERUSER, Postgres
from core.services.programs import reachable
from core.settings import get_settings
from tests.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path


class Replica:
    """The replica: its login for the application, and what a test does to it."""

    def __init__(self, folder: Path) -> None:
        settings = get_settings()
        self._known = state.read(settings.state_dir) or state.State()
        home = self._known.data_home(settings.state_dir)
        account = server_account(home)
        self._programs = reachable(account, home)
        folder.chmod(0o755)
        account.own(folder)
        source = f"host=127.0.0.1 port={self._known.postgres_port} user={SUPERUSER}"
        source += f" password={self._known.superuser_password}"
        self._server = Postgres(folder, account, lambda _: None, extra=f"primary_conninfo = '{source}'\n")
        command = [str(self._programs.bin / "pg_basebackup"), "-D", str(self._server.data), "-X", "stream"]
        done = account.run([*command, "-c", "fast", "--no-sync", "-d", source], folder=folder, timeout=120)
        assert done.returncode == 0, done.stdout
        (self._server.data / "standby.signal").touch(mode=0o600)
        account.own(self._server.data / "standby.signal")
        self.port = 0
        self.start()

    @property
    def url(self) -> str:
        """The application's login."""
        parts = urlsplit(manager.endpoints_of(get_settings(), self._known).database_url)
        login = parts.netloc.rpartition("@")[0]
        return urlunsplit(parts._replace(netloc=f"{login}@127.0.0.1:{self.port}"))

    def start(self) -> None:
        self.port = self._server.start(self._programs, self.port, fsync=False)

    def kill(self) -> None:
        """Kill the server with all its processes, as a machine that loses its power."""
        pid = self._server.pid()
        assert pid is not None
        os.kill(pid, signal.SIGQUIT)
        wait_until(lambda: self._server.pid() is None)

    def stop(self) -> None:
        if self._server.pid() is not None:
            self._server.stop(self._programs)

    def ask(self, query: str) -> object:
        """The answer of the replica's superuser."""
        login = f"{SUPERUSER}:{self._known.superuser_password}"
        with psycopg.connect(f"postgresql://{login}@127.0.0.1:{self.port}/iit", autocommit=True) as connection:
            row = connection.execute(query).fetchone()
            return None if row is None else row[0]

    def caught_up(self) -> None:
        """Wait until the replica has replayed all that the database has written."""
        from core.database import look_up

        row = look_up("SELECT pg_current_wal_insert_lsn()::text AS lsn", ())
        assert row is not None
        wait_until(lambda: self.ask(f"SELECT pg_last_wal_replay_lsn() >= '{row['lsn']}'::pg_lsn") is True)
