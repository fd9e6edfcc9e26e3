"""Plays the image without Docker: lays it out, and runs it as another account that may write nowhere in it.

``python .ci/image_steps.py``, as root or not. Servers, migrations, API and smoke tests run from the image alone, in a
state folder of their own. Takes some minutes, most of them to install the packages. `make image-steps` calls it. As
root with a Python in a folder of root's, IIT_IMAGE_PYTHON names one that everybody may run.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[1]
ACCOUNT = "nobody"
"""Has no rights, as the image's account. The embedded PostgreSQL wants one that the system knows by name."""


def main(keep: Path | None) -> int:
    """Return 0 if the smoke tests pass, else 1. ``keep`` is an image that was laid out already."""
    with tempfile.TemporaryDirectory(prefix="iit-image-") as folder_name:
        folder = Path(folder_name)
        folder.chmod(0o755)
        app = keep or folder / "app"
        if (
            keep is None
            and subprocess.run([sys.executable, CHECKOUT / ".ci" / "image.py", app], check=False).returncode
        ):
            return 1
        state, scratch = folder / "state", folder / "tmp"
        who: dict[str, Any] = {}
        for path in (state, scratch):
            path.mkdir()
            if os.getuid() == 0:
                account = pwd.getpwnam(ACCOUNT)
                os.chown(path, account.pw_uid, account.pw_gid)
                who = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = str(free.getsockname()[1])
        iit = str(app / ".venv" / "bin" / "iit")
        environment = {
            "PATH": f"{app / '.venv' / 'bin'}:/usr/bin:/bin",
            "HOME": str(scratch),
            "TMPDIR": str(scratch),
            "IIT_STATE_DIR": str(state),
            "IIT_SETTINGS_FILE": str(_empty(folder)),
            "PYTHONDONTWRITEBYTECODE": "1",
        }

        def run(*words: str) -> int:
            _say(" ".join(["iit", *words]))
            return subprocess.run([iit, *words], cwd=app, env=environment, check=False, **who).returncode

        writable = subprocess.run(
            ["/usr/bin/find", app, "-writable", "-not", "-type", "l"], capture_output=True, text=True, check=True, **who
        ).stdout
        if who and writable:
            _say(" ".join(["the account can write to", *writable.splitlines()[:3]]))
            return 1
        server = None
        try:
            if run("services", "start") or run("migrate") or run("release", "describe"):
                return 1
            server = subprocess.Popen([iit, "serve", "--port", port], cwd=app, env=environment, **who)
            return run("smoke", f"http://127.0.0.1:{port}", "--wait", "120", "--seconds", "30")
        finally:
            if server is not None:
                server.terminate()
                server.wait(60)
            run("services", "stop")
            if keep is None:
                shutil.rmtree(app, ignore_errors=True)


def _say(text: str) -> None:
    sys.stderr.write(f"image: {text}\n")
    sys.stderr.flush()


def _empty(folder: Path) -> Path:
    file = folder / "settings.env"
    file.touch()
    file.chmod(0o644)
    return file


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve() if sys.argv[1:] else None))
