"""Temporary folders that are removed even after a crash.

Each process has a folder under ``IIT_SCRATCH_DIR``. In it each run of a job has a folder, which is removed when the run
ends. A process locks its folder, and the system releases the lock however the process ends. So :func:`sweep` removes
the folders that are not locked. Temporary files without a name need none of this.
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
    """Return the folder that contains every process's folder.

    If root owns it, other users may enter it, so that plugins reach their own folders.
    """
    settings = get_settings()
    if settings.scratch_dir is None:
        make_private(settings.state_dir)
    folder = settings.scratch_dir or settings.state_dir / "scratch"
    make_private(folder)
    return folder


@contextmanager
def run_folder(name: str) -> Iterator[None]:
    """Put this thread's temporary folders into one folder during the block, then remove it."""
    token = _run.set(name)
    try:
        yield
    finally:
        _run.reset(token)
        own_folder = _own.get((os.getpid(), base()))
        if own_folder is not None:
            shutil.rmtree(own_folder[0] / name, ignore_errors=True)


@contextmanager
def temporary(prefix: str) -> Iterator[Path]:
    """A folder for this user alone, removed afterwards."""
    parent = _process_folder() / (_run.get() or "process")
    parent.mkdir(exist_ok=True)
    parent.chmod(0o711 if os.geteuid() == 0 else 0o700)
    with tempfile.TemporaryDirectory(prefix=prefix, dir=parent, ignore_cleanup_errors=True) as name:
        yield Path(name)


def nameless() -> BinaryIO:
    """A temporary file without a name, which vanishes when it is closed or the process ends."""
    return tempfile.TemporaryFile(dir=base())


def sweep() -> int:
    """Remove the folders of dead processes; return how many."""
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
    """This process's folder, created and locked at its first use."""
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
