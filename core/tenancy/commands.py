"""The command ``iit tenant``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from core.cli.output import ACTOR, done_in_part, json_option, note, print_json, print_table
from core.feature_registry import resolve

if TYPE_CHECKING:
    from datetime import datetime

    from core.database import TenantRef


LAZY: dict[str, tuple[str, str]] = {
    "delete": ("core.tenancy.archive.commands:delete", "Suspend a tenant, and schedule its destruction"),
    "export": ("core.tenancy.archive.commands:export", "Write all of a tenant to a file for its recipient alone"),
    "import-archive": ("core.tenancy.archive.commands:import_archive", "Create a tenant from an archive"),
    "purge": ("core.tenancy.archive.commands:purge", "Destroy the tenants whose days of grace are over"),
    "undelete": ("core.tenancy.archive.commands:undelete", "Cancel a deletion during the days of grace"),
    "verify-archive": (
        "core.tenancy.archive.commands:verify_archive",
        "Verify an archive, or compare it with a tenant",
    ),
    "backup": ("core.tenancy.backup.commands:backup", "Write all of a tenant to one encrypted file"),
    "move": ("core.tenancy.move.commands:move", "Move a tenant to another data database while it works"),
    "restore": ("core.tenancy.backup.commands:restore", "Restore a tenant to a backup, or to a moment"),
    "retired": ("core.tenancy.move.commands:retired", "List or drop the schemas that tenants have left"),
}
"""Commands that are imported when they are called: name -> import path and help."""


class _Tenants(click.Group):
    """The group's own commands, and those of ``LAZY``."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, sorted."""
        return sorted({*super().list_commands(ctx), *LAZY})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command. Imports it now if it is in ``LAZY``."""
        if cmd_name not in LAZY:
            return super().get_command(ctx, cmd_name)
        command: click.Command = resolve(LAZY[cmd_name][0])
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        """List the commands with their help.

        The help of a command in ``LAZY`` comes from there, so that nothing is imported.
        """
        own = {name: command.get_short_help_str(90) for name, command in self.commands.items()}
        with formatter.section("Commands"):
            formatter.write_dl(sorted({**own, **{name: text for name, (_, text) in LAZY.items()}}.items()))


@click.group(cls=_Tenants)
def tenant() -> None:
    """Create, list, show, suspend, resume, move, back up and restore tenants."""


@tenant.command()
@click.argument("slug")
@click.option("--name", help="The partner's name. The default is the slug.")
@click.option("--time-zone", default="Africa/Lagos", show_default=True, help='IANA name; decides which day "today" is.')
@click.option("--database", default="default", show_default=True, help="The data database for its data.")
@json_option
def create(slug: str, name: str | None, time_zone: str, database: str, *, as_json: bool) -> None:
    """Create a tenant, and print its first API key, which is not shown again."""
    from core.database.upgrade import migrate_shared
    from core.tenancy.service import create_tenant

    migrate_shared()
    created = create_tenant(slug, name or slug, time_zone=time_zone, database=database, actor=ACTOR)
    if as_json:
        print_json({**_shown(created.ref), "api_key": created.api_key})
        return
    note(f"created the tenant {slug}; its API key follows and cannot be shown again")
    click.echo(created.api_key)


@tenant.command("list")
@json_option
def list_(*, as_json: bool) -> None:
    """List all tenants, with their last import, last scoring and size (which a worker measures daily)."""
    from core.tenancy.overview import overview

    tenants = overview()
    if as_json:
        rows = [{**_shown(ref), **asdict(activity)} for ref, activity in tenants.tenants]
        print_json({"tenants": rows, "unasked": tenants.unasked})
    else:
        table = [
            {
                **_shown(ref),
                "last_import": _minute(activity.last_import),
                "last_score": _minute(activity.last_score),
                "size_mb": None if activity.size_bytes is None else round(activity.size_bytes / 1e6),
            }
            for ref, activity in tenants.tenants
        ]
        columns = ("slug", "name", "state", "time_zone", "database", "last_import", "last_score", "size_mb")
        print_table(table, columns)
    if tenants.unasked:
        for database, why in tenants.unasked.items():
            note(f"the data database {database} did not answer: {why}")
        done_in_part("the list lacks the activity of the tenants in those databases: see `iit status`")


@tenant.command()
@click.argument("slug")
@json_option
def show(slug: str, *, as_json: bool) -> None:
    """Show one tenant, the place of its data, and its use."""
    from core import metering
    from core.database import tenant_session
    from core.tenancy.service import describe_tenant

    row = describe_tenant(slug)
    usage: dict[str, Any] = {}
    if row.phase not in ("restoring", "purging"):  # its schema may not exist
        with tenant_session(row.ref(), actor=ACTOR, readonly=True) as session:
            usage = dict(metering.totals(session))
    details = {**_shown(row.ref()), "created_at": row.created_at, "usage": usage}
    if row.delete_after is not None:
        details["delete_after"] = row.delete_after
    if as_json:
        print_json(details)
        return
    del details["usage"]
    rows = [{"what": name, "value": str(value)} for name, value in details.items()]
    print_table([*rows, *({"what": meter, "value": str(used)} for meter, used in usage.items())], ("what", "value"))


@tenant.command()
@click.argument("slug")
@click.option("--reason", default="", help="Why, for other operators. Name no person.")
@json_option
def suspend(slug: str, reason: str, *, as_json: bool) -> None:
    """Reject a tenant's requests and pause its jobs. Its data stay."""
    from core.tenancy.service import suspend_tenant

    _answer(suspend_tenant(slug, actor=ACTOR, reason=reason), as_json=as_json)


@tenant.command()
@click.argument("slug")
@json_option
def resume(slug: str, *, as_json: bool) -> None:
    """Lift the suspension of a tenant."""
    from core.tenancy.service import resume_tenant

    _answer(resume_tenant(slug, actor=ACTOR), as_json=as_json)


def _minute(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment:%Y-%m-%d %H:%M}"


def _answer(ref: TenantRef, *, as_json: bool) -> None:
    if as_json:
        print_json(_shown(ref))
    else:
        click.echo(f"{ref.slug} is {ref.state}")


def _shown(ref: TenantRef) -> dict[str, Any]:
    return {
        "id": ref.id,
        "slug": ref.slug,
        "name": ref.name,
        "state": ref.state,
        "time_zone": ref.time_zone,
        "database": ref.database,
        "schema": ref.schema_name,
    }
