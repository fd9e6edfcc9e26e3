"""Restoring an archive fails an import that was unfinished when the archive was written, and says what to do."""

import uuid

from core.events import publish
from core.privacy import vault
from tenants.imports.models import Import
from tenants.imports.restored import WHY


def test_unfinished_imports_fail_with_what_to_do_and_finished_ones_stay(session):
    rows = {
        state: Import(
            uuid=uuid.uuid4(),
            state=state,
            step="",
            format="csv",
            source="csv:test",
            mapping={},
            content_hash=state,
            requested_by="test:1",
        )
        for state in ("pending", "reading", "checking", "applying", "done", "cancelled")
    }
    for row in rows.values():
        row.strict = False
        session.add(row)
    vault(session).ensure_patient_keys([rows["reading"].uuid])
    session.flush()
    assert publish(session, "tenant.restored", {}) >= 1
    query = "SELECT state, error, finished_at IS NOT NULL FROM imports WHERE uuid = %s"
    outcomes = {state: session.cursor().execute(query, (row.uuid,)).fetchone() for state, row in rows.items()}
    for state in ("pending", "reading", "checking", "applying"):
        assert outcomes[state] == ("failed", WHY, True)
    assert (outcomes["done"][0], outcomes["cancelled"][0]) == ("done", "cancelled")
    assert vault(session).ensure_patient_keys([rows["reading"].uuid]) == {rows["reading"].uuid}, "its key is destroyed"
