"""``iit access``: explain which permissions a person or an API key has, and through which role."""

from __future__ import annotations

import click

from core.cli.output import json_option, print_json, tenant


@click.group()
def access() -> None:
    """Explain what a person or an API key may do."""


@access.command()
@click.argument("who")
@click.argument("permission")
@click.option("--tenant", "slug", required=True, help="Short name of the tenant.")
@json_option
def explain(who: str, permission: str, slug: str, *, as_json: bool) -> None:
    """Explain whether WHO, a person or an API key, holds PERMISSION in a tenant, and through which role.

    WHO is an e-mail address, or the prefix of an API key.

    iit access explain tracker@example.org patients.read --tenant my-programme
    """
    from core.access.explain import explain as explained

    answer = explained(tenant(slug), who, permission)
    if as_json:
        print_json(answer)
        return
    click.echo("yes" if answer.allowed else "no")
    for line in answer.through:
        click.echo(f"through: {line}")
    for line in answer.reasons:
        click.echo(f"because: {line}")
    if answer.facilities is not None:
        click.echo(f"only {len(answer.facilities)} facilities: {', '.join(answer.facilities)}")
    if answer.states is not None:
        click.echo(f"only the states: {', '.join(answer.states)}")
    if answer.assigned_only:
        click.echo("only patients who are assigned to the person")
