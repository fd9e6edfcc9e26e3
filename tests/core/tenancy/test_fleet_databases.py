"""Tenants of several data databases are brought to head in one run, at the same time.

On servers of its own, which get a second data database.
"""

import secrets
import shutil
import threading

import pytest
from sqlalchemy import text

from core.database import dispose, owner_session, scripts, upgrade
from core.services.manager import add_database
from core.tenancy import create_tenant
from core.tenancy.fleet import status

SCRIPT = """
import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = "{before}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("tenant_settings", sa.Column("note", sa.Text(), nullable=True))
"""


@pytest.fixture
def fleet(own_services, tmp_path, monkeypatch):
    """A tenant in each of two databases, and one more migration to come."""
    add_database("east")
    dispose()
    upgrade.migrate()
    new_tenants = [
        create_tenant(f"fleet-{secrets.token_hex(4)}", "Fleet", database=name).ref for name in ("default", "east")
    ]
    before = scripts.head("tenant")
    revision = f"{int(before) + 1:04}"
    shutil.copytree(scripts.MIGRATIONS, tmp_path / "migrations")
    script = tmp_path / "migrations" / "tenant" / "versions" / f"{revision}_note.py"
    script.write_text(SCRIPT.format(revision=revision, before=before))
    monkeypatch.setattr(scripts, "MIGRATIONS", tmp_path / "migrations")
    scripts.forget()
    yield new_tenants, revision
    monkeypatch.undo()
    scripts.forget()


def test_both_databases_are_under_way_at_once_and_both_get_to_head(fleet):
    (west, east), revision = fleet
    both = threading.Barrier(2, timeout=60)
    done = upgrade.migrate(
        progress=lambda schema: both.wait() if schema in {west.schema_name, east.schema_name} else None
    )
    assert set(done.upgraded) == {west.schema_name, east.schema_name}
    assert not both.broken, "each waited for the other, so neither was first"
    for tenant in (west, east):
        with owner_session(tenant.database) as session:
            query = text("SELECT revision FROM node.tenant_schemas WHERE schema_name = :schema")
            assert session.scalar(query, {"schema": tenant.schema_name}) == revision
    report = status()
    assert report.at_head
    assert [(one.database, one.tenants, sorted(one.shared)) for one in report.databases] == [
        ("default", 1, ["node", "platform"]),
        ("east", 1, ["node"]),
    ]
