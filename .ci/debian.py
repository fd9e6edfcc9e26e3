"""Fetches programs from Debian's archive into the virtual environment, for the tests that run the real ones.

PgBouncer for the tests behind it, promtool for the rules of alerts, HAProxy and nginx for what stands in front. Needs
apt and its lists, not root. What is installed is not fetched; where a program cannot be had it says so, and the tests
that need it fail. Nothing of the system is changed.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PROGRAMS = {
    "pgbouncer": ("pgbouncer", r"libevent-\S+|libc-ares\S*|libcares\S*"),
    "promtool": ("prometheus", ""),
    "haproxy": ("haproxy", r"liblua\S+|libopentracing\S+"),
    "nginx": ("nginx", ""),
}
"""Program -> its package, and the names of the libraries that few machines have."""
PLACES = "/usr/sbin:/usr/local/sbin:/usr/local/bin:/usr/bin"


def main(venv: Path) -> int:
    """Bring ``venv/debian`` to hold every program that is not installed; always 0."""
    folder = venv / "debian"
    there = f"{folder}/usr/sbin:{folder}/usr/bin:{PLACES}"
    missing = [name for name in PROGRAMS if shutil.which(name, path=there) is None]
    if not missing:
        return 0
    if not all(shutil.which(name) for name in ("apt-get", "apt-cache", "dpkg-deb")):
        return _say(missing, "there is no apt here")
    with tempfile.TemporaryDirectory(prefix="iit-debian-") as folder_name:
        packages = Path(folder_name)
        packages.chmod(0o777)  # apt downloads as an account of its own
        if not _download(missing, packages):
            _run(["apt-get", "update", "-qq"], packages)  # allowed to root alone; lists may be there without it
            if not _download(missing, packages):
                return _say(missing, "a package cannot be downloaded")
        for package in sorted(packages.glob("*.deb")):
            if not _run(["dpkg-deb", "-x", str(package), str(folder)], packages):
                return _say(missing, f"{package.name} cannot be unpacked")
    return 0


def _download(missing: list[str], folder: Path) -> bool:
    wanted = [PROGRAMS[name][0] for name in missing]
    for name in missing:
        package, libraries = PROGRAMS[name]
        if libraries:
            wanted += _libraries(package, re.compile(rf"^\s+Depends: ({libraries})$", re.MULTILINE))
    return _run(["apt-get", "download", "-qq", *sorted(set(wanted))], folder)


def _libraries(package: str, wanted: re.Pattern[str]) -> list[str]:
    """Return the wanted packages that a package depends on, and those that these depend on."""
    command = ["apt-cache", "depends", package]
    shown = subprocess.run(command, capture_output=True, text=True, check=False)
    direct = wanted.findall(shown.stdout)
    return direct + [further for each in direct for further in _libraries(each, wanted)]


def _run(command: list[str], folder: Path) -> bool:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, check=False, timeout=120)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def _say(missing: list[str], why: str) -> int:
    packages = " ".join(sorted({PROGRAMS[name][0] for name in missing}))
    sys.stderr.write(f"{', '.join(missing)}: {why}; their tests will fail (install the packages {packages})\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
