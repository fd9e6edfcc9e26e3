"""``iit smoke`` and ``iit release``: smoke tests, versions compared, and roll-outs that roll back by themselves."""

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

MOST: Final = 100
"""The largest share, in per cent."""


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


@click.group()
def release() -> None:
    """Compare versions; roll one out, and back."""


@release.command()
def describe() -> None:
    """Print what this version says of itself, for `iit release check` of another version. Needs no database."""
    from core.releases.compatibility import as_json, present

    print_json(as_json(present()))


@release.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
def check(file: Path, *, as_json: bool) -> None:
    """Say whether the version that FILE describes runs on the schema of this version.

    FILE is what `iit release describe` of the running version printed. If so, both can serve at the same time, and the
    running version can be rolled back to. Otherwise the command ends with 1. Needs no database.

    iit release check running.json
    """
    from core.releases.compatibility import compare, read

    result = compare(read(file))
    rows = [asdict(step) for step in result.steps]
    if as_json:
        print_json(
            {
                "from": result.other.version,
                "to": result.own.version,
                "can_roll_back": result.can_roll_back,
                "unknown": result.unknown,
                "steps": rows,
            }
        )
    else:
        print_table(rows, ("tree", "revision", "oldest_code", "survived"))
        for name in result.unknown:
            note(f"{name}: this version does not have the newest script of {result.other.version}; it is the older one")
        if result.can_roll_back:
            click.echo(f"{result.other.version} runs on the schema of {result.own.version}: it can be rolled back to")
        else:
            click.echo(f"{result.other.version} does not run on the schema of {result.own.version}")
            note("roll out a release between the two first, which no longer reads what is taken away")
    if not result.can_roll_back:
        raise click.exceptions.Exit(1)


@release.command()
@click.argument("new")
@click.argument("url")
@click.option("--from", "old", required=True, help="HAProxy's name of the server that serves now.")
@click.option("--socket", "admin", type=click.Path(path_type=Path), required=True, help="HAProxy's stats socket.")
@click.option("--backend", default="iit", show_default=True, help="HAProxy's backend with both servers.")
@click.option("--metrics", required=True, help="Address of the metrics of NEW, such as http://127.0.0.1:9002.")
@click.option("--old-metrics", required=True, help="Address of the metrics of the server that serves now.")
@click.option("--host", help="Public name that requests of the smoke test bear.")
@click.option("--version", "version", help="Version that must answer at URL.")
@click.option("--steps", default="5,20,50", show_default=True, help="Shares of the requests, in per cent.")
@click.option("--step-seconds", type=click.FloatRange(1, 86400), default=300.0, show_default=True)
@click.option("--look-seconds", type=click.FloatRange(0.2, 300), default=5.0, show_default=True)
@click.option("--max-error-share", type=click.FloatRange(0, 1), default=0.01, show_default=True)
@click.option("--max-seconds95", type=click.FloatRange(0.01, 60), default=1.5, show_default=True)
@click.option("--max-slowdown", type=click.FloatRange(1, 100), default=2.0, show_default=True)
@click.option("--fewest", type=click.IntRange(1), default=50, show_default=True, help="Requests that a step needs.")
@click.option("--wait", type=click.FloatRange(0, 3600), default=120.0, show_default=True)
@json_option
def canary(  # noqa: PLR0913 - the command has these options
    new: str,
    url: str,
    *,
    old: str,
    admin: Path,
    backend: str,
    metrics: str,
    old_metrics: str,
    host: str | None,
    version: str | None,
    steps: str,
    step_seconds: float,
    look_seconds: float,
    max_error_share: float,
    max_seconds95: float,
    max_slowdown: float,
    fewest: int,
    wait: float,
    as_json: bool,
) -> None:
    """Let HAProxy give the server NEW, which answers at URL, more and more requests; roll back if it is worse.

    NEW first passes `iit smoke`. Then it gets a share of the requests for each of the steps, and at the end all. It is
    rolled back, with exit code 1, if it fails or is slow significantly more often than the old version and beyond the
    limits, if its health check fails, or if this command is stopped.
    """
    import signal

    from core.releases.asking import Asker
    from core.releases.balancer import Balancer
    from core.releases.canary import Canary, Plan, Version
    from core.releases.comparison import Limits
    from core.releases.smoke import Smoke

    shares = tuple(int(part) for part in steps.split(",") if part.strip().isdigit())
    if (
        not shares
        or len(shares) != steps.count(",") + 1
        or sorted({*shares}) != [*shares]
        or not 0 < shares[0] <= shares[-1] <= MOST
    ):
        message = "write growing shares of 1 to 100 with commas between, such as 5,20,50"
        raise click.BadParameter(message, param_hint="--steps")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that it rolls back
    plan = Plan(shares, step_seconds, look_seconds, Limits(max_error_share, max_seconds95, max_slowdown), fewest)
    versions = Version(old, Asker(old_metrics)), Version(new, Asker(metrics))
    gate = Smoke(Asker(url, host=host), version=version, exclude=("data_databases",))
    outcome = Canary(Balancer(admin, backend), *versions, plan, note).run(gate, wait)
    if as_json:
        print_json(outcome)
    else:
        print_table(
            [asdict(outcome)], ("state", "seconds", "share", "requests", "failed", "old_requests", "old_failed")
        )
        if outcome.reason:
            note(outcome.reason)
    if outcome.state != "promoted":
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
