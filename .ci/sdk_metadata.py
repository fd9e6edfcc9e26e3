"""Lists the SDK of plugins in this environment, so that ``pip install`` of a plugin finds the SDK that it needs.

The checkout has the SDK's modules, and is installed already. Only the metadata of the SDK's distribution is missing.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import sysconfig
import tempfile
from pathlib import Path

from setuptools import build_meta

SDK = Path(__file__).resolve().parents[1] / "plugins" / "sdk"


def main() -> None:
    """Write the metadata as an installation would: with the list of files by which pip removes it."""
    site = Path(sysconfig.get_paths()["purelib"])
    os.chdir(SDK)
    with tempfile.TemporaryDirectory() as temporary, contextlib.redirect_stdout(io.StringIO()):
        folder = site / build_meta.prepare_metadata_for_build_wheel(temporary)
        shutil.rmtree(folder, ignore_errors=True)
        shutil.move(Path(temporary, folder.name), folder)
    (folder / "INSTALLER").write_text("iit-platform\n")
    names = [*(path.relative_to(site) for path in folder.rglob("*") if path.is_file()), Path(folder.name, "RECORD")]
    (folder / "RECORD").write_text("".join(f"{name},,\n" for name in sorted(set(names))))


if __name__ == "__main__":
    main()
