"""State folders of their own for the tests of the embedded servers, which start, kill and forget them."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from core import services
from core.services import state
from core.settings import get_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from core.services import Endpoints

ADDRESSES = ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL")


@dataclass
class Place:
    """A state folder, and the messages of its servers."""

    folder: Path
    messages: list[str] = field(default_factory=list)

    @contextmanager
    def environment(self) -> Iterator[None]:
        """Make this the state folder of the settings."""
        wanted = {"IIT_STATE_DIR": str(self.folder), "IIT_SERVICES_FSYNC": "false"}
        before = {name: os.environ.get(name) for name in (*wanted, *ADDRESSES)}
        for name in ADDRESSES:
            os.environ.pop(name, None)
        os.environ.update(wanted)
        get_settings.cache_clear()
        try:
            yield
        finally:
            for name, value in before.items():
                os.environ.pop(name, None)
                if value is not None:
                    os.environ[name] = value
            get_settings.cache_clear()

    def ensure(self) -> Endpoints:
        with self.environment():
            return services.ensure(self.messages.append)

    def stop(self) -> list[str]:
        with self.environment():
            return services.stop(self.messages.append)

    def reset(self) -> None:
        with self.environment():
            services.reset(self.messages.append)

    @property
    def state(self) -> state.State:
        known = state.read(self.folder)
        assert known is not None
        return known

    @property
    def data(self) -> Path:
        return self.state.data_home(self.folder) / "postgres"

    def postmaster(self) -> int:
        return int((self.data / "postmaster.pid").read_text().split()[0])


def ask(url: str, query: str, *values: object) -> object:
    """The first value of the first row."""
    with psycopg.connect(url) as link:
        row = link.execute(query, values).fetchone()
    assert row is not None
    return row[0]


@contextmanager
def a_place() -> Iterator[Place]:
    """A folder that other accounts may pass through, as a checkout usually is; reset and removed at the end."""
    parent = Path(tempfile.mkdtemp(prefix="iit-services-"))
    parent.chmod(0o755)
    new_place = Place(parent / "state")
    try:
        yield new_place
    finally:
        new_place.reset()
        shutil.rmtree(parent)


@pytest.fixture
def place() -> Iterator[Place]:
    """A state folder of one test."""
    with a_place() as new_place:
        yield new_place


@pytest.fixture(scope="module")
def shared_place() -> Iterator[Place]:
    """A state folder that the tests of a module share, each beginning with ``ensure``."""
    with a_place() as new_place:
        yield new_place
