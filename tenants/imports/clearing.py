"""Delete the staged rows of an import."""

from __future__ import annotations

from uuid import UUID

from core import privacy
from core.database import SessionOpener
from tenants.imports import repository


def clear(open_session: SessionOpener, import_uuid: UUID) -> None:
    """Delete the staged rows of an import, in steps or at once, and destroy the key of its personal fields."""
    with open_session() as session:
        large = repository.is_large(session, import_uuid)
    if large:
        with open_session() as session:
            repository.empty(session, import_uuid)
    more = True
    while more:
        with open_session() as session:
            more = repository.clear_some(session, import_uuid)
            if not more:
                privacy.vault(session).erase_patient(import_uuid)
