"""``iit status``: prints the answer of ``/health/ready`` at the terminal."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from core.cli.output import json_option, note, print_json, print_table

if TYPE_CHECKING:
    from core.app.readiness import Report


@click.command()
@json_option
def status(*, as_json: bool) -> None:
    """Show whether this installation can do its work: servers, keys, files, workers, queue, disks. Starts nothing.

    Ends with 1 when something fails; a warning ends with 0.
    """
    from core.app import health

    report = _report()
    if as_json:
        print_json(health.as_json(report, at_terminal=True))
    else:
        _show(report)
    if not report.ready:
        raise click.exceptions.Exit(1)


def _report() -> Report:
    """Return the report, without starting a server. A server that does not run is a failed check with its problem."""
    from core.app import readiness
    from core.services import status as servers

    remedy = "run `iit services start`, or see that the servers at DATABASE_URL and REDIS_URL run"
    names = {"postgresql": "postgresql", "valkey": "redis"}
    return readiness.report(
        stopped={
            names[server.name]: readiness.Outcome(names[server.name], "failed", server.problem, remedy)
            for server in servers.status()
            if server.problem and server.name in names
        }
    )


def _show(report: Report) -> None:
    from core.web.texts import shown_size

    rows = [{**asdict(outcome), "check": outcome.name} for outcome in report.checks]
    print_table(rows, ("check", "state", "detail"))
    click.echo("")
    if report.workers is not None:
        click.echo(f"live workers: {report.workers}")
    if report.waiting is not None and report.oldest_seconds is not None:
        click.echo(f"jobs: {report.waiting} wait, {report.running} run; the oldest waits {report.oldest_seconds:.0f} s")
    for disk in report.disk:
        click.echo(f"disk of {disk.place}: {shown_size(disk.free_bytes)} free of {shown_size(disk.total_bytes)}")
    for outcome in report.checks:
        if outcome.at_terminal:
            note(f"{outcome.name}: {outcome.at_terminal}")
