"""Programs of Debian that tests run: installed ones, or those that ``.ci/debian.py`` fetched into the environment."""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from core.settings import CHECKOUT

FETCHED = Path(sys.prefix) / "debian"
_PLACES = f"{FETCHED}/usr/sbin:{FETCHED}/usr/bin:/usr/sbin:/usr/local/sbin:/usr/local/bin:/usr/bin"


@cache
def program(name: str) -> Path:
    """Return where a program is, fetched now where ``make test`` did not.

    Raises:
        AssertionError: it cannot be had. A test that did without it would show nothing.
    """
    if shutil.which(name, path=_PLACES) is None:
        subprocess.run([sys.executable, CHECKOUT / ".ci" / "debian.py", sys.prefix], check=False)
    executable = shutil.which(name, path=_PLACES)
    if executable is None:
        message = f"{name} is not installed and cannot be fetched: install its package"
        raise AssertionError(message)
    return Path(executable)


def environment() -> dict[str, str]:
    """Return the environment in which a fetched program runs: it has its libraries beside it."""
    libraries = ":".join(str(place) for place in FETCHED.glob("usr/lib/*-linux-gnu"))
    return {"PATH": "/usr/bin:/bin", **({"LD_LIBRARY_PATH": libraries} if libraries else {})}
