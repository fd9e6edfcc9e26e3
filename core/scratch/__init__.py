"""Temporary folders with names, gone after a crash too.

Each process has a folder under ``IIT_SCRATCH_DIR``, and each run of a job one in it that goes when the run ends. A lock
that the system lets go of when the process ends, however it ends, tells which folders have nobody left: :func:`sweep`
removes those. What is written to a temporary file without a name needs none of this.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import secrets
import shutil
import tempfile
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, BinaryIO

from core.settings import get_settings, make_private

if TYPE_CHECKING:
    from collections.abc import Iterator

LOCK = "lock"
_lock = Lock()
_own: dict[tuple[int, Path], tuple[Path, int]] = {}
_run: ContextVar[str] = ContextVar("scratch_run", default="")


def base() -> Path:
    """The folder of all processes' folders. Root's may be passed through, so that plugins reach their own."""
    settings = get_settings()
    if settings.scratch_dir is None:
        make_private(settings.state_dir)
    folder = settings.scratch_dir or settings.state_dir / "scratch"
    make_private(folder)
    return folder


@contextmanager
def run_folder(name: str) -> Iterator[None]:
    """While the block lasts, this thread's temporary folders lie in one folder, which is removed with all in it."""
    token = _run.set(name)
    try:
        yield
    finally:
        _run.reset(token)
        held = _own.get((os.getpid(), base()))
        if held is not None:
            shutil.rmtree(held[0] / name, ignore_errors=True)


@contextmanager
def temporary(prefix: str) -> Iterator[Path]:
    """A folder that only this user can use, removed afterwards with all that is in it."""
    parent = _process_folder() / (_run.get() or "process")
    parent.mkdir(exist_ok=True)
    parent.chmod(0o711 if os.geteuid() == 0 else 0o700)
    with tempfile.TemporaryDirectory(prefix=prefix, dir=parent, ignore_cleanup_errors=True) as name:
        yield Path(name)


def nameless() -> BinaryIO:
    """A temporary file without a name: it goes when it is closed, or with the process."""
    return tempfile.TemporaryFile(dir=base())


def sweep() -> int:
    """Remove what processes that are gone have left; how many there were."""
    removed = 0
    for folder in base().iterdir():
        with suppress(OSError):
            descriptor = os.open(folder / LOCK, os.O_RDWR)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
                removed += not folder.exists()
            finally:
                os.close(descriptor)
    return removed


def _process_folder() -> Path:
    """This process's folder, made and locked at its first use."""
    key = (os.getpid(), base())
    with _lock:
        if key not in _own:
            folder = key[1] / f"{key[0]}-{secrets.token_hex(4)}"
            draft = key[1] / f".{folder.name}"
            draft.mkdir(mode=0o700)
            descriptor = os.open(draft / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            draft.chmod(0o711 if os.geteuid() == 0 else 0o700)
            draft.rename(folder)
            _own[key] = (folder, descriptor)
            atexit.register(shutil.rmtree, folder, ignore_errors=True)
        return _own[key][0]
