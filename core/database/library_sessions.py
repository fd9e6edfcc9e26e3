"""Sessions for libraries that make their own: they read in the transaction of the tenant that asks, never beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.orm import Session

if TYPE_CHECKING:
    from core.database.sessions import TenantSession


def library_session(session: TenantSession, *, schema_of_library: str) -> Session:
    """Return a session in a savepoint of a tenant's transaction.

    Args:
        session: of the tenant, with its transaction open.
        schema_of_library: the schema that the library's statements name; the tenant's own takes its place.
    """
    bind = session.connection().execution_options(schema_translate_map={schema_of_library: session.tenant.schema_name})
    return Session(bind=bind, join_transaction_mode="create_savepoint")
