"""Servers of the rehearsal's own, in a folder that is removed. It never touches the installation."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from core.database import dispose
from core.database.upgrade import migrate
from core.services import ensure, stop
from core.services.manager import add_database
from core.services.quick_redis import forget_quick_client
from core.settings import get_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

SECOND: Final = "rehearsal"
"""The second data database."""

_FOREIGN: Final = ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL", "IIT_MASTER_KEY", "IIT_DATA_DATABASES")


@contextmanager
def own_servers() -> Iterator[list[str]]:
    """Start an empty PostgreSQL and Valkey, point this process at them, and yield the names of the data databases."""
    environment = dict(os.environ)
    folder = Path(tempfile.mkdtemp(prefix="iit-rehearsal-"))
    folder.chmod(0o755)  # when root, the servers run as an account that must be able to enter
    empty = folder / "settings.env"
    empty.touch()
    dispose()
    for name in _FOREIGN:
        os.environ.pop(name, None)
    os.environ.update(
        IIT_SETTINGS_FILE=str(empty),
        IIT_STATE_DIR=str(folder / "state"),
        IIT_ENVIRONMENT="test",
        IIT_SERVICES_FSYNC="false",
    )
    get_settings.cache_clear()
    forget_quick_client()
    try:
        ensure()
        add_database(SECOND)
        migrate()
        yield ["default", SECOND]
    finally:
        dispose()
        stop()
        shutil.rmtree(folder, ignore_errors=True)
        os.environ.clear()
        os.environ.update(environment)
        get_settings.cache_clear()
        dispose()
        forget_quick_client()
