"""Additions to node after 0005: rendered by ``python -m migrations.render``."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.operations import bind_tenant_id, grant_application, own_rows_only

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take 15 steps."""
    op.create_table(
        "dead_letter_levels",
        sa.Column("tenant_role", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("tenant_role", name=op.f("pk_dead_letter_levels")),
        schema="node",
    )
    op.add_column(
        "dead_letters", sa.Column("failures", postgresql.JSONB(astext_type=sa.Text()), nullable=True), schema="node"
    )
    op.add_column("dead_letters", sa.Column("resolution_reason", sa.Text(), nullable=True), schema="node")
    op.add_column("jobs", sa.Column("failures", postgresql.JSONB(astext_type=sa.Text()), nullable=True), schema="node")
    op.create_table(
        "outbox",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("tenant_role", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("payload", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column(
            "published_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("forwarded_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        schema="node",
    )
    op.create_index(
        "ix_outbox_forwarded",
        "outbox",
        ["forwarded_at"],
        unique=False,
        schema="node",
        postgresql_where=sa.text("forwarded_at IS NOT NULL"),
    )
    op.create_index(
        "ix_outbox_waiting",
        "outbox",
        ["published_at", "id"],
        unique=False,
        schema="node",
        postgresql_where=sa.text("forwarded_at IS NULL"),
    )
    op.add_column("usage_events", sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=True), schema="node")
    op.add_column(
        "usage_events",
        sa.Column(
            "dimensions", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
        schema="node",
    )
    # allow: a few rows for each tenant and day: the table is rewritten and indexed in seconds at most
    op.add_column(
        "usage_events",
        sa.Column(
            "transaction_id",
            sa.BigInteger(),
            server_default=sa.text("(pg_current_xact_id()::text)::bigint"),
            nullable=True,
        ),
        schema="node",
    )
    # allow: a few rows for each tenant and day: the table is rewritten and indexed in seconds at most
    op.create_index(
        "ix_usage_events_transaction_id", "usage_events", ["transaction_id", "id"], unique=False, schema="node"
    )
    grant_application("SELECT, INSERT, UPDATE, DELETE", "node", "dead_letter_levels")
    grant_application("SELECT, UPDATE, DELETE", "node", "outbox")
    own_rows_only("INSERT", "node", "outbox")
    bind_tenant_id("node", "outbox")
