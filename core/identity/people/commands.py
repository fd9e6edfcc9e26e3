"""``iit people``: manages the people of a tenant, and the operators."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from uuid import UUID

import click

from core.cli.output import ACTOR, json_option, note, print_json, print_table, tenant


@click.group()
def people() -> None:
    """Add, list and remove people, and make links to new passwords."""


@people.command()
@click.argument("slug")
@click.argument("email")
@click.option("--name", required=True, help="How pages call the person.")
@click.option("--role", "roles", multiple=True, required=True, help="A role; again for more. See iit roles list.")
@click.option("--facility", "facilities", multiple=True, help="Only this facility (DATIM id); again for more.")
@click.option("--state", "states", multiple=True, help="Only the facilities of this state; again for more.")
@click.option("--assigned-only", is_flag=True, help="Only the patients who are assigned to the person.")
@click.option("--language", help="Of pages and letters of a new account: en, fr or pt. The default is the tenant's.")
@json_option
def add(  # noqa: PLR0913 - one argument an option
    slug: str,
    email: str,
    name: str,
    roles: tuple[str, ...],
    facilities: tuple[str, ...],
    states: tuple[str, ...],
    language: str | None,
    *,
    assigned_only: bool,
    as_json: bool,
) -> None:
    """Add the person with EMAIL to the tenant SLUG, and print a link to a first password."""
    from core.identity.people import links
    from core.identity.people import members as service

    ref = tenant(slug)
    grant = service.Grant(roles, facilities or None, states or None, assigned_only)
    person_id = service.add_member(ref, email, name, grant, actor=ACTOR, source="cli", language=language)
    link = links.create_link(person_id, links.INVITATION, actor=ACTOR, tenant_id=ref.id)
    _print_link(person_id, link.path, as_json=as_json)


@people.command("add-file")
@click.argument("slug")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Only report what is wrong and who would be added.")
@json_option
def add_file(slug: str, file: Path, *, dry_run: bool, as_json: bool) -> None:
    """Add the people of the CSV file FILE to the tenant SLUG, and print a link for each new one.

    The file has the columns email, name, roles, facilities, states, assigned_only and language. Nobody is added if a
    row is wrong.
    """
    from core.identity.people import links, people_file
    from core.identity.people import members as service
    from core.web.short_csv import reject_wrong

    ref = tenant(slug)
    rows = people_file.check_file(ref, people_file.decoded(file.read_bytes()))
    reject_wrong(rows)
    paths = {}
    for row in rows if not dry_run else ():
        if row.state == people_file.NEW:
            person_id = service.add_member(
                ref, row.email, row.name, row.grant, actor=ACTOR, source="cli", language=row.language
            )
            paths[row.email] = links.create_link(person_id, links.INVITATION, actor=ACTOR, tenant_id=ref.id).path
    shown = [{"line": row.line, "email": row.email, "state": row.state, "link": paths.get(row.email)} for row in rows]
    if as_json:
        print_json({"rows": shown})
    else:
        print_table(shown, ("line", "email", "state", "link"))


@people.command("list")
@click.argument("slug")
@json_option
def list_(slug: str, *, as_json: bool) -> None:
    """List the people of the tenant SLUG, by name."""
    from core.identity.people import members as service
    from core.identity.people.schemas import PersonOut

    members, total = service.list_members(tenant(slug), limit=10_000)
    if as_json:
        print_json({"people": [PersonOut.model_validate(member) for member in members], "total": total})
        return
    print_table(
        (
            {"id": member.id, "name": member.name, "email": member.email, "roles": " ".join(member.roles)}
            for member in members
        ),
        ("id", "name", "email", "roles"),
    )


@people.command()
@click.argument("slug")
@click.argument("person_id", type=click.UUID)
@json_option
def remove(slug: str, person_id: UUID, *, as_json: bool) -> None:
    """Remove a person from the tenant SLUG: sessions and API keys end at once."""
    from core.identity.people import members as service

    service.remove_member(tenant(slug), person_id, actor=ACTOR, source="cli")
    _done(person_id, "removed", as_json=as_json)


@people.command()
@click.argument("email")
@click.option("--tenant", "slug", help="Invite to this tenant again, instead of a reset.")
@click.option("--compromised", is_flag=True, help="Somebody else may know the password: end it, sessions and keys now.")
@json_option
def link(email: str, slug: str | None, *, compromised: bool, as_json: bool) -> None:
    """Create a link for the person with EMAIL to choose a new password; an earlier link stops working.

    With --compromised, the present password, the person's sessions and the API keys that they created end at once.
    """
    from core.identity.people import links
    from core.identity.people.members import person_of

    if slug is not None and compromised:
        message = "--compromised is for a reset, and --tenant for an invitation: give one of them."
        raise click.UsageError(message)
    person_id = person_of(email)
    if slug is None:
        path = links.create_link(person_id, links.RESET, actor=ACTOR, source="cli", compromised=compromised).path
    else:
        tenant_id = tenant(slug).id
        path = links.create_link(person_id, links.INVITATION, actor=ACTOR, tenant_id=tenant_id, source="cli").path
    _print_link(person_id, path, as_json=as_json)


@people.command("reset-second-factor")
@click.argument("email")
@json_option
def reset_second_factor(email: str, *, as_json: bool) -> None:
    """Remove the second factor of the person with EMAIL, who lost phone and recovery codes. Their sessions end.

    First make sure that it is they who ask.
    """
    from core.identity.people import factor_reset
    from core.identity.people.members import person_of

    person_id = person_of(email)
    factor_reset.reset(person_id, actor=ACTOR, source="cli")
    if as_json:
        print_json({"id": person_id, "second_factor": False})
    else:
        note(f"removed the second factor of {person_id}")


@people.command("add-operator")
@click.argument("email")
@click.option("--name", required=True, help="How pages call the person.")
@click.option("--role", default="platform_admin", show_default=True, help="platform_admin or platform_support.")
@json_option
def add_operator(email: str, name: str, role: str, *, as_json: bool) -> None:
    """Add an operator of the installation with EMAIL, and print a link to a first password."""
    from core.identity.people import accounts as service
    from core.identity.people import links

    person_id = service.add_operator(email, name, role, actor=ACTOR)
    path = links.create_link(person_id, links.INVITATION, actor=ACTOR).path
    _print_link(person_id, path, as_json=as_json)


@people.command()
@json_option
def operators(*, as_json: bool) -> None:
    """List the operators of the installation, by name."""
    from core.identity.people import accounts as service

    rows = [asdict(operator) for operator in service.list_operators()]
    if as_json:
        print_json({"operators": rows})
    else:
        print_table(rows, ("id", "name", "email", "role", "state"))


@people.command("remove-operator")
@click.argument("email")
@json_option
def remove_operator(email: str, *, as_json: bool) -> None:
    """Take the operator's role from the account with EMAIL: its sessions and links end at once."""
    from core.identity.people import accounts as service

    _done(service.remove_operator(email, actor=ACTOR), "removed", as_json=as_json)


@people.command()
@click.argument("email")
@json_option
def deactivate(email: str, *, as_json: bool) -> None:
    """Deactivate the account with EMAIL, in every tenant: sessions, links and API keys end at once."""
    from core.identity.people import accounts as service
    from core.identity.people.members import person_of

    person_id = person_of(email)
    service.deactivate(person_id, actor=ACTOR, source="cli")
    _done(person_id, "deactivated", as_json=as_json)


@people.command()
@click.argument("email")
@json_option
def reactivate(email: str, *, as_json: bool) -> None:
    """Make the deactivated account with EMAIL usable again. Its API keys stay revoked."""
    from core.identity.people import accounts as service
    from core.identity.people.members import person_of

    person_id = person_of(email)
    service.reactivate(person_id, actor=ACTOR, source="cli")
    _done(person_id, "reactivated", as_json=as_json)


@people.command()
@json_option
def roles(*, as_json: bool) -> None:
    """List the roles, and how many permissions each has."""
    from core.identity.roles import ROLES, permissions_of_role

    rows = [
        {"role": role.name, "permissions": sorted(permissions_of_role(role.name)), "meaning": role.meaning}
        for role in ROLES.values()
    ]
    if as_json:
        print_json({"roles": rows})
        return
    shown = ({**row, "permissions": len(row["permissions"])} for row in rows)
    print_table(shown, ("role", "permissions", "meaning"))


def _print_link(person_id: UUID, path: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"id": person_id, "link": path})
    else:
        click.echo(path)
        note("put the address of the portal before it, and give it to the person: it is shown one time")


def _done(person_id: UUID, act: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"id": person_id, act: True})
    else:
        note(f"{act} {person_id}")
