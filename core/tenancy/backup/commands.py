"""``iit tenant backup`` and ``iit tenant restore``."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from core.cli.output import ACTOR, Progress, done_in_part, json_option, note, print_json

if TYPE_CHECKING:
    from core.tenancy.backup.service import RestoreReport


@click.command()
@click.argument("slug", required=False)
@click.option("--all", "everybody", is_flag=True, help="Back up every tenant, each to its own file in the folder --to.")
@click.option(
    "--to", "place", required=True, type=click.Path(path_type=Path), help="The file to write. With --all, the folder."
)
@json_option
def backup(slug: str | None, place: Path, *, everybody: bool, as_json: bool) -> None:
    """Write all data of a tenant, as of now, to one encrypted file.

    The tenant stays in use. Its stored files are not in the backup. With --all, one tenant that fails does not stop the
    others; the command then ends with 3, or with 1 when all failed.
    """
    from core.tenancy.backup.saving import backup as save

    if everybody == (slug is not None):
        message = "give SLUG, or --all"
        raise click.UsageError(message)
    if slug is None:
        _backup_all(place, as_json=as_json)
        return
    saved = save(slug, place)
    if as_json:
        print_json(saved)
    else:
        click.echo(f"{place}: {saved.rows:,} rows of {slug}, {saved.bytes:,} bytes, sha256 {saved.sha256}")


def _backup_all(folder: Path, *, as_json: bool) -> None:
    from core.tenancy.backup.saving import backup_all

    with Progress("Backing up") as progress:
        done = backup_all(folder, lambda _slug: progress.advance())
    if as_json:
        print_json({"saved": done.saved, "failed": done.failed, "skipped": done.skipped})
    else:
        for name, saved in done.saved.items():
            click.echo(f"{saved.file}: {saved.rows:,} rows of {name}, {saved.bytes:,} bytes, sha256 {saved.sha256}")
    for name in done.skipped:
        note(f"{name} is being restored or destroyed: skipped, because its data are incomplete")
    for name, why in done.failed.items():
        note(f"{name}: {why}")
    if done.failed and not done.saved:
        raise click.exceptions.Exit(1)
    if done.failed:
        done_in_part(f"{len(done.failed)} of {len(done.failed) + len(done.saved)} tenants have no backup: see above")


@click.command()
@click.argument("slug")
@click.argument("file", required=False, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--at", "moment", metavar="TIME", help="A moment instead of a file: 2026-11-22T10:00Z, with its zone.")
@click.option("--as", "new_slug", metavar="NEWSLUG", help="New slug, for a tenant that is gone from this installation.")
@click.option(
    "--database", default="default", show_default=True, help="Data database, for a tenant that is gone from here."
)
@click.option("--keep-old", is_flag=True, help="Also keep the previous schema, besides the file with its data.")
@json_option
def restore(
    slug: str,
    file: Path | None,
    moment: str | None,
    new_slug: str | None,
    database: str,
    *,
    keep_old: bool,
    as_json: bool,
) -> None:
    """Restore a tenant to a backup, or to a moment since the last base backup (iit services backup).

    The present data stay until the restored data match the backup. Then the previous data are written to a file.
    """
    from core.tenancy.backup import service

    if (file is None) == (moment is None):
        message = "give FILE, or --at TIME"
        raise click.UsageError(message)
    if file is not None:
        back = service.from_file(
            slug, file, new_slug=new_slug, database=database, keep_old=keep_old, actor=ACTOR, progress=note
        )
    else:
        if new_slug is not None:
            message = "--as goes with FILE"
            raise click.UsageError(message)
        back = service.to_moment(slug, _moment(moment or ""), keep_old=keep_old, actor=ACTOR, progress=note)
    _show(back, as_json=as_json)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        message = f"{text!r} is not a moment with a time zone, such as 2026-11-22T10:00Z"
        raise click.BadParameter(message, param_hint="--at")
    return moment


def _show(back: RestoreReport, *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "slug": back.restored.ref.slug,
                "to": back.to,
                "rows": back.restored.rows,
                "writes_blocked_seconds": round(back.restored.blocked_seconds, 3),
                "schema": back.restored.ref.schema_name,
                "previous": back.previous,
                "missing": back.missing,
            }
        )
        _tell_missing(back)
        return
    click.echo(f"{back.restored.ref.slug} is restored to {back.to}: {back.restored.rows:,} rows, all compared")
    if back.previous is not None:
        click.echo(f"writes waited for {back.restored.blocked_seconds * 1000:.0f} ms")
        click.echo(f"the previous data are in {back.previous}")
    for key in back.missing:
        note(f"not in the store: {key}")
    _tell_missing(back)


def _tell_missing(back: RestoreReport) -> None:
    if back.missing:
        done_in_part(
            f"{len(back.missing)} stored files that the restored rows refer to are not in the store: copy them from"
            " a copy of the store, or take the missing data from the file with the previous data"
        )
