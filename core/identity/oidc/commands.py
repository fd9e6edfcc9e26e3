"""``iit sso``: sign-in by a tenant's own provider."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TextIO
from uuid import UUID

import click

from core.cli.output import ACTOR, done_in_part, json_option, note, print_json, print_table, tenant

if TYPE_CHECKING:
    from core.identity.oidc.author import Author
    from core.identity.oidc.domains import Domain
    from core.identity.oidc.providers import SsoProviderState


@click.group()
def sso() -> None:
    """Set up, test and enforce sign-in by a tenant's own OpenID Connect provider."""


@sso.command()
@click.argument("slug")
@json_option
def show(slug: str, *, as_json: bool) -> None:
    """Show the single sign-on of the tenant SLUG, without the client's secret."""
    from core.identity.oidc.providers import get_provider

    _print(get_provider(tenant(slug)), as_json=as_json)


@sso.command("set")
@click.argument("slug")
@click.option("--issuer", required=True, help="Exactly as the provider's metadata names it.")
@click.option("--client-id", required=True, help="The client that the provider registered.")
@click.option("--secret-file", type=click.File("r"), help="The client's secret, - for standard input; else it stays.")
@click.option("--roles-claim", default="groups", show_default=True, help="The claim that holds roles or groups.")
@click.option("--map", "mapped", multiple=True, metavar="VALUE=ROLE", help="Value of the claim; again for more.")
@click.option("--default-role", help="The role of who has no mapped value; without it they are rejected.")
@json_option
def set_(
    slug: str,
    issuer: str,
    client_id: str,
    secret_file: TextIO | None,
    roles_claim: str,
    mapped: tuple[str, ...],
    default_role: str | None,
    *,
    as_json: bool,
) -> None:
    """Set up the single sign-on of the tenant SLUG. Passwords work until it is enforced."""
    from core.identity.oidc.providers import Draft, put_provider

    mapping: dict[str, str] = {}
    for pair in mapped:
        value, separator, role = pair.rpartition("=")
        if not separator:
            message = f"{pair} is not VALUE=ROLE"
            raise click.BadParameter(message, param_hint="--map")
        mapping[value] = role
    secret = None if secret_file is None else secret_file.read().strip()
    draft = Draft(issuer, client_id, secret, roles_claim, mapping, default_role, False, None)  # noqa: FBT003 - a column
    _print(put_provider(tenant(slug), draft, _author()), as_json=as_json)


@sso.command()
@click.argument("slug")
@click.option("--break-glass", metavar="EMAIL", help="The admin who may still use a password.")
@click.option("--off", is_flag=True, help="Let passwords work again.")
@json_option
def enforce(slug: str, break_glass: str | None, *, off: bool, as_json: bool) -> None:
    """Reject passwords of the people of the tenant SLUG, except one break-glass account.

    iit sso enforce my-programme --break-glass admin@example.org
    """
    from core.identity.oidc.providers import Draft, get_provider, put_provider
    from core.identity.people.members import person_of

    if off == (break_glass is not None):
        message = "give either --break-glass EMAIL or --off"
        raise click.UsageError(message)
    ref = tenant(slug)
    person = None if break_glass is None else person_of(break_glass)
    draft = replace(Draft.of(get_provider(ref)), enforced=not off, break_glass_person_id=person)
    _print(put_provider(ref, draft, _author()), as_json=as_json)


@sso.command()
@click.argument("slug")
@json_option
def remove(slug: str, *, as_json: bool) -> None:
    """Remove the single sign-on of the tenant SLUG: its sessions end, and passwords work again."""
    from core.identity.oidc.providers import remove_provider

    remove_provider(tenant(slug), _author())
    if as_json:
        print_json({"removed": True})
    else:
        note("removed")


@sso.command()
@click.argument("slug")
@click.option("--portal", required=True, help="Address of the portal, such as https://iit.example.org.")
@json_option
def test(slug: str, portal: str, *, as_json: bool) -> None:
    """Test the single sign-on of the tenant SLUG without a person. Exit code 3 if something is wrong."""
    from core.identity.oidc.checkup import check_up
    from core.identity.oidc.schemas import CALLBACK

    findings = check_up(tenant(slug), f"{portal.rstrip('/')}{CALLBACK}")
    rows = [{"check": each.check, "ok": each.ok, "problem": each.problem, "remedy": each.remedy} for each in findings]
    wrong = sum(not each.ok for each in findings)
    if as_json:
        print_json({"ok": not wrong, "findings": rows})
    else:
        print_table(({**row, "ok": "yes" if row["ok"] else "no"} for row in rows), ("check", "ok", "problem", "remedy"))
    if wrong:
        done_in_part(f"{wrong} of {len(rows)} checks found something wrong")


@sso.group()
def domains() -> None:
    """List, claim, check and remove the domains of a tenant's e-mail addresses."""


@domains.command("list")
@click.argument("slug")
@json_option
def list_(slug: str, *, as_json: bool) -> None:
    """List the domains that the tenant SLUG claims."""
    from core.identity.oidc.domains import list_domains

    claims = list_domains(tenant(slug))
    if as_json:
        print_json({"domains": [_row(domain) for domain in claims], "total": len(claims)})
        return
    print_table((_row(domain) for domain in claims), ("id", "domain", "proved", "record"))


@domains.command()
@click.argument("slug")
@click.argument("domain")
@json_option
def add(slug: str, domain: str, *, as_json: bool) -> None:
    """Claim DOMAIN for the tenant SLUG, and print the TXT record that proves it."""
    from core.identity.oidc.domains import claim_domain

    claimed = claim_domain(tenant(slug), domain, _author())
    if as_json:
        print_json(_row(claimed))
        return
    click.echo(claimed.record)
    note(f"publish it as a TXT record of {claimed.domain}, then: iit sso domains check {slug} {claimed.id}")


@domains.command()
@click.argument("slug")
@click.argument("domain_id", type=click.UUID)
@json_option
def check(slug: str, domain_id: UUID, *, as_json: bool) -> None:
    """Look for the record of a domain of the tenant SLUG. Exit code 3 if it is not there."""
    from core.identity.oidc.domains import check_domain

    checked = check_domain(tenant(slug), domain_id, _author())
    if as_json:
        print_json(_row(checked))
    if checked.proved_at is None:
        done_in_part(f"{checked.domain} has no TXT record {checked.record}")
    note(f"{checked.domain} is proved")


@domains.command("remove")
@click.argument("slug")
@click.argument("domain_id", type=click.UUID)
@json_option
def remove_domain(slug: str, domain_id: UUID, *, as_json: bool) -> None:
    """Remove a domain of the tenant SLUG."""
    from core.identity.oidc.domains import remove_domain as service

    service(tenant(slug), domain_id, _author())
    if as_json:
        print_json({"id": domain_id, "removed": True})
    else:
        note(f"removed {domain_id}")


def _author() -> Author:
    from core.identity.oidc.author import Author

    return Author(ACTOR, source="cli")


def _row(domain: Domain) -> dict[str, object]:
    return {"id": domain.id, "domain": domain.domain, "proved": domain.proved_at is not None, "record": domain.record}


def _print(provider: SsoProviderState, *, as_json: bool) -> None:
    from core.identity.oidc.api import shown

    out = shown(provider)
    if as_json:
        print_json(out)
        return
    for name, value in out.model_dump(mode="json").items():
        click.echo(f"{name.replace('_', ' ')}: {value}")
