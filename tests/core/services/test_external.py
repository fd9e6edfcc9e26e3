"""Servers given by address are used as they are, and looked at when asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from core.database import databases
from core.database.engines import login_url
from core.errors import Invalid, Unavailable
from core.services import ensure, ports
from core.services.backups import base_backup
from core.services.manager import add_database
from core.services.status import check, status
from core.settings import get_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.core.services.conftest import Place


@pytest.fixture
def set_addresses(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[..., None]]:
    """Sets addresses for one test."""

    def give(**values: str) -> None:
        monkeypatch.setenv("IIT_STATE_DIR", str(tmp_path / "state"))
        for name, value in values.items():
            monkeypatch.setenv(name, value)
        get_settings.cache_clear()

    yield give
    monkeypatch.undo()
    get_settings.cache_clear()


def test_given_addresses_are_returned_and_nothing_is_started(
    set_addresses: Callable[..., None], tmp_path: Path
) -> None:
    set_addresses(DATABASE_URL="postgresql://a@h/d", DATABASE_OWNER_URL="postgresql://o@h/d", REDIS_URL="redis://h/0")
    services = ensure()
    assert (services.database_url, services.database_owner_url) == ("postgresql://a@h/d", "postgresql://o@h/d")
    assert services.redis_url == "redis://h/0"
    assert not (tmp_path / "state").exists()


def test_the_owners_address_is_asked_for_only_when_it_is_needed(set_addresses: Callable[..., None]) -> None:
    set_addresses(DATABASE_URL="postgresql://a@h/d", REDIS_URL="redis://h/0")
    services = ensure()
    with pytest.raises(Unavailable, match="DATABASE_OWNER_URL is not"):
        _ = services.database_owner_url


def test_the_owners_address_alone_is_a_contradiction(set_addresses: Callable[..., None]) -> None:
    set_addresses(DATABASE_OWNER_URL="postgresql://o@h/d")
    with pytest.raises(Invalid, match="DATABASE_URL is not"):
        ensure()


def test_servers_that_do_not_answer_are_named_without_their_passwords(set_addresses: Callable[..., None]) -> None:
    port = ports.choose()
    set_addresses(
        DATABASE_URL=f"postgresql://a:hidden@127.0.0.1:{port}/d", REDIS_URL=f"redis://:hidden@127.0.0.1:{port}/0"
    )
    with pytest.raises(Unavailable) as rejected:
        check()
    assert f"postgresql (external) at 127.0.0.1:{port}" in rejected.value.detail
    assert f"valkey (external) at 127.0.0.1:{port}" in rejected.value.detail
    assert "hidden" not in rejected.value.detail


def test_running_servers_by_address_are_looked_at_as_they_are(place: Place, set_addresses: Callable[..., None]) -> None:
    ours = place.ensure()
    set_addresses(DATABASE_URL=ours.database_url, REDIS_URL=ours.redis_url)
    database, queue = status()
    assert (database.mode, database.running, database.problem) == ("external", True, "")
    assert (queue.mode, queue.running, queue.problem) == ("external", True, "")
    assert database.version.startswith("18.")
    check()


def test_embedded_servers_that_do_not_run_are_said_to_be_stopped(set_addresses: Callable[..., None]) -> None:
    set_addresses()
    assert [(service.mode, service.running, service.problem) for service in status()] == [
        ("embedded", False, "not started")
    ] * 2


def test_further_databases_are_found_by_their_names_and_logged_in_to_by_one_role(
    set_addresses: Callable[..., None],
) -> None:
    external = {"DATABASE_URL": "postgresql://a@h/d", "REDIS_URL": "redis://h/0"}
    set_addresses(**external, IIT_DATA_DATABASES='{"east": {"url": "postgresql://a@east/d"}}')
    assert databases() == ("default", "east")
    assert ensure().databases["east"].url == "postgresql://a@east/d"
    assert login_url("application", "east") == "postgresql://a@east/d"
    with pytest.raises(Unavailable, match="owner's login to the data database east"):
        login_url("owner", "east")
    set_addresses(**external, IIT_DATA_DATABASES='{"east": {"url": "postgresql://other@east/d"}}')
    with pytest.raises(Invalid, match="another role"):
        ensure()


@pytest.mark.parametrize("name", ["default", "East", "a b", "", "x" * 32])
def test_a_database_is_made_only_under_a_name_that_does(set_addresses: Callable[..., None], name: str) -> None:
    set_addresses()
    with pytest.raises(Invalid, match="cannot be the name"):
        add_database(name)


def test_databases_and_base_backups_are_made_on_the_embedded_server_only(set_addresses: Callable[..., None]) -> None:
    set_addresses(DATABASE_URL="postgresql://a@h/d", REDIS_URL="redis://h/0")
    with pytest.raises(Invalid, match="only on the embedded server"):
        add_database("east")
    with pytest.raises(Invalid, match="embedded server only"):
        base_backup()
