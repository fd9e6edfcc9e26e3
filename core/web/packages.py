"""Files of npm packages that pages load; `make setup` installs the packages into the virtual environment."""

from __future__ import annotations

import sys
from pathlib import Path

FOLDER = Path(sys.prefix) / "node" / "web" / "node_modules"
FILES = {"htmx.js": "htmx.org/dist/htmx.min.js"}
"""Name of the asset -> its file in the packages of ``core/web/packages/package.json``."""


def package_files() -> dict[str, Path]:
    """Return the file of each asset, by the asset's name.

    Raises:
        LookupError: the packages are not installed.
    """
    files = {name: FOLDER / path for name, path in FILES.items()}
    missing = [str(path) for path in files.values() if not path.is_file()]
    if missing:
        message = f"{missing[0]} does not exist: run `make setup`"
        raise LookupError(message)
    return files
