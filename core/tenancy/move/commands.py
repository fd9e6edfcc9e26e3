"""The commands ``iit tenant move`` and ``iit tenant retired``."""

from __future__ import annotations

from datetime import timedelta

import click

from core.cli.output import ACTOR, json_option, note, print_json, print_table


@click.command()
@click.argument("slug")
@click.option("--to", metavar="DATABASE", help="The data database to move to: see `iit services database list`.")
@click.option("--keep-old", type=click.IntRange(0), metavar="DAYS", help="Days to retain the old schema.")
@click.option(
    "--wait", type=click.FloatRange(0.1, 600), default=5.0, show_default=True, metavar="SECONDS",
    help="Seconds to wait for a writing transaction while other writes are paused.",
)  # fmt: skip
@click.option("--abort", "giving_up", is_flag=True, help="Cancel an interrupted move; the tenant stays where it is.")
@json_option
def move(slug: str, to: str | None, keep_old: int | None, wait: float, *, giving_up: bool, as_json: bool) -> None:
    """Move a tenant to another data database while it stays in use. Run it again to resume an interrupted move."""
    from core.tenancy.move import service

    if giving_up == (to is not None):
        message = "give --to DATABASE, or --abort"
        raise click.UsageError(message)
    if to is None:
        given_up = service.abort(slug)
        if as_json:
            print_json({"slug": slug, "aborted": given_up})
        else:
            click.echo(f"the move of {slug} is cancelled" if given_up else f"{slug} is not being moved")
        return
    grace = None if keep_old is None else timedelta(days=keep_old)
    moved = service.move(slug, to, grace=grace, patience=wait, actor=ACTOR, progress=lambda text: note(f"move: {text}"))
    if as_json:
        print_json(
            {
                "slug": slug,
                "database": moved.ref.database,
                "schema": moved.ref.schema_name,
                "rows": moved.rows,
                "rows_followed": moved.followed,
                "rounds": moved.rounds,
                "writes_blocked_seconds": round(moved.blocked_seconds, 3),
                "seconds": round(moved.seconds, 3),
                "kept": moved.retained,
            }
        )
        return
    click.echo(f"{slug} is in the data database {moved.ref.database}: {moved.rows:,} rows, all compared")
    click.echo(f"{moved.followed:,} rows changed meanwhile and were copied in {moved.rounds} rounds")
    click.echo(f"writes waited for {moved.blocked_seconds * 1000:.0f} ms of {moved.seconds:.1f} s")


@click.command()
@click.option("--drop", is_flag=True, help="Drop the schemas whose time is over.")
@click.option("--now", "early", is_flag=True, help="With --drop: drop all of them now.")
@json_option
def retired(*, drop: bool, early: bool, as_json: bool) -> None:
    """List the schemas that tenants have left by a move or a restore, or drop them."""
    from core.tenancy import placing

    tidied = placing.tidy(drop=drop, early=early)
    rows = placing.retired()
    if as_json:
        print_json({"dropped": tidied.dropped, "busy": tidied.busy, "kept": rows})
        return
    for name in tidied.dropped:
        click.echo(f"dropped {name}")
    for slug in tidied.busy:
        click.echo(f"skipped {slug}: it is being moved, restored or deleted right now")
    print_table(rows, ("schema_name", "database", "slug", "reason", "retired_at", "drop_after"))
