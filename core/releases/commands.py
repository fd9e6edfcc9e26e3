"""``iit smoke``: smoke tests of a running installation."""

from __future__ import annotations

import ipaddress
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import click

from core.cli.output import json_option, note, print_json, print_table

KEY: Final = "IIT_SMOKE_KEY"
"""The variable of the environment with an API key."""


@click.command()
@click.argument("url")
@click.option("--host", help="Public name that requests bear, where URL is an address inside the network.")
@click.option("--key-file", type=click.Path(allow_dash=True), help=f"File with an API key; - reads it. Else {KEY}.")
@click.option("--version", "version", help="Version that must answer.")
@click.option("--exclude", multiple=True, help="Checks of readiness that may fail, such as data_databases.")
@click.option("--wait", type=click.FloatRange(0, 3600), default=0.0, help="Seconds to wait until it is ready.")
@click.option(
    "--seconds", type=click.FloatRange(0.1, 120), default=10.0, show_default=True, help="Seconds for one request."
)
@json_option
def smoke(
    url: str,
    *,
    host: str | None,
    key_file: str | None,
    version: str | None,
    exclude: tuple[str, ...],
    wait: float,
    seconds: float,
    as_json: bool,
) -> None:
    """Ask the installation at URL from outside whether it works, after a deployment. It changes nothing.

    Ends with 1 if a check fails. A key is sent over HTTPS alone, but to this machine and with --host. Needs no
    database and no settings.

    iit smoke https://care.example.org --key-file key.txt
    """
    from core.releases.asking import Asker
    from core.releases.smoke import Smoke

    asker = Asker(url, host=host, seconds=seconds)
    key = _key(key_file)
    if key is not None and not asker.secure and host is None and not _is_here(url):
        message = "a key is not sent over plain HTTP to another machine: test the https:// address"
        raise click.UsageError(message)
    tests = Smoke(asker, key, version, exclude)
    tests.wait(wait)
    checks = tests.run()
    passed = all(check.state != "failed" for check in checks)
    rows = [{"check" if name == "name" else name: value for name, value in asdict(one).items()} for one in checks]
    if as_json:
        print_json({"url": url, "passed": passed, "checks": rows})
    else:
        print_table(rows, ("check", "state", "milliseconds", "detail"))
        for check in checks:
            if check.remedy:
                note(f"{check.name}: {check.remedy}")
    if not passed:
        raise click.exceptions.Exit(1)


def _key(file: str | None) -> str | None:
    """Return the key of a file, of standard input or of the environment; never of an argument, which others see."""
    if file is None:
        return os.environ.get(KEY) or None
    try:
        text = sys.stdin.read(1000) if file == "-" else Path(file).read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        message = "the file with the key cannot be read"
        raise click.UsageError(message) from None
    if not text.strip().isprintable() or not text.strip():
        message = "the file holds no key"
        raise click.UsageError(message)
    return text.strip()


def _is_here(url: str) -> bool:
    name = urlsplit(url).hostname or ""
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
