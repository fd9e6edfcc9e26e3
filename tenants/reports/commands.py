"""``iit report``: files that a partner sends on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from core.cli.files import output_file
from core.cli.output import ACTOR, Progress, print_json, tenant

if TYPE_CHECKING:
    from datetime import date, datetime

_DAY = click.DateTime(["%Y-%m-%d"])
_TO = click.option("--to", type=click.Path(path_type=Path, dir_okay=False), help="The file. Default: standard output.")
_AS_OF = click.option("--as-of", type=_DAY, help="The day, as known then. Default: today where the tenant is.")
_FACILITY = click.option("--facility", help="DATIM id; all facilities when left out.")


@click.group()
def report() -> None:
    """Export line lists, the RADET, MER tables and DHIS2 data value sets of a tenant."""


@report.command("line-list")
@click.argument("slug")
@_AS_OF
@_FACILITY
@click.option("--format", "form", type=click.Choice(["csv", "xlsx", "ndjson"]), default="csv", show_default=True)
@click.option("--identifiers", is_flag=True, help="Programme identifier and hospital number in the clear.")
@_TO
def line_list(
    slug: str, as_of: datetime | None, facility: str | None, form: str, to: Path | None, *, identifiers: bool
) -> None:
    """Every patient of the tenant SLUG on a day, one row each: status, last contact, expected contact, risk."""
    _write_list(slug, "line-list", as_of.date() if as_of else None, facility, form, to, identifiers=identifiers)


@report.command()
@click.argument("slug")
@_AS_OF
@_FACILITY
@click.option("--format", "form", type=click.Choice(["csv", "xlsx"]), default="xlsx", show_default=True)
@_TO
def radet(slug: str, as_of: datetime | None, facility: str | None, form: str, to: Path | None) -> None:
    """Every patient of the tenant SLUG on a day, under the headings of the LAMIS+ RADET; with identifiers."""
    _write_list(slug, "radet", as_of.date() if as_of else None, facility, form, to, identifiers=True)


@report.command()
@click.argument("slug")
@click.option("--period", help="2026Q3, FY26Q4, 2026-08, 2026 or FY26.")
@click.option("--start", type=_DAY, help="First day, instead of a period.")
@click.option("--end", type=_DAY, help="Last day, instead of a period.")
@click.option("--by", default="facility,sex,age", show_default=True, help="Dimensions, comma-separated.")
@click.option("--format", "form", type=click.Choice(["csv", "xlsx"]), default="csv", show_default=True)
@_TO
def mer(
    slug: str, period: str | None, start: datetime | None, end: datetime | None, by: str, form: str, to: Path | None
) -> None:
    """MER indicators of the tenant SLUG: one count a row (csv), or a sheet per indicator (xlsx)."""
    from core.database import tenant_session
    from tenants.cohort.calendar import period_of
    from tenants.reports import service

    asked = period_of(period, start.date() if start else None, end.date() if end else None)
    with tenant_session(tenant(slug), actor=ACTOR) as session, output_file(to, form) as file:
        if form == "csv":
            file.write(service.mer_csv(session, asked, by))
        else:
            service.mer_workbook(session, asked, by, file)


@report.command()
@click.argument("slug")
@click.option("--period", required=True, help="A month, quarter or year: 2026-08, 2026Q3, FY26Q4, 2026, FY26.")
@_FACILITY
@click.option(
    "--mapping", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path), help="YAML or JSON file."
)
@_TO
def dhis2(slug: str, period: str, facility: str | None, mapping: Path, to: Path | None) -> None:
    """A DHIS2 data value set of the tenant SLUG, for POST /api/dataValueSets. Nothing is sent."""
    import orjson

    from core.database import tenant_session
    from tenants.cohort.calendar import period_of
    from tenants.reports import service
    from tenants.reports.mapping import read_mapping

    asked, places = period_of(period), read_mapping(mapping.read_bytes())
    with tenant_session(tenant(slug), actor=ACTOR) as session:
        found = service.data_value_set(session, asked, places, facility)
    if to is None:
        print_json(found)
        return
    with output_file(to, "json") as file:
        file.write(orjson.dumps(found, option=orjson.OPT_INDENT_2) + b"\n")


def _write_list(
    slug: str, name: str, as_of: date | None, facility: str | None, form: str, to: Path | None, *, identifiers: bool
) -> None:
    from core.database import tenant_session
    from tenants.reports import service

    owner = tenant(slug)

    def opened() -> Any:  # noqa: ANN401 - a transaction
        return tenant_session(owner, actor=ACTOR)

    with opened() as session:
        chosen = service.asked(session, name, as_of=as_of, facility=facility, identifiers=identifiers)
    with output_file(to, form) as file, Progress("Exporting") as progress:
        if form == "xlsx":
            service.list_workbook(opened, chosen, file)
            return
        for lines in service.list_lines(opened, chosen, form):
            file.write(lines)
            progress.advance(lines.count(b"\n"))
