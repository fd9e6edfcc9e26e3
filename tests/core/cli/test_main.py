"""The command line: what is found, what is loaded for it, and how it ends."""

from __future__ import annotations

import io
import subprocess
import sys
from typing import TYPE_CHECKING

import click
import psycopg
import pytest

from core.cli import main as tool
from core.cli.main import commands, run
from core.cli.output import done_in_part
from core.errors import FieldError, Invalid, NotFound
from core.feature_registry import Command, Feature, features

if TYPE_CHECKING:
    from collections.abc import Callable

    Register = Callable[..., None]

HEAVY = (
    "alembic",
    "cryptography",
    "dramatiq",
    "fastapi",
    "lightgbm",
    "numpy",
    "openpyxl",
    "psycopg",
    "pydantic",
    "redis",
    "rich",
    "scipy",
    "shap",
    "sklearn",
    "sqlalchemy",
    "sqlmodel",
    "structlog",
)


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Register:
    """Registers commands, instead of those of the features, that do what is passed."""

    def make(**does: Callable[[], object]) -> None:
        registered = {name: Command(f"{__name__}:{name}", f"Help of {name}") for name in does}
        resolved = {f"{__name__}:{name}": click.command(name)(function) for name, function in does.items()}
        monkeypatch.setattr(tool, "commands", lambda: registered)
        monkeypatch.setattr(tool, "resolve", resolved.__getitem__)

    return make


def raising(error: BaseException) -> Callable[[], None]:
    def command() -> None:
        raise error

    return command


def test_help_lists_every_command_and_loads_none_of_the_heavy_libraries() -> None:
    code = (
        "import sys\n"
        "from core.cli.main import run\n"
        "code = run(['--help'])\n"
        f"sys.stderr.write(' '.join(name for name in {HEAVY!r} if name in sys.modules))\n"
        "raise SystemExit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stderr == ""
    listed = done.stdout.split("Commands:")[1].split()
    assert set(commands()) <= set(listed)


def test_no_feature_or_its_help_needs_a_heavy_library() -> None:
    code = (
        "import sys\n"
        "from core.feature_registry import features\n"
        "features()\n"
        f"sys.stderr.write(' '.join(name for name in {HEAVY!r} if name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""


@pytest.mark.parametrize("name", sorted(commands()))
def test_every_registered_command_can_be_loaded_and_explains_itself(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([name, "--help"]) == 0
    assert "Usage: iit" in capsys.readouterr().out
    assert commands()[name].help


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("iit, version ")


@pytest.mark.parametrize("words", [["no-such-command"], ["services", "no-such"], ["services", "stop", "--no-such"]])
def test_a_wrong_call_is_answered_with_two(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(words) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert "Error" in output.err


def test_an_expected_error_is_told_with_its_remedy_and_fields_and_no_trace(
    register: Register, capsys: pytest.CaptureFixture[str]
) -> None:
    fields = [FieldError("grace_days", "must be at least 0", "give 28")]
    register(wrong=raising(Invalid("the rules cannot be used", remedy="correct them", errors=fields)))
    assert run(["wrong"]) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err == (
        "error: the rules cannot be used\n  grace_days: must be at least 0 (give 28)\nwhat to do: correct them\n"
    )


def test_a_database_that_goes_away_is_an_expected_error(register: Register, capsys: pytest.CaptureFixture[str]) -> None:
    register(lost=raising(psycopg.OperationalError("server closed the connection: 08031234567")))
    assert run(["lost"]) == 1
    error_text = capsys.readouterr().err
    assert "the database does not answer" in error_text
    assert "08031234567" not in error_text


def test_a_fault_of_ours_keeps_its_trace(register: Register) -> None:
    register(broken=raising(ZeroDivisionError("division by zero")))
    with pytest.raises(ZeroDivisionError):
        run(["broken"])


@pytest.mark.parametrize("interruption", [click.Abort(), KeyboardInterrupt()])
def test_an_interruption_ends_with_one(
    register: Register, interruption: BaseException, capsys: pytest.CaptureFixture[str]
) -> None:
    register(stopped=raising(interruption))
    assert run(["stopped"]) == 1
    assert capsys.readouterr().err.strip() == "stopped"


def test_a_reader_that_closes_the_pipe_ends_it_quietly(
    register: Register, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    register(piped=raising(BrokenPipeError()))
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert run(["piped"]) == 1
    assert capsys.readouterr().err == ""


def test_work_done_in_part_ends_with_three(register: Register, capsys: pytest.CaptureFixture[str]) -> None:
    register(part=lambda: done_in_part("2 of 5 rows were rejected"))
    assert run(["part"]) == 3
    assert capsys.readouterr() == ("", "2 of 5 rows were rejected\n")


def test_what_a_command_returns_is_not_taken_for_an_exit_code(register: Register) -> None:
    register(counts=lambda: 5)
    assert run(["counts"]) == 0


def test_two_features_cannot_take_one_name(monkeypatch: pytest.MonkeyPatch) -> None:
    twice = [Feature(name=name, commands={"import": Command("a:b", "Help")}) for name in ("one", "two")]
    monkeypatch.setattr("core.feature_registry.features", lambda: twice)
    commands.cache_clear()
    try:
        with pytest.raises(RuntimeError, match="command 'import' is declared twice"):
            commands()
    finally:
        commands.cache_clear()


def test_a_registration_that_is_no_command_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tool, "commands", lambda: {"odd": Command("core.errors:NotFound", "Help")})
    with pytest.raises(RuntimeError, match="is not a click command"):
        run(["odd"])
    assert NotFound.status == 404


def test_the_features_of_this_checkout_are_installed() -> None:
    assert {"core", "records", "imports", "cohort", "risk", "followup", "alerts", "demo"} <= {
        feature.name for feature in features()
    }
