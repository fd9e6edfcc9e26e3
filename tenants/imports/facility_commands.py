"""The commands ``iit facility``."""

from __future__ import annotations

import click

from core.cli.output import ACTOR, json_option, print_json, tenant


@click.group()
def facility() -> None:
    """Confirm facilities that an import holds back."""


@facility.command("confirm")
@click.argument("slug")
@click.argument("code")
@click.option("--as", "known", metavar="KNOWN", help="CODE is another spelling of this facility (DATIM id).")
@json_option
def confirm_(slug: str, code: str, known: str | None, *, as_json: bool) -> None:
    """Confirm that CODE is a new clinic of the tenant SLUG, or another spelling of a known one. Then import again."""
    from core.database import tenant_session
    from core.preferences.schemas import group_out
    from tenants.imports.confirming import confirm

    with tenant_session(tenant(slug), actor=ACTOR) as session:
        state = confirm(session, code, known)
    if as_json:
        print_json(group_out(state))
    elif known:
        click.echo(f"Rows of {code} count as rows of {known} from now on: import the files again.")
    else:
        click.echo(f"The next import that names {code} adds it: import the files again.")
