from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

import numpy as np
import pytest

from core import plugins
from core.plugins import hosts, manager
from plugins.sdk import FeatureSpec, TrainingData, sigmoid

SAMPLES = Path(__file__).parent / "samples"


@contextlib.contextmanager
def installed(folder: Path):
    """Third-party plugins: modules with the metadata that makes them found by entry point, gone afterwards."""

    def install(**modules: str) -> None:
        for name, source in modules.items():
            (folder / f"{name}.py").write_text(source)
            info = folder / f"{name}-1.dist-info"
            info.mkdir()
            (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
            (info / "entry_points.txt").write_text(f"[iit.plugins]\n{name} = {name}\n")
        plugins.reload()

    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        yield install
    plugins.reload()


@pytest.fixture(autouse=True)
def no_failures_yet():
    manager._failures.clear()


@contextlib.contextmanager
def site():
    """A folder that every user can read, as those that plugins are installed to."""
    with tempfile.TemporaryDirectory(prefix="iit-tests-plugins-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def install():
    with site() as folder, installed(folder) as install:
        yield install


@pytest.fixture(scope="module")
def hostile():
    with site() as folder, installed(folder) as install:
        install(hostile_plugin=(SAMPLES / "hostile_plugin.py").read_text())
        yield
        hosts.end_all()


@pytest.fixture(scope="session")
def data():
    random = np.random.default_rng(1)
    matrix = random.normal(size=(400, 3))
    y = (random.random(400) < sigmoid(matrix[:, 0])).astype(np.int8)
    return TrainingData(matrix, y, np.arange(400) // 2, tuple(FeatureSpec(f"f{i}", "continuous") for i in range(3)))
