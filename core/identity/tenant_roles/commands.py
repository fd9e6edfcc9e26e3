"""``iit roles``: the roles of a tenant, built-in and its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from core.cli.output import ACTOR, json_option, note, print_json, print_table, tenant

if TYPE_CHECKING:
    from core.identity.tenant_roles.service import RoleAuthor, RoleDraft, RoleView

_include = click.option("--include", "includes", multiple=True, help="A built-in role; again for more.")
_permission = click.option("--permission", "permissions", multiple=True, help="A permission; again for more.")
_meaning = click.option("--meaning", required=True, help="Who has the role, in one line.")


@click.group()
def roles() -> None:
    """List the roles of a tenant; create, change and delete its own. ``iit people`` gives them to people."""


@roles.command("list")
@click.argument("slug")
@json_option
def list_(slug: str, *, as_json: bool) -> None:
    """List the roles available in the tenant SLUG: built-in roles, then its own."""
    from core.identity.tenant_roles import service

    views = service.list_roles(tenant(slug))
    if as_json:
        print_json({"roles": views})
        return
    rows = (
        {
            "role": view.name,
            "of": "platform" if view.built_in else "tenant",
            "includes": " ".join(view.includes) or "-",
            "permissions": len(view.effective_permissions),
            "meaning": view.meaning,
        }
        for view in views
    )
    print_table(rows, ("role", "of", "includes", "permissions", "meaning"))


@roles.command()
@click.argument("slug")
@click.argument("name")
@_meaning
@_include
@_permission
@json_option
def create(
    slug: str, name: str, meaning: str, includes: tuple[str, ...], permissions: tuple[str, ...], *, as_json: bool
) -> None:
    """Create the role NAME of the tenant SLUG.

    iit roles create my-programme case-lead --meaning "Leads the case managers" --include case_manager
    """
    from core.identity.tenant_roles import service

    draft = service.RoleDraft(name, meaning, includes, permissions)
    _print(service.create_role(tenant(slug), draft, _author()), "created", as_json=as_json)


@roles.command()
@click.argument("slug")
@click.argument("name")
@_meaning
@_include
@_permission
@json_option
def change(
    slug: str, name: str, meaning: str, includes: tuple[str, ...], permissions: tuple[str, ...], *, as_json: bool
) -> None:
    """Replace the meaning and the permissions of the role NAME of the tenant SLUG, from everybody's next request."""
    from core.identity.tenant_roles import service

    draft: RoleDraft = service.RoleDraft(name, meaning, includes, permissions)
    _print(service.change_role(tenant(slug), draft, _author()), "changed", as_json=as_json)


@roles.command()
@click.argument("slug")
@click.argument("name")
@json_option
def delete(slug: str, name: str, *, as_json: bool) -> None:
    """Delete the role NAME of the tenant SLUG, which nobody has."""
    from core.identity.tenant_roles import service

    service.delete_role(tenant(slug), name, _author())
    if as_json:
        print_json({"name": name, "deleted": True})
    else:
        note(f"deleted {name}")


def _author() -> RoleAuthor:
    from core.identity.tenant_roles.service import RoleAuthor

    return RoleAuthor(ACTOR, source="cli")


def _print(role: RoleView, act: str, *, as_json: bool) -> None:
    if as_json:
        print_json(role)
    else:
        note(f"{act} {role.name}: it permits {len(role.effective_permissions)} things")
