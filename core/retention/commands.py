"""The command ``iit retention``."""

from __future__ import annotations

import click

from core.cli.output import ACTOR, Progress, json_option, print_json, print_table, tenant


@click.group()
def retention() -> None:
    """Remove old rows that are not a tenant's record: rejected rows, scores, reports. See iit settings for the days."""


@retention.command("run")
@click.argument("slug")
@json_option
def run_(slug: str, *, as_json: bool) -> None:
    """Remove the tenant SLUG's rows that are older than its settings allow. The worker does this daily."""
    from core.retention.service import run

    owner = tenant(slug)
    with Progress("Letting go") as progress:
        done = run(owner, actor=ACTOR, progress=progress.update)
    if as_json:
        print_json({"rows": done.rows, "blob_days": done.blobs})
    else:
        print_table([{"kind": name, "rows": count} for name, count in done.rows.items()], ("kind", "rows"))
