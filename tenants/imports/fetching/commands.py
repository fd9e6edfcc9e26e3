"""``iit import-source``: the sources from which records are fetched."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from core.cli.output import ACTOR, json_option, print_json, print_table, tenant

if TYPE_CHECKING:
    from core.database import TenantSession
    from tenants.imports.fetching.service import SourceState


@click.group()
def import_source() -> None:
    """See the sources from which records are fetched, change them, fetch now."""


@import_source.command("list")
@click.argument("slug")
@json_option
def list_(slug: str, *, as_json: bool) -> None:
    """List the sources of the tenant SLUG, with their times in its time zone."""
    from core.database import tenant_session
    from tenants.imports.fetching.schemas import ImportSourceOut
    from tenants.imports.fetching.service import list_sources

    with tenant_session(tenant(slug), actor=ACTOR, readonly=True) as session:
        rows = [ImportSourceOut.of(state).model_dump(mode="json") for state in list_sources(session)]
    if as_json:
        print_json({"sources": rows})
    else:
        print_table(rows, ("name", "plugin", "state", "cron", "active", "next_run", "outcome", "problem"))


@import_source.command("set")
@click.argument("slug")
@click.argument("name")
@click.option("--cron", help="Minute, hour, day of month, month, day of week, in the tenant's time zone.")
@click.option("--on/--off", "active", default=None, help="Whether the schedule runs.")
@click.option("--mapping", type=click.Path(path_type=Path, dir_okay=False, exists=True), help="The mapping (YAML).")
@click.option("--dates", type=click.Choice(["day-first", "month-first"]), help="What comes first in numeric dates.")
@click.option("--strict/--not-strict", default=None, help="Import nothing of a file if any row is rejected.")
@json_option
def set_(
    slug: str,
    name: str,
    *,
    cron: str | None,
    active: bool | None,
    mapping: Path | None,
    dates: str | None,
    strict: bool | None,
    as_json: bool,
) -> None:
    """Change the source NAME of the tenant SLUG. What you leave out stays as it is.

    iit import-source set partner "State server" --cron "30 0 * * *" --on
    """
    from core.database import tenant_session
    from tenants.imports.fetching.schemas import ImportSourceOut
    from tenants.imports.fetching.service import change_source

    text = None if mapping is None else mapping.read_text(encoding="utf-8")
    changes: dict[str, Any] = {"cron": cron, "active": active, "mapping": text, "dates": dates, "strict": strict}
    with tenant_session(tenant(slug), actor=ACTOR) as session:
        state = _named(session, name)
        terms = replace(state.terms, **{each: value for each, value in changes.items() if value is not None})
        state = change_source(session, state.id, terms, source="cli")
    if as_json:
        print_json(ImportSourceOut.of(state).model_dump(mode="json"))
    else:
        due = f"next {state.next_run:%Y-%m-%d %H:%M} UTC" if state.next_run else "paused"
        click.echo(f"{name}: {state.terms.cron}, {due}")


@import_source.command("fetch")
@click.argument("slug")
@click.argument("name")
@click.option("--again", is_flag=True, help="Try rejected files again, though they did not change.")
@json_option
def fetch(slug: str, name: str, *, again: bool, as_json: bool) -> None:
    """Have a worker fetch the new files of the source NAME of the tenant SLUG now."""
    from core.database import tenant_session
    from tenants.imports.fetching.service import request_fetch

    with tenant_session(tenant(slug), actor=ACTOR) as session:
        job_id = request_fetch(session, _named(session, name).id, source="cli", again=again)
    if as_json:
        print_json({"job_id": str(job_id)})
    else:
        click.echo(f"{name}: a worker fetches it in job {job_id}")


@import_source.command("files")
@click.argument("slug")
@click.argument("name")
@json_option
def files(slug: str, name: str, *, as_json: bool) -> None:
    """List the files of the source NAME of the tenant SLUG and what became of them, the newest first, at most 200."""
    from core.database import tenant_session
    from tenants.imports.fetching.repository import file_states, newest_files
    from tenants.imports.fetching.schemas import FetchedFileOut

    with tenant_session(tenant(slug), actor=ACTOR, readonly=True) as session:
        newest = newest_files(session, _named(session, name).id, 200)
        states = file_states(session, newest)
        rows = [FetchedFileOut.of(row, states[row.id]).model_dump(mode="json") for row in newest]
    if as_json:
        print_json({"files": rows})
    else:
        print_table(rows, ("name", "state", "fetched_at", "problem", "import_id"))


def _named(session: TenantSession, name: str) -> SourceState:
    """Return the source with a name.

    Raises:
        NotFound: there is none.
    """
    from core.errors import NotFound, phrase
    from core.errors.nearest import remedy_for
    from tenants.imports.fetching.service import list_sources

    states = {state.name: state for state in list_sources(session)}
    if name not in states:
        raise NotFound(phrase("there is no source {name}", name=name), remedy=remedy_for(name, states))
    return states[name]
