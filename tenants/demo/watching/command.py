"""``iit watch-rates``: measure false alarms and delays of the watch over models, and write them to the docs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from core.cli.output import json_option, note, print_json
from tenants.demo.partners import EXAMPLES
from tenants.demo.simulate_command import DATA_DATE

if TYPE_CHECKING:
    from plugins.sdk import Artifact, FittedModel, TrainingData

PAGE = EXAMPLES.parent / "benchmarks" / "watch.md"


@click.command("watch-rates")
@click.option("--people", type=click.IntRange(500, 100_000), default=3000, show_default=True, help="Of each cohort.")
@click.option("--facilities", type=click.IntRange(3, 500), default=12, show_default=True, help="Of each cohort.")
@click.option("--cohorts", type=click.IntRange(1, 100), default=4, show_default=True, help="Cohorts to simulate.")
@click.option("--every", type=click.IntRange(1, 28), default=1, show_default=True, help="Days between two looks.")
@click.option("--page", type=click.Path(dir_okay=False, path_type=Path), default=PAGE, help="Where to write the rates.")
@json_option
def watch_rates(people: int, facilities: int, cohorts: int, every: int, page: Path, *, as_json: bool) -> None:
    """Measure how often the watch over models is wrong on undisturbed cohorts, and how soon it finds planted shifts."""
    from tenants.demo.watching import rates as measuring

    def fit(name: str, data: TrainingData, seed: int) -> tuple[Artifact, FittedModel, str]:
        from core import plugins

        kind = plugins.models()[name]
        artifact = kind.fit(data, {}, seed)
        return artifact, kind.load(artifact), kind.version

    rates = measuring.measure_rates(
        people=people,
        facilities=facilities,
        seeds=range(1, cohorts + 1),
        every=every,
        data_date=DATA_DATE,
        fit=fit,
        say=note,
    )
    command = f"iit watch-rates --people {people} --facilities {facilities} --cohorts {cohorts} --every {every}"
    page.write_text(measuring.page(rates, command), encoding="utf-8")
    note(f"written to {page}")
    if as_json:
        print_json({"page": page, **rates.to_json()})
