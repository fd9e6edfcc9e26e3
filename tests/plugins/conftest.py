"""The SDK as it is published."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import plugins.sdk

SDK = Path(plugins.sdk.__file__).parent


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sdk")
    source = folder / "source"
    shutil.copytree(SDK, source, ignore=shutil.ignore_patterns("__pycache__", "build", "*.egg-info"))
    subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])",
            folder,
        ],
        cwd=source,
        check=True,
        capture_output=True,
    )
    (built,) = folder.glob("*.whl")
    return built
