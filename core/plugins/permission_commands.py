"""``iit plugin allow`` and ``iit plugin forbid``: which tenants may use a third-party plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from core.cli.output import ACTOR, note, tenant

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.database import TenantRef
    from core.plugins.catalogue import InstalledPlugin

EVERYBODY: Final = "all"
NOBODY: Final = "none"

_slugs = click.option("--tenant", "slugs", multiple=True, metavar="SLUG", help="A tenant; again for more.")
_every = click.option("--all", "every", is_flag=True, help="All tenants, and those that are made later.")


@click.command()
@click.argument("name")
@_slugs
@_every
def allow(name: str, slugs: tuple[str, ...], *, every: bool) -> None:
    """Let tenants use the third-party plugin NAME. Until then it is installed for none.

    iit plugin allow their-channel --tenant my-programme
    """
    from core.plugins import permissions

    tenants = _chosen(slugs, every=every)
    third_party = _third_party(name)
    permissions.allow(name, tenants, actor=ACTOR)
    note(f"plugin {name} may be used by: {tenants_of(third_party)}; every process knows within seconds")


@click.command()
@click.argument("name")
@_slugs
@_every
def forbid(name: str, slugs: tuple[str, ...], *, every: bool) -> None:
    """Let tenants use the third-party plugin NAME no more. What they set up with it stays, unused.

    iit plugin forbid their-channel --tenant my-programme
    """
    from core.plugins import catalogue, permissions

    tenants = _chosen(slugs, every=every)
    permissions.forbid(name, tenants, actor=ACTOR)
    installed = next((each for each in catalogue.installed() if each.name == name), None)
    left = "" if installed is None else f"; it may still be used by: {tenants_of(installed)}"
    note(f"plugin {name} is forbidden{left}; every process knows within seconds")


def tenants_of(plugin: InstalledPlugin) -> str:
    """Return which tenants may use a plugin: ``all``, ``none``, or their slugs."""
    from core.plugins import permissions
    from core.tenancy import list_tenants

    allowed = None if plugin.first_party else permissions.allowed_tenants(plugin.name)
    if allowed is None:
        return EVERYBODY
    slugs = [each.slug for each in list_tenants() if each.id in allowed] if allowed else []
    return " ".join(sorted(slugs)) or NOBODY


def require_allowed(kind: str, name: str, owner: TenantRef) -> None:
    """Raise if a plugin that is installed offers this, and the tenant may not use it.

    Raises:
        ClickException: says how to allow it.
    """
    from core.plugins import catalogue

    offer = catalogue.find_offer(kind, name)
    if offer is not None and catalogue.find_offer(kind, name, owner) is None:
        plugin = offer.point.name
        message = f"{owner.slug} may not use plugin {plugin}: iit plugin allow {plugin} --tenant {owner.slug}"
        raise click.ClickException(message)


def _chosen(slugs: tuple[str, ...], *, every: bool) -> Sequence[TenantRef] | None:
    if bool(slugs) == every:
        message = "give --tenant SLUG, or --all"
        raise click.UsageError(message)
    return None if every else [tenant(slug) for slug in slugs]


def _third_party(name: str) -> InstalledPlugin:
    from core.plugins import catalogue

    installed = {each.name: each for each in catalogue.installed()}
    if name not in installed:
        names = ", ".join(each.name for each in installed.values() if not each.first_party) or "none"
        message = f"no plugin {name!r} is installed; third-party plugins: {names}"
        raise click.ClickException(message)
    if installed[name].first_party:
        message = f"plugin {name!r} comes with the platform: all tenants may use it"
        raise click.ClickException(message)
    return installed[name]
