"""What node has more since 0001: rendered by ``python -m migrations.render``."""

import sqlalchemy as sa
from alembic import op

from migrations.operations import bind_tenant_id, grant_application, make_own_tenant_function

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take 5 steps."""
    make_own_tenant_function()
    op.create_table(
        "migration_failures",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("first_failed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("failed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("pk_migration_failures")),
        schema="node",
    )
    bind_tenant_id("node", "jobs")
    grant_application("SELECT", "node", "migration_failures")
    bind_tenant_id("node", "usage_events")
