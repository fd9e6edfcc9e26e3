"""``iit tenant`` and ``iit migrate``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from core.cli.output import ACTOR, Progress, done_in_part, json_option, note, print_json, print_table

if TYPE_CHECKING:
    from core.database import TenantRef


@click.group()
def tenant() -> None:
    """Make, list, show, suspend and resume tenants."""


@tenant.command()
@click.argument("slug")
@click.option("--name", help="The partner's name; the slug when not given.")
@click.option("--time-zone", default="Africa/Lagos", show_default=True, help='IANA name; says what "today" is.')
@json_option
def create(slug: str, name: str | None, time_zone: str, *, as_json: bool) -> None:
    """Make a tenant, and print its first API key: once, it is nowhere kept."""
    from core.database.upgrade import migrate as bring_to_head
    from core.tenancy.service import create_tenant

    bring_to_head()
    created = create_tenant(slug, name or slug, time_zone=time_zone, actor=ACTOR)
    if as_json:
        print_json({**_shown(created.ref), "api_key": created.api_key})
        return
    note(f"made the tenant {slug}; its API key follows, and cannot be shown again")
    click.echo(created.api_key)


@tenant.command("list")
@json_option
def list_(*, as_json: bool) -> None:
    """List all tenants."""
    from core.tenancy.service import list_tenants

    rows = [_shown(ref) for ref in list_tenants()]
    if as_json:
        print_json({"tenants": rows})
    else:
        print_table(rows, ("slug", "name", "state", "time_zone", "database"))


@tenant.command()
@click.argument("slug")
@json_option
def show(slug: str, *, as_json: bool) -> None:
    """Show one tenant, where its data are and what it has used."""
    from core import metering
    from core.database import tenant_session
    from core.tenancy.service import describe_tenant

    row = describe_tenant(slug)
    with tenant_session(row.ref(), actor=ACTOR, readonly=True) as session:
        usage = metering.totals(session)
    found = {**_shown(row.ref()), "created_at": row.created_at, "usage": usage}
    if as_json:
        print_json(found)
        return
    del found["usage"]
    rows = [{"what": name, "value": str(value)} for name, value in found.items()]
    print_table([*rows, *({"what": meter, "value": str(used)} for meter, used in usage.items())], ("what", "value"))


@tenant.command()
@click.argument("slug")
@json_option
def suspend(slug: str, *, as_json: bool) -> None:
    """Refuse a tenant's requests and hold its jobs. Its data stay."""
    from core.tenancy.service import suspend_tenant

    _answer(suspend_tenant(slug), as_json=as_json)


@tenant.command()
@click.argument("slug")
@json_option
def resume(slug: str, *, as_json: bool) -> None:
    """Let a suspended tenant work again."""
    from core.tenancy.service import resume_tenant

    _answer(resume_tenant(slug), as_json=as_json)


@click.command()
@json_option
def migrate(*, as_json: bool) -> None:
    """Bring the schemas platform and node, and those of all tenants, to their newest migration."""
    from core.database.upgrade import migrate as bring_to_head

    with Progress("Migrating") as progress:
        done = bring_to_head(progress=lambda _schema: progress.advance())
    if as_json:
        print_json({"upgraded": done.upgraded, "skipped": done.skipped, "failed": done.failed})
    else:
        click.echo(f"upgraded {len(done.upgraded)}, at head already {done.skipped}, failed {len(done.failed)}")
    for schema, why in done.failed.items():
        note(f"{schema}: {why}")
    if done.failed:
        done_in_part(
            "the schemas named above stay at the version they had; correct the cause and run iit migrate again"
        )


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
