"""``iit key``: the API keys of a tenant."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from core.cli.output import ACTOR, json_option, note, print_json, print_table, tenant


@click.group()
def key() -> None:
    """Make, list and revoke the API keys of a tenant."""


@key.command()
@click.argument("slug")
@click.option("--name", default="default", show_default=True, help="What the key is for.")
@click.option("--permission", "permissions", multiple=True, help="What it may do; again for more. Default: everything.")
@click.option("--expires", type=click.DateTime(["%Y-%m-%d"]), help="First day (UTC) on which it no longer works.")
@json_option
def create(slug: str, name: str, permissions: tuple[str, ...], expires: datetime | None, *, as_json: bool) -> None:
    """Create a key for the tenant SLUG and print it. It cannot be shown again."""
    from core.identity.keys import create_key

    new_key = create_key(
        tenant(slug),
        name=name,
        permissions=permissions or None,
        expires_at=expires.replace(tzinfo=UTC) if expires else None,
        actor=ACTOR,
    )
    if as_json:
        print_json({"id": new_key.id, "name": new_key.name, "api_key": new_key.plaintext})
    else:
        click.echo(new_key.plaintext)
        note("keep it: it is not stored and cannot be shown again")


@key.command("list")
@click.argument("slug")
@json_option
def list_(slug: str, *, as_json: bool) -> None:
    """List the keys of the tenant SLUG, newest first, without their secrets."""
    from core.identity.keys import list_keys

    keys = list_keys(tenant(slug))
    if as_json:
        print_json({"keys": keys})
        return
    print_table(
        (
            {
                "prefix": item.prefix,
                "name": item.name,
                "made": _day(item.created_at),
                "expires": _day(item.expires_at),
                "revoked": _day(item.revoked_at),
                "last_used": _day(item.last_used_at),
            }
            for item in keys
        ),
        ("prefix", "name", "made", "expires", "revoked", "last_used"),
    )


@key.command()
@click.argument("slug")
@click.argument("key_name", metavar="KEY")
@json_option
def revoke(slug: str, key_name: str, *, as_json: bool) -> None:
    """Stop a key of the tenant SLUG at once. KEY is its prefix or id."""
    from core.identity.keys import revoke_key

    revoked = revoke_key(tenant(slug), key_name, actor=ACTOR)
    if as_json:
        print_json({"id": revoked, "revoked": True})
    else:
        note(f"revoked {revoked}")


@key.command()
@json_option
def permissions(*, as_json: bool) -> None:
    """List the permissions that a key can have."""
    from core.identity.permissions import declared_permissions

    declared = declared_permissions()
    if as_json:
        rows = [{"name": item.name, "description": item.description} for item in declared.values()]
        print_json({"permissions": rows})
        return
    print_table(
        ({"permission": item.name, "allows": item.description} for _, item in sorted(declared.items())),
        ("permission", "allows"),
    )


def _day(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d}" if moment else "-"
