"""``iit model base``: ask partners for sums, pool them, and let a new partner start from the base model."""

from __future__ import annotations

import json
from pathlib import Path

import click

import tenants.risk.watch_commands  # noqa: F401 - it adds its commands to the same group
from core.cli.output import ACTOR, json_option, note, print_json, tenant
from tenants.risk.registry.commands import model


@model.group("base")
def base() -> None:
    """Start new partners from a model that is pooled from noisy sums of partners that agreed."""


@base.command("ask")
@click.argument("slug")
def ask(slug: str) -> None:
    """Ask the tenant SLUG for sums: a job of the tenant makes them, if it has agreed (risk.give_sums)."""
    from core.database import tenant_session
    from core.jobs import enqueue
    from tenants.risk.base.jobs import GIVE

    with tenant_session(tenant(slug), actor=ACTOR) as session:
        job_id = enqueue(session, GIVE, {}, dedupe_key=GIVE)
    click.echo(f"A job makes the sums: {job_id}")


@base.command("pool")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@json_option
def pool(file: Path, *, as_json: bool) -> None:
    """Pool the newest sums of all partners that agree, and write the base model to FILE."""
    from core.database import tenant_session
    from core.tenancy.service import list_tenants
    from tenants.risk.base import pooled, service

    sums_of_all = []
    for owner in list_tenants():
        if owner.state == "active":
            with tenant_session(owner, actor=ACTOR) as session:
                sums_of_all += [each for each in [service.given_sums(session)] if each is not None]
    try:
        model_of_all = pooled.pool(sums_of_all)
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    file.write_text(json.dumps(model_of_all, indent=1) + "\n", encoding="utf-8")
    facts = {name: model_of_all[name] for name in ("partners", "epsilon", "delta", "releases")}
    if as_json:
        print_json({"file": file, **facts})
        return
    click.echo(f"A base model of {facts['partners']} partners is in {file}.")
    note(f"privacy loss of each patient: epsilon {facts['epsilon']:.2f} at delta {facts['delta']:g}")


@base.command("adopt")
@click.argument("slug")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
def adopt(slug: str, file: Path, *, as_json: bool) -> None:
    """Let the tenant SLUG start from the base model in FILE, if it wants one (risk.base_model)."""
    from core.database import tenant_session
    from plugins.sdk import BadArtifactError
    from tenants.risk.base import service

    owner = tenant(slug)
    try:
        row = service.adopt(
            owner, lambda: tenant_session(owner, actor=ACTOR), json.loads(file.read_text(encoding="utf-8"))
        )
    except (ValueError, KeyError, TypeError, BadArtifactError) as error:
        message = f"{file} has no base model: {error}"
        raise click.ClickException(message) from error
    if as_json:
        print_json({"version": row.version, "state": row.state, "gates": row.gates})
        return
    click.echo(f"{row.version}: {row.gates['base']['why']}")
