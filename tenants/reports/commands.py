"""``iit report``: exports as files."""

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
_AS_OF = click.option(
    "--as-of", type=_DAY, help="The day, with what was known then. Default: today in the tenant's zone."
)
_FACILITY = click.option("--facility", help="DATIM id. Default: all facilities.")


@click.group()
def report() -> None:
    """Export line lists, the RADET, MER tables and DHIS2 data value sets of a tenant."""


@report.command("line-list")
@click.argument("slug")
@_AS_OF
@_FACILITY
@click.option("--format", "form", type=click.Choice(["csv", "xlsx", "ndjson"]), default="csv", show_default=True)
@click.option("--identifiers", is_flag=True, help="Include programme identifier and hospital number.")
@_TO
def line_list(
    slug: str, as_of: datetime | None, facility: str | None, form: str, to: Path | None, *, identifiers: bool
) -> None:
    """Export every patient of the tenant SLUG on a day: status, last contact, expected contact, risk."""
    _write_list(slug, "line-list", as_of.date() if as_of else None, facility, form, to, identifiers=identifiers)


@report.command()
@click.argument("slug")
@_AS_OF
@_FACILITY
@click.option("--format", "form", type=click.Choice(["csv", "xlsx"]), default="xlsx", show_default=True)
@_TO
def radet(slug: str, as_of: datetime | None, facility: str | None, form: str, to: Path | None) -> None:
    """Export every patient of the tenant SLUG on a day, with the headings of the LAMIS+ RADET and identifiers."""
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
    """Export MER indicators of the tenant SLUG: one count per row (csv), or one sheet per indicator (xlsx)."""
    from core.database import tenant_session
    from tenants.cohort.calendar import period_of
    from tenants.reports import service

    reporting_period = period_of(period, start.date() if start else None, end.date() if end else None)
    with tenant_session(tenant(slug), actor=ACTOR) as session, output_file(to, form) as file:
        if form == "csv":
            file.write(service.mer_csv(session, reporting_period, by))
        else:
            service.mer_workbook(session, reporting_period, by, file)


@report.command()
@click.argument("slug")
@click.option("--period", required=True, help="A month, quarter or year: 2026-08, 2026Q3, FY26Q4, 2026, FY26.")
@_FACILITY
@click.option(
    "--mapping", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path), help="YAML or JSON file."
)
@_TO
def dhis2(slug: str, period: str, facility: str | None, mapping: Path, to: Path | None) -> None:
    """Export a DHIS2 data value set of the tenant SLUG, for POST /api/dataValueSets. Nothing is sent."""
    import orjson

    from core.database import tenant_session
    from tenants.cohort.calendar import period_of
    from tenants.reports import service
    from tenants.reports.mapping import read_mapping

    reporting_period, places = period_of(period), read_mapping(mapping.read_bytes())
    with tenant_session(tenant(slug), actor=ACTOR) as session:
        value_set = service.data_value_set(session, reporting_period, places, facility)
    if to is None:
        print_json(value_set)
        return
    with output_file(to, "json") as file:
        file.write(orjson.dumps(value_set, option=orjson.OPT_INDENT_2) + b"\n")


def _write_list(
    slug: str, name: str, as_of: date | None, facility: str | None, form: str, to: Path | None, *, identifiers: bool
) -> None:
    from core.database import tenant_session
    from tenants.reports import service

    owner = tenant(slug)

    def open_session() -> Any:  # noqa: ANN401 - a transaction
        return tenant_session(owner, actor=ACTOR)

    with open_session() as session:
        export = service.export_of(session, name, as_of=as_of, facility=facility, identifiers=identifiers)
    with output_file(to, form) as file, Progress("Exporting") as progress:
        if form == "xlsx":
            service.list_workbook(open_session, export, file)
            return
        for lines in service.list_lines(open_session, export, form):
            file.write(lines)
            progress.advance(lines.count(b"\n"))
