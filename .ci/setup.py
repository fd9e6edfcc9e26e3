"""Makes the virtual environment that `make` works in: what the lock names, compiled, and this checkout, editable.

Run by any Python >= 3.11 with nothing installed. Sees by content what there is to do: a second run does nothing.
All that it says goes to standard error: `make demo JSON=1` prints one object on standard output.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import ssl
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

OLDEST = (3, 11)
CHECKOUT = Path(__file__).resolve().parents[1]
LOCK, BOOTSTRAP = CHECKOUT / "requirements.lock", CHECKOUT / "requirements-bootstrap.lock"
WEB_LOCK = CHECKOUT / "core" / "web" / "packages" / "package-lock.json"
SDK, METADATA = CHECKOUT / "plugins" / "sdk", CHECKOUT / ".ci" / "sdk_metadata.py"


class SetupError(Exception):
    """What could not be done, and what to do about it."""


def main(arguments: Sequence[str]) -> int:
    """Set up the virtual environment named by the one argument, and return an exit code."""
    if sys.version_info < OLDEST:
        return _fail(f"Python 3.11 or newer is needed; {sys.executable} is {sys.version.split()[0]}")
    venv = (CHECKOUT / arguments[0]).resolve() if arguments else CHECKOUT / ".venv"
    try:
        set_up(venv)
    except SetupError as error:
        return _fail(str(error))
    except OSError as error:
        return _fail(f"{venv} cannot be set up: {error}")
    return 0


def set_up(venv: Path) -> None:
    """Bring ``venv`` to what the lock and the project's own description say.

    Raises:
        SetupError: a step failed.
    """
    python = venv / "bin" / "python"
    packages_stamp, app_stamp = venv / ".iit-packages", venv / ".iit-app"
    base = f"{sys.version} {sys.base_prefix} {CHECKOUT}"
    packages = _digest(base, LOCK.read_text(encoding="utf-8"), BOOTSTRAP.read_text(encoding="utf-8"))
    described = (CHECKOUT / "pyproject.toml", SDK / "pyproject.toml", METADATA, WEB_LOCK)
    app = _digest(packages, *(path.read_text(encoding="utf-8") for path in described))
    if _read(app_stamp) == app and python.exists():
        return
    began = time.monotonic()
    app_stamp.unlink(missing_ok=True)
    if _read(packages_stamp) != packages or not python.exists():
        packages_stamp.unlink(missing_ok=True)
        _make_venv(venv, python, base)
        _install_packages(venv, python)
        _compile(venv, python)
        packages_stamp.write_text(packages, encoding="utf-8")
    _install_web(venv, python)
    _install_app(venv, python)
    app_stamp.write_text(app, encoding="utf-8")
    _say(f"ready in {time.monotonic() - began:.0f} s")


def _make_venv(venv: Path, python: Path, base: str) -> None:
    """Make the environment. Rebuild one that another Python made, or that was made in another place."""
    base_stamp = venv / ".iit-base"
    if python.exists() and _read(base_stamp) in (base, ""):
        return
    _say(f"making {venv.name} with Python {sys.version.split()[0]}")
    shutil.rmtree(venv, ignore_errors=True)
    done = subprocess.run([sys.executable, "-m", "venv", str(venv)], stdout=sys.stderr, check=False)
    if done.returncode != 0:
        shutil.rmtree(venv, ignore_errors=True)
        message = "this Python cannot make virtual environments: install its venv module (Debian: python3-venv)"
        raise SetupError(message)
    base_stamp.write_text(base, encoding="utf-8")


def _install_packages(venv: Path, python: Path) -> None:
    """Install what the lock names, by uv in seconds, else by pip in minutes. Every file is checked against its hash."""
    pip = [str(python), "-m", "pip", "--disable-pip-version-check"]
    environment = _environment(venv)
    _say("installing the packages of requirements.lock, about 240 MB to download the first time")
    quiet = ["--quiet", "--require-hashes", "-r"]
    if _run([*pip, "install", *quiet, str(BOOTSTRAP)], environment):
        uv = [str(python), "-m", "uv", "pip", "sync", "--python", str(python), "--require-hashes"]
        mirror = environment | _mirror(pip, environment)
        if _run([*uv, str(BOOTSTRAP), str(LOCK)], mirror):
            return
        _say("uv did not manage: trying pip, which takes some minutes")
    else:
        _say("uv cannot be had here: using pip, which takes some minutes")
    if not _run([*pip, "install", "--no-compile", "--require-hashes", "-r", str(LOCK)], environment):
        message = "the packages could not be installed: see above; a package index must be reachable, once"
        raise SetupError(message)


def _compile(venv: Path, python: Path) -> None:
    """Compile what was installed: without bytecode, imports take two to three times as long, at every start.

    On all cores, which pip does not, and without the packages' own tests and pip, a third of it all, which uv does not.
    A file that does not compile (some packages carry such, for other versions of Python) is none that we import.
    """
    _say("compiling the packages")
    (site,) = venv.glob("lib/python3.*/site-packages")
    left_out = rf"^{re.escape(str(site))}/(pip/|.*/tests/)"
    command = [str(python), "-m", "compileall", "-qq", "-j", "0", "-x", left_out, str(site)]
    _run(command, _environment(venv))


def _install_app(venv: Path, python: Path) -> None:
    """Install the checkout itself in editable form, without network: the build tool is in the lock."""
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    flags = ["--no-deps", "--no-build-isolation", "--no-index", "--config-settings", "editable_mode=compat"]
    if not _run([*pip, *flags, "--editable", str(CHECKOUT)], _environment(venv)):
        message = "the checkout could not be installed into its virtual environment: see above"
        raise SetupError(message)
    if not _run([str(python), str(METADATA)], _environment(venv)):
        message = "the SDK could not be listed in the virtual environment: see above"
        raise SetupError(message)


def _install_web(venv: Path, python: Path) -> None:
    """Install what pages load: npm packages, a few hundred kilobytes."""
    command = [str(python), str(CHECKOUT / ".ci" / "node_packages.py"), str(venv), str(WEB_LOCK.parent)]
    if not _run(command, _environment(venv)):
        message = "the packages of the pages could not be installed: see above"
        raise SetupError(message)


def _environment(venv: Path) -> dict[str, str]:
    """This process's environment, with compiled bytecode wanted and a cache that can be written to."""
    wanted = {
        name: value for name, value in os.environ.items() if name not in ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH")
    }
    home = Path(wanted.get("HOME") or "/nonexistent")
    if "UV_CACHE_DIR" not in wanted and "XDG_CACHE_HOME" not in wanted and not os.access(home, os.W_OK):
        wanted["UV_CACHE_DIR"] = str(venv / ".uv-cache")
    trusted = ssl.get_default_verify_paths()
    if "UV_SYSTEM_CERTS" not in wanted and (trusted.cafile or (trusted.capath and any(os.scandir(trusted.capath)))):
        wanted["UV_SYSTEM_CERTS"] = "1"  # as pip: an organisation's proxy is trusted by the system, not by uv
    return wanted


def _mirror(pip: Sequence[str], environment: Mapping[str, str]) -> dict[str, str]:
    """Return pip's configured mirror as uv's settings, so that an organisation sets up its mirror only for pip."""
    values = {}
    for setting, name in (("index-url", "UV_DEFAULT_INDEX"), ("cert", "SSL_CERT_FILE")):
        if name in environment:
            continue
        for scope in (":env:", "install", "global"):
            get = [*pip, "config", "get", f"{scope}.{setting}"]
            done = subprocess.run(get, env=environment, capture_output=True, text=True, check=False)
            if done.returncode == 0 and done.stdout.strip():
                values[name] = done.stdout.strip()
                break
    return values


def _run(command: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Run a step, its words on standard error; whether it succeeded."""
    return subprocess.run(command, cwd=CHECKOUT, env=environment, stdout=sys.stderr, check=False).returncode == 0


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _read(stamp: Path) -> str:
    try:
        return stamp.read_text(encoding="utf-8")
    except OSError:
        return ""


def _say(text: str) -> None:
    sys.stderr.write(f"set-up: {text}\n")
    sys.stderr.flush()


def _fail(text: str) -> int:
    _say(text)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
