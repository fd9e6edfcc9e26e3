"""``iit plugin log``: what failed in a plugin, for its author."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import click

from core.cli.output import ACTOR, json_option, print_json, print_table, printable, tenant
from core.database import DatabaseUnavailable, TenantMoving, TenantUpgrading, tenant_session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.database import TenantRef
    from core.plugins.instance_models import PluginFailure

_MOST_OF_ONE: Final = 500
"""Failures that are read of one instance, or of the models."""


@click.command()
@click.argument("name")
@click.option("--tenant", "slug", help="Only of this tenant.")
@click.option("--most", default=20, show_default=True, type=click.IntRange(1, 500), help="Failures to print.")
@json_option
def log(name: str, slug: str | None, most: int, *, as_json: bool) -> None:
    """Print what failed in the plugin NAME in the last 30 days, newest first, for its author.

    Each failure has the method, the reason and the end of what the plugin wrote; of a model, what it was to do. Counts
    come first. No line names a person: output of methods that read what people wrote is not stored.

    iit plugin log their-channel --tenant my-programme
    """
    from core.plugins import catalogue, manager

    plugin = next((each for each in catalogue.installed() if each.name == name), None)
    if plugin is None:
        names = ", ".join(each.name for each in catalogue.installed())
        message = f"no plugin {name!r} is installed: {names}"
        raise click.ClickException(message)
    offered = {(offer.kind, offer.name) for offer in plugin.offers}
    models = sorted(model for model in manager.models() if manager.origin(model).name == name)
    rows = [row for owner in _owners(slug) for row in _failures(owner, offered, models)]
    rows.sort(key=lambda row: row["at"], reverse=True)
    counts = Counter((row["plugin"], row["operation"], row["reason"]) for row in rows)
    counted = [
        {"plugin": offer, "operation": operation, "reason": reason, "count": count}
        for (offer, operation, reason), count in counts.most_common()
    ]
    if as_json:
        shown = {"state": plugin.state, "reason": plugin.reason, "counts": counted, "failures": rows[:most]}
        print_json(shown)
        return
    click.echo(printable(f"{name}: {plugin.state}" + (f": {plugin.reason}" if plugin.reason else "")))
    if models:
        click.echo(f"models ({', '.join(models)}): the report of each training says which one could not be trained")
    if counted:
        lines = [{**each, "reason": printable(str(each["reason"]))} for each in counted]
        print_table(lines, ("count", "plugin", "operation", "reason"))
    for row in rows[:most]:
        where = f"{row['at']:%Y-%m-%d %H:%M:%S} {row['tenant']} {row['instance']}"
        click.echo("\n" + printable(f"{where}: {row['operation']}: {row['reason']}"))
        if row["output"]:
            click.echo("\n".join(f"    {printable(line)}" for line in row["output"].splitlines()))
    if not rows:
        click.echo("nothing failed in the last 30 days")


def _owners(slug: str | None) -> Sequence[TenantRef]:
    from core.tenancy import list_tenants

    return list_tenants() if slug is None else [tenant(slug)]


def _failures(owner: TenantRef, offered: set[tuple[str, str]], models: Sequence[str]) -> list[dict[str, Any]]:
    """Return the failures of a tenant's instances of these offers, and of these models; none if it cannot be read."""
    from core.plugins import instances, model_failures

    rows: list[dict[str, Any]] = []
    try:
        with tenant_session(owner, actor=ACTOR, readonly=True) as session:
            for instance in instances.list_instances(session):
                if (instance.kind, instance.plugin) in offered:
                    failures = instances.list_failures(session, instance.id, _MOST_OF_ONE)
                    rows += [_row(owner, each, instance.plugin, str(instance.id)) for each in failures]
            failures = model_failures.list_model_failures(session, models, _MOST_OF_ONE) if models else []
            rows += [_row(owner, each, str(each.model), str(each.model)) for each in failures]
    except (DatabaseUnavailable, TenantMoving, TenantUpgrading):
        click.echo(f"{owner.slug} cannot be read now", err=True)
    return rows


def _row(owner: TenantRef, failure: PluginFailure, plugin: str, instance: str) -> dict[str, Any]:
    return {
        "at": failure.at,
        "tenant": owner.slug,
        "instance": instance,
        "plugin": plugin,
        "operation": failure.operation,
        "reason": failure.reason,
        "output": failure.output,
    }
