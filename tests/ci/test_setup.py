"""Set-up sees by content what there is to do, and the choice of Python is said plainly. Nothing is installed here."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from core.settings import CHECKOUT

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType


@pytest.fixture
def setup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The set-up script on a checkout of two small locks, its steps noted instead of done."""
    spec = importlib.util.spec_from_file_location("setup_script", CHECKOUT / ".ci" / "setup.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name in ("requirements.lock", "requirements-bootstrap.lock", "pyproject.toml", "package-lock.json"):
        (tmp_path / name).write_text(name)
    monkeypatch.setattr(module, "CHECKOUT", tmp_path)
    monkeypatch.setattr(module, "LOCK", tmp_path / "requirements.lock")
    monkeypatch.setattr(module, "BOOTSTRAP", tmp_path / "requirements-bootstrap.lock")
    monkeypatch.setattr(module, "WEB_LOCK", tmp_path / "package-lock.json")
    module.steps = []

    def make_venv(venv: Path, python: Path, base: str) -> None:
        module.steps.append("venv")
        python.parent.mkdir(parents=True, exist_ok=True)
        python.touch()

    monkeypatch.setattr(module, "_make_venv", make_venv)
    monkeypatch.setattr(module, "_install_packages", lambda *_: module.steps.append("packages"))
    monkeypatch.setattr(module, "_compile", lambda *_: module.steps.append("compile"))
    monkeypatch.setattr(module, "_install_web", lambda *_: module.steps.append("web"))
    monkeypatch.setattr(module, "_install_app", lambda *_: module.steps.append("app"))
    return module


def steps(setup: ModuleType) -> list[str]:
    setup.steps.clear()
    assert setup.main([".venv"]) == 0
    return list(setup.steps)


ALL = ["venv", "packages", "compile", "web", "app"]


def test_the_second_run_does_nothing(setup: ModuleType) -> None:
    assert steps(setup) == ALL
    assert steps(setup) == []


def test_a_changed_lock_installs_the_packages_anew(setup: ModuleType) -> None:
    steps(setup)
    setup.LOCK.write_text("other")
    assert steps(setup) == ALL
    setup.BOOTSTRAP.write_text("other")
    assert steps(setup) == ALL


def test_a_changed_description_of_the_project_installs_only_the_project_anew(setup: ModuleType) -> None:
    steps(setup)
    (setup.CHECKOUT / "pyproject.toml").write_text("other")
    assert steps(setup) == ["web", "app"]


def test_changed_packages_of_the_pages_are_installed_without_the_rest(setup: ModuleType) -> None:
    steps(setup)
    setup.WEB_LOCK.write_text("other")
    assert steps(setup) == ["web", "app"]


def test_a_moved_checkout_is_set_up_anew(setup: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    steps(setup)
    moved = setup.CHECKOUT.with_name("moved")
    setup.CHECKOUT.rename(moved)
    monkeypatch.setattr(setup, "CHECKOUT", moved)
    monkeypatch.setattr(setup, "LOCK", moved / "requirements.lock")
    monkeypatch.setattr(setup, "BOOTSTRAP", moved / "requirements-bootstrap.lock")
    monkeypatch.setattr(setup, "WEB_LOCK", moved / "package-lock.json")
    assert steps(setup) == ALL


def test_an_interrupted_set_up_is_begun_again(setup: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        message = "no network"
        raise setup.SetupError(message)

    with monkeypatch.context() as broken:
        broken.setattr(setup, "_install_packages", fail)
        assert setup.main([".venv"]) == 1
    assert steps(setup) == ALL


def test_bytecode_is_wanted_and_a_home_that_cannot_be_written_to_is_not_used(
    setup: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("HOME", str(tmp_path / "none"))
    monkeypatch.delenv("UV_CACHE_DIR", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    environment = setup._environment(tmp_path / ".venv")
    assert "PYTHONDONTWRITEBYTECODE" not in environment
    assert environment["UV_CACHE_DIR"] == str(tmp_path / ".venv" / ".uv-cache")


def test_uv_is_told_of_the_mirror_that_pip_was_told_of(
    setup: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://mirror.example/simple")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    environment = dict(os.environ)
    assert setup._mirror(pip, environment)["UV_DEFAULT_INDEX"] == "https://mirror.example/simple"
    chosen = environment | {"UV_DEFAULT_INDEX": "https://other.example", "SSL_CERT_FILE": "/a"}
    assert setup._mirror(pip, chosen) == {}


def choose(*words: str, path: Path) -> subprocess.CompletedProcess[str]:
    command = ["/bin/sh", str(CHECKOUT / ".ci" / "python"), *words]
    return subprocess.run(command, env={"PATH": str(path)}, capture_output=True, text=True, check=False)


def pretend(path: Path, name: str, *, good: bool) -> None:
    (path / name).write_text(f"#!/bin/sh\nexit {0 if good else 127}\n")
    (path / name).chmod(0o755)


def test_the_tested_python_is_taken_where_it_works_else_another_that_is_new_enough(tmp_path: Path) -> None:
    pretend(tmp_path, "python3.11", good=False)
    pretend(tmp_path, "python3", good=True)
    assert choose(path=tmp_path).stdout == "python3\n"
    pretend(tmp_path, "python3.11", good=True)
    assert choose(path=tmp_path).stdout == "python3.11\n"


def test_where_there_is_no_python_that_is_said_with_what_to_do(tmp_path: Path) -> None:
    pretend(tmp_path, "python3", good=False)
    result = choose(path=tmp_path)
    assert (result.returncode, result.stdout) == (1, "")
    assert "Python 3.11 or newer is needed" in result.stderr
    assert "PYTHON=" in result.stderr


def test_a_python_that_was_named_is_taken_or_rejected_never_replaced(tmp_path: Path) -> None:
    pretend(tmp_path, "python3.11", good=True)
    pretend(tmp_path, "python3.12", good=False)
    result = choose("python3.12", path=tmp_path)
    assert (result.returncode, result.stdout) == (1, "")
    assert "PYTHON=python3.12 is not" in result.stderr
