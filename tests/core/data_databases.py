"""Data databases of a test's own servers that cannot be reached for a while."""

import psycopg

from core.database import dispose
from core.services import state
from core.services.manager import name_on_server, superuser_url
from core.settings import get_settings


class Closed:
    """A data database that takes no connections for a while."""

    def __init__(self, database):
        self.database = name_on_server(database)

    def __enter__(self):
        dispose()
        self.allow(allowed=False)

    def __exit__(self, *_):
        self.allow(allowed=True)

    def allow(self, *, allowed):
        with psycopg.connect(superuser_url(state.read(get_settings().state_dir)), autocommit=True) as link:
            link.execute(f"ALTER DATABASE {self.database} ALLOW_CONNECTIONS {allowed}")
            link.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (self.database,))


class Unknown:
    """A process that was not told of a data database."""

    def __init__(self, database):
        self.database = database

    def __enter__(self):
        self.change(lambda names: [name for name in names if name != self.database])

    def __exit__(self, *_):
        self.change(lambda names: sorted([*names, self.database]))

    def change(self, how):
        dispose()
        folder = get_settings().state_dir
        known = state.read(folder)
        known.databases = how(known.databases)
        state.write(folder, known)
