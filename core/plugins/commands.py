"""``iit plugin``: what is installed, and a tenant's instances of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from core.cli.output import ACTOR, json_option, note, print_json, print_table, tenant
from core.database import tenant_session
from core.plugins.log_commands import log
from core.plugins.permission_commands import allow, forbid
from core.plugins.secret_commands import secret_values

if TYPE_CHECKING:
    from collections.abc import Mapping

_slug = click.argument("slug")
_instance = click.argument("instance_id", type=click.UUID)
_settings = click.option(
    "--set", "settings", multiple=True, metavar="NAME=VALUE", help="A setting; again for more. JSON, or a text."
)
_secrets = click.option(
    "--secret",
    "secrets",
    multiple=True,
    metavar="NAME",
    help="Ask for this secret setting; without a terminal, read a line of standard input. Again for more.",
)
_files = click.option(
    "--secret-file",
    "files",
    multiple=True,
    metavar="NAME=FILE",
    help="Read this secret setting from a file, - for standard input; again for more.",
)


@click.group()
def plugin() -> None:
    """See the installed plugins, and set them up for tenants."""


plugin.add_command(allow)
plugin.add_command(forbid)
plugin.add_command(log)


@plugin.command("list")
@click.option("--tenant", "slug", help="Show the instances of this tenant in place of what is installed.")
@json_option
def list_(slug: str | None, *, as_json: bool) -> None:
    """List the installed plugins with their state, or the instances of a tenant."""
    from core.plugins import catalogue, confinement, instances
    from core.plugins.permission_commands import tenants_of

    if slug is None:
        installed = catalogue.installed()
        rows: list[dict[str, Any]] = [
            {
                "name": each.name,
                "package": f"{each.distribution} {each.version}",
                "state": each.state,
                "offers": " ".join(f"{offer.kind}:{offer.name}" for offer in each.offers) or "-",
                "tenants": tenants_of(each),
                "reason": each.reason,
            }
            for each in installed
        ]
        columns: tuple[str, ...] = ("name", "package", "state", "offers", "tenants", "reason")
        left = [] if all(each.first_party for each in installed) else confinement.gaps()
        for gap in left:
            note(f"third-party plugins are not fully confined on this system: {gap}")
    else:
        catalogue.installed()  # before the transaction: it may start processes
        with tenant_session(tenant(slug), actor=ACTOR, readonly=True) as session:
            rows = [
                {
                    "id": row.id,
                    "kind": row.kind,
                    "plugin": row.plugin,
                    "name": row.name,
                    "state": instances.state_of(row, session.tenant),
                }
                for row in instances.list_instances(session)
            ]
        columns = ("id", "kind", "plugin", "name", "state")
    if as_json:
        print_json({"plugins" if slug is None else "instances": rows})
    else:
        print_table(rows, columns)


@plugin.command()
@click.argument("name")
@json_option
def show(name: str, *, as_json: bool) -> None:
    """Show what the installed plugin NAME offers, with the schema of its settings."""
    from core.plugins import catalogue

    matches = [each for each in catalogue.installed() if each.name == name]
    if not matches:
        names = ", ".join(each.name for each in catalogue.installed())
        message = f"no plugin {name!r} is installed: {names}"
        raise click.ClickException(message)
    offers = [
        {"kind": offer.kind, "name": offer.name, "title": offer.title, "settings": dict(offer.schema)}
        for offer in matches[0].offers
    ]
    shown = {"name": name, "state": matches[0].state, "reason": matches[0].reason, "offers": offers}
    if as_json:
        print_json(shown)
    else:
        click.echo(json.dumps(shown, indent=2, ensure_ascii=False))


@plugin.command()
def check() -> None:
    """Look at every installed plugin anew. Exits with 1 if one cannot be used, and says why.

    Also names each plugin that no tenant may use yet.
    """
    from core.plugins import catalogue
    from core.plugins.permission_commands import NOBODY, tenants_of

    catalogue.reload()
    bad = [each for each in catalogue.installed() if each.state != "ready"]
    for each in bad:
        note(f"{each.name}: {each.state}: {each.reason}")
    for each in catalogue.installed():
        if tenants_of(each) == NOBODY:
            note(f"{each.name}: no tenant may use it yet: iit plugin allow {each.name} --tenant SLUG, or --all")
    if bad:
        raise SystemExit(1)
    note(f"{len(catalogue.installed())} plugins are ready")


@plugin.command()
@_slug
@click.argument("kind")
@click.argument("name")
@click.option("--as", "title", required=True, help="The name of the instance.")
@_settings
@_secrets
@_files
def enable(
    slug: str,
    kind: str,
    name: str,
    title: str,
    settings: tuple[str, ...],
    secrets: tuple[str, ...],
    files: tuple[str, ...],
) -> None:
    """Set up the plugin NAME of a KIND for the tenant SLUG, and print the id of the instance.

    iit plugin enable my-programme alert-channel slack --as Nights --secret webhook_url
    """
    from core.plugins import instances
    from core.plugins.permission_commands import require_allowed

    owner = tenant(slug)
    require_allowed(kind, name, owner)
    draft = instances.InstanceIn(title, {**_values(settings), **secret_values(secrets, files)})
    with tenant_session(owner, actor=ACTOR) as session:
        row = instances.add_instance(session, kind, name, draft, source="cli")
        click.echo(str(row.id))


@plugin.command()
@_slug
@_instance
@_settings
@_secrets
@_files
def configure(
    slug: str, instance_id: UUID, settings: tuple[str, ...], secrets: tuple[str, ...], files: tuple[str, ...]
) -> None:
    """Change settings of an instance of the tenant SLUG; the others stay. A configured instance is enabled."""
    from core.plugins import catalogue, instances
    from core.web.etag import ANY_VERSION

    catalogue.installed()
    changed = {**_values(settings), **secret_values(secrets, files)}
    with tenant_session(tenant(slug), actor=ACTOR) as session:
        row = instances.get_instance(session, instance_id)
        draft = instances.InstanceIn(row.name, {**row.settings, **changed})
        instances.change_instance(session, instance_id, draft, ANY_VERSION, source="cli")
    note(f"configured {instance_id}")


@plugin.command()
@_slug
@_instance
def disable(slug: str, instance_id: UUID) -> None:
    """Use an instance of the tenant SLUG no more. Its settings stay."""
    from core.plugins import instances

    with tenant_session(tenant(slug), actor=ACTOR) as session:
        instances.set_enabled(session, instance_id, enabled=False, source="cli")
    note(f"disabled {instance_id}")


@plugin.command()
@_slug
@_instance
@json_option
def test(slug: str, instance_id: UUID, *, as_json: bool) -> None:
    """Send a test through an instance of the tenant SLUG. Exits with 1 if it was not sent."""
    from core import audit
    from core.plugins import instances
    from core.plugins.testing_instances import send_test

    owner = tenant(slug)
    with tenant_session(owner, actor=ACTOR) as session:
        kind = instances.get_instance(session, instance_id).kind
        audit.record(session, "cli:plugin:test", "plugin_instance", instance_id, {})
    outcome = send_test(owner, instance_id, kind)
    if as_json:
        print_json({"state": outcome.state, "reason": outcome.reason})
    else:
        click.echo(outcome.state if not outcome.reason else f"{outcome.state}: {outcome.reason}")
    if outcome.state != "sent":
        raise SystemExit(1)


@plugin.command()
@click.argument("name")
@click.option(
    "--kind", required=True, help="alert-channel, sms-gateway, event-listener, importer, rag-source or model."
)
def new(name: str, kind: str) -> None:
    """Write a new plugin NAME into the current folder. Its tests pass at once."""
    from plugins.sdk.new_plugin import write_plugin

    try:
        folder = write_plugin(Path.cwd(), name, kind)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    click.echo(str(folder))


def _values(settings: tuple[str, ...]) -> Mapping[str, Any]:
    values: dict[str, Any] = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals:
            message = f"write a setting as NAME=VALUE, not {setting!r}"
            raise click.UsageError(message)
        try:
            values[name] = json.loads(value)
        except ValueError:
            values[name] = value
    return values
