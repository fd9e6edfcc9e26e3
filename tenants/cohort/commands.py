"""``iit indicators`` and ``iit cohort``."""

from __future__ import annotations

import csv
import sys
from datetime import datetime

import click

from core.cli.output import ACTOR, json_option, note, print_json, print_table, tenant

_DAY = click.DateTime(["%Y-%m-%d"])


@click.command()
@click.argument("slug")
@click.option("--period", help="2026Q3, FY26Q4, 2026-08, 2026 or FY26.")
@click.option("--start", type=_DAY, help="First day, instead of a period.")
@click.option("--end", type=_DAY, help="Last day, instead of a period.")
@click.option("--by", default="", help="Dimensions, comma-separated: facility, sex, age, time_on_art.")
@click.option("--format", "form", type=click.Choice(["table", "csv"]), default="table", show_default=True)
@json_option
def indicators(
    slug: str, period: str | None, start: datetime | None, end: datetime | None, by: str, form: str, *, as_json: bool
) -> None:
    """Show MER indicators of the tenant SLUG in a period, with every term of TX_CURR's change."""
    from core.database import tenant_session
    from tenants.cohort.calendar import period_of
    from tenants.cohort.presenting import dimensions, indicators_out
    from tenants.cohort.service import indicator_report

    reporting_period = period_of(period, start.date() if start else None, end.date() if end else None)
    with tenant_session(tenant(slug), actor=ACTOR, readonly=True) as session:
        report = indicators_out(indicator_report(session, reporting_period, dimensions(by)))
    if report.as_of < report.end:
        note(f"so far: the counts run until {report.as_of}, the period until {report.end}")
    if report.provisional:
        few = ", ".join(report.provisional_facilities[:5])
        note(f"provisional: records of {len(report.provisional_facilities)} facilities end before {report.end} ({few})")
    if as_json:
        print_json(report)
        return
    rows = [
        {**row.group, "indicator": name, "count": count} for row in report.rows for name, count in row.counts.items()
    ]
    heads = (*report.by, "indicator", "count")
    if form == "csv":
        writer = csv.DictWriter(sys.stdout, fieldnames=heads, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    else:
        print_table(rows, heads)


@click.command()
@click.argument("slug")
@click.option("--as-of", type=_DAY, help="The day, with what was known then. Default: today in the tenant's zone.")
@json_option
def cohort(slug: str, as_of: datetime | None, *, as_json: bool) -> None:
    """Count the people of the tenant SLUG on a day: on treatment, late, in IIT or gone."""
    from core.database import tenant_session
    from tenants.cohort.presenting import as_of_day
    from tenants.cohort.schemas import DayStatusOut
    from tenants.cohort.service import day_status

    with tenant_session(tenant(slug), actor=ACTOR, readonly=True) as session:
        day = as_of_day(session, as_of.date() if as_of else None)
        status = DayStatusOut.model_validate(day_status(session, day), from_attributes=True)
    if as_json:
        print_json(status)
        return
    counts = {**status.statuses, "pending": status.pending, "late": status.late, "iit_to_trace": status.iit_to_trace}
    print_table(
        [{"on": status.as_of, "status": name, "people": count} for name, count in counts.items()], ("status", "people")
    )
