"""The recorded state of the embedded servers between commands: ports, passwords, and the place of their data."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import Unavailable
from core.settings import make_private

if TYPE_CHECKING:
    from core.telemetry.progress import LineCallback

FILE = "services.json"
LOCK = "services.lock"
LOCK_WAIT_SECONDS = 300.0


def _password() -> str:
    return secrets.token_urlsafe(24)


@dataclass(slots=True)
class State:
    """The recorded facts. A port of 0 is not chosen yet; ``home`` is set where the data are elsewhere.

    ``bootstrap`` is the fingerprint of the set-up of the databases. ``databases`` are the names of the data databases
    beside the first; ``archive`` is the folder for WAL.
    """

    postgres_port: int = 0
    valkey_port: int = 0
    home: str | None = None
    bootstrapped: bool = False
    bootstrap: str = ""
    databases: list[str] = field(default_factory=list)
    archive: str | None = None
    superuser_password: str = field(default_factory=_password, repr=False)
    owner_password: str = field(default_factory=_password, repr=False)
    app_password: str = field(default_factory=_password, repr=False)
    valkey_password: str = field(default_factory=_password, repr=False)

    def data_home(self, folder: Path) -> Path:
        """The folder of the servers' data."""
        return Path(self.home) if self.home else folder / "services"


def read(folder: Path) -> State | None:
    """Return the state recorded in ``folder``; None if there is none yet.

    Raises:
        Unavailable: it exists but cannot be read.
    """
    file = folder / FILE
    try:
        return State(**json.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except NotADirectoryError as error:
        raise unusable(folder, error) from error
    except PermissionError as error:
        detail = f"{file} belongs to another user, who started the embedded servers here"
        remedy = "run as that user, or set IIT_STATE_DIR to a folder of your own"
        raise Unavailable(detail, remedy=remedy) from error
    except (ValueError, TypeError) as error:
        detail = f"{file} is damaged: it holds the ports and passwords of the embedded servers"
        command = "restore it from a copy; or, to delete the data there, run: iit services reset --yes"
        raise Unavailable(detail, command=command) from error


def write(folder: Path, state: State) -> None:
    """Write ``state`` completely or not at all, readable by its owner alone."""
    draft = folder / f"{FILE}.draft"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        json.dump(asdict(state), stream, indent=1)
        stream.flush()
        os.fsync(stream.fileno())
    draft.replace(folder / FILE)


def prepare(folder: Path) -> None:
    """Create the state folder.

    If root creates it, the servers may enter it to reach their data, but not list it. If a user creates it, no other
    account may enter it.

    Raises:
        Unavailable: the folder cannot be created or written to.
    """
    try:
        make_private(folder)
    except OSError as error:
        raise unusable(folder, error) from error


@contextmanager
def locked(folder: Path, say: LineCallback) -> Iterator[None]:
    """Hold the folder's lock, which the system releases when its holder ends in any way, so it cannot become stale.

    Raises:
        Unavailable: another process held it for five minutes, or the folder cannot be written to.
    """
    try:
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise unusable(folder, error) from error
    try:
        deadline, notice_at = time.monotonic() + LOCK_WAIT_SECONDS, time.monotonic() + 2.0
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                now = time.monotonic()
                if now > deadline:
                    detail = f"another process has been starting or stopping the servers in {folder} for five minutes"
                    raise Unavailable(detail, remedy="look for it, end it, and try again") from None
                if notice_at and now > notice_at:
                    say("another process is starting or stopping the servers here: waiting for it")
                    notice_at = 0.0
                time.sleep(0.05)
            except OSError as error:
                raise unusable(folder, error) from error
        yield
    finally:
        os.close(descriptor)


def unusable(folder: Path, error: OSError) -> Unavailable:
    """Return the error for an unusable folder, with the system's reason."""
    remedies = {
        errno.ENOSPC: "free some space (a new database needs about 300 MB); committed data are safe",
        errno.EDQUOT: "free some of your quota, or set IIT_STATE_DIR to a folder elsewhere",
        errno.EROFS: "the disk is read-only: set IIT_STATE_DIR to a folder that can be written to",
        errno.ENOLCK: "the file system there knows no locks: set IIT_STATE_DIR to a folder on a local disk",
    }
    remedy = remedies.get(error.errno or 0, "set IIT_STATE_DIR to a folder that you can write to")
    return Unavailable(f"the state folder {folder} cannot be used: {error.strerror or error}", remedy=remedy)
