"""Consistent reads of a whole tenant."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import text

from core.database import TenantSession, owner_engine
from core.database.sessions import reachable
from core.errors import Conflict
from core.tenancy.archive.tables import prepare

if TYPE_CHECKING:
    from collections.abc import Iterator

    from core.database import TenantRef


@contextmanager
def snapshot(tenant: TenantRef, *, actor: str) -> Iterator[TenantSession]:
    """A read-only transaction of the tenant's owner that sees the same rows from beginning to end.

    Raises:
        Unavailable: the owner's login is not configured, or the database cannot be reached.
    """
    with reachable(owner_engine(tenant.database)) as connection:
        still = connection.execution_options(isolation_level="REPEATABLE READ")
        with TenantSession(still, tenant, actor=actor, readonly=True, as_owner=True) as session:
            prepare(session)
            yield session
            session.rollback()


def revision_of(session: TenantSession) -> str:
    """The migration that the tenant's schema records as its own.

    Raises:
        Conflict: it records none.
    """
    version: str | None = session.scalar(text("SELECT version_num FROM alembic_version"))
    if version is None:
        detail = "the tenant's schema records no migration"
        raise Conflict(detail, command="run `iit migrate`")
    return version
