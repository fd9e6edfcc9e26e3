"""``iit knowledge add|list|show|forget|sources|fetch``: documents of a tenant, and where they come from."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import click

from core.cli.output import ACTOR, json_option, print_json, print_table, tenant

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from core.database import TenantSession

_COLUMNS = ("id", "name", "version", "title", "language", "state", "passages", "problem")


@click.command()
@click.argument("slug")
@click.argument("path", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--name", default="", help="Versions of a document share it. Default: the name of the file.")
@click.option("--title", default="", help="For quotes. Default: the first heading.")
@click.option("--language", default="", help="ISO 639, such as en. Default: detected.")
@click.option("--url", default="", help="Its address for readers.")
@click.option("--valid-from", type=click.DateTime(["%Y-%m-%d"]), help="The first day on which it applies.")
@json_option
def add(
    slug: str,
    path: Path,
    *,
    name: str,
    title: str,
    language: str,
    url: str,
    valid_from: datetime | None,
    as_json: bool,
) -> None:
    """Add the document PATH to the tenant SLUG. A worker reads it. The same name again adds the next version.

    iit knowledge add partner guidelines.pdf --language en
    """
    from core.database import tenant_session
    from tenants.knowledge.service import Draft, named, receive

    ref = tenant(slug)

    def open_session() -> AbstractContextManager[TenantSession]:
        return tenant_session(ref, actor=ACTOR)

    day = valid_from.date() if valid_from else None
    draft = Draft(named(name, path.name), " ".join(title.split()), language.lower(), url, day)
    with path.open("rb") as content:
        row = receive(ref, open_session, content, draft, source="cli")
    if as_json:
        print_json({"id": str(row.uuid), "name": row.name, "version": row.version, "state": row.state})
    else:
        click.echo(f"{row.name}, version {row.version}: {row.state}, id {row.uuid}")


@click.command("list")
@click.argument("slug")
@json_option
def list_(slug: str, *, as_json: bool) -> None:
    """List the current documents of the tenant SLUG, and those that wait or cannot be read."""
    from core.database import tenant_session
    from tenants.knowledge.repository import current
    from tenants.knowledge.schemas import KnowledgeDocumentOut

    with tenant_session(tenant(slug), actor=ACTOR, readonly=True) as session:
        rows = [KnowledgeDocumentOut.of(row).model_dump(mode="json") for row in current(session)]
    if as_json:
        print_json({"documents": rows})
    else:
        print_table(rows, _COLUMNS)


@click.command()
@click.argument("slug")
@click.argument("document_id", type=click.UUID)
@json_option
def show(slug: str, document_id: UUID, *, as_json: bool) -> None:
    """Show the versions of a document of the tenant SLUG, the newest first, and how many passages each has."""
    from core.database import tenant_session
    from tenants.knowledge import repository, service
    from tenants.knowledge.schemas import KnowledgeDocumentOut

    with tenant_session(tenant(slug), actor=ACTOR, readonly=True) as session:
        row = service.get(session, document_id)
        versions = repository.versions(session, row.source_id, row.name)
        rows = [KnowledgeDocumentOut.of(each).model_dump(mode="json") for each in versions]
    if as_json:
        print_json({"versions": rows})
    else:
        print_table(rows, ("id", "version", "title", "language", "state", "passages", "valid_from", "superseded_at"))


@click.command()
@click.argument("slug")
@click.argument("document_id", type=click.UUID)
def forget(slug: str, document_id: UUID) -> None:
    """Delete a document of the tenant SLUG with all its versions, passages and files."""
    from core.database import tenant_session
    from tenants.knowledge import service

    with tenant_session(tenant(slug), actor=ACTOR) as session:
        service.forget(session, document_id, source="cli")
    click.echo(f"{document_id}: deleted with all its versions")


@click.command()
@click.argument("slug")
@json_option
def sources(slug: str, *, as_json: bool) -> None:
    """List the sources of documents of the tenant SLUG."""
    from core.database import tenant_session
    from tenants.knowledge.schemas import KnowledgeSourceOut
    from tenants.knowledge.sources import list_sources

    with tenant_session(tenant(slug), actor=ACTOR, readonly=True) as session:
        rows = [KnowledgeSourceOut.of(state).model_dump(mode="json") for state in list_sources(session)]
    if as_json:
        print_json({"sources": rows})
    else:
        print_table(rows, ("name", "plugin", "state", "searchable", "waiting", "unreadable", "problem"))


@click.command()
@click.argument("slug")
@click.argument("name")
@json_option
def fetch(slug: str, name: str, *, as_json: bool) -> None:
    """Have a worker fetch the documents of the source NAME of the tenant SLUG now."""
    from core.database import tenant_session
    from core.errors import NotFound, phrase
    from core.errors.nearest import remedy_for
    from tenants.knowledge.sources import list_sources, request_fetch

    with tenant_session(tenant(slug), actor=ACTOR) as session:
        states = {state.name: state for state in list_sources(session)}
        if name not in states:
            raise NotFound(phrase("there is no source {name}", name=name), remedy=remedy_for(name, states))
        job_id = request_fetch(session, states[name].id, source="cli")
    if as_json:
        print_json({"job_id": str(job_id)})
    else:
        click.echo(f"{name}: a worker fetches it in job {job_id}")
