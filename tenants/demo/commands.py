"""``iit demo``: from files to lists, for two simulated partners or with the visitor's own files."""

from __future__ import annotations

import json
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from core.cli.output import json_option, note, print_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tenants.demo.partner_run import PartnerRun
    from tenants.demo.partners import Partner
    from tenants.demo.sign_ins import SignIns

PEOPLE = 3000
"""People of the larger simulated partner: enough to judge a model, few enough for a visitor's patience."""


@click.command("demo")
@click.option("--serve/--no-serve", default=True, show_default=True, help="Serve the pages and the API at the end.")
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
    from datetime import timedelta

    from core.clock import today
    from core.database.upgrade import migrate
    from core.settings import get_settings
    from tenants.demo import partners
    from tenants.demo.demo import run_partner

    if data is None and (mapping or data_date):
        message = "--mapping and --data-date describe your own files: give --data too"
        raise click.UsageError(message)
    start = time.perf_counter()
    migrate()
    sign_ins, business = None, None
    if data is None:
        note("Simulated data, from published rates: nobody in it exists.")
        folder = get_settings().state_dir / "demo"
        run_to = partners.data_date_of(folder, today(partners.ZONE) - timedelta(days=1))
        partner_list = partners.simulated_partners(folder, people=people, data_date=run_to)
    else:
        partner_list = [partners.own_partner(data, mapping, data_date.date() if data_date else None)]
    runs = [run_partner(partner) for partner in partner_list]
    if data is None and get_settings().environment == "development":
        sign_ins = _add_people(folder, runs)
        business = _simulate_business(runs)
    seconds = round(time.perf_counter() - start, 1)
    if as_json:
        summary = {"simulated": data is None, "tenants": [run.to_json() for run in runs], "seconds": seconds}
        if business is not None:
            summary["business"] = business
        print_json(summary | ({} if sign_ins is None else {"sign_ins": sign_ins.to_json()}))
    else:
        from rich.console import Console

        from tenants.demo.summary import show

        show(runs, Console(width=None if sys.stdout.isatty() else 120))
        note(f"From files to lists in {seconds:.0f} s.")
    if serve:
        _note_keys([run.partner for run in runs])
    _note_sign_ins(sign_ins, runs, serve=serve)
    if business is not None:
        _note_business(business)
    if serve:
        _serve(quiet=as_json)


def _add_people(folder: Path, runs: Sequence[PartnerRun]) -> SignIns:
    """Create the demo's accounts, and record what they did in the last days."""
    from tenants.demo.loop import close_loop
    from tenants.demo.message import exchange_message
    from tenants.demo.past import record_past
    from tenants.demo.sign_ins import ensure_sign_ins

    sign_ins = ensure_sign_ins(folder, [run.partner for run in runs])
    for run in runs:
        attempts = record_past(run, sign_ins)
        if attempts:
            note(f"{run.partner.name}: its people recorded {attempts} attempts of the last days")
        exchange_message(run, sign_ins)
        close_loop(run, sign_ins)
    return sign_ins


def _note_sign_ins(sign_ins: SignIns | None, runs: Sequence[PartnerRun], *, serve: bool) -> None:
    """Say where the portal is, and who can sign in."""
    from core.settings import get_settings

    at = get_settings()
    if sign_ins is None:
        slug = runs[0].partner.slug
        note("\nNobody can sign in yet. Add the first person:")
        note(f"  iit people add {slug} E-MAIL --name NAME --role partner_admin")
        return
    note(f"\nOpen http://{at.host}:{at.port}/sign-in" + ("" if serve else " after `iit serve --worker`"))
    note(f"Password of every account of the demo, for this installation only: {sign_ins.password}")
    for account in sign_ins.accounts:
        note(f"  {account.email}")


def _simulate_business(runs: Sequence[PartnerRun]) -> dict[str, Any] | None:
    """Let billing, if it is installed, simulate a month of use and invoices; return what it says."""
    from core.cli.main import commands
    from tenants.demo.steps import step

    if "billing" not in commands():
        return None
    note("\nThe business: plans, a month of use and an invoice for each partner. Simulated: nobody used or paid this.")
    return step("billing", "demo", *(run.partner.slug for run in runs)).answer


def _note_business(business: dict[str, Any]) -> None:
    """Say where the bills are, and the console of the business."""
    from core.settings import get_settings

    at = get_settings()
    site = f"http://{at.host}:{at.port}"
    note("\nThe business, simulated:")
    for each in business["tenants"]:
        note(
            f"  {each['tenant']}: invoice {each['invoice']}, {each['currency']} {each['total']}, {each['state']};"
            f" cost USD {each['cost']}"
        )
    note(f"  as partner_admin: {site}/admin/billing")
    note(f"  as platform_admin: {site}/operators/billing")


QUESTION: Final = "What do our guidelines say for someone who came back after 4 months?"


def _note_keys(partner_list: Sequence[Partner]) -> None:
    """Create an API key for each tenant, and show how to use it: for its lists, and to ask its guidelines."""
    from core.settings import get_settings
    from tenants.demo.steps import step

    at = get_settings()
    site = f"http://{at.host}:{at.port}"
    for partner in partner_list:
        key = step("key", "create", partner.slug, "--name", "demo", show=False).answer["api_key"]
        curl = f"curl -H 'Authorization: Bearer {key}'"
        note(f"\nas {partner.slug}:  {curl} {site}/v1/worklists")
        if partner.guidelines:
            note(f"ask its guidelines, which are examples, on {site}/guidelines, or by:")
            note(f"  {curl} --json '{json.dumps({'question': QUESTION})}' {site}/v1/knowledge/ask")


def _serve(*, quiet: bool) -> None:
    """Serve the pages and the API with a worker until stopped."""
    from core.app.commands import serve as serve_command

    note("")
    if quiet:
        note("the summary is on standard output")
    serve_command.callback(host=None, port=None, worker=True)  # type: ignore[misc]  # a click command has a callback
