"""The settings: read from the environment and a file, rejected by name, never shown."""

from __future__ import annotations

import base64
import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from dotenv import dotenv_values
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Invalid, Unavailable
from core.settings import CHECKOUT, Settings, environment_name, get_settings, master_key
from core.settings.example import FILE, render
from core.settings.model import decode_master_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Set = Callable[..., Settings]

NAMES = [environment_name(field) for field in Settings.model_fields]


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Set]:
    """Gives the settings of an environment in which only what is passed is set."""

    def read(**values: str) -> Settings:
        for name in (*NAMES, "IIT_SETTINGS_FILE"):
            monkeypatch.delenv(name, raising=False)
        (tmp_path / "empty.env").touch()
        for name, value in ({"IIT_SETTINGS_FILE": str(tmp_path / "empty.env")} | values).items():
            monkeypatch.setenv(name, value)
        get_settings.cache_clear()
        return get_settings()

    yield read
    monkeypatch.undo()
    get_settings.cache_clear()


def test_the_example_file_says_every_key_with_its_default_and_what_it_is_for() -> None:
    assert FILE.read_text(encoding="utf-8") == render(), "run: python -m core.settings.example"


@pytest.mark.parametrize("field", Settings.model_fields.values(), ids=list(Settings.model_fields))
def test_every_setting_has_a_description_that_is_a_sentence(field: object) -> None:
    description = getattr(field, "description", None) or ""
    assert description[:1].isupper() or description.startswith("32"), description
    assert description.endswith("."), description


def test_the_example_file_uncommented_gives_the_defaults(bare: Set, tmp_path: Path) -> None:
    defaults = bare()
    file = tmp_path / "settings.env"
    file.write_text(re.sub(r"^#([A-Z_]+=)", r"\1", render(), flags=re.MULTILINE))
    assert set(dotenv_values(file)) == set(NAMES)
    assert bare(IIT_SETTINGS_FILE=str(file)) == defaults


def test_the_environment_wins_over_the_file(bare: Set, tmp_path: Path) -> None:
    file = tmp_path / "settings.env"
    file.write_text("IIT_LOG_LEVEL=debug\nIIT_PORT=1234\nDATABASE_URL=postgresql://from-file/d\n")
    settings = bare(IIT_SETTINGS_FILE=str(file), IIT_PORT="4321")
    assert (settings.log_level, settings.port) == ("debug", 4321)
    assert settings.database_url is not None
    assert settings.database_url.get_secret_value() == "postgresql://from-file/d"


def test_a_misspelt_key_of_the_file_is_named(bare: Set, tmp_path: Path) -> None:
    file = tmp_path / "settings.env"
    file.write_text("IIT_LOGLEVEL=debug\n")
    with pytest.raises(Invalid) as rejected:
        bare(IIT_SETTINGS_FILE=str(file))
    assert [(error.field, error.problem) for error in rejected.value.errors] == [("IIT_LOGLEVEL", "is not a setting")]


def test_a_file_that_is_named_and_missing_is_said(bare: Set, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="does not exist"):
        bare(IIT_SETTINGS_FILE=str(tmp_path / "none.env"))


def test_variables_of_others_with_our_prefix_are_left_alone(bare: Set) -> None:
    assert bare(IIT_SERVICE_HOST="10.0.0.1").environment == "development"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://u:hunter2@h/d"),
        ("DATABASE_OWNER_URL", "hunter2"),
        ("REDIS_URL", "http://hunter2"),
        ("IIT_MASTER_KEY", "hunter2"),
        ("IIT_MASTER_KEY", base64.b64encode(b"hunter2").decode()),
        ("IIT_LOG_LEVEL", "hunter2"),
        ("IIT_SERVICES_FSYNC", "hunter2"),
    ],
)
def test_a_value_that_does_not_do_is_named_and_never_repeated(bare: Set, name: str, value: str) -> None:
    with pytest.raises(Invalid, match=name) as rejected:
        bare(**{name: value})
    message = f"{rejected.value.detail} {rejected.value.remedy} {rejected.value.errors}"
    assert [error.field for error in rejected.value.errors] == [name]
    assert "hunter2" not in message


def test_secrets_are_not_in_the_representation(bare: Set) -> None:
    assert "hunter2" not in repr(bare(DATABASE_URL="postgresql://u:hunter2@h/d", REDIS_URL="redis://:hunter2@h"))


def test_an_empty_variable_is_one_that_is_not_set(bare: Set) -> None:
    settings = bare(DATABASE_URL="", IIT_LOG_LEVEL="")
    assert (settings.database_url, settings.log_level) == (None, "info")


def test_a_relative_state_folder_is_one_of_the_checkout(bare: Set) -> None:
    assert bare(IIT_STATE_DIR="elsewhere/state").state_dir == CHECKOUT / "elsewhere" / "state"


def test_the_master_key_is_made_once_for_the_owners_eyes(bare: Set, tmp_path: Path) -> None:
    state = tmp_path / "state"
    bare(IIT_STATE_DIR=str(state))
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: master_key(), range(16)))
    assert [len(key) for key in keys] == [32]
    assert (state / "master.key").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in state.iterdir()] == ["master.key"]


def test_the_master_key_that_is_set_is_used_and_no_file_is_made(bare: Set, tmp_path: Path) -> None:
    bare(IIT_STATE_DIR=str(tmp_path / "state"), IIT_MASTER_KEY=base64.b64encode(bytes(range(32))).decode())
    assert master_key() == bytes(range(32))
    assert not (tmp_path / "state").exists()


def test_an_external_database_needs_a_master_key_that_outlives_this_machine(bare: Set, tmp_path: Path) -> None:
    bare(IIT_STATE_DIR=str(tmp_path / "state"), DATABASE_URL="postgresql://u@h/d")
    with pytest.raises(Invalid, match="IIT_MASTER_KEY is not set"):
        master_key()


def test_a_damaged_key_file_is_never_replaced(bare: Set, tmp_path: Path) -> None:
    bare(IIT_STATE_DIR=str(tmp_path))
    (tmp_path / "master.key").write_text("c2hvcnQ=\n")
    with pytest.raises(Invalid, match="must be 32 bytes"):
        master_key()
    assert (tmp_path / "master.key").read_text() == "c2hvcnQ=\n"


def test_a_state_folder_that_cannot_be_made_is_said(bare: Set, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    bare(IIT_STATE_DIR=str(tmp_path / "file" / "state"))
    with pytest.raises(Unavailable, match="neither read nor made"):
        master_key()


@given(st.binary(min_size=32, max_size=32))
def test_every_key_survives_its_writing(key: bytes) -> None:
    assert decode_master_key(base64.b64encode(key).decode()) == key


def test_further_databases_are_named_with_their_logins_and_shown_without(bare: Set) -> None:
    settings = bare(
        IIT_DATA_DATABASES='{"east": {"url": "postgresql://a:hidden@h/d", "owner_url": "postgres://o@h/d"}}'
    )
    assert settings.data_databases["east"].url.get_secret_value() == "postgresql://a:hidden@h/d"
    assert "hidden" not in repr(settings)


@pytest.mark.parametrize(
    "value",
    [
        "postgresql://a:hidden@h/d",
        '{"default": {"url": "postgresql://a:hidden@h/d"}}',
        '{"East-1": {"url": "postgresql://a:hidden@h/d"}}',
        '{"east": {"url": "mysql://a:hidden@h/d"}}',
        '{"east": {"url": "postgresql://a:hidden@h/d", "owner": "x"}}',
        '{"east": {}}',
    ],
)
def test_further_databases_that_do_not_do_are_rejected_by_name_and_not_shown(bare: Set, value: str) -> None:
    with pytest.raises(Invalid) as rejected:
        bare(IIT_DATA_DATABASES=value)
    assert [error.field for error in rejected.value.errors][:1] == ["IIT_DATA_DATABASES"]
    assert "hidden" not in f"{rejected.value.detail} {rejected.value.errors}"
