"""The command ``iit billing``: plans, accounts and subscriptions. The other parts of billing add their commands."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from core.cli.output import ACTOR, json_option, print_json, print_table
from core.feature_registry import resolve

if TYPE_CHECKING:
    from datetime import date, datetime

    from billing.plans.models import BillingAccount, Plan, PlanVersion
    from billing.plans.service import Act
    from billing.terms import Overrides

LAZY: Final[dict[str, tuple[str, str]]] = {
    "budgets": ("billing.costs.commands:budgets", "List, set and end budgets of costs"),
    "costs": ("billing.costs.commands:costs", "Show what tenants cost, beside what they were invoiced"),
    "demo": ("billing.demo.commands:demo", "Simulate a month of business for two tenants"),
    "focus": ("billing.costs.commands:focus_", "Export costs as FOCUS 1.2"),
    "rates": ("billing.costs.commands:rates", "Show and set the prices of resources"),
    "payments": ("billing.payments.commands:payments", "See how Stripe stands, reconcile with it, retry its calls"),
    "invoice": ("billing.invoices.commands:invoice", "List, show, check, issue, pay and correct invoices"),
    "credit": ("billing.invoices.commands:credit", "Grant a credit to a tenant"),
    "revoke-credit": ("billing.invoices.commands:revoke_credit", "Revoke what is left of a credit"),
    "rehearse": ("billing.rehearsal.commands:rehearse", "Simulate months of invoices, and check them by an oracle"),
    "preview": ("billing.invoices.commands:preview", "Show what the running period of a tenant costs"),
}
"""Commands that are imported when they are called: name -> import path and help."""

_FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)
_DAY: Final = click.DateTime(["%Y-%m-%d"])


class _Billing(click.Group):
    """The group's own commands, and those of ``LAZY``."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, sorted."""
        return sorted({*super().list_commands(ctx), *LAZY})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command. Imports it now if it is in ``LAZY``."""
        if cmd_name not in LAZY:
            return super().get_command(ctx, cmd_name)
        command: click.Command = resolve(LAZY[cmd_name][0])
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        """List the commands with their help, and import none."""
        own = {name: command.get_short_help_str(90) for name, command in self.commands.items()}
        with formatter.section("Commands"):
            formatter.write_dl(sorted({**own, **{name: text for name, (_, text) in LAZY.items()}}.items()))


@click.group(cls=_Billing)
def billing() -> None:
    """Plans, subscriptions, invoices and payments."""


@billing.group()
def plan() -> None:
    """Create versions of plans, list and show them."""


@plan.command()
@click.argument("code")
@click.option("--file", "file", type=_FILE, required=True, help="YAML or JSON file of the terms.")
@click.option("--name", default="", help="Name of a new plan.")
@click.option("--note", default="", help="Why the terms differ from the version before.")
@json_option
def create(code: str, file: Path, name: str, note: str, *, as_json: bool) -> None:
    """Create the next version of the plan CODE. Versions never change; partners stay on theirs until you change it.

    iit billing plan create standard --file standard.yaml --note "SMS cost less"
    """
    from billing.plans.service import create_version
    from core.database import platform_session

    with platform_session() as session:
        _, version = create_version(session, code, _content(file), act=_act(note), name=name)
    if as_json:
        print_json({"plan": code, "id": version.id, "version": version.number, "terms": version.terms})
    else:
        click.echo(f"{code}@{version.number}")


@plan.command("list")
@json_option
def list_(*, as_json: bool) -> None:
    """List the plans with their newest versions."""
    from billing.plans.service import list_plans
    from core.database import platform_session

    with platform_session() as session:
        rows = [_plan_row(plan, version) for plan, version in list_plans(session)]
    if as_json:
        print_json({"plans": rows})
    else:
        print_table(rows, ("plan", "version", "name", "currency", "interval", "base_fee"))


@plan.command()
@click.argument("code")
@json_option
def show(code: str, *, as_json: bool) -> None:
    """Show the plan CODE with all its versions."""
    from billing.plans.service import describe_plan
    from core.database import platform_session

    with platform_session() as session:
        plan_row, versions = describe_plan(session, code)
    if as_json:
        shown = [
            {
                "id": version.id,
                "version": version.number,
                "terms": version.terms,
                "note": version.note,
                "created_at": version.created_at,
                "created_by": version.created_by,
            }
            for version in versions
        ]
        print_json({"plan": plan_row.code, "name": plan_row.name, "versions": shown})
        return
    click.echo(f"{plan_row.code}: {plan_row.name}")
    print_table(
        [{**_plan_row(plan_row, version), "note": version.note} for version in versions],
        ("version", "currency", "interval", "base_fee", "note"),
    )
    _print_prices(versions[0])


@billing.command()
@click.argument("slug")
@click.option("--legal-name", help="Whom to invoice.")
@click.option("--address", help="Postal address.")
@click.option("--email", help="Receives invoices, reminders and notices.")
@click.option("--tax-name", help="Name of the tax, such as VAT.")
@click.option("--tax-rate", help="Percent.")
@click.option("--tax-exemption", help="Why no tax is charged; empty: it is charged.")
@click.option("--tax-id", help="The partner's tax number.")
@click.option("--purchase-order", help="Printed on invoices.")
@click.option("--due-days", help="Days from an invoice to its due date; empty: those of the plan.")
@click.option("--provider", type=click.Choice(["manual", "stripe"]), help="How payments arrive.")
@click.option("--time-zone", help="IANA name; that of the tenant by default.")
@json_option
def account(slug: str, *, as_json: bool, **values: str | None) -> None:
    """Show the billing account of the tenant SLUG; with options, create or change it."""
    from billing.plans.schemas import AccountChange
    from billing.plans.service import get_account, store_account
    from core.database import platform_session
    from core.tenancy import describe_tenant

    tenant = describe_tenant(slug)
    changes = {name: value or None for name, value in values.items() if value is not None}
    with platform_session() as session:
        if changes:
            default = {"legal_name": tenant.name, "time_zone": tenant.time_zone}
            row = store_account(session, tenant.id, AccountChange.model_validate(changes), act=_act(), default=default)
        else:
            row = get_account(session, tenant.id)
        content = _account_row(row)
    if as_json:
        print_json(content)
    else:
        print_table([{"what": name, "value": value} for name, value in content.items()], ("what", "value"))


@billing.command()
@click.argument("slug")
@click.argument("plan")
@click.option("--on", "day", type=_DAY, required=True, help="First day, such as 2027-01-01.")
@click.option("--add-on", "add_ons", multiple=True, help="Code of an add-on of the plan; may be repeated.")
@click.option("--overrides", type=_FILE, help="YAML or JSON file of what differs for this partner.")
@click.option("--reason", default="", help="Why. Name no person.")
@json_option
def subscribe(
    slug: str, plan: str, day: datetime, add_ons: tuple[str, ...], overrides: Path | None, reason: str, *, as_json: bool
) -> None:
    """Start the subscription of the tenant SLUG to PLAN: a code, or code@version.

    iit billing subscribe partner standard --on 2027-01-01 --add-on support
    """
    from billing.plans.service import find_version, start_subscription
    from core.database import platform_session
    from core.tenancy import describe_tenant

    tenant = describe_tenant(slug)
    with platform_session() as session:
        subscription = start_subscription(
            session,
            tenant.id,
            find_version(session, plan),
            day.date(),
            act=_act(reason),
            add_ons=add_ons,
            overrides=_overrides(overrides),
        )
    _print(
        {"tenant": slug, "id": subscription.id, "plan": plan, "started_on": subscription.started_on}, as_json=as_json
    )


@billing.command()
@click.argument("slug")
@click.option("--on", "day", type=_DAY, required=True, help="First day of the new terms; it may lie ahead.")
@click.option("--plan", help="A code, or code@version; the present one by default.")
@click.option("--add-on", "add_ons", multiple=True, help="Code of an add-on; may be repeated. Replaces all add-ons.")
@click.option("--no-add-ons", is_flag=True, help="From that day on, no add-on.")
@click.option("--overrides", type=_FILE, help="YAML or JSON file; replaces all overrides.")
@click.option("--reason", default="", help="Why. Name no person.")
@json_option
def change(
    slug: str,
    day: datetime,
    plan: str | None,
    add_ons: tuple[str, ...],
    overrides: Path | None,
    reason: str,
    *,
    no_add_ons: bool,
    as_json: bool,
) -> None:
    """Change the terms of the tenant SLUG from a day on. Fees of a period that is cut are charged by days."""
    from billing.plans.service import change_subscription, find_version
    from core.database import platform_session
    from core.tenancy import describe_tenant

    tenant = describe_tenant(slug)
    with platform_session() as session:
        changed = change_subscription(
            session,
            tenant.id,
            day.date(),
            act=_act(reason),
            version=None if plan is None else find_version(session, plan),
            add_ons=() if no_add_ons else (add_ons or None),
            overrides=_overrides(overrides),
        )
    _print(
        {"tenant": slug, "effective_on": changed.effective_on, "plan_version_id": changed.plan_version_id},
        as_json=as_json,
    )


@billing.command()
@click.argument("slug")
@click.option("--on", "day", type=_DAY, required=True, help="First day without the subscription.")
@click.option("--reason", default="", help="Why. Name no person.")
@json_option
def end(slug: str, day: datetime, reason: str, *, as_json: bool) -> None:
    """End the subscription of the tenant SLUG. Its data stay, and it works on as without a plan."""
    from billing.plans.service import end_subscription
    from core.database import platform_session
    from core.tenancy import describe_tenant

    tenant = describe_tenant(slug)
    with platform_session() as session:
        subscription = end_subscription(session, tenant.id, day.date(), act=_act(reason))
    _print({"tenant": slug, "id": subscription.id, "ends_on": _text(subscription.ends_on)}, as_json=as_json)


def _act(reason: str = "") -> Act:
    from billing.plans.service import Act

    return Act(ACTOR, "cli", reason)


def _content(file: Path) -> dict[str, Any]:
    import yaml

    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))  # JSON is YAML
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        message = f"{file} is neither YAML nor JSON: {error}"
        raise click.BadParameter(message, param_hint="--file") from error
    if not isinstance(content, dict):
        message = f"{file} must hold one object: names with their values"
        raise click.BadParameter(message, param_hint="--file")
    return content


def _overrides(file: Path | None) -> Overrides | None:
    from pydantic import ValidationError

    from billing.terms import Overrides

    if file is None:
        return None
    try:
        return Overrides.model_validate(_content(file))
    except ValidationError as error:
        raise click.BadParameter(str(error), param_hint="--overrides") from error


def _plan_row(plan: Plan, version: PlanVersion) -> dict[str, object]:
    terms = version.terms
    return {
        "plan": plan.code,
        "version": version.number,
        "name": plan.name,
        "currency": terms["currency"],
        "interval": terms["interval"],
        "base_fee": terms["base_fee"],
    }


def _print_prices(version: PlanVersion) -> None:
    """Print what a version costs, in words."""
    from billing.console.amounts import aggregation_text, money
    from billing.console.plan_words import caps_text, prices_text
    from billing.terms import PlanTerms

    terms = PlanTerms.model_validate(version.terms)
    meters = [("", each) for each in terms.meters]
    meters += [(code, each) for code, add_on in terms.add_ons.items() for each in add_on.meters]
    rows = [
        {
            "add_on": code,
            "meter": each.meter,
            "counted_as": aggregation_text(each.aggregation),
            "price": prices_text(each, terms.currency),
            "caps": caps_text(each),
        }
        for code, each in meters
    ]
    click.echo(f"\nPrices of version {version.number}:")
    print_table(rows, ("add_on", "meter", "counted_as", "price", "caps"))
    for code, add_on in terms.add_ons.items():
        click.echo(f"add-on {code}, {add_on.label}: {money(add_on.fee, terms.currency)}")
    steps = ", ".join(f"{step.action} after {step.after_days} days" for step in terms.dunning)
    click.echo(f"trial {terms.trial_days} days, grace {terms.grace_days} days, due after {terms.due_days} days")
    click.echo(f"when overdue: {steps or 'nothing'}")


def _account_row(row: BillingAccount) -> dict[str, object]:
    return {name: value for name, value in row.model_dump().items() if name != "updated_at"}


def _print(answer: dict[str, object], *, as_json: bool) -> None:
    if as_json:
        print_json(answer)
    else:
        click.echo(", ".join(f"{name} {value}" for name, value in answer.items()))


def _text(day: date | None) -> str | None:
    return None if day is None else day.isoformat()
