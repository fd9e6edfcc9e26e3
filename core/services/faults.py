"""Errors of servers that do not start, with remedies for the operator."""

from __future__ import annotations

from pathlib import Path

from core.errors import Unavailable

PORT_TAKEN = ("Address already in use", "Address in use")
STILL_ENDING = ("pre-existing shared memory block", "is still in use")

_SPACE = "free some space (a new database needs about 300 MB) and try again; committed data are safe"
_REMEDIES = (
    ("No space left on device", _SPACE),
    ("Disk quota exceeded", _SPACE),
    ("File too large", "raise the limit on file size (ulimit -f) or move the data to a disk that allows larger files"),
    ("Read-only file system", "make the disk writable again, or set IIT_STATE_DIR to a folder on another one"),
    ("Permission denied", "give the folder back to the account that the servers run as, or set IIT_STATE_DIR"),
    ("Cannot allocate memory", "free some memory: the embedded servers need about 300 MB"),
    ("could not map anonymous shared memory", "free some memory: the embedded servers need about 300 MB"),
    ("user does not exist", "run as a user that this system knows by name, or set DATABASE_URL and REDIS_URL"),
    ("Input/output error", "the disk is failing: copy the state folder elsewhere before anything else"),
    ("invalid checkpoint", "restore the data folder from a copy"),
)
_COMMANDS = {
    "invalid checkpoint": "restore the data folder from a copy; or, giving it up, run: iit services reset --yes"
}


def rejected(what: str, output: str, log: Path) -> Unavailable:
    """The error for a server that did not start.

    Args:
        what: what failed, such as "PostgreSQL did not start".
        output: the server's whole output.
        log: the server's log.
    """
    sign, remedy = next(((sign, remedy) for sign, remedy in _REMEDIES if sign in output), ("", f"read {log}"))
    detail = f"{what}: {_gist(output) or 'it printed nothing'}"
    return Unavailable(detail, remedy=remedy, command=_COMMANDS.get(sign, ""))


def _gist(output: str) -> str:
    """Return the first line that reports a fatal error, without its time stamp; else the last line."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    for sign in ("FATAL:", "PANIC:", "error:", "could not", "# "):
        for line in lines:
            if sign in line:
                return line[line.index(sign) :].removeprefix("# ")
    return lines[-1] if lines else ""


def since(log: Path, mark: int) -> str:
    """The part of ``log`` after its first ``mark`` bytes."""
    try:
        with log.open("rb") as stream:
            stream.seek(mark)
            return stream.read(64_000).decode(errors="replace")
    except OSError:
        return ""


def size(log: Path) -> int:
    """The length of ``log`` in bytes, 0 where it does not exist."""
    try:
        return log.stat().st_size
    except OSError:
        return 0
