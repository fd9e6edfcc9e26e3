"""The account that the embedded servers run as: PostgreSQL does not run as root.

Root uses an existing unprivileged account. It creates none, and changes no permissions outside our own folders.
"""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.errors import Unavailable

CANDIDATES = ("nobody", "postgres", "daemon")


@dataclass(frozen=True, slots=True)
class Account:
    """The account of the servers; ``switch`` is set when it differs from this process's, which is then root."""

    name: str
    uid: int
    gid: int
    switch: bool

    def own(self, path: Path) -> None:
        """Make this account the owner of ``path``, which belongs to the platform.

        Raises:
            Unavailable: root may not, for example in a container with one account.
        """
        if self.switch:
            try:
                os.chown(path, self.uid, self.gid)
            except OSError as error:
                raise self._not_to_be_had(f"{path} cannot be given to that account", error) from error

    def reaches(self, path: Path, *, write: bool = False) -> bool:
        """Return whether this account can enter the folder ``path`` (and write to it). Tries it as that account."""
        test = 'cd -- "$1" && test -r .' + (" && test -w ." if write else "")
        return self.run(["/bin/sh", "-c", test, "sh", str(path)], folder=Path("/")).returncode == 0

    def run(
        self,
        command: Sequence[str],
        *,
        folder: Path,
        stdin: str = "",
        timeout: float | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run ``command`` in ``folder`` as this account, with a minimal environment; return its output.

        Args:
            command: program and arguments.
            folder: working folder.
            stdin: its standard input.
            timeout: seconds after which it is killed.

        Raises:
            Unavailable: the process cannot change to the account, or the program cannot be started.
        """
        environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC", "HOME": str(folder)}
        environment |= {name: os.environ[name] for name in ("LD_LIBRARY_PATH", "ASAN_OPTIONS") if name in os.environ}
        who: dict[str, object] = {"user": self.uid, "group": self.gid, "extra_groups": []} if self.switch else {}
        try:
            done: subprocess.CompletedProcess[str] = subprocess.run(  # noqa: S603 - our own fixed programs
                command,
                input=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env=environment,
                umask=0o077,
                text=True,
                errors="replace",
                check=False,
                timeout=timeout,
                **who,  # type: ignore[call-overload]  # three typed arguments, given together or not at all
            )
        except subprocess.TimeoutExpired:
            raise
        except (OSError, subprocess.SubprocessError) as error:
            raise self._not_to_be_had(f"{Path(command[0]).name} cannot be run", error) from error
        return done

    def _not_to_be_had(self, what: str, error: Exception) -> Unavailable:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        detail = f"the servers run as the account {self.name}, and {what}: {reason}"
        return Unavailable(detail, remedy="run as an ordinary user, or set DATABASE_URL and REDIS_URL")


def server_account(data: Path) -> Account:
    """The account that the servers run as, for a data folder that need not exist yet.

    An ordinary user runs them as itself. Root runs them as the owner of existing data, or else as the first account of
    ``CANDIDATES`` that this system has.

    Raises:
        Unavailable: this process is root, and the system has none of those accounts.
    """
    uid = os.geteuid()
    if uid != 0:
        try:
            name = pwd.getpwuid(uid).pw_name
        except KeyError:
            name = str(uid)
        return Account(name, uid, os.getegid(), switch=False)
    if data.exists() and (owner := data.stat()).st_uid != 0:
        try:
            name = pwd.getpwuid(owner.st_uid).pw_name
        except KeyError:
            name = str(owner.st_uid)
        return Account(name, owner.st_uid, owner.st_gid, switch=True)
    for name in CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid, switch=True)
    detail = f"the embedded servers cannot run as root, and this system has no account {' or '.join(CANDIDATES)}"
    raise Unavailable(detail, remedy="run as an ordinary user, or set DATABASE_URL and REDIS_URL")
