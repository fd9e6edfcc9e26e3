"""Runs of single tests in a copy of the project, each in a fork of this process.

This process imports the libraries, and never the project. So a run starts neither Python nor servers: all runs share
one PostgreSQL and one Valkey, until a run has left rows behind that make another one fail.
"""

from __future__ import annotations

import compileall
import importlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from py_compile import PycInvalidationMode
from typing import TYPE_CHECKING, Final, Literal, Self

from tests.faults.mutants.table import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.mutants.table import Mutant

Outcome = Literal["killed", "survived", "broken"]
"""``broken``: the test fails without the mutant too, or there is no such test."""

LONGEST_SECONDS: Final = 600
"""A test that takes longer without its mechanism hangs, which nobody overlooks."""
_PASSED, _FAILED, _HANGS = 0, 1, -1
_RUN: Final = "IIT_TEST_RUN"
_LIBRARIES: Final = (
    *("pytest", "_pytest.assertion.rewrite", "hypothesis", "numpy", "fastapi", "fastapi.testclient", "sqlmodel"),
    *("psycopg", "alembic", "dramatiq", "redis", "httpx", "casbin", "jinja2", "babel", "structlog", "cryptography"),
)


class Runs:
    """A copy of the project, and servers for its tests. Used as a context manager."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="iit-mutants-"))
        self._folder.chmod(0o755)
        self._servers: Path | None = None

    def __enter__(self) -> Self:
        _copy(self._folder)
        compileall.compile_dir(self._folder, quiet=2, invalidation_mode=PycInvalidationMode.CHECKED_HASH)
        for name in _LIBRARIES:
            with suppress(ImportError):
                importlib.import_module(name)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop_servers()
        shutil.rmtree(self._folder, ignore_errors=True)

    def outcome(self, mutant: Mutant) -> Outcome:
        """Run the test of a mutant with it and without it."""
        status = self._status(mutant)
        if status == _PASSED:
            return "survived"
        if status in {_FAILED, _HANGS} and self._without(mutant) == _PASSED:
            return "killed"
        # An earlier run has perhaps left rows that this test does not expect.
        self._stop_servers()
        if self._without(mutant) != _PASSED:
            return "broken"
        return "survived" if self._status(mutant) == _PASSED else "killed"

    def _status(self, mutant: Mutant) -> int:
        file = self._folder / mutant.file
        source = file.read_text(encoding="utf-8")
        file.write_text(mutant.applied(source), encoding="utf-8")
        try:
            return self._without(mutant)
        finally:
            file.write_text(source, encoding="utf-8")

    def _without(self, mutant: Mutant) -> int:
        """Run a test in the copy as it is; return the status of pytest."""
        if self._servers is None:
            self._servers = Path(tempfile.mkdtemp(prefix="iit-tests-"))
            self._servers.chmod(0o755)
            self._fork(_start_servers)

        def run() -> int:
            import pytest

            options = ["-q", "-x", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
            return int(pytest.main([*options, f"tests/{mutant.test}"]))

        return self._fork(run)

    def _stop_servers(self) -> None:
        if self._servers is not None:
            self._fork(_end_servers)
            shutil.rmtree(self._servers, ignore_errors=True)
            self._servers = None

    def _fork(self, function: Callable[[], int]) -> int:
        child = os.fork()
        if not child:
            self._become(function)
        until = time.monotonic() + LONGEST_SECONDS
        while time.monotonic() < until:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.05)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return _HANGS

    def _become(self, function: Callable[[], int]) -> None:
        """Run a function in the copy, and end this process."""
        status = 3
        try:
            quiet = os.open(os.devnull, os.O_RDWR)
            for stream in range(3):
                os.dup2(quiet, stream)
            os.chdir(self._folder)
            os.environ.update(PYTHONPATH=str(self._folder), PYTHONDONTWRITEBYTECODE="1")
            os.environ[_RUN] = str(self._servers)
            sys.dont_write_bytecode = True
            sys.path[:] = [str(self._folder), *(path for path in sys.path if path not in {"", str(ROOT)})]
            for name in [name for name in sys.modules if name.partition(".")[0] == "tests"]:
                del sys.modules[name]
            status = function()
        finally:
            os._exit(status)


def _start_servers() -> int:
    from tests.conftest import point_at

    point_at(Path(os.environ[_RUN]))
    from core.database.upgrade import migrate
    from core.services import ensure

    ensure()
    migrate()
    return 0


def _end_servers() -> int:
    from tests.conftest import point_at

    point_at(Path(os.environ[_RUN]))
    from core.services import stop

    stop()
    return 0


def _copy(folder: Path) -> None:
    """Copy the files of the project that Git knows or would add."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
