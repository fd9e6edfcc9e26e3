"""``iit person``: commands on one person's records."""

from __future__ import annotations

import click

from core.cli.output import ACTOR, json_option, note, print_json, tenant


@click.group()
def person() -> None:
    """Act on one person's records."""


@person.command()
@click.argument("slug")
@click.argument("who", metavar="PERSON")
@click.option("--reason", required=True, help="Why, such as the number of the request. Kept for good: name nobody.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def erase(slug: str, who: str, reason: str, *, yes: bool, as_json: bool) -> None:
    """Erase PERSON of the tenant SLUG for good: names, phone and identifiers, in all records merged with theirs.

    PERSON is a UUID, a programme identifier or a hospital number. The clinical record stays, without a name. No import
    brings the person back.
    """
    from core.database import tenant_session
    from tenants.records.erasing import erase_person, find

    owner = tenant(slug)
    with tenant_session(owner, actor=ACTOR) as session:
        uuid = find(session, who)
    if not yes:
        click.confirm(f"Erase the person {uuid} for good? Nothing brings the name back", abort=True, err=True)
    with tenant_session(owner, actor=ACTOR) as session:
        done = erase_person(session, uuid, reason=reason)
    if as_json:
        counts = {"rows": done.rows, "versions": done.versions, "entries": done.entries}
        print_json({"patients": done.patients, **counts, "already": done.already})
    elif done.already:
        click.echo(f"the person {uuid} had been erased before")
    else:
        others = done.rows - done.versions - done.entries
        parts = [_many(done.versions, "version"), _many(done.entries, "list entry", "list entries")]
        parts += [_many(others, "other row")] if others else []
        click.echo(f"erased {_many(len(done.patients), 'record')} of the person; emptied {', '.join(parts)}")
        note("copies of the key are in backups made before: the erasure is complete when they are gone")


def _many(count: int, one: str, several: str = "") -> str:
    return f"{count:,} {one if count == 1 else several or f'{one}s'}"
