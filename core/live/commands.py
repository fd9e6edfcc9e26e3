"""``iit top``: what the installation does now, at the terminal."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from core.cli.output import json_option, print_json, print_table

if TYPE_CHECKING:
    from core.live.service import Live


@click.command()
@click.option("--every", type=click.IntRange(1, 3600), default=5, show_default=True, help="Seconds between two looks.")
@click.option("--once", "single", is_flag=True, help="Look once, and end.")
@json_option
def top(every: int, *, single: bool, as_json: bool) -> None:
    """Show requests, jobs, queues and processes as they are now, again and again until Ctrl-C.

    Needs no Prometheus: each process says what it did in the last minute. `--json` looks once.
    """
    from core.live.service import live

    if as_json:
        print_json(asdict(live()))
        return
    while True:
        shown = live()
        if not single:
            click.clear()
        _show(shown)
        if single:
            return
        time.sleep(every)


def _show(shown: Live) -> None:
    times = "no requests" if shown.p50_ms is None else f"half in {shown.p50_ms:.0f} ms, 95% in {shown.p95_ms:.0f} ms"
    click.echo(f"requests: {shown.requests_per_second:.1f}/s, {shown.failed_share:.2%} fail; {times}")
    jobs = ", ".join(f"{count:.1f} {outcome}" for outcome, count in sorted(shown.jobs_per_minute.items()))
    click.echo(
        f"in a minute: jobs {jobs or 'none'}; errors {shown.errors_per_minute:.1f}; shed {shown.shed_per_minute:.1f}"
    )
    click.echo(f"stopped connections: {', '.join(shown.stopped) or 'none'}")
    for title, rows, columns in (
        ("processes", _processes(shown), ("process", "host", "requests/s", "failed", "jobs/min")),
        ("routes", _routes(shown), ("route", "per minute", "mean ms")),
        ("jobs that are due or run", _kinds(shown), ("database", "kind", "waiting", "running", "oldest s")),
        ("databases", _databases(shown), ("database", "dead letters", "events waiting", "oldest event s")),
    ):
        if rows:
            click.echo(f"\n{title}")
            print_table(rows, columns)


def _processes(shown: Live) -> list[dict[str, object]]:
    return [
        {
            "process": f"{each.role} {each.process}",
            "host": each.host,
            "requests/s": f"{each.requests_per_second:.1f}",
            "failed": f"{each.failed_share:.2%}",
            "jobs/min": f"{each.jobs_per_minute:.1f}",
        }
        for each in shown.processes
    ]


def _routes(shown: Live) -> list[dict[str, object]]:
    return [
        {"route": each.name, "per minute": f"{each.per_minute:.1f}", "mean ms": f"{each.mean_ms:.1f}"}
        for each in shown.routes
    ]


def _kinds(shown: Live) -> list[dict[str, object]]:
    return [
        {
            "database": each.database,
            "kind": each.kind,
            "waiting": each.waiting,
            "running": each.running,
            "oldest s": f"{each.oldest_seconds:.0f}",
        }
        for each in shown.kinds
    ]


def _databases(shown: Live) -> list[dict[str, object]]:
    return [
        {
            "database": each.name,
            "dead letters": "away" if each.dead_letters is None else each.dead_letters,
            "events waiting": each.events_waiting or 0,
            "oldest event s": f"{each.oldest_event_seconds or 0:.0f}",
        }
        for each in shown.databases
    ]
