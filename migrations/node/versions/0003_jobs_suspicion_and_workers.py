"""What node has more since 0002: rendered by ``python -m migrations.render``."""

import sqlalchemy as sa
from alembic import op

from migrations.operations import concurrently, grant_application

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take 4 steps."""
    with concurrently("node", "ix_usage_events_latest"):
        op.create_index(
            "ix_usage_events_latest",
            "usage_events",
            ["tenant_id", "meter", "recorded_at"],
            unique=False,
            schema="node",
            postgresql_concurrently=True,
            if_not_exists=True,
        )
    op.add_column(
        "jobs", sa.Column("suspicion", sa.Integer(), server_default=sa.text("0"), nullable=False), schema="node"
    )
    op.create_table(
        "workers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("process", sa.Integer(), nullable=False),
        sa.Column("threads", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workers")),
        schema="node",
    )
    grant_application("SELECT, INSERT, UPDATE, DELETE", "node", "workers")
