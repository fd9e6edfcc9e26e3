"""What goes wrong on real machines: each time a way out, or a clear word, and nothing lost."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from core.errors import Unavailable
from core.services import manager, ports, state
from core.services.postgres import command_line
from tests.core.services.conftest import ask

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.core.services.conftest import Place


def write_a_row(url: str) -> None:
    with psycopg.connect(url) as link:
        link.execute("CREATE SCHEMA IF NOT EXISTS kept")
        link.execute("CREATE TABLE IF NOT EXISTS kept.rows (id int)")
        link.execute("TRUNCATE kept.rows")
        link.execute("INSERT INTO kept.rows VALUES (42)")


def the_row(url: str) -> object:
    return ask(url, "SELECT id FROM kept.rows")


@contextmanager
def listening(port: int) -> Iterator[None]:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind((ports.LOOPBACK, port))
        other.listen()
        yield


def test_stopping_and_starting_keeps_data_port_and_passwords(shared_place: Place) -> None:
    before = shared_place.ensure()
    write_a_row(before.database_owner_url)
    assert sorted(shared_place.stop()) == ["postgresql", "valkey"]
    assert shared_place.stop() == []
    assert shared_place.ensure() == before
    assert the_row(before.database_owner_url) == 42


def test_killed_servers_are_started_again_with_what_was_committed(shared_place: Place) -> None:
    before = shared_place.ensure()
    write_a_row(before.database_owner_url)
    os.kill(int((shared_place.data.parent / "valkey.pid").read_text()), signal.SIGKILL)
    os.kill(shared_place.postmaster(), signal.SIGKILL)
    after = shared_place.ensure()
    assert after.database_url == before.database_url
    assert the_row(after.database_owner_url) == 42


def test_a_stale_lock_that_names_a_live_process_of_another_kind_does_not_stop_a_start(shared_place: Place) -> None:
    write_a_row(shared_place.ensure().database_owner_url)
    lock = (shared_place.data / "postmaster.pid").read_text().splitlines()
    shared_place.stop()
    (shared_place.data / "postmaster.pid").write_text("\n".join([str(os.getpid()), *lock[1:]]) + "\n")
    assert the_row(shared_place.ensure().database_owner_url) == 42


def test_where_a_port_is_taken_another_is_chosen_remembered_and_said(shared_place: Place) -> None:
    write_a_row(shared_place.ensure().database_owner_url)
    shared_place.stop()
    database, queue = shared_place.state.postgres_port, shared_place.state.valkey_port
    shared_place.messages.clear()
    with listening(database), listening(queue):
        services = shared_place.ensure()
        assert the_row(services.database_owner_url) == 42
    assert shared_place.state.postgres_port != database
    assert shared_place.state.valkey_port != queue
    assert [f"port {port} is taken" in " ".join(shared_place.messages) for port in (database, queue)] == [True, True]
    assert shared_place.ensure() == services


def test_a_folder_left_by_a_killed_first_start_is_made_anew(place: Place) -> None:
    state.prepare(place.folder)
    half_made = place.folder / "services" / "postgres.new"
    half_made.mkdir(parents=True)
    (half_made / "PG_VERSION").write_text("18\n")
    account = manager.server_account(Path("/nonexistent"))
    account.own(half_made.parent)
    account.own(half_made)
    assert ask(place.ensure().database_url, "SELECT 1") == 1
    assert not half_made.exists()


def test_a_full_disk_says_so_leaves_nothing_half_made_and_the_next_start_works(place: Place) -> None:
    code = (
        "import resource\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))\n"
        "from core.cli.main import run\n"
        "raise SystemExit(run(['services', 'start']))"
    )
    with place.environment():
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=Path(__file__).resolve().parents[3],
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert "the embedded database could not be created" in done.stderr
    assert "what to do: raise the limit on file size" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (place.folder / "services" / "postgres").exists()
    assert ask(place.ensure().database_url, "SELECT 1") == 1


def test_too_little_room_is_said_before_anything_is_written(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manager, "_NEEDED_BYTES", 1 << 62)
    with pytest.raises(Unavailable, match="MB are free") as rejected:
        place.ensure()
    assert "free some space" in rejected.value.remedy


@pytest.mark.parametrize("folder", ["/dev/null/state", "/proc/iit-state"])
def test_a_state_folder_that_cannot_be_made_is_named_with_a_remedy(place: Place, folder: str) -> None:
    elsewhere = type(place)(Path(folder))
    with pytest.raises(Unavailable, match=folder) as rejected:
        elsewhere.ensure()
    assert "IIT_STATE_DIR" in rejected.value.remedy


@pytest.mark.parametrize(
    ("code", "remedy"),
    [(errno.ENOSPC, "free some"), (errno.EROFS, "read-only"), (errno.EDQUOT, "quota"), (errno.EACCES, "can write")],
)
def test_each_rejection_of_the_disk_has_its_remedy(code: int, remedy: str) -> None:
    assert remedy in state.unusable(Path("/state"), OSError(code, os.strerror(code))).remedy


def test_a_damaged_memory_of_ports_and_passwords_is_said_and_reset_begins_anew(place: Place) -> None:
    place.ensure()
    place.stop()
    (place.folder / "services.json").write_text("{")
    with pytest.raises(Unavailable, match="damaged") as rejected:
        place.ensure()
    assert "iit services reset" in rejected.value.command
    place.reset()
    assert ask(place.ensure().database_url, "SELECT 1") == 1


def test_data_that_is_gone_is_never_replaced_by_an_empty_database(place: Place) -> None:
    place.ensure()
    place.stop()
    place.data.rename(place.data.with_name("moved"))
    with pytest.raises(Unavailable, match="is gone"):
        place.ensure()
    place.data.with_name("moved").rename(place.data)
    (place.data / "PG_VERSION").write_text("9\n")
    with pytest.raises(Unavailable, match="is of PostgreSQL 9"):
        place.ensure()


def test_reset_deletes_data_and_blobs(place: Place) -> None:
    first = place.ensure()
    write_a_row(first.database_owner_url)
    pid = place.postmaster()
    (place.folder / "blobs").mkdir()
    place.reset()
    assert str(place.folder) not in command_line(pid)
    assert sorted(path.name for path in place.folder.iterdir()) == ["services.lock"]
    with pytest.raises(psycopg.errors.UndefinedTable):
        the_row(place.ensure().database_owner_url)
