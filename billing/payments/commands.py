"""``iit billing payments``: the payment provider's state, its calls and messages, and what differs from our ledger."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from core.cli.output import ACTOR, json_option, note, print_json, print_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from billing.plans.service import Act


@click.group()
def payments() -> None:
    """See how Stripe stands, reconcile with it, and retry what it rejected."""


@payments.command()
@json_option
def status(*, as_json: bool) -> None:
    """Show the state of the payment provider."""
    from billing.payments.service import overview

    state = overview()
    if as_json:
        print_json(state)
        return
    print_table([{"what": name.replace("_", " "), "value": value} for name, value in asdict(state).items()],
                ("what", "value"))  # fmt: skip


@payments.command()
@click.option("--state", type=click.Choice(("waiting", "done", "failed", "dropped", "all")), default="waiting",
              show_default=True)  # fmt: skip
@json_option
def calls(state: Any, *, as_json: bool) -> None:  # noqa: ANN401 - click's choices are the states
    """List what Stripe is to receive, the newest first, at most 200."""
    from billing.payments.service import list_calls

    _show("calls", list_calls(state), ("id", "kind", "own_id", "state", "attempts", "error"), as_json=as_json)


@payments.command()
@click.option("--state", type=click.Choice(("waiting", "applied", "ignored", "failed", "all")), default="all",
              show_default=True)  # fmt: skip
@json_option
def events(state: Any, *, as_json: bool) -> None:  # noqa: ANN401 - as above
    """List the messages of Stripe, the newest first, at most 200."""
    from billing.payments.service import list_events

    _show("events", list_events(state), ("id", "type", "state", "source", "times", "received_at"), as_json=as_json)


@payments.command()
@click.option("--state", type=click.Choice(("open", "escalated", "mending", "mended", "gone", "closed", "all")),
              default="open", show_default=True)  # fmt: skip
@json_option
def differences(state: Any, *, as_json: bool) -> None:  # noqa: ANN401 - as above
    """List where our ledger and Stripe differ, and why."""
    from billing.payments.service import list_differences

    columns = ("id", "kind", "own_id", "cause", "ours", "theirs", "state")
    _show("differences", list_differences(state), columns, as_json=as_json)


@payments.command()
@json_option
def reconcile(*, as_json: bool) -> None:
    """Compare our ledger with Stripe now, and mend what can be mended. Exits with 3 if a person must decide."""
    from billing.payments.reconciliation import reconcile as compare

    report = compare()
    if as_json:
        print_json(report)
    else:
        note(", ".join(f"{count} {what}" for what, count in report.compared.items()) or "nothing to compare")
        note(f"{report.escalated} differences to decide, {report.mending} that mend themselves")
    if report.escalated:
        click.get_current_context().exit(3)


@payments.command()
@click.argument("what", type=click.Choice(("call", "event")))
@click.argument("identifier")
@json_option
def retry(what: str, identifier: str, *, as_json: bool) -> None:
    """Send a rejected call again, or apply a failed message again."""
    from billing.payments.service import retry_call, retry_event

    if what == "call":
        retry_call(_number(identifier), act=_act())
    else:
        retry_event(identifier, act=_act())
    _answer(what, identifier, "waiting", as_json=as_json)


@payments.command()
@click.argument("difference_id", type=click.UUID)
@json_option
def close(difference_id: Any, *, as_json: bool) -> None:  # noqa: ANN401 - click's UUID
    """Close a difference that was decided. If it is seen again, it opens again."""
    from billing.payments.service import close_difference

    close_difference(difference_id, act=_act())
    _answer("difference", str(difference_id), "closed", as_json=as_json)


@payments.command()
@click.argument("invoice_id", type=click.UUID)
@click.option("--return-url", required=True, help="Page to which the payer returns.")
@json_option
def link(invoice_id: Any, return_url: str, *, as_json: bool) -> None:  # noqa: ANN401 - click's UUID
    """Print the page on which an invoice can be paid."""
    from billing.payments.provider import invoice_link

    page = invoice_link(invoice_id, return_url=return_url)
    if as_json:
        print_json({"url": None if page is None else page.url, "expires_at": None if page is None else page.expires_at})
    else:
        click.echo("paid by bank transfer, as the invoice says" if page is None else page.url)


def _act() -> Act:
    from billing.plans.service import Act

    return Act(actor=ACTOR)


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        message = f"{text!r} is no number: calls have numbers"
        raise click.BadParameter(message) from None


def _answer(what: str, identifier: str, state: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"id": identifier, "state": state})
    else:
        note(f"{what} {identifier}: {state}")


def _show(name: str, rows: Sequence[Any], columns: tuple[str, ...], *, as_json: bool) -> None:
    if as_json:
        print_json({name: rows})
        return
    print_table([{column: getattr(row, column) for column in columns} for row in rows], columns)
