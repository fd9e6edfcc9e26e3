"""Limits what a plugin's process may do: run, read its modules, and use one folder. It loses all other rights.

Some systems cannot take away every right: :func:`gaps` lists what remains, and the manager warns of it.
"""

from __future__ import annotations

import json
import os
import secrets
import stat
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from core import scratch
from core.processes.confined import CALLS, FILES, NETWORK, PROBE, USER, limits_of
from core.settings import CHECKOUT, get_settings
from core.settings.load import FILE_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

USERS = range(61_184, 65_520)
"""User numbers that no account has, from which systemd takes its transient users."""

PROCESSES = 512
"""The limit of processes and threads of one run: numerical libraries start several per processor."""

PROBE_SECONDS = 60
_SYSTEM = ("/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin", "/opt", "/etc", "/nix/store")
_FACTS = (
    "/proc/self",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/sys/vm",
    "/sys/devices/system",
    "/sys/fs/cgroup",
)
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")

GAPS = {
    USER: "it runs as the platform's own user",
    FILES: "it can read what its user can read",
    NETWORK: "it can reach the network, and the database's port",
}
SECRETS = "it can read the platform's files: the master key, the passwords of the databases"


@dataclass(frozen=True, slots=True)
class Confinement:
    """The confinement of one run.

    Attributes:
        user: the number of the operating system's user that runs it. Each run has its own, so that two runs cannot
            interfere. None: the platform's user.
        specification: the argument of ``core.processes.confined``, as JSON.
    """

    user: int | None
    specification: str


def confinement(folder: Path, limits: Mapping[str, int], *, python_path: Iterable[Path]) -> Confinement:
    """Confine a run to a folder, whose content then belongs to the run's user.

    Args:
        folder: the only folder that it may write to.
        limits: ``memory_bytes``, ``cpu_seconds`` and ``file_bytes``.
        python_path: the folders of its modules.
    """
    modules = [*python_path]
    reach = not _reachable(folder, modules)
    user = None if reach and not {FILES, CALLS} <= set(_measures()) else _user(folder)
    if user is not None:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, user, user, follow_symlinks=False)
    bounds = limits_of(**limits, processes=PROCESSES if user is not None else None)
    specification = {
        "parent": os.getpid(),
        "limits": bounds,
        "user": user,
        "reach": reach and user is not None,
        "read": [str(path) for path in _readable(modules)],
        "write": [str(folder), "/dev/null"],
    }
    return Confinement(user, json.dumps(specification))


@cache
def gaps() -> tuple[str, ...]:
    """The rights that plugins keep on this system, as a process without a plugin reports them."""
    with scratch.temporary("iit-probe-") as folder:
        limits = {"memory_bytes": 4 * 1024**3, "cpu_seconds": PROBE_SECONDS, "file_bytes": 1024**2}
        tried = confinement(folder, limits, python_path=[CHECKOUT])
        done = _probe(folder, tried.specification)
    left = [text for measure, text in GAPS.items() if measure not in done]
    return tuple(left if USER in done or FILES in done else [*left, SECRETS])


def may_run(plugin: str) -> bool:
    """Return whether a third-party plugin may run here: it can be confined, or the operator has named it."""
    named = {name.strip() for name in get_settings().plugins_unconfined.split(",")}
    return plugin in named or not {GAPS[FILES], GAPS[NETWORK]} & set(gaps())


@cache
def _measures() -> tuple[str, ...]:
    """The measures that confine a process whose user stays the same."""
    with scratch.temporary("iit-probe-") as folder:
        limits = limits_of(memory_bytes=4 * 1024**3, cpu_seconds=PROBE_SECONDS, file_bytes=1024**2, processes=None)
        stays = {"parent": os.getpid(), "limits": limits, "user": None, "reach": False, "read": ["/"], "write": []}
        return tuple(_probe(folder, json.dumps(stays)))


def _probe(folder: Path, specification: str) -> list[str]:
    process = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-P", "-m", "core.processes.confined", specification, PROBE],
        cwd=folder,
        env={"PYTHONPATH": str(CHECKOUT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        timeout=PROBE_SECONDS,
        check=False,
    )
    return [str(measure) for measure in json.loads(process.stdout)] if process.returncode == 0 else []


def _reachable(folder: Path, modules: list[Path]) -> bool:
    """Return whether any other user can reach Python, the modules and the folder."""
    needed = [Path(sys.executable), Path(sys.executable).resolve(), Path(sys.base_prefix), *modules]
    return all(_open_to_others(path) for path in needed) and _passable(folder.parent)


def _user(folder: Path) -> int | None:
    """Return a user for a run; None if this process cannot change users."""
    if os.geteuid() != 0:
        return None
    user = secrets.choice(USERS)
    try:
        os.chown(folder, user, user)
    except OSError:
        return None  # a container with one user
    return user


def _open_to_others(path: Path) -> bool:
    try:
        mode = path.stat().st_mode
    except OSError:
        return True  # a missing path is not needed
    wanted = stat.S_IROTH | (stat.S_IXOTH if stat.S_ISDIR(mode) else 0)
    return mode & wanted == wanted and _passable(path.parent)


def _passable(folder: Path) -> bool:
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in (folder, *folder.parents))


def _readable(modules: list[Path]) -> Iterator[Path]:
    """The paths that a run may read: Python, the modules, the system's programs and facts, but none of our secrets."""
    hidden = _hidden()
    python = [Path(sys.prefix), Path(sys.base_prefix), Path(sys.executable).resolve().parent]
    for path in (*map(Path, _SYSTEM), *python, *modules):
        yield from _without(path.resolve(), hidden)
    yield from map(Path, (*_FACTS, *_DEVICES))


def _hidden() -> list[Path]:
    """Folders and files of the platform that may hold secrets or personal data."""
    settings = get_settings()
    named = [settings.state_dir, settings.scratch_dir, settings.backup_dir, CHECKOUT / "settings.env"]
    if FILE_VARIABLE in os.environ:
        named.append(Path(os.environ[FILE_VARIABLE]))
    if settings.blob_url is not None:
        named.append(Path(settings.blob_url.removeprefix("file://")))
    return [path.resolve() for path in named if path is not None]


def _without(path: Path, hidden: list[Path]) -> Iterator[Path]:
    """Yield the path if it contains nothing hidden, else the largest parts of it that contain nothing hidden."""
    if any(path.is_relative_to(each) for each in hidden):
        return
    if not any(each.is_relative_to(path) for each in hidden):
        yield path
        return
    for child in path.iterdir():
        if not child.is_symlink():  # a link may point to a hidden path
            yield from _without(child, hidden)
