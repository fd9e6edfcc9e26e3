"""Commands ``iit archive keygen`` and ``iit tenant export|verify-archive|import-archive|delete|undelete|purge``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from core.cli.output import ACTOR, Progress, done_in_part, json_option, note, print_json, print_table

if TYPE_CHECKING:
    from core.errors import AppError
    from core.tenancy.archive.layout import Manifest, TableChecksum
    from core.tenancy.archive.models import TenantTombstone

FILE = click.Path(path_type=Path)
_IDENTITY = click.option(
    "--identity", required=True, type=FILE, help="File with the private key that opens the archive."
)


@click.group()
def archive() -> None:
    """Create the keys that seal and open archives."""


@archive.command()
@click.argument("name", type=FILE)
@json_option
def keygen(name: Path, *, as_json: bool) -> None:
    """Write a new pair of keys: NAME.key, which opens archives, and NAME.pub, which seals them.

    The recipient of the archive runs this, keeps NAME.key secret and gives away NAME.pub. They are age keys, so the
    program age can use them too.
    """
    from core.tenancy.archive import sealing

    private, public = name.with_name(f"{name.name}.key"), name.with_name(f"{name.name}.pub")
    shown = sealing.generate(private, public)
    if as_json:
        print_json({"public_key": shown, "private_file": str(private), "public_file": str(public)})
    else:
        note(f"wrote {private} (keep it secret; without it the archive cannot be opened) and {public}")
        click.echo(shown)


@click.command()
@click.argument("slug")
@click.option("--to", "target", required=True, type=FILE, help="The archive; a file that does not exist yet.")
@click.option("--recipient", required=True, type=FILE, help="File with the recipient's public key.")
@json_option
def export(slug: str, target: Path, recipient: Path, *, as_json: bool) -> None:
    """Write all data of a tenant to one file that only the recipient can open, on any installation."""
    from core.tenancy.archive.writing import export as write

    with Progress("Exporting") as progress:
        done = write(slug, target, recipient, actor=ACTOR, progress=progress.update)
    manifest = done.manifest
    if as_json:
        print_json(
            {
                "archive": str(target),
                "size": done.size,
                "sha256": done.sha256,
                **_of_manifest(manifest),
                "missing": done.missing,
            }
        )
    else:
        _show(manifest.contents)
        click.echo(
            f"wrote {target.name}: {done.size:,} bytes, {len(manifest.blobs)} stored files; SHA-256 {done.sha256}"
        )
        for one in manifest.left_out:
            note(f"left out: {one.what}: {one.why}")
    if done.missing:
        done_in_part(f"{len(done.missing)} stored files that rows refer to are in neither the store nor the archive")


@click.command("verify-archive")
@click.argument("path", type=FILE)
@_IDENTITY
@click.option(
    "--against", "slug", help="Also compare the archive with the rows of this tenant; its audit may have grown since."
)
@json_option
def verify_archive(path: Path, identity: Path, slug: str | None, *, as_json: bool) -> None:
    """Read a whole archive and verify every count and checksum. Write nothing.

    Ends with 1 when the archive is damaged or differs from the tenant.
    """
    from core.tenancy import describe_tenant
    from core.tenancy.archive.comparing import check_archive, contents_of

    manifest = check_archive(path, identity)
    tables = contents_of(describe_tenant(slug).ref()) if slug else None
    other = sorted(
        name
        for name in {*(tables or {}), *manifest.contents}
        if tables is not None and tables.get(name) != manifest.contents.get(name) and not name.startswith("audit_")
    )
    if as_json:
        same = None if tables is None else not other
        print_json({"archive": str(path), "intact": True, **_of_manifest(manifest), "same": same, "differ": other})
    else:
        _show(manifest.contents, tables)
        click.echo(f"the archive of {manifest.tenant.slug} is complete and undamaged")
        if slug:
            click.echo(f"{slug} differs in {', '.join(other)}" if other else f"{slug} holds the same rows")
    if other:
        raise click.exceptions.Exit(1)


@click.command("import-archive")
@click.argument("path", type=FILE)
@_IDENTITY
@click.option("--slug", help="The tenant's new slug. The default is its old one.")
@click.option("--database", default="default", show_default=True, help="The data database to restore into.")
@json_option
def import_archive(path: Path, identity: Path, slug: str | None, database: str, *, as_json: bool) -> None:
    """Create a tenant from an archive, and print its first API key, which is not shown again.

    The command restores and verifies the whole tenant, or leaves nothing. If it is killed, run it again.
    """
    from core.database.upgrade import migrate_shared
    from core.tenancy.archive.restoring import import_archive as restore

    migrate_shared()
    with Progress("Restoring") as progress:
        done = restore(
            path,
            identity,
            actor=ACTOR,
            slug=slug,
            database=database,
            progress=progress.update,
        )
    if as_json:
        print_json(
            {
                "slug": done.ref.slug,
                "id": done.ref.id,
                "schema": done.ref.schema_name,
                "database": done.ref.database,
                **_of_manifest(done.manifest),
                "found": _plain(done.contents),
                "same": done.contents == done.manifest.contents,
                "api_key": done.api_key,
            }
        )
        return
    _show(done.manifest.contents, done.contents)
    note(f"restored {done.ref.slug}: counts and checksums match the archive")
    note("its new API key follows, and cannot be shown again")
    click.echo(done.api_key)


@click.command()
@click.argument("slug")
@click.option("--confirm", help="The slug again, for scripts. Without it, the command asks.")
@click.option("--grace-days", type=click.IntRange(0, 3650), help="Days of grace. The default is IIT_TENANT_GRACE_DAYS.")
@json_option
def delete(slug: str, confirm: str | None, grace_days: int | None, *, as_json: bool) -> None:
    """Suspend a tenant, and schedule its destruction after its days of grace. See undelete and purge.

    The remains of an interrupted import-archive are removed at once, because it never became a tenant.
    """
    from core.tenancy.archive.deleting import delete_tenant
    from core.tenancy.archive.restoring import give_up
    from core.tenancy.service import describe_tenant

    if describe_tenant(slug).phase == "restoring":
        give_up(slug)
        if as_json:
            print_json({"slug": slug, "state": "gone", "delete_after": None})
        else:
            click.echo(f"removed what an interrupted restore of {slug} left")
        return
    if confirm is None:
        note("After its days of grace, all records, names, files and keys of this tenant will be destroyed.")
        confirm = click.prompt("Type its slug again to delete it", err=True)
    row = delete_tenant(slug, confirm=confirm, actor=ACTOR, grace_days=grace_days)
    if as_json:
        print_json({"slug": slug, "state": row.phase, "delete_after": row.delete_after})
    else:
        click.echo(f"{slug} is suspended, and may be purged from {row.delete_after:%Y-%m-%d %H:%M} UTC on")


@click.command()
@click.argument("slug")
@json_option
def undelete(slug: str, *, as_json: bool) -> None:
    """Cancel a deletion during the days of grace."""
    from core.tenancy.archive.deleting import undelete_tenant

    row = undelete_tenant(slug, actor=ACTOR)
    if as_json:
        print_json({"slug": slug, "state": row.state})
    else:
        click.echo(f"{slug} is {row.state}")


@click.command()
@click.argument("slug", required=False)
@click.option(
    "--despite-audit",
    is_flag=True,
    help="Purge although the audit was tampered with. The tombstone records this for good.",
)
@json_option
def purge(slug: str | None, *, despite_audit: bool, as_json: bool) -> None:
    """Destroy the tenants whose days of grace are over, or the tenant that you name. Run it every night.

    If it is killed, run it again. The audit, the usage and a tombstone stay. So do base backups, which hold all
    tenants, and files that iit tenant backup wrote.
    """
    from core.services.backups import base_backups
    from core.tenancy.archive.purging import purge as destroy
    from core.tenancy.archive.purging import purge_due

    gone: list[TenantTombstone] = []
    failed: dict[str, str] = {}

    def note_failure(one: str, error: AppError) -> None:
        failed[one] = error.detail
        note(f"{one}: {error.detail}")

    if slug is not None:
        gone.append(destroy(slug, actor=ACTOR, despite_audit=despite_audit))
    elif despite_audit:
        message = "--despite-audit is for one tenant: name it"
        raise click.UsageError(message)
    else:
        purge_due(actor=ACTOR, done=gone.append, failed=note_failure)
    remaining = [backup.name for backup in base_backups()] if gone else []
    if as_json:
        print_json({"purged": [_of_stone(stone) for stone in gone], "failed": failed, "base_backups": remaining})
    else:
        for stone in gone:
            rows = sum(stone.counts.values())
            click.echo(
                f"{stone.slug} is destroyed: {rows:,} rows and files; its audit of {stone.audit_events:,} events stays"
            )
        if not gone and not failed:
            click.echo("nothing is due")
        if remaining:
            note(
                f"{len(remaining)} base backups of the whole server, and its WAL, still hold them:"
                " iit services backup --keep 1 makes a new one and removes those"
            )
    if failed:
        done_in_part("the tenants named above were not purged; mend the cause, then run it again")


def _of_stone(stone: TenantTombstone) -> dict[str, Any]:
    return {
        "slug": stone.slug,
        "id": stone.tenant_id,
        "purged_at": stone.purged_at,
        "counts": stone.counts,
        "audit_events": stone.audit_events,
        "audit_seals": stone.audit_seals,
        "audit_digest": stone.audit_digest.hex() if stone.audit_digest else None,
        "audit_problems": stone.audit_problems,
    }


def _of_manifest(manifest: Manifest) -> dict[str, Any]:
    return {
        "tenant": {"slug": manifest.tenant.slug, "id": manifest.tenant.id, "name": manifest.tenant.name},
        "application": manifest.application,
        "revision": manifest.revision,
        "made_at": manifest.made_at,
        "contents": _plain(manifest.contents),
        "blobs": [{"key": one.key, "size": one.size, "sha256": one.sha256} for one in manifest.blobs],
        "left_out": [{"what": one.what, "why": one.why} for one in manifest.left_out],
    }


def _plain(contents: dict[str, TableChecksum]) -> dict[str, dict[str, Any]]:
    return {name: {"rows": one.rows, "sha256": one.sha256} for name, one in sorted(contents.items())}


def _show(contents: dict[str, TableChecksum], restored: dict[str, TableChecksum] | None = None) -> None:
    """Print a line for each table that has rows: the counts of the archive beside the restored ones."""
    rows = []
    for name, stated in sorted(contents.items()):
        actual = restored.get(name) if restored else None
        if stated.rows or (actual and actual.rows):
            row: dict[str, Any] = {"table": name, "rows": stated.rows, "sha256": stated.sha256[:16]}
            if restored is not None:
                row |= {
                    "rows_found": actual.rows if actual else 0,
                    "sha256_found": actual.sha256[:16] if actual else "",
                }
            rows.append(row)
    columns = ("table", "rows", "sha256", *(("rows_found", "sha256_found") if restored is not None else ()))
    print_table(rows, columns)
