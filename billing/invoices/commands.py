"""The commands ``iit billing invoice``, ``credit`` and ``preview``."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import click

from core.cli.output import ACTOR, done_in_part, json_option, print_json, print_table

if TYPE_CHECKING:
    from datetime import datetime

    from billing.plans.service import Act

_DAY: Final = click.DateTime(["%Y-%m-%d"])
_COLUMNS: Final = ("number", "kind", "tenant", "state", "first_day", "last_day", "currency", "total", "owed", "due_on")


class _Amount(click.ParamType[Decimal]):
    """A decimal on the command line."""

    name = "amount"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:  # noqa: ANN401
        """Return the decimal."""
        try:
            amount = Decimal(value)
        except InvalidOperation:
            amount = Decimal("NaN")
        if not amount.is_finite():
            self.fail(f"{value!r} is no amount: write it like 1250.50", param, ctx)
        return amount


@click.group()
def invoice() -> None:
    """List, show, check, issue, pay and correct invoices."""


@invoice.command("list")
@click.option("--tenant", "slug", help="Only of the tenant with this slug.")
@click.option("--state", type=click.Choice(["draft", "final", "paid", "overdue", "void"]), help="Only in this state.")
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True, help="How many to list.")
@json_option
def list_(slug: str | None, state: str | None, limit: int, *, as_json: bool) -> None:
    """List invoices and credit notes, newest first."""
    from billing.invoices.repository import list_invoices
    from billing.invoices.schemas import invoice_values
    from core.clock import today
    from core.database import platform_session
    from core.tenancy import describe_tenant, list_tenants

    tenant_id = None if slug is None else describe_tenant(slug).id
    names = {tenant.id: tenant.slug for tenant in list_tenants()}
    day = today("UTC")
    with platform_session() as session:
        rows, total = list_invoices(session, tenant_id=tenant_id, state=state, today=day, limit=limit)
        shown = [
            {**invoice_values(row, day), "tenant": names.get(row.invoice.tenant_id, str(row.invoice.tenant_id))}
            for row in rows
        ]
    if as_json:
        print_json({"invoices": shown, "total": total})
    else:
        print_table(shown, _COLUMNS)


@invoice.command()
@click.argument("invoice_id", type=UUID)
@json_option
def show(invoice_id: UUID, *, as_json: bool) -> None:
    """Show an invoice with its lines."""
    from billing.console.amounts import steps_text
    from billing.invoices.answers import detail_of
    from billing.invoices.payments import find_invoice
    from core.clock import today
    from core.database import platform_session

    with platform_session() as session:
        detail = detail_of(session, find_invoice(session, invoice_id), today("UTC"))
    if as_json:
        print_json(detail)
        return
    click.echo(f"{detail.number} {detail.state}: {detail.first_day} to {detail.last_day}, due {detail.due_on}")
    lines = [
        {**line.model_dump(), "price": steps_text([step.model_dump() for step in line.steps], detail.currency)}
        for line in detail.lines
    ]
    print_table(lines, ("position", "kind", "description", "first_day", "last_day", "quantity", "price", "amount"))
    click.echo(f"without tax {detail.subtotal}, tax {detail.tax}, total {detail.currency} {detail.total}")
    click.echo(f"to pay {detail.currency} {detail.owed}")


@invoice.command()
@click.option("--tenant", "slug", help="Only for the tenant with this slug.")
@json_option
def issue(slug: str | None, *, as_json: bool) -> None:
    """Draft and issue now what is due. A worker does the same every hour."""
    from billing.invoices.loop import issue_for, subscribers
    from core.clock import now
    from core.tenancy import describe_tenant

    tenants = subscribers() if slug is None else [describe_tenant(slug).id]
    documents = [document for tenant in tenants for document in issue_for(tenant, now(), _act())]
    shown = [
        {"id": each.id, "number": each.label, "state": each.state, "currency": each.currency, "total": each.total}
        for each in {each.id: each for each in documents}.values()
    ]
    if as_json:
        print_json({"documents": shown})
    else:
        print_table(shown, ("number", "state", "currency", "total"))


@invoice.command()
@click.option("--tenant", "slug", help="Only of the tenant with this slug.")
@json_option
def check(slug: str | None, *, as_json: bool) -> None:
    """Compute issued invoices again from sealed usage and compare. Ends with 3 if one differs."""
    from billing.invoices.checking import recompute
    from billing.invoices.repository import list_invoices
    from core.database import platform_session
    from core.tenancy import describe_tenant

    tenant_id = None if slug is None else describe_tenant(slug).id
    checked, different, offset, total = 0, [], 0, 1
    while offset < total:
        with platform_session() as session:
            rows, total = list_invoices(session, tenant_id=tenant_id, limit=500, offset=offset, descending=False)
            for row in rows:
                if row.invoice.state in ("final", "paid") and row.invoice.kind != "credit_note":
                    checked += 1
                    if not recompute(session, row.invoice).is_same:
                        different.append(row.invoice.label)
        offset += 500
    if as_json:
        print_json({"checked": checked, "different": different})
    else:
        click.echo(f"{checked} invoices computed again, {len(different)} differ")
    if different:
        done_in_part(f"these invoices differ from their usage and plans: {', '.join(different)}")


@invoice.command()
@click.argument("invoice_id", type=UUID)
@click.option("--form", type=click.Choice(["pdf", "csv"]), default="pdf", show_default=True, help="Format.")
@click.option("--to", type=click.Path(dir_okay=False, path_type=Path), required=True, help="File to write.")
def download(invoice_id: UUID, form: str, to: Path) -> None:
    """Write an invoice to a file."""
    from billing.invoices.documents import document_of, invoice_csv, invoice_pdf
    from billing.invoices.payments import find_invoice
    from core.cli.files import output_file
    from core.database import platform_session

    with platform_session() as session:
        document = document_of(session, find_invoice(session, invoice_id))
    content = invoice_pdf(document) if form == "pdf" else invoice_csv(document).encode()
    with output_file(to, form) as file:
        file.write(content)


@invoice.command()
@click.argument("invoice_id", type=UUID)
@click.argument("amount", type=_Amount())
@click.option("--reference", required=True, help="Reference of the bank; the same one counts one time.")
@click.option("--method", default="bank_transfer", show_default=True, help="How the money came.")
@click.option("--on", "day", type=_DAY, help="Day of the money; today by default.")
@json_option
def pay(invoice_id: UUID, amount: Decimal, reference: str, method: str, day: datetime | None, *, as_json: bool) -> None:
    """Record money received for an invoice, or returned (an amount below 0, after --)."""
    from billing.invoices.payments import find_invoice, record_payment
    from core.clock import today
    from core.database import platform_session

    received_on = today("UTC") if day is None else day.date()
    with platform_session() as session:
        payment = record_payment(
            session, invoice_id, amount, received_on=received_on, method=method, reference=reference, act=_act()
        )
        document = find_invoice(session, invoice_id)
    _print({"id": payment.id, "number": document.label, "amount": amount, "state": document.state}, as_json=as_json)


@invoice.command("credit-note")
@click.argument("invoice_id", type=UUID)
@click.option("--amount", type=_Amount(), help="Without tax; all that is left to correct by default.")
@click.option("--reason", required=True, help="On the credit note. Name no person.")
@json_option
def credit_note(invoice_id: UUID, amount: Decimal | None, reason: str, *, as_json: bool) -> None:
    """Issue a credit note for an invoice, or a part of it."""
    from billing.invoices.payments import credit_note as issue_note
    from core.clock import now
    from core.database import platform_session

    with platform_session() as session:
        note = issue_note(session, invoice_id, now=now(), act=_act(reason), amount=amount)
    _print({"id": note.id, "number": note.label, "total": note.total}, as_json=as_json)


@invoice.command()
@click.argument("invoice_id", type=UUID)
@click.option("--reason", required=True, help="For the audit. Name no person.")
@json_option
def void(invoice_id: UUID, reason: str, *, as_json: bool) -> None:
    """Cancel the newest unpaid invoice of a tenant. The next run drafts its period again, under a new number."""
    from billing.invoices.payments import void as cancel
    from core.clock import now
    from core.database import platform_session

    with platform_session() as session:
        document = cancel(session, invoice_id, now=now(), act=_act(reason))
    _print({"id": document.id, "number": document.label, "state": document.state}, as_json=as_json)


@click.command()
@click.argument("slug")
@click.argument("amount", type=_Amount())
@click.argument("currency")
@click.option("--priority", type=click.IntRange(0, 100), default=50, show_default=True, help="Smaller: used first.")
@click.option("--expires-on", type=_DAY, help="First day for which it does not pay.")
@click.option("--reason", required=True, help="On the invoice. Name no person.")
@json_option
def credit(
    slug: str, amount: Decimal, currency: str, priority: int, expires_on: datetime | None, reason: str, *, as_json: bool
) -> None:
    """Grant the tenant SLUG a credit of AMOUNT in CURRENCY, which pays for use before money does."""
    from billing.invoices.credits import grant_credit
    from core.clock import today
    from core.database import platform_session
    from core.tenancy import describe_tenant

    tenant = describe_tenant(slug)
    with platform_session() as session:
        row = grant_credit(
            session,
            tenant.id,
            amount,
            currency,
            today=today(tenant.time_zone),
            act=_act(reason),
            priority=priority,
            expires_on=None if expires_on is None else expires_on.date(),
        )
    _print({"id": row.id, "tenant": slug, "amount": row.amount, "currency": row.currency}, as_json=as_json)


@click.command("revoke-credit")
@click.argument("slug")
@click.argument("credit_id", type=UUID)
@click.option("--reason", required=True, help="For the audit. Name no person.")
@json_option
def revoke_credit(slug: str, credit_id: UUID, reason: str, *, as_json: bool) -> None:
    """Revoke what is left of a credit of the tenant SLUG. What invoices used of it stays used."""
    from billing.invoices.credits import revoke_credit as revoke
    from core.database import platform_session
    from core.tenancy import describe_tenant

    tenant = describe_tenant(slug)
    with platform_session() as session:
        state = revoke(session, tenant.id, credit_id, act=_act(reason))
    _print({"id": credit_id, "tenant": slug, "left": state.left, "currency": state.credit.currency}, as_json=as_json)


@click.command()
@click.argument("slug")
@json_option
def preview(slug: str, *, as_json: bool) -> None:
    """Show what the running period of the tenant SLUG costs so far, and a forecast."""
    from billing.invoices.preview import preview as compute
    from billing.invoices.schemas import PreviewOut
    from core.clock import now
    from core.database import platform_session
    from core.errors import NotFound
    from core.tenancy import describe_tenant

    tenant = describe_tenant(slug)
    with platform_session() as session:
        running = compute(session, tenant.id, now=now())
    if running is None:
        detail = "the partner has no plan today"
        raise NotFound(detail, command="`iit billing subscribe` starts one")
    answer = PreviewOut.of(running)
    if as_json:
        print_json(answer)
        return
    lines = zip(answer.lines, answer.forecast, strict=True)
    rows = [{**line.model_dump(), "forecast": later.amount} for line, later in lines]
    print_table(rows, ("kind", "description", "quantity", "amount", "forecast"))
    click.echo(f"so far {answer.currency} {answer.total}, forecast {answer.forecast_total}")


def _act(reason: str = "") -> Act:
    from billing.plans.service import Act

    return Act(ACTOR, "cli", reason)


def _print(answer: dict[str, object], *, as_json: bool) -> None:
    if as_json:
        print_json(answer)
    else:
        click.echo(", ".join(f"{name} {value}" for name, value in answer.items()))
