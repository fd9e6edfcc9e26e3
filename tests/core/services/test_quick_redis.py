"""The quick client finds Redis where it was recorded, and never starts a server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from redis.exceptions import ConnectionError as RedisAway

from core.services import state
from core.services.quick_redis import forget_quick_client, quick_client
from tests.core.services.conftest import Place

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """An empty state folder: no server was ever started there."""
    with Place(tmp_path).environment():
        forget_quick_client()
        yield tmp_path
    forget_quick_client()


def test_it_starts_no_server(folder: Path) -> None:
    with pytest.raises(RedisAway, match="never started"):
        quick_client()
    assert list(folder.iterdir()) == []


def test_a_damaged_record_is_as_if_redis_were_away(folder: Path) -> None:
    (folder / state.FILE).write_text("{")
    with pytest.raises(RedisAway, match="damaged"):
        quick_client()


def test_it_calls_the_recorded_port(folder: Path) -> None:
    state.write(folder, state.State(valkey_port=1))
    with pytest.raises(RedisAway):
        quick_client().ping()
