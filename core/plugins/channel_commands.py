"""``iit channel``: a tenant's alert channels by their names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from core.cli.output import ACTOR, json_option, print_json, print_table, tenant
from core.database import tenant_session

if TYPE_CHECKING:
    from core.database import TenantSession
    from core.plugins.instance_models import PluginInstance

_slug = click.argument("slug")
_name = click.argument("name")
_KINDS = ("alert-channel", "sms-gateway")


@click.group()
def channel() -> None:
    """List and test a tenant's alert channels; show the addresses that their vendors call."""


@channel.command("list")
@_slug
@json_option
def list_(slug: str, *, as_json: bool) -> None:
    """List the alert channels of the tenant SLUG."""
    from core.plugins import catalogue, instances

    catalogue.installed()  # before the transaction: it may start processes
    with tenant_session(tenant(slug), actor=ACTOR, readonly=True) as session:
        rows = [
            {"id": row.id, "name": row.name, "plugin": row.plugin, "state": instances.state_of(row, session.tenant)}
            for row in instances.list_instances(session, "alert-channel")
        ]
    if as_json:
        print_json({"channels": rows})
    else:
        print_table(rows, ("id", "name", "plugin", "state"))


@channel.command()
@_slug
@_name
@json_option
def test(slug: str, name: str, *, as_json: bool) -> None:
    """Send a test alert through the channel NAME of the tenant SLUG, and resolve it. Exits with 1 if it was not sent.

    iit channel test my-programme "On call"
    """
    from core import audit
    from core.plugins.testing_instances import send_test

    owner = tenant(slug)
    with tenant_session(owner, actor=ACTOR) as session:
        instance_id = _named(session, name, _KINDS[:1]).id
        audit.record(session, "cli:plugin:test", "plugin_instance", instance_id, {})
    outcome = send_test(owner, instance_id, "alert-channel")
    if as_json:
        print_json({"state": outcome.state, "reason": outcome.reason})
    else:
        click.echo(f"{outcome.state}: {outcome.reason}" if outcome.reason else outcome.state)
    if outcome.state != "sent":
        raise SystemExit(1)


@channel.command()
@_slug
@_name
def address(slug: str, name: str) -> None:
    """Print the address to which the vendor of the channel or SMS gateway NAME sends requests. Part of it is secret."""
    from core import audit
    from core.plugins import instances
    from core.settings import get_settings

    with tenant_session(tenant(slug), actor=ACTOR) as session:
        row = _named(session, name, _KINDS)
        audit.record(session, "cli:plugin:address", "plugin_instance", row.id, {})
        click.echo(get_settings().public_url.rstrip("/") + instances.incoming_path(session, row))


def _named(session: TenantSession, name: str, kinds: tuple[str, ...]) -> PluginInstance:
    from core.plugins import instances

    rows = [row for row in instances.list_instances(session) if row.kind in kinds]
    fit = [row for row in rows if row.name == name]
    if len(fit) != 1:
        names = ", ".join(sorted(row.name for row in rows)) or "none"
        message = (
            f"several instances have the name {name!r}" if fit else f"there is no {name!r}: choose one of: {names}"
        )
        raise click.ClickException(message)
    return fit[0]
