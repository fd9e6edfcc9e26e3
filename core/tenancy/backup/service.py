"""Restores from end to end: where the backup comes from, and what becomes of the state that is left."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.database import DEFAULT_DATABASE
from core.identity.operator import ACTOR
from core.tenancy import placing
from core.tenancy.archive.files import missing
from core.tenancy.backup import container, previous
from core.tenancy.backup.restoring import Restored, restore
from core.tenancy.backup.saving import at_moment, save_schema
from core.tenancy.service import describe_tenant
from core.tenancy.turns import turn

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    Told = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Back:
    """A restore that is done.

    Attributes:
        restored: what was restored.
        to: the moment that it goes back to.
        previous: the backup of what was there before, None where nothing was.
        missing: stored files that the restored rows refer to and that the store no longer has: backups hold none.
    """

    restored: Restored
    to: str
    previous: Path | None
    missing: list[str]


def from_file(
    slug: str,
    file: Path,
    *,
    new_slug: str | None = None,
    database: str = DEFAULT_DATABASE,
    keep_old: bool = False,
    actor: str = ACTOR,
    told: Told = lambda _text: None,
) -> Back:
    """Restore a file that ``backup`` wrote. See ``core.tenancy.backup.restoring.restore``."""
    with ExitStack() as held:
        for name in sorted({slug, new_slug or slug}):
            held.enter_context(turn(name))
        header, manifest, dump = held.enter_context(container.opened(file))
        told(f"restoring what {slug} was at {header.made_at}")
        done = restore(slug, manifest, dump, new_slug=new_slug, database=database, actor=actor, why=header.made_at)
        put_away = _put_away(done, keep_old=keep_old, told=told)
        return Back(done, header.made_at, put_away, missing(done.ref))


def to_moment(
    slug: str, moment: datetime, *, keep_old: bool = False, actor: str = ACTOR, told: Told = lambda _text: None
) -> Back:
    """Restore what the tenant was at a moment since a base backup of the embedded server.

    Raises:
        NotFound: there is no such tenant, or it was not there then.
        Invalid: no base backup reaches that moment, or it has not come yet.
        Unavailable: the servers cannot be brought back to it.
        Conflict: somebody else moves, restores or deletes the tenant right now.
    """
    from core.services.recovery import recovered

    with turn(slug):
        row = describe_tenant(slug)
        with recovered(moment, told) as logins:
            told(f"restoring what {slug} was at {moment.isoformat()}")
            with at_moment(logins[DEFAULT_DATABASE], logins, row.id) as (manifest, dump):
                done = restore(row.slug, manifest, dump, actor=actor, why=moment.isoformat())
        put_away = _put_away(done, keep_old=keep_old, told=told)
        return Back(done, moment.isoformat(), put_away, missing(done.ref))


def _put_away(done: Restored, *, keep_old: bool, told: Told) -> Path | None:
    """Write what the tenant was before to a file, exact to its last transaction, and drop its schema."""
    if done.left is None:
        return None
    file = previous.new_file(done.ref.slug)
    told("writing what was there before")
    left = done.left
    save_schema(describe_tenant(done.ref.slug), left.database, left.schema_name, left.role_name, file)
    if not keep_old:
        placing.drop_retired(done.ref.id, only=left.schema_name, early=True)
    return file
