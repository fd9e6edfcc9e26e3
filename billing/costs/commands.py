"""``iit billing costs``, ``focus``, ``rates`` and ``budgets``."""

from __future__ import annotations

import json
import sys
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from core.cli.output import ACTOR, json_option, note, print_json, print_table

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

_C = TypeVar("_C", bound="Callable[..., Any]")
_DAY = click.DateTime(["%Y-%m-%d"])


def _period(command: _C) -> _C:
    """Add the options that name a period and a partner."""
    command = click.option("--tenant", "slug", help="Only this tenant.")(command)
    command = click.option("--end", type=_DAY, help="The first day after the last one; tomorrow if left out.")(command)
    return click.option("--start", type=_DAY, help="The first day (UTC); the first of this month if left out.")(command)


@click.command("costs")
@_period
@json_option
def costs(start: datetime | None, end: datetime | None, slug: str | None, *, as_json: bool) -> None:
    """Show what tenants cost and what they were invoiced, in US dollars."""
    from billing.costs.margins import margins
    from core.database import platform_session
    from core.tenancy import list_tenants

    first, last = _days(start, end)
    slugs = {tenant.id: tenant.slug for tenant in list_tenants()}
    with platform_session() as session:
        every = margins(session, first, last, tenant_id=_id(slug))
    rows: list[dict[str, Any]] = [
        {
            "tenant": slugs.get(each.costs.tenant_id, str(each.costs.tenant_id)),
            "amount": _cents(each.costs.amount),
            "by_resource": {name: _cents(value) for name, value in each.costs.by_resource.items()},
            "by_feature": {name: _cents(value) for name, value in each.costs.by_feature.items()},
            "predictions": int(each.costs.predictions),
            "per_prediction": None if each.costs.per_prediction is None else round(each.costs.per_prediction, 6),
            "invoiced": None if each.invoiced is None else _cents(each.invoiced),
            "margin": None if each.margin is None else _cents(each.margin),
        }
        for each in every
    ]
    if as_json:
        print_json({"start": first, "end": last, "currency": "USD", "tenants": rows})
        return
    note(f"{first} to before {last}, US dollars, by the cost table of each day")
    resources = ("compute", "database", "files", "sms", "language_model")
    table = [row | {name: row["by_resource"].get(name) for name in resources} for row in rows]
    print_table(table, ("tenant", "amount", *resources, "per_prediction", "invoiced", "margin"))


@click.command("focus")
@_period
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="The file to write; else standard output.")
def focus_(start: datetime | None, end: datetime | None, slug: str | None, out: Path | None) -> None:
    """Export costs as FOCUS 1.2, the FinOps Open Cost and Usage Specification, in CSV."""
    from billing.costs.focus import csv_lines
    from billing.costs.service import cost_lines
    from core.database import platform_session
    from core.tenancy import list_tenants

    first, last = _days(start, end)
    with platform_session() as session:
        lines = cost_lines(session, first, last, tenant_id=_id(slug))
    text = csv_lines(lines, {tenant.id: tenant.name for tenant in list_tenants()})
    if out is None:
        sys.stdout.writelines(text)
    else:
        with out.open("w", encoding="utf-8", newline="") as file:
            file.writelines(text)
        note(f"{len(lines)} rows: {out}")


@click.group("rates")
def rates() -> None:
    """Show and set the prices of resources."""


@rates.command("show")
@json_option
def show_rates(*, as_json: bool) -> None:
    """Show all versions of the prices, the newest first."""
    from billing.costs.rates import versions
    from core.database import platform_session

    with platform_session() as session:
        every = versions(session)
    if as_json:
        print_json({"tables": [each.model_dump(mode="json") for each in every]})
        return
    for each in every:
        click.echo(f"{each.number}: from {each.effective_on or 'the beginning'}: {each.note}")
        click.echo(f"  {each.rates.model_dump_json()}")


@rates.command("set")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--effective-on", type=_DAY, required=True, help="The first day (UTC) that the prices are for.")
@click.option("--note", "why", required=True, help="Where the prices come from.")
@json_option
def set_rates_(file: Path, effective_on: datetime, why: str, *, as_json: bool) -> None:
    """Set the prices from a day on. FILE is JSON, such as `iit billing rates show` prints."""
    from pydantic import ValidationError

    from billing.costs.rates import Rates, set_rates
    from core.database import platform_session

    try:
        wanted = Rates.model_validate(json.loads(file.read_text(encoding="utf-8"), parse_float=Decimal))
    except (ValidationError, ValueError) as error:
        message = f"{file} has no valid prices: {error}"
        raise click.ClickException(message) from error
    with platform_session() as session:
        version = set_rates(session, wanted, effective_on.date(), note=why, actor=ACTOR)
    if as_json:
        print_json(version.model_dump(mode="json"))
    else:
        note(f"version {version.number} counts from {version.effective_on} on")


@click.group("budgets")
def budgets() -> None:
    """List, set and end budgets of costs. They inform operators, and stop nothing."""


@budgets.command("list")
@json_option
def list_budgets_(*, as_json: bool) -> None:
    """List the present budgets."""
    from billing.costs.budgets import list_budgets
    from billing.costs.models import EVERY_TENANT
    from core.database import platform_session
    from core.tenancy import list_tenants

    slugs: dict[UUID, str | None] = {tenant.id: tenant.slug for tenant in list_tenants()} | {EVERY_TENANT: None}
    with platform_session() as session:
        rows: list[dict[str, Any]] = [
            {
                "tenant": slugs.get(each.tenant_id, str(each.tenant_id)),
                "amount": each.amount,
                "thresholds": each.thresholds,
            }
            for each in list_budgets(session)
        ]
    if as_json:
        print_json({"budgets": rows})
    else:
        shown = [
            row | {"tenant": row["tenant"] or "all together", "thresholds": ", ".join(map(str, row["thresholds"]))}
            for row in rows
        ]
        print_table(shown, ("tenant", "amount", "thresholds"))


@budgets.command("set")
@click.argument("amount")
@click.option("--tenant", "slug", help="For this tenant; for all together if left out.")
@click.option("--threshold", "thresholds", type=int, multiple=True, help="A percentage at which to inform operators.")
def set_budget_(amount: str, slug: str | None, thresholds: tuple[int, ...]) -> None:
    """Set a budget of AMOUNT US dollars a month."""
    from billing.costs.budgets import THRESHOLDS, set_budget
    from core.database import platform_session

    try:
        dollars = Decimal(amount)
    except InvalidOperation:
        message = "AMOUNT is a number of US dollars"
        raise click.BadParameter(message) from None
    with platform_session() as session:
        set_budget(session, _id(slug), dollars, thresholds=thresholds or THRESHOLDS, actor=ACTOR)
    note(f"budget of {slug or 'all together'}: {dollars} US dollars a month")


@budgets.command("end")
@click.option("--tenant", "slug", help="Of this tenant; of all together if left out.")
def end_budget_(slug: str | None) -> None:
    """End a budget."""
    from billing.costs.budgets import end_budget
    from core.database import platform_session

    with platform_session() as session:
        end_budget(session, _id(slug), actor=ACTOR)
    note(f"no budget for {slug or 'all together'} any more")


def _id(slug: str | None) -> UUID | None:
    from core.tenancy import describe_tenant

    return None if slug is None else describe_tenant(slug).id


def _days(start: datetime | None, end: datetime | None) -> tuple[date, date]:
    from billing.costs.service import this_month

    first, last = this_month()
    return (first if start is None else start.date()), (last if end is None else end.date())


def _cents(value: Decimal) -> Decimal:
    return value.quantize(Decimal("0.01"))
