"""Lays out what an image contains: ``python .ci/image.py TARGET``, with the Python of `make setup`.

TARGET gets the application, and in ``TARGET/.venv`` a Python with what ``requirements.image.lock`` names, each file
checked against its hash: no tool that builds or installs, no test, no compiler. The Dockerfile runs this in its first
stage; `make image-steps` runs it in a folder, and starts what is there as another account.

TARGET must be the path that it will have in the image: scripts name their Python by it.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from setuptools import build_meta

CHECKOUT = Path(__file__).resolve().parents[1]
LOCK = CHECKOUT / "requirements.image.lock"
FOLDERS = ("core", "tenants", "billing", "plugins", "migrations", "iit_sdk")
FILES = ("pyproject.toml", "README.md", "LICENSE")
PYTHON = "IIT_IMAGE_PYTHON"
"""Variable with the Python of the image, where that is another one than this script's."""
_LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc", "*.egg-info")


def main(target: Path) -> int:
    """Lay out TARGET, which is empty or not there; 0, or 1 where a step failed."""
    if target.exists() and any(target.iterdir()):
        return _fail(f"{target} is not empty")
    target.mkdir(parents=True, exist_ok=True)
    for name in FOLDERS:
        shutil.copytree(CHECKOUT / name, target / name, ignore=_LEFT_OUT)
    for name in FILES:
        shutil.copyfile(CHECKOUT / name, target / name)
    venv = target / ".venv"
    python = venv / "bin" / "python"
    base = os.environ.get(PYTHON) or getattr(sys, "_base_executable", sys.executable)
    if not _run([base, "-m", "venv", "--without-pip", str(venv)]):
        return _fail("the environment could not be made")
    uv = [sys.executable, "-m", "uv", "pip", "sync", "--python", str(python), "--require-hashes", str(LOCK)]
    if not _run(uv):
        return _fail("the packages could not be installed")
    if not _run([sys.executable, str(CHECKOUT / ".ci" / "node_packages.py"), str(venv), "core/web/packages"]):
        return _fail("the packages of the pages could not be installed")
    (venv / ".lock").unlink(missing_ok=True)  # uv's, and for everybody to write
    (site,) = venv.glob("lib/python3.*/site-packages")
    for project in (CHECKOUT, CHECKOUT / "plugins" / "sdk"):
        _describe(project, site)
    (site / "iit.pth").write_text(f"{target}\n", encoding="utf-8")
    script = venv / "bin" / "iit"
    script.write_text(f"#!{python}\nimport sys\nfrom core.cli.main import main\nsys.exit(main())\n", encoding="utf-8")
    script.chmod(0o755)
    _run([str(python), "-m", "compileall", "-qq", "-j", "0", str(site), *(str(target / name) for name in FOLDERS)])
    return 0


def _describe(project: Path, site: Path) -> None:
    """Write the metadata of a project: its version, and its entry points, by which features and plugins are known."""
    before = Path.cwd()
    os.chdir(project)
    try:
        with tempfile.TemporaryDirectory() as temporary, contextlib.redirect_stdout(io.StringIO()):
            name = build_meta.prepare_metadata_for_build_wheel(temporary)
            shutil.copytree(Path(temporary, name), site / name)
    finally:
        os.chdir(before)


def _run(command: list[str]) -> bool:
    return subprocess.run(command, cwd=CHECKOUT, stdout=sys.stderr, check=False).returncode == 0


def _fail(text: str) -> int:
    sys.stderr.write(f"image: {text}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
