"""``iit usage``: what tenants used, the uses behind a figure, corrections, and the roll-up."""

from __future__ import annotations

from datetime import datetime

import click

from core.cli.output import ACTOR, done_in_part, json_option, note, print_json, print_table

DAY = click.DateTime(["%Y-%m-%d"])


@click.group()
def usage() -> None:
    """See what a tenant used, correct it, and roll usage up."""


def _span_options(command: click.decorators.FC) -> click.decorators.FC:
    until = click.option("--until", type=DAY, help="The day after the last one; tomorrow by default.")(command)
    return click.option("--since", type=DAY, help="First day, in the tenant's time zone; the 1st by default.")(until)


@usage.command()
@click.argument("slug")
@_span_options
@click.option("--by", type=click.Choice(["period", "day", "hour"]), default="period", show_default=True)
@click.option("--meter", help="Only this meter.")
@json_option
def show(
    slug: str, since: datetime | None, until: datetime | None, by: str, meter: str | None, *, as_json: bool
) -> None:
    """Show what the tenant SLUG used of each meter, as of the newest roll-up."""
    from typing import cast

    from core.metering import usage as figures
    from core.tenancy import describe_tenant

    ref, kind = describe_tenant(slug).ref(), cast("figures.By", by)
    span = figures.span_of(ref.time_zone, since and since.date(), until and until.date(), kind)
    shown = figures.usage(ref, span, by=kind, meter=meter)
    if as_json:
        meters = [
            {
                "meter": each.meter.name,
                "unit": each.meter.unit,
                "aggregation": each.meter.aggregation,
                "quantity": each.quantity,
                "rows": [{"begin": begin, "quantity": quantity} for begin, quantity in each.rows.items()],
            }
            for each in shown.meters
        ]
        print_json(
            {
                "slug": slug,
                "since": span.since,
                "until": span.until,
                "complete_until": shown.complete_until,
                "batch": shown.batch,
                "meters": meters,
            }
        )
        return
    rows = [
        {"meter": each.meter.name, "begin": "", "quantity": f"{each.quantity:f}", "unit": each.meter.unit}
        for each in shown.meters
    ]
    if by != "period":
        rows = [
            {"meter": each.meter.name, "begin": str(begin), "quantity": f"{quantity:f}", "unit": each.meter.unit}
            for each in shown.meters
            for begin, quantity in each.rows.items()
        ]
    print_table(rows, ("meter", "quantity", "unit") if by == "period" else ("meter", "begin", "quantity", "unit"))
    note(f"complete until {shown.complete_until}" if shown.complete_until else "nothing is rolled up yet")


@usage.command()
@click.argument("slug")
@click.argument("meter")
@_span_options
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="Most uses to list.")
@json_option
def events(slug: str, meter: str, since: datetime | None, until: datetime | None, limit: int, *, as_json: bool) -> None:
    """List the uses of the meter METER by the tenant SLUG."""
    from core.database import tenant_session
    from core.metering import details
    from core.metering import usage as figures
    from core.tenancy import describe_tenant

    ref = describe_tenant(slug).ref()
    figures.known(meter)
    span = figures.span_of(ref.time_zone, since and since.date(), until and until.date())
    with tenant_session(ref, actor=ACTOR, readonly=True) as session:
        rows = details.uses(session, meter, span.since, span.until, limit=limit)
        total = details.count_uses(session, meter, span.since, span.until)
    if as_json:
        print_json({"slug": slug, "meter": meter, "total": total, "events": rows})
        return
    columns = ("occurred_at", "value", "key", "dimensions", "reason")
    print_table([{name: getattr(row, name) for name in columns} for row in rows], columns)
    if total > len(rows):
        note(f"{total - len(rows)} more: --limit lists them")


@usage.command()
@click.argument("slug")
@click.argument("meter")
@click.option("--key", required=True, help="The key of the use: see `iit usage events`.")
@click.option("--reason", required=True, help="Why, for whoever reads the ledger. Name no person.")
@json_option
def correct(slug: str, meter: str, key: str, reason: str, *, as_json: bool) -> None:
    """Take a use of the tenant SLUG off again by a counter-entry. The next invoice contains the difference."""
    from core import audit
    from core.database import tenant_session
    from core.metering.corrections import correct as take_off
    from core.tenancy import describe_tenant

    ref = describe_tenant(slug).ref()
    with tenant_session(ref, actor=ACTOR) as session:
        value = take_off(session, meter, key=key, reason=reason)
        audit.record(session, "cli:usage:correct", "usage", None, {"meter": meter, "key": key, "reason": reason})
    if as_json:
        print_json({"slug": slug, "meter": meter, "key": key, "value": value})
    else:
        click.echo(f"took {value:f} of {meter} off again")


@usage.command("roll-up")
@json_option
def roll_up(*, as_json: bool) -> None:
    """Roll up the usage of all data databases now; a worker does it every five minutes."""
    from threading import Event

    from core.metering.rollup import look
    from core.metering.usage import ledgers

    look(Event())
    states = ledgers()
    if as_json:
        print_json({"ledgers": states})
    else:
        columns = ("database", "complete_until", "error")
        print_table([{name: getattr(state, name) for name in columns} for state in states], columns)
    if any(state.error for state in states):
        done_in_part("a ledger was not rolled up: the column error says why, and nothing is lost")


@usage.command()
@click.argument("database")
@json_option
def resume(database: str, *, as_json: bool) -> None:
    """Resume the roll-up of DATABASE, which was restored to an earlier time. Nothing is counted twice."""
    from core.metering.restores import resume as set_position

    position = set_position(database, actor=ACTOR)
    if as_json:
        print_json({"database": database, "transaction_id": position.transaction_id})
    else:
        click.echo(f"{database}: uses after the transaction {position.transaction_id} are rolled up next")
