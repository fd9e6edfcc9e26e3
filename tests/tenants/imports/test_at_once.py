"""The same files sent several times at once are one import."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from core.database import owner_connection, tenant_session
from tenants.imports import service
from tenants.imports.mapping import parse_mapping
from tenants.imports.service import GivenFile, Order

from .conftest import MAPPING, rows

if TYPE_CHECKING:
    from uuid import UUID

    from core.database import TenantRef

SENDERS = 8
PATIENCE = 180.0


def order() -> Order:
    return Order([GivenFile("patients.csv", 10, "0" * 64)], parse_mapping(MAPPING))


def test_the_same_files_sent_at_once_are_one_import(tenant: TenantRef) -> None:
    begun: list[tuple[UUID, bool]] = []

    def send() -> None:
        with tenant_session(tenant, actor="test:1") as session:
            row, goes_on = service.begin(session, order())
            begun.append((row.uuid, goes_on))

    others = [threading.Thread(target=send) for _ in range(SENDERS - 1)]
    with tenant_session(tenant, actor="test:1") as session:
        first, _ = service.begin(session, order())
        for other in others:
            other.start()
        until = time.monotonic() + PATIENCE
        while waiting() + len(begun) < len(others):
            assert time.monotonic() < until, "the others neither wait nor have begun"
            time.sleep(0.01)
    for other in others:
        other.join(PATIENCE)
    assert begun == [(first.uuid, True)] * len(others)
    with tenant_session(tenant, actor="test:1") as session:
        assert rows(session, "SELECT count(*) FROM imports") == [(1,)]


def waiting() -> int:
    """Sessions that wait for an advisory lock."""
    with owner_connection() as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database ="
            " (SELECT oid FROM pg_database WHERE datname = current_database())"
        ).fetchone()
    return row[0] if row else 0
