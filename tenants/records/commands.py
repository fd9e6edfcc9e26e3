"""``iit observations``: archive old observations by year, list the archives, restore a year."""

from __future__ import annotations

import click

from core.cli.output import ACTOR, Progress, json_option, print_json, print_table, tenant


@click.group()
def observations() -> None:
    """Archive old observations by year, and restore them."""


@observations.command("archive")
@click.argument("slug")
@click.option("--before", type=click.IntRange(1900, 9000), required=True, help="Years before this one.")
@json_option
def archive_(slug: str, before: int, *, as_json: bool) -> None:
    """Move old observations that no present answer reads to the encrypted store of the tenant SLUG, year by year."""
    from tenants.records.archiving import archive

    owner = tenant(slug)
    with Progress("Archiving") as progress:
        moved = archive(owner, before, actor=ACTOR, progress=progress.update)
    _show(moved.rows, as_json=as_json)


@observations.command("restore")
@click.argument("slug")
@click.option("--year", type=click.IntRange(1900, 9000), required=True)
@json_option
def restore_(slug: str, year: int, *, as_json: bool) -> None:
    """Restore a year of the tenant SLUG's archived observations."""
    from tenants.records.archiving import restore

    _show(restore(tenant(slug), year, actor=ACTOR).rows, as_json=as_json)


@observations.command("list")
@click.argument("slug")
@json_option
def list_(slug: str, *, as_json: bool) -> None:
    """List the archived observations of the tenant SLUG, by year."""
    from core.database import tenant_session
    from tenants.records.archiving import archived

    with tenant_session(tenant(slug), actor=ACTOR, readonly=True) as session:
        parts = archived(session)
    if as_json:
        print_json({"parts": parts})
    else:
        print_table(
            [{**part.model_dump(), "year": str(part.year)} for part in parts], ("year", "rows", "made_at", "sha256")
        )


def _show(rows: dict[int, int], *, as_json: bool) -> None:
    if as_json:
        print_json({"rows": {str(year): count for year, count in rows.items()}})
    else:
        print_table([{"year": str(year), "rows": count} for year, count in rows.items()], ("year", "rows"))
