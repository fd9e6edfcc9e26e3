"""``iit retention``: remove what is not the record and older than its days."""

from __future__ import annotations

import click

from core.cli.output import ACTOR, Progress, json_option, print_json, print_table, tenant


@click.group()
def retention() -> None:
    """Remove what is not a tenant's record and old: rejected rows, scores, reports. The days: iit settings."""


@retention.command("run")
@click.argument("slug")
@json_option
def run_(slug: str, *, as_json: bool) -> None:
    """Let go of what is older than its days, for the tenant SLUG. The worker does this once a day."""
    from core.retention.service import run

    owner = tenant(slug)
    with Progress("Letting go") as progress:
        done = run(owner, actor=ACTOR, told=lambda _kind, count: progress.advance(count))
    if as_json:
        print_json({"rows": done.rows, "blob_days": done.blobs})
    else:
        print_table([{"kind": name, "rows": count} for name, count in done.rows.items()], ("kind", "rows"))
