"""An index of a shared table is built while others write to it; the next try rebuilds what a killed one left.

On servers of its own, since it changes ``node``.
"""

import shutil

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from core.database import owner_session, scripts, upgrade
from core.database.engines import owner_engine

SCRIPT = """
import sqlalchemy as sa
from alembic import op
from migrations.operations import concurrently

revision = "{revision}"
down_revision = "{before}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with concurrently("node", "ix_jobs_kind"):
        op.create_index(
            "ix_jobs_kind", "jobs", ["kind"], schema="node", postgresql_concurrently=True, if_not_exists=True
        )
    op.add_column("jobs", sa.Column("note", sa.Text(), nullable=True), schema="node")
"""


VALID = text("SELECT indisvalid FROM pg_index WHERE indexrelid = CAST('node.ix_jobs_kind' AS regclass)")
JOB = (
    "INSERT INTO node.jobs (id, tenant_id, tenant_role, kind, payload, run_after, max_attempts, requested_by)"
    " VALUES (gen_random_uuid(), gen_random_uuid(), 'nobody', 'x', '{}', now() + interval '1 day', 1, 'test:1')"
)


@pytest.fixture
def newer(own_services, tmp_path, monkeypatch):
    """The trees with a script that indexes ``node.jobs``."""
    before = scripts.head("node")
    revision = f"{int(before) + 1:04}"
    shutil.copytree(scripts.MIGRATIONS, tmp_path / "migrations")
    script = tmp_path / "migrations" / "node" / "versions" / f"{revision}_kind.py"
    script.write_text(SCRIPT.format(revision=revision, before=before))
    monkeypatch.setattr(scripts, "MIGRATIONS", tmp_path / "migrations")
    scripts.forget()
    yield revision
    monkeypatch.undo()
    scripts.forget()


def test_it_is_built_whole_though_a_killed_try_left_half_of_it(newer):
    with owner_session() as session:
        for _ in range(2):
            session.execute(text(JOB))
    with owner_engine().connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        with pytest.raises(IntegrityError):
            connection.execute(text("CREATE UNIQUE INDEX CONCURRENTLY ix_jobs_kind ON node.jobs (kind)"))
        assert connection.scalar(VALID) is False, "as a killed try leaves it"
    assert "node" in upgrade.migrate().upgraded
    with owner_session() as session:
        valid = session.scalar(VALID)
        version = session.scalar(text("SELECT version_num FROM node.alembic_version"))
        noted = session.scalar(text("SELECT count(note) FROM node.jobs"))
        path = session.scalar(text("SELECT current_setting('search_path')"))
    assert (valid, version, noted) == (True, newer, 0)
    assert path in {"", '""'}
