"""The command ``iit billing rehearse``."""

from __future__ import annotations

from datetime import date, timedelta
from time import monotonic
from typing import Final

import click

from core.cli.output import Progress, done_in_part, json_option, print_json, print_table

START: Final = date(2027, 1, 1)
"""The first day; the second year has a 29 February."""


@click.command()
@click.option("--tenants", type=click.IntRange(1, 500), default=50, show_default=True, help="Simulated partners.")
@click.option("--months", type=click.IntRange(1, 60), default=24, show_default=True, help="Simulated months.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same rehearsal.")
@json_option
def rehearse(tenants: int, months: int, seed: int, *, as_json: bool) -> None:
    """Simulate months of use and invoices, and compare them with an oracle. Ends with 3 if something differs.

    It starts servers of its own, and never touches those of this installation.
    """
    from billing.rehearsal.report import report
    from billing.rehearsal.scripts import write_script
    from billing.rehearsal.servers import own_servers
    from billing.rehearsal.simulation import Simulation
    from core.tenancy import create_tenant

    began = monotonic()
    with own_servers() as databases:
        scripts = [write_script(number, START, months, seed) for number in range(tenants)]
        partners = []
        with Progress("Creating partners", total=tenants) as progress:
            for script in scripts:
                database = databases[script.number % len(databases)]
                created = create_tenant(
                    f"partner-{script.number}", f"Partner {script.number}", time_zone=script.zone, database=database
                )
                partners.append((created.ref, script))
                progress.advance()
        away = (databases[-1], START + timedelta(days=62))
        simulation = Simulation(partners, seed, away=away)
        with Progress("Living through the days") as progress:
            simulation.run(lambda day: progress.update(0, text=day.isoformat()))
        figures = {"months": months, **report(simulation), "seconds": round(monotonic() - began, 1)}
    if as_json:
        print_json(figures)
    else:
        print_table([{"what": name, "value": value} for name, value in figures.items()], ("what", "value"))
    if figures["differences"]:
        done_in_part(f"{figures['differences']} differences: the lines are not the ledger times the plan")
