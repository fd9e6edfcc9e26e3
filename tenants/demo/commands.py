"""``iit demo``: from files to lists, for two simulated partners or with the visitor's own files."""

from __future__ import annotations

import sys
import time
from datetime import datetime
from pathlib import Path

import click

from core.cli.output import json_option, note, print_json

PEOPLE = 3000
"""People of the larger simulated partner: enough to judge a model, few enough for a visitor's patience."""


@click.command("demo")
@click.option("--serve/--no-serve", default=True, show_default=True, help="Serve the API at the end.")
@click.option("--data", type=click.Path(exists=True, path_type=Path), help="Your own files instead of the simulation.")
@click.option(
    "--mapping",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Mapping of your columns to records.",
)
@click.option("--data-date", type=click.DateTime(["%Y-%m-%d"]), help="Date to which your own files run.")
@click.option("--people", type=click.IntRange(100, 100_000), default=PEOPLE, show_default=True, help="To simulate.")
@json_option
def demo(
    data: Path | None, mapping: Path | None, data_date: datetime | None, people: int, *, serve: bool, as_json: bool
) -> None:
    """Go from a partner's records to today's lists, step by step. Each step is a command that you could type."""
    from core.database.upgrade import migrate
    from core.settings import get_settings
    from tenants.demo import partners
    from tenants.demo.demo import run_partner

    if data is None and (mapping or data_date):
        message = "--mapping and --data-date describe your own files: give --data too"
        raise click.UsageError(message)
    start = time.perf_counter()
    migrate()
    if data is None:
        note("Simulated data, from published rates: nobody in it exists.")
        partner_list = partners.simulated_partners(get_settings().state_dir / "demo", people=people)
    else:
        partner_list = [partners.own_partner(data, mapping, data_date.date() if data_date else None)]
    runs = [run_partner(partner) for partner in partner_list]
    seconds = round(time.perf_counter() - start, 1)
    if as_json:
        print_json({"simulated": data is None, "tenants": [run.to_json() for run in runs], "seconds": seconds})
    else:
        from rich.console import Console

        from tenants.demo.summary import show

        show(runs, Console(width=None if sys.stdout.isatty() else 120))
        note(f"From files to lists in {seconds:.0f} s.")
    if serve:
        _serve([run.partner.slug for run in runs], quiet=as_json)


def _serve(slugs: list[str], *, quiet: bool) -> None:
    """Create a key for each tenant, show how to use it, and serve the API with a worker until stopped."""
    from core.app.commands import serve as serve_command
    from core.settings import get_settings
    from tenants.demo.steps import step

    at = get_settings()
    for slug in slugs:
        answer = step("key", "create", slug, "--name", "demo", show=False).answer
        note(
            f"\nas {slug}:  curl -H 'Authorization: Bearer {answer['api_key']}' http://{at.host}:{at.port}/v1/worklists"
        )
    note("")
    if quiet:
        note("the summary is on standard output")
    serve_command.callback(host=None, port=None, worker=True)  # type: ignore[misc]  # a click command has a callback
