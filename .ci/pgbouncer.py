"""Fetches PgBouncer from Debian's archive into the virtual environment, for the tests that run behind it.

Needs apt and its lists, not root. Where a PgBouncer is installed it does nothing; where none can be had it says so, and
the tests that need it fail. Nothing of the system is changed.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

LIBRARIES = re.compile(r"^\s+Depends: (libevent-\S+|libc-ares\S*|libcares\S*)$", re.MULTILINE)
PROGRAM = Path("usr/sbin/pgbouncer")


def main(venv: Path) -> int:
    """Bring ``venv/debian`` to hold PgBouncer, unless there is one; always 0."""
    folder = venv / "debian"
    if shutil.which("pgbouncer", path="/usr/sbin:/usr/local/bin:/usr/bin") or (folder / PROGRAM).exists():
        return 0
    if not all(shutil.which(name) for name in ("apt-get", "apt-cache", "dpkg-deb")):
        return _say("there is no apt here")
    with tempfile.TemporaryDirectory(prefix="iit-debian-") as folder_name:
        packages = Path(folder_name)
        packages.chmod(0o777)  # apt downloads as an account of its own
        if not _download(packages):
            _run(["apt-get", "update", "-qq"], packages)  # allowed to root alone; lists may be there without it
            if not _download(packages):
                return _say("its package cannot be downloaded")
        part = folder.with_name("debian.part")
        shutil.rmtree(part, ignore_errors=True)
        for package in sorted(packages.glob("*.deb")):
            if not _run(["dpkg-deb", "-x", str(package), str(part)], packages):
                return _say(f"{package.name} cannot be unpacked")
        part.rename(folder)
    return 0


def _download(folder: Path) -> bool:
    command = ["apt-cache", "depends", "pgbouncer"]
    shown = subprocess.run(command, capture_output=True, text=True, check=False)
    libraries = LIBRARIES.findall(shown.stdout)
    return bool(libraries) and _run(["apt-get", "download", "-qq", "pgbouncer", *libraries], folder)


def _run(command: list[str], folder: Path) -> bool:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, check=False, timeout=120)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def _say(why: str) -> int:
    sys.stderr.write(f"PgBouncer: {why}; the tests behind it will fail (install the package pgbouncer)\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
