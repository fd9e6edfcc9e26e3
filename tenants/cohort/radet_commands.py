"""``iit radet``: compare the partner's own statuses with ours."""

from __future__ import annotations

from datetime import datetime

import click

from core.cli.output import ACTOR, json_option, print_json, print_table, tenant

_DAY = click.DateTime(["%Y-%m-%d"])
_SHOWN = 20
_COMPARED = ("patient_id", "facility", "theirs", "ours", "reason", "last_pickup", "last_contact", "expected")


@click.group()
def radet() -> None:
    """Compare the status column of imported RADETs with the records."""


@radet.command("list")
@click.argument("slug")
@json_option
def list_radets(slug: str, *, as_json: bool) -> None:
    """List the RADETs of the tenant SLUG, the newest first."""
    from core.database import tenant_session
    from tenants.cohort.radet_repository import listed_days
    from tenants.cohort.radet_schemas import RadetDay

    with tenant_session(tenant(slug), actor=ACTOR, readonly=True) as session:
        radets = [RadetDay.model_validate(item) for item in listed_days(session)]
    if as_json:
        print_json({"radets": radets})
        return
    rows = [item.model_dump(exclude={"statuses"}) | item.statuses for item in radets]
    print_table(rows, ("data_date", "source", "facilities", "patients", *(radets[0].statuses if radets else ())))


@radet.command()
@click.argument("slug")
@click.option("--data-date", type=_DAY, help="Data date of the RADET. Default: the newest.")
@click.option("--facility", "facilities", multiple=True, help="Only this facility (DATIM id); may be repeated.")
@json_option
def compare(slug: str, data_date: datetime | None, facilities: tuple[str, ...], *, as_json: bool) -> None:
    """Compare a RADET's statuses with the records of the tenant SLUG on its day; list who differs, and why."""
    from core import audit
    from core.database import tenant_session
    from tenants.cohort.radet import chosen_day
    from tenants.cohort.radet import compare as compare_with_records
    from tenants.cohort.radet_schemas import RadetDisagreement, comparison_out

    with tenant_session(tenant(slug), actor=ACTOR) as session:
        day = chosen_day(session, data_date.date() if data_date else None, "--data-date")
        comparison = compare_with_records(session, day, list(facilities) or None)
        uuids = [item.patient_id for item in comparison.disagreements]
        audit.record_many(session, "api:radet_disagreements:read", "patient", uuids, {"data_date": day.isoformat()})
    answer = comparison_out(comparison)
    differing = [RadetDisagreement.model_validate(item) for item in comparison.disagreements]
    if as_json:
        print_json(answer.model_dump(mode="json") | {"disagreements": differing})
        return
    click.echo(f"RADET of {day}: {answer.agreed:,} of {answer.compared:,} people have the same status in the records")
    click.echo("")
    print_table([row.model_dump() for row in answer.counts], ("facility", "theirs", "ours", "people"))
    if differing:
        click.echo("")
        print_table([row.model_dump() for row in answer.reasons], ("people", "reason", "meaning"))
        click.echo("")
        print_table([row.model_dump() for row in differing[:_SHOWN]], _COMPARED)
    if len(differing) > _SHOWN:
        click.echo(f"... and {len(differing) - _SHOWN:,} more; --json lists them all")


@radet.command()
@click.argument("slug")
@click.option("--from", "start", type=_DAY, required=True, help="Data date of the earlier RADET.")
@click.option("--to", "end", type=_DAY, help="Data date of the later one. Default: the newest.")
@click.option("--facility", "facilities", multiple=True, help="Only this facility (DATIM id); may be repeated.")
@json_option
def flows(slug: str, start: datetime, end: datetime | None, facilities: tuple[str, ...], *, as_json: bool) -> None:
    """Count status changes between two RADETs of the tenant SLUG, by the partner's own statuses."""
    from core.database import tenant_session
    from tenants.cohort.radet import chosen_day
    from tenants.cohort.radet import flows as read_flows
    from tenants.cohort.radet_schemas import flows_out

    with tenant_session(tenant(slug), actor=ACTOR, readonly=True) as session:
        first = chosen_day(session, start.date(), "--from")
        last = chosen_day(session, end.date() if end else None, "--to")
        changes = flows_out(first, last, read_flows(session, first, last, list(facilities) or None))
    if as_json:
        print_json(changes)
        return
    print_table([row.model_dump() for row in changes.flows], ("facility", "before", "after", "people"))
