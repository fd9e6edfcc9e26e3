"""What node has more since 0005: rendered by ``python -m migrations.render``."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take 4 steps."""
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
