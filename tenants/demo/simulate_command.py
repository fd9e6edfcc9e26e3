"""``iit simulate``: write a simulated cohort as files, to try imports and lists."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import click

from core.cli.output import json_option, note, print_json

DATA_DATE = date(2026, 9, 30)
"""Default of the day to which the simulated records run."""


@click.command("simulate")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--people", type=click.IntRange(1, 1_000_000), default=1200, show_default=True, help="Number of people.")
@click.option("--facilities", type=click.IntRange(1, 2000), default=6, show_default=True, help="Number of facilities.")
@click.option(
    "--years", type=click.FloatRange(0.5, 30), default=3.0, show_default=True, help="Years since the first ART start."
)
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same files.")
@click.option("--data-date", type=click.DateTime(["%Y-%m-%d"]), default=None, help="The day to which the records run.")
@click.option(
    "--form",
    type=click.Choice(["generic", "lamisplus"]),
    default="generic",
    show_default=True,
    help="Generic CSV files, or a LAMIS+ pharmacy list.",
)
@click.option("--prefix", default="SIM", show_default=True, help="Beginning of facility codes and identifiers.")
@click.option("--broken/--clean", default=False, help="Add a few rows broken on purpose.")
@json_option
def simulate_command(  # noqa: PLR0913 - one argument an option
    folder: Path,
    people: int,
    facilities: int,
    years: float,
    seed: int,
    data_date: date | None,
    form: str,
    prefix: str,
    *,
    broken: bool,
    as_json: bool,
) -> None:
    """Write the records of a simulated cohort into FOLDER. Nobody in it exists."""
    from tenants.demo.files import write_generic, write_lamisplus
    from tenants.demo.simulate import from_day_number, simulate

    until = date(data_date.year, data_date.month, data_date.day) if data_date else DATA_DATE
    cohort = simulate(people=people, facilities=facilities, data_date=until, years=years, seed=seed)
    write = write_generic if form == "generic" else write_lamisplus
    paths = write(cohort, folder, prefix=prefix, broken=broken)
    summary = {
        "simulated": True,
        "files": paths,
        "people": cohort.people,
        "pickups": len(cohort.pickups),
        "data_date": from_day_number(cohort.data_day),
        "ever_interrupted": round(cohort.ever_interrupted, 3),
    }
    if as_json:
        print_json(summary)
        return
    note("Simulated data: nobody in it exists.")
    for path in paths:
        click.echo(path)
