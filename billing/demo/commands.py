"""``iit billing demo``: a simulated month of business for the demo's two partners."""

from __future__ import annotations

from dataclasses import asdict

import click

from core.cli.output import json_option, note, print_json, print_table


@click.command("demo")
@click.argument("tenants", nargs=2)
@json_option
def demo(tenants: tuple[str, str], *, as_json: bool) -> None:
    """Simulate a month of use and invoices of two TENANTS, in naira and in US dollars. For development only."""
    from billing.demo.service import set_up
    from core.settings import get_settings

    if get_settings().environment == "production":
        message = "the demo's business is simulated: it is not for production"
        raise click.ClickException(message)
    bills = set_up(tenants)
    if as_json:
        print_json({"simulated": True, "tenants": [asdict(each) for each in bills]})
        return
    note("Simulated: no partner used or paid any of this.")
    print_table(
        [asdict(each) for each in bills], ("tenant", "plan", "invoice", "currency", "total", "state", "cost", "margin")
    )
